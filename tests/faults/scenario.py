"""What every fault needs: MLflow, apps beside it, users of those apps, and the audit at the end."""

import uuid
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from mlflow import MlflowClient

from tests.faults.audit import Audit, audit, stored_trace_ids
from tests.faults.processes import Replica
from tests.faults.users import Answer, Key, Promise, Users
from tests.support.mlflow_store import MlflowServer
from tests.support.waiting import eventually, until

Note = Callable[..., None]
UsersOf = Callable[..., Users]

_ASKED_AT_ONCE = 300


def new_experiment(tracking_uri: str) -> str:
    """Create an experiment of a name that nobody used."""
    return str(MlflowClient(tracking_uri).create_experiment(f"faults-{uuid.uuid4()}"))


class Scenario:
    """An experiment of its own on a running MLflow server, and what happens there.

    Args:
        folder: Where logs and SQLite ledgers go.
        running: Ends the apps with the test.
        users_of: Makes users of apps.
        note: Writes a line of the table of faults.
        mlflow: The server, which has started.
    """

    def __init__(
        self, folder: Path, running: ExitStack, users_of: UsersOf, note: Note, mlflow: MlflowServer
    ) -> None:
        self.mlflow = mlflow
        self.experiment_id = new_experiment(mlflow.url)
        self.users_of = users_of
        self._folder = folder
        self._running = running
        self._note = note

    def start_app(self, *, ledger_url: str = "", **chosen: Any) -> Replica:
        """Start a replica of the app; on a new SQLite ledger unless another is named."""
        app = Replica(
            self._folder,
            tracking_uri=self.mlflow.url,
            experiment_id=self.experiment_id,
            ledger_url=ledger_url or f"sqlite:///{self._folder}/ledger-{uuid.uuid4().hex[:8]}.db",
            **chosen,
        )
        self._running.callback(app.close)
        app.start()
        return app

    def ask_and_wait(self, users: Users, count: int) -> list[Answer]:
        """Ask this many questions, and wait until MLflow has stored every trace."""
        answers: list[Answer] = []
        while len(answers) < count:
            # MLflow's queue of finished traces has an end, and drops what comes then.
            asked = users.ask_many(min(count - len(answers), _ASKED_AT_ONCE))
            until(
                partial(self._are_stored, {answer.trace_id for answer in asked}),
                within=60,
                otherwise="MLflow did not store the traces",
            )
            answers += asked
        return answers

    def stored_trace_ids(self) -> set[str]:
        """The traces that MLflow has stored."""
        return stored_trace_ids(self.mlflow.url, self.experiment_id)

    def audit(self, promises: Mapping[Key, Promise]) -> Audit:
        """Compare what MLflow holds now with what was promised."""
        return audit(self.mlflow.url, self.experiment_id, promises)

    def assert_kept(
        self,
        fault: tuple[str, str],
        promises: Mapping[Key, Promise],
        *,
        within: float,
        **figures: Any,
    ) -> None:
        """MLflow comes to hold every promise, and no more; the table of faults gets its line.

        Args:
            fault: The number of the fault in the table, and its name there.
            promises: What users were promised.
            within: How many seconds that may take: where MLflow is slow, a late write may stand for
                up to a minute, until the last recheck.
            figures: More for the table.
        """
        found = eventually(lambda: self.audit(promises), Audit.is_clean, within=within)
        self._note(*fault, found, **figures)
        assert found.is_clean(), str(found)

    def _are_stored(self, wanted: set[str]) -> bool:
        return wanted <= self.stored_trace_ids()
