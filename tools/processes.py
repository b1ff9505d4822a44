"""Servers in processes of their own: finding a port, stopping one."""

from __future__ import annotations

import socket
import subprocess


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def stop(process: subprocess.Popen[bytes], within_seconds: float) -> None:
    """Ask a process to end, and end it where it does not."""
    process.terminate()
    try:
        process.wait(within_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
