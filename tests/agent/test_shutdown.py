"""A deployment that stops the server while it answers: SIGTERM to a real uvicorn."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.agent.hosting import DONE, STATE, Host, Hosts, eventually, frames, outputs_of
from tests.support.loopback import free_port
from tests.support.mlflow_store import Tracking

# Far more than the short streams have left at the stop, on a busy machine.
_GRACE_SECONDS = 6
_HANGS_AFTER_SECONDS = 90.0
_SHORT = 20
_ENDLESS = 10_000


@pytest.fixture
def process(
    tracking: Tracking, tmp_path: Path, unused_port: int
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `slow_agent` under uvicorn's command line, which waits a while for open streams."""
    port, grace = str(unused_port), str(_GRACE_SECONDS)
    arguments = ["tests.agent.slow_agent:app", "--port", port, "--timeout-graceful-shutdown", grace]
    variables = {
        "MLFLOW_TRACKING_URI": tracking.uri,
        "MLFLOW_EXPERIMENT_ID": tracking.experiment_id,
        "AGENT_FEEDBACK_LEDGER_URL": f"sqlite:///{tmp_path}/ledger.db",
    }
    with (tmp_path / "log").open("wb") as log:
        started = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", *arguments],
            env=os.environ | variables,
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
    yield started
    started.kill()
    started.wait()


@pytest.fixture
def unused_port() -> int:
    """Give a port that nothing listens on."""
    return free_port()


@pytest.fixture
def host(hosts: Hosts, process: subprocess.Popen[bytes], unused_port: int) -> Host:
    """Give the running process as a host, once it answers."""
    found = hosts.at(f"http://127.0.0.1:{unused_port}")

    def answers() -> bool:
        assert process.poll() is None
        try:
            return found.get("/feedback/settings").status_code == 200
        except httpx.TransportError:
            return False

    eventually(answers, "the process did not start", within_seconds=60)
    return found


def test_streams_end_in_order_at_a_stop(host: Host, process: subprocess.Popen[bytes]) -> None:
    """Streams end with ``done`` where they can; the others are kept as interrupted; it exits."""
    # A thread cannot be interrupted: it hears at its next word that it should stop.
    turns = {
        f"{name}-{thread}": {"words": words, "thread": thread, "pause": pause}
        for name, words, pause in (("short", _SHORT, 0.05), ("endless", _ENDLESS, 0.4))
        for thread in (True, False)
    }
    with ThreadPoolExecutor(len(turns)) as clients:
        speak = threading.Barrier(len(turns) + 1)
        begun = {
            name: clients.submit(_read, host, {**turn, "client_request_id": name}, speak)
            for name, turn in turns.items()
        }
        speak.wait(_HANGS_AFTER_SECONDS)
        process.send_signal(signal.SIGTERM)
        process.wait(_HANGS_AFTER_SECONDS)
        answered = {name: answer.result(30) for name, answer in begun.items()}
    assert process.returncode in (0, -signal.SIGTERM)
    for name in turns:
        said, state = answered[name], host.trace(name).info.request_metadata[STATE]
        if name.startswith("short"):
            *words, done, end = said
            assert (len(words), done["status"], end, state) == (_SHORT, "ok", DONE, "ok")
        else:
            assert DONE not in said
            assert state == "interrupted"
            assert outputs_of(host.trace(name))[: len(said)] == said


def _read(host: Host, body: dict[str, Any], speak: threading.Barrier) -> list[Any]:
    """Whatever whole frames come before the end of the stream or of the connection."""
    text = ""
    with host.streaming(body) as response:
        try:
            for chunk in response.iter_text():
                if not text:
                    speak.wait(_HANGS_AFTER_SECONDS)
                text += chunk
        except httpx.RemoteProtocolError:
            text = text[: text.rindex("\n\n") + 2]
    return frames(text)
