"""Replicas of the app under test: real uvicorn processes that a test starts, kills and stops."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from tests.support.processes import answers, wait_until_started
from tests.support.waiting import until
from tools.processes import free_port

PROJECT = Path(__file__).resolve().parents[2]
_HIDDEN = ("AGENT_FEEDBACK_", "DATABRICKS_", "FAULTS_", "MLFLOW_")


class Replica:
    """One uvicorn with its workers, on a port that it keeps over restarts.

    Args:
        folder: Where its log goes.
        tracking_uri: MLflow, or a proxy before it.
        experiment_id: Where its traces go.
        ledger_url: Its ledger, which other replicas may share.
        workers: How many processes answer.
        variables: More of its environment: ``AGENT_FEEDBACK_*``, ``MLFLOW_*``, ``FAULTS_*``.
    """

    def __init__(
        self,
        folder: Path,
        *,
        tracking_uri: str,
        experiment_id: str,
        ledger_url: str,
        workers: int = 1,
        **variables: str,
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / f"replica-{self.port}.log"
        self.ledger_url = ledger_url
        self.workers = workers
        self._process: subprocess.Popen[bytes] | None = None
        # No connection is kept: the process at its other end may be killed.
        self._client = httpx.Client(limits=httpx.Limits(max_keepalive_connections=0))
        kept = {n: value for n, value in os.environ.items() if not n.startswith(_HIDDEN)}
        self._environment = kept | {
            "AGENT_FEEDBACK_LEDGER_URL": ledger_url,
            "AGENT_FEEDBACK_WRITES_PER_MINUTE": "1000000",
            "MLFLOW_TRACKING_URI": tracking_uri,
            "MLFLOW_EXPERIMENT_ID": experiment_id,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            **variables,
        }

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "uvicorn", "tests.faults.app:app"),
                    *("--host", "127.0.0.1", "--port", str(self.port)),
                    *("--workers", str(self.workers), "--timeout-graceful-shutdown", "3"),
                ],
                cwd=PROJECT,
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                # A group of its own: its workers are killed with it.
                start_new_session=True,
            )
        settings = f"{self.url}/feedback/settings"
        wait_until_started(partial(answers, settings), self.log, self._process, "the app")

    @property
    def process_id(self) -> int:
        """The process that answers, where there is one worker."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """Kill it and its workers without a warning (``kill -9``)."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def terminate(self, *, within: float = 30.0) -> float:
        """Ask it to stop (SIGTERM), as a platform does; returns how many seconds that took."""
        assert self._process is not None
        begun = time.monotonic()
        self._process.terminate()
        try:
            self._process.wait(within)
        finally:
            self.kill()
        return time.monotonic() - begun

    def wait_until_dead(self, *, within: float = 30.0) -> None:
        """Wait until a fault that it was given has killed it."""
        assert self._process is not None
        self._process.wait(within)
        self.kill()

    def close(self) -> None:
        """Kill it, and close the connections to it."""
        self.kill()
        self._client.close()

    def status(self) -> dict[str, Any]:
        """What ``GET /feedback/status`` answers."""
        answer = self._client.get(f"{self.url}/feedback/status", timeout=10)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def wait_until_settled(self, *, within: float) -> float:
        """Wait until nothing is pending; returns how many seconds that took."""
        return self.wait_for(lambda status: status["pending"] == 0, within=within)

    def wait_for(self, holds: Callable[[dict[str, Any]], bool], *, within: float) -> float:
        """Wait until this holds for its status; returns how many seconds that took."""
        begun = time.monotonic()
        until(lambda: holds(self.status()), within=within, otherwise=lambda: str(self.status()))
        return time.monotonic() - begun
