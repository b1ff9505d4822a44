"""The servers under load: one process each, with an MLflow store and a ledger of its own."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import client
from benchmarks.agents import Agent, Mode

_ROOT = Path(__file__).parent.parent
_STORE = "mlflow.db"
_START_SECONDS = 60.0


@contextlib.contextmanager
def running(agent: Agent, modes: tuple[Mode, ...], folder: Path) -> Iterator[dict[Mode, int]]:
    """Run the agent once per mode and give each one's port; ended after the block."""
    empty_store = _empty_store(folder)
    ports = {mode: _free_port() for mode in modes}
    with contextlib.ExitStack() as ended:
        for mode, port in ports.items():
            own = Path(ended.enter_context(tempfile.TemporaryDirectory(dir=folder)))
            shutil.copy(empty_store, own / _STORE)
            ended.enter_context(_process(agent, mode, port, own))
        for port in ports.values():
            _wait_until_up(port)
        yield ports


@contextlib.contextmanager
def _process(agent: Agent, mode: Mode, port: int, folder: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "benchmarks.agents", mode, agent, str(port)]
    process = subprocess.Popen(command, cwd=folder, env=_environment(folder))
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _empty_store(folder: Path) -> Path:
    # Creating MLflow's tables takes longer than anything that is measured.
    store = folder / _STORE
    if not store.exists():
        make = [sys.executable, "-c", "import mlflow; mlflow.search_experiments()"]
        subprocess.run(make, cwd=folder, env=_environment(folder), check=True)
    return store


def _environment(folder: Path) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MLFLOW_", "AGENT_FEEDBACK_", "DATABRICKS_"))
    }
    return kept | {
        "PYTHONPATH": str(_ROOT),
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder / _STORE}",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_LOGGING_LEVEL": "WARNING",
        "AGENT_FEEDBACK_LEDGER_URL": f"sqlite:///{folder}/ledger.db",
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_up(port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not client.is_up(port):
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing answers on port {port}: the server's log is above")
        time.sleep(0.1)
