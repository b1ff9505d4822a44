"""A server in a process of its own, known by what it logs."""

import subprocess
import time
from pathlib import Path

# Importing MLflow takes seconds on an idle machine, and a minute on a busy one.
_START_SECONDS = 100.0


def wait_until_it_says(text: str, log: Path, process: subprocess.Popen[bytes], name: str) -> None:
    """Wait for this in the log; a process that ends or stays silent is named, with its log."""
    deadline = time.monotonic() + _START_SECONDS
    while text not in log.read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{name} did not start:\n{log.read_text()}")
        time.sleep(0.1)
