"""Real MLflow for tests: a SQLite store in this process, and a tracking server beside it."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import mlflow
from mlflow.entities import Trace
from mlflow.tracking import _tracking_service

from tests.support.processes import answers, wait_until_started
from tests.support.waiting import until
from tools.processes import free_port

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
        health = partial(answers, f"{self.url}/health")
        try:
            wait_until_started(health, self.log, self._process, "mlflow server")
        except RuntimeError:
            self.stop()
            raise

    def stop(self) -> None:
        """Kill the server and its workers; a call to it is refused from then on."""
        if self._process is None:
            return
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._process = None
        # The workers, which hold the port too, die a moment later.
        until(lambda: not _is_open(self.port), "the server's workers did not end", within=60)

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


def _is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
