"""Servers in processes of their own."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx

from tests.support.waiting import eventually

# Importing MLflow takes seconds on an idle machine, and minutes on a busy one.
_START_SECONDS = 180.0


def wait_until_started(
    started: Callable[[], bool], log: Path, process: subprocess.Popen[bytes], name: str
) -> None:
    """Wait until a server has started; one that ends or never does is named, with its log."""

    def started_or_ended() -> bool:
        return process.poll() is not None or started()

    if not eventually(started_or_ended, within=_START_SECONDS) or process.poll() is not None:
        raise RuntimeError(f"{name} did not start:\n{log.read_text()}")


def answers(url: str) -> bool:
    """Whether a server answers this URL with success."""
    try:
        return httpx.get(url, timeout=5).is_success
    except httpx.TransportError:
        return False
