"""The example app as a person starts it: a process of its own, on loopback, in an empty folder."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Feedback, Trace
from mlflow.exceptions import MlflowException

from tests.support.mlflow_store import whole_trace
from tests.support.processes import wait_until_started
from tests.support.waiting import eventually
from tools.processes import free_port, stop

PROJECT = Path(__file__).resolve().parents[2]
# Longer than the app's own grace for open streams.
_STOP_SECONDS = 15.0
_INHERITED = ("AGENT_FEEDBACK_", "AGENT_APP_", "DATABRICKS_", "MLFLOW_", "OPENAI_", "PG", "PORT")


@dataclass(frozen=True)
class ExampleApp:
    """The running app, and the store in which it keeps its traces."""

    url: str
    tracking_uri: str
    log: Path
    process: subprocess.Popen[bytes]

    def printed(self, text: str, *, within_seconds: float = 100.0) -> str:
        """Return what the app printed once this text is in it, or what there is by then."""
        return eventually(self.log.read_text, lambda log: text in log, within=within_seconds)

    def trace(self, trace_id: str, *, within_seconds: float = 20.0) -> Trace:
        """Return the trace once MLflow has all of it, which takes it about 5 s by default."""
        client = MlflowClient(self.tracking_uri)

        def read() -> Trace | None:
            with contextlib.suppress(MlflowException):
                found: Trace = client.get_trace(trace_id, display=False)
                return found
            return None

        try:
            return whole_trace(read, within_seconds)
        except TimeoutError as error:
            raise TimeoutError(f"{trace_id}: {error}:\n{self.log.read_text()}") from None

    def feedback(
        self, trace_id: str, expected: Sequence[object], *, within_seconds: float = 20.0
    ) -> list[Feedback]:
        """Return the trace's feedback once it has these values, or what there is by then."""
        return eventually(
            lambda: self._feedback(trace_id),
            lambda found: [each.value for each in found] == list(expected),
            within=within_seconds,
        )

    def feedback_named(
        self, trace_id: str, names: Set[str], *, within_seconds: float = 20.0
    ) -> dict[str, Feedback]:
        """Return the trace's feedback by name once these are there, or what there is by then."""
        return eventually(
            lambda: {each.name: each for each in self._feedback(trace_id)},
            lambda found: found.keys() == names,
            within=within_seconds,
        )

    def _feedback(self, trace_id: str) -> list[Feedback]:
        assessments = self.trace(trace_id).info.assessments
        return [each for each in assessments if isinstance(each, Feedback)]


@contextlib.contextmanager
def running_example_app(
    folder: Path, empty_mlflow_store: Path, **variables: str
) -> Iterator[ExampleApp]:
    """Run `python -m examples.agent_app` on a free port until the end of the block."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    stores = folder / "stores"
    stores.mkdir(parents=True)
    shutil.copy(empty_mlflow_store, stores / "mlflow.db")
    log = folder / "app.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "examples.agent_app"],
            cwd=PROJECT,
            env=_environment() | _place(port, stores) | variables,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
    try:
        announced = f"rate the answer at {url}"
        wait_until_started(lambda: announced in log.read_text(), log, process, "the example app")
        tracking_uri = variables.get("MLFLOW_TRACKING_URI") or f"sqlite:///{stores}/mlflow.db"
        yield ExampleApp(url, tracking_uri, log, process)
    finally:
        stop(process, _STOP_SECONDS)


def _place(port: int, stores: Path) -> dict[str, str]:
    # MLflow's own pages cost more than the app does: they are for the tests that are about them.
    here = {"PORT": str(port), "AGENT_APP_HOME": str(stores)}
    return here | {"AGENT_APP_MLFLOW_PAGES": "off"}


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(_INHERITED)}
