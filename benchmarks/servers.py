"""The servers under load: one process each.

Those of `benchmarks.overhead` have an MLflow store and a ledger of their own.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks import client
from benchmarks.agents import Agent, Mode
from tools.processes import free_port, stop

ROOT = Path(__file__).parent.parent
STORE = "mlflow.db"
_START_SECONDS = 60.0
_STOP_SECONDS = 15.0


@contextlib.contextmanager
def running(agent: Agent, modes: tuple[Mode, ...], folder: Path) -> Iterator[dict[Mode, int]]:
    """Run the agent once per mode and give each one's port; ended after the block."""
    empty = empty_store(folder)
    ports = {mode: free_port() for mode in modes}
    with contextlib.ExitStack() as ended:
        for mode, port in ports.items():
            own = Path(ended.enter_context(tempfile.TemporaryDirectory(dir=folder)))
            shutil.copy(empty, own / STORE)
            command = [sys.executable, "-m", "benchmarks.agents", mode, agent, str(port)]
            ended.enter_context(process(command, own, environment(own)))
        for port in ports.values():
            wait_until_up(port)
        yield ports


@contextlib.contextmanager
def process(
    command: Sequence[str], folder: Path, variables: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command until the end of the block."""
    running = subprocess.Popen(command, cwd=folder, env=variables)
    try:
        yield running
    finally:
        stop(running, _STOP_SECONDS)


def empty_store(folder: Path) -> Path:
    """Return an MLflow store that is made once for the folder, to be copied."""
    # Creating MLflow's tables takes longer than anything that is measured.
    store = folder / STORE
    if not store.exists():
        make = [sys.executable, "-c", "import mlflow; mlflow.search_experiments()"]
        subprocess.run(make, cwd=folder, env=environment(folder), check=True)
    return store


def environment(folder: Path) -> dict[str, str]:
    """Return the variables of a server whose store and ledger are in the folder."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MLFLOW_", "AGENT_FEEDBACK_", "DATABRICKS_"))
    }
    return kept | {
        "PYTHONPATH": str(ROOT),
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder / STORE}",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_LOGGING_LEVEL": "WARNING",
        "AGENT_FEEDBACK_LEDGER_URL": f"sqlite:///{folder}/ledger.db",
    }


def wait_until_up(port: int) -> None:
    """Return when the server answers; `TimeoutError` where it does not."""
    deadline = time.monotonic() + _START_SECONDS
    while not client.is_up(port):
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing answers on port {port}: the server's log is above")
        time.sleep(0.1)
