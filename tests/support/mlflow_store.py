"""Real MLflow for tests: a SQLite store in this process, and a tracking server beside it."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import mlflow
from mlflow.entities import Trace
from mlflow.tracking import _tracking_service

from tools.processes import free_port

_SERVER_START_SECONDS = 120.0
_STOP_SECONDS = 60.0
_EXPERIMENT_VARIABLES = ("MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME")


@dataclass(frozen=True)
class Tracking:
    """MLflow as it is set up for one test: an experiment that no other test uses."""

    uri: str
    experiment_id: str
    experiment_name: str

    def trace(self, trace_id: str, *, within_seconds: float = 30.0) -> Trace:
        """Return the trace once the store has all of it; asks again for that long."""
        return whole_trace(lambda: mlflow.get_trace(trace_id, silent=True), within_seconds)

    def traces(self) -> list[Trace]:
        """Return this test's traces, newest first, that are stored as a whole."""
        found = mlflow.search_traces(locations=[self.experiment_id], return_type="list")
        assert isinstance(found, list)
        return [trace for trace in found if _is_whole(trace)]


def whole_trace(read: Callable[[], Trace | None], within_seconds: float) -> Trace:
    """Return what ``read`` finds once the store has all of it; asks again for that long."""
    deadline = time.monotonic() + within_seconds
    while (found := read()) is None or not _is_whole(found):
        if time.monotonic() > deadline:
            raise TimeoutError(f"the trace was not stored within {within_seconds} s")
        time.sleep(0.05)
    # Once more: MLflow reads a trace's row (its session, its request id) before its metadata, and
    # may have read the one before and the other after they were written.
    found = read()
    assert found is not None
    return found


def _is_whole(trace: Trace) -> bool:
    # MLflow stores the spans first: for a moment, and from the end of a first child span on, the
    # trace can be found without its metadata and its client_request_id.
    return "mlflow.trace_schema.version" in trace.info.trace_metadata


def create_empty_store(path: Path) -> Path:
    """Create MLflow's tables in a SQLite file, which takes seconds: copy the file for more."""
    uri = f"sqlite:///{path}"
    store = _tracking_service.utils._get_store(uri)
    store.search_experiments()
    return path


@contextlib.contextmanager
def tracking_at(uri: str) -> Iterator[Tracking]:
    """Point this process's MLflow at a store, with a fresh experiment; restored afterwards."""
    name = f"test-{uuid.uuid4()}"
    before = os.environ.get("MLFLOW_TRACKING_URI", "")
    mlflow.tracing.reset()
    mlflow.set_tracking_uri(uri)
    experiment = mlflow.set_experiment(name)
    try:
        yield Tracking(uri, experiment.experiment_id, name)
    finally:
        # Traces still under way belong to this store: they must not reach the next test's.
        mlflow.flush_trace_async_logging(terminate=True)
        mlflow.tracing.reset()
        mlflow.set_tracking_uri(before)
        _forget_experiment()


def _forget_experiment() -> None:
    mlflow.tracking.fluent._active_experiment_id = None
    for variable in _EXPERIMENT_VARIABLES:
        os.environ.pop(variable, None)


class MlflowServer:
    """A real `mlflow server` process on loopback, which a test may take away and bring back."""

    def __init__(self, folder: Path, empty_store: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "mlflow-server.log"
        self._folder = folder
        self._database = folder / "mlflow.db"
        self._process: subprocess.Popen[bytes] | None = None
        shutil.copy(empty_store, self._database)

    def start(self) -> None:
        """Start the server, with what it had stored before, and wait until it answers."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=self._folder,
                env=os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
                # A group of its own, so that its workers end with it.
                start_new_session=True,
            )
        self._wait_until_healthy(self._process)

    def stop(self) -> None:
        """Kill the server and its workers; a call to it is refused from then on."""
        if self._process is None:
            return
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._process = None
        # The workers, which hold the port too, die a moment later.
        _wait_until(lambda: not _is_open(self.port), "the server's workers did not end")

    def freeze(self) -> None:
        """Let the server take connections and never answer, until `thaw`."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """End what `freeze` began."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def _command(self) -> list[str]:
        return [
            *(sys.executable, "-m", "mlflow", "server"),
            *("--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"),
            *("--backend-store-uri", f"sqlite:///{self._database}"),
            *("--artifacts-destination", str(self._folder / "artifacts")),
        ]

    def _wait_until_healthy(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _SERVER_START_SECONDS
        while not _answers(f"{self.url}/health"):
            if process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"mlflow server did not start:\n{self.log.read_text()}")
            time.sleep(0.1)


def _wait_until(holds: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + _STOP_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(otherwise)
        time.sleep(0.01)


def _is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False
