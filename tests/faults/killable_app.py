"""An application in this process that can be killed, and a clock that a test moves.

What waits in a ledger waits for a time that is written there. Writing another one lets the time
pass, so nobody has to.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from sqlalchemy import func, or_, select, update

from agent_feedback import AgentFeedback, application
from agent_feedback.delivery import mlflow_availability, row_state
from agent_feedback.ledger.tables import ratings
from tests.faults.unreliable_store import Faults, UnreliableStore
from tests.support.rating import settings_in
from tests.support.waiting import until

_SETTLES_WITHIN_SECONDS = 60.0
_UNTIL_IT_ANSWERS = 2**53


def slow_down_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an unknown outcome stay unknown until a test says that its time is over."""
    monkeypatch.setattr(row_state, "UNSETTLED_MS", 3_600_000)
    monkeypatch.setattr(mlflow_availability, "_PROBE_SECONDS", 0.02)


class KillableApp:
    """One process of an application: its Python API, over a store that meets faults.

    Args:
        ledger: The file of its ledger, which the next process takes over.
        faults: What happens to its deliveries.
        chosen: Settings.
    """

    def __init__(self, ledger: Path, faults: Faults, **chosen: Any) -> None:
        self._faults = faults
        settings = settings_in(ledger.parent, ledger_url=f"sqlite:///{ledger}", **chosen)
        with mock.patch.object(application, "Assessments", self._open_store):
            self.feedback = AgentFeedback(settings)
        self.parts = self.feedback._parts
        self.parts._ledger.open()
        self.parts._dispatcher.start()

    def _open_store(self, ledger_id: Callable[[], str]) -> UnreliableStore:
        self._store = UnreliableStore(ledger_id, self._faults)
        return self._store

    def stop(self) -> None:
        """End it as a platform's SIGTERM does."""
        self._faults.let_go_on()
        self.parts.stop()

    def kill(self) -> None:
        """End it: its next call to MLflow is its last, though what it had sent may still land."""
        self._store.dead = True
        self._faults.let_go_on()
        self.parts._dispatcher.stop()
        self._wait_until_nothing_is_under_way()
        self.parts.service.close()
        self.parts._ledger.close()

    # -- the clock ------------------------------------------------------------------------------

    def let_leases_run_out(self) -> None:
        """Whoever holds a rating has held it for too long."""
        self._write(update(ratings).values(lease_until=0))

    def let_pauses_pass(self) -> None:
        """Whatever waits for another attempt may have it; what is unsettled stays so."""
        self._write(update(ratings).where(ratings.c.state == "pending").values(due_at=0))

    def let_attempts_be_over(self) -> None:
        """Since MLflow answered again, longer has passed than any attempt may live."""
        answered = ratings.c.unsettled_until < _UNTIL_IT_ANSWERS
        self._write(update(ratings).where(answered).values(unsettled_until=0))
        self.let_pauses_pass()

    def settle(self) -> None:
        """Let everything land and pass until nothing is left to do, also no last recheck."""
        self._faults.forget()
        self._faults.let_go_on()
        self._faults.land()

        def is_settled() -> bool:
            moves = self.parts._dispatcher._under_way
            if not moves and not self.count(
                ratings.c.state != "delivered", ratings.c.lease_owner.is_not(None)
            ):
                return True
            self.parts._ledger.queue.retry()
            self.let_attempts_be_over()
            return False

        until(is_settled, within=_SETTLES_WITHIN_SECONDS, otherwise=lambda: f"{self._rows()}")

    def wait_until_deliveries_rest(self) -> None:
        """Wait until every delivery under way is held, or has ended."""
        deliveries = self.parts._dispatcher
        until(
            lambda: deliveries._under_way <= self._faults.held or self._faults.held >= 4,
            within=_SETTLES_WITHIN_SECONDS,
            otherwise="a delivery neither ends nor is held",
        )

    def _wait_until_nothing_is_under_way(self) -> None:
        until(
            lambda: not self.parts._dispatcher._under_way,
            within=_SETTLES_WITHIN_SECONDS,
            otherwise="a delivery does not end",
        )

    # -- the ledger -----------------------------------------------------------------------------

    def count(self, *conditions: Any) -> int:
        """How many ratings the ledger has for which any of these is true, or in all."""
        query = select(func.count().label("rows")).select_from(ratings)
        for_any = query.where(or_(*conditions)) if conditions else query
        return self.parts._ledger.database.read(for_any, lambda row: int(row["rows"]))[0]

    def purge(self) -> None:
        """Let everything that is delivered be older than it is kept."""
        time.sleep(0.01)
        self.parts._ledger.queue.purge(0)

    def _write(self, statement: Any) -> None:
        self.parts._ledger.database.write(lambda connection: connection.execute(statement))
        self.parts._dispatcher.wake()

    def _rows(self) -> list[dict[str, Any]]:
        return self.parts._ledger.database.read(select(ratings), dict)
