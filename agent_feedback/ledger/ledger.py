"""The ledger: what was asked and what was rated, durable before anybody is told "thanks".

Ratings are desired state: one row per trace, person and name says what the rating should be.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    RowMapping,
    Select,
    bindparam,
    case,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from agent_feedback.errors import ConfigurationError, Unavailable
from agent_feedback.ledger.engine import create_tables, open_engine
from agent_feedback.ledger.group_commit import GroupCommit, QueueFull
from agent_feedback.ledger.rows import new_row, to_columns, to_rating, to_turn, turn_columns
from agent_feedback.ledger.tables import now_ms, ratings, turns
from agent_feedback.ledger.turn_log import TurnLog
from agent_feedback.model import Rating, RatingKey, Turn
from agent_feedback.threads import DaemonThreads

logger = logging.getLogger(__name__)
T = TypeVar("T")
Transition = Callable[[Rating | None], Rating | None]
"""From what a rating is to what it should be; ``None`` or the same object changes nothing."""

LEASE_MS = 20_000
"""How long a delivery may hold a row: longer than its longest attempt takes."""
UNTIL_IT_ANSWERS = 2**53
"""Unsettled for as long as MLflow has not answered since, and for a while longer."""
_PATIENCE_SECONDS = 5.0
_READERS = 16
_TURNS_AT_ONCE = 500


class Ledger:
    """Turns and ratings in a database, safe to share between threads, workers and replicas.

    Args:
        url: An SQLAlchemy URL. Nothing is opened before :meth:`open` or the first use.

    Every method that reads or writes raises :class:`~agent_feedback.errors.Unavailable` where the
    database cannot be used now.
    """

    def __init__(self, url: str) -> None:
        self._engine, self._reader = open_engine(url)
        self._writer = GroupCommit(self._engine, prepare=self.open)
        self._opened = False
        self._identity = ""
        self._opening = threading.Lock()
        self._readers = DaemonThreads(_READERS, "agent-feedback-read")
        self._turn_log = TurnLog(self._write_turns)

    def open(self) -> None:
        """Create what is missing; harmless when repeated, safe between workers.

        Raises:
            ConfigurationError: the ledger cannot be where it is said to be.
            Unavailable: its database cannot be used now.
        """
        with self._opening:
            if not self._opened:
                self._identity = create_tables(self._engine)
                self._opened = True

    def identity(self) -> str:
        """The ledger's own name, the same for every process that shares it."""
        self.open()
        return self._identity

    def close(self, within: float = 10.0) -> None:
        """Write what is queued and let go of the database; a later use opens it again.

        Args:
            within: How many seconds a database that hangs may take.
        """
        deadline = time.monotonic() + within
        self._turn_log.close(within / 2)
        writer, self._writer = self._writer, GroupCommit(self._engine, prepare=self.open)
        writer.close(max(0.0, deadline - time.monotonic()))
        self._readers.close()
        self._opened = False
        self._engine.dispose()
        self._reader.dispose()

    # -- turns ------------------------------------------------------------------------------

    def record(self, turn: Turn) -> None:
        """Note a turn's new state. Never waits and never fails: an answer does not pay for it."""
        self._turn_log.record(turn)

    def turn_of_trace(self, trace_id: str) -> Turn | None:
        """The newest turn that made this trace."""
        for turn in self._turn_log.remembered():
            if turn.trace_id == trace_id:
                return turn
        found = self._turns(select(turns).where(turns.c.trace_id == trace_id))
        return found[0] if found else None

    def turn_of_bare_trace(self, bare_id: str) -> Turn | None:
        """The newest turn whose trace id ends in this hexadecimal id."""
        for turn in self._turn_log.remembered():
            if turn.trace_id and turn.trace_id.endswith((f"/{bare_id}", f"tr-{bare_id}")):
                return turn
        ends = turns.c.trace_id.endswith(f"/{bare_id}") | (turns.c.trace_id == f"tr-{bare_id}")
        found = self._turns(select(turns).where(ends))
        return found[0] if found else None

    def turns_of_request(self, client_request_id: str) -> list[Turn]:
        """The turns with this client request id, newest first; the id is not unique."""
        mine = [t for t in self._turn_log.remembered() if t.client_request_id == client_request_id]
        stored = self._turns(select(turns).where(turns.c.client_request_id == client_request_id))
        known = {turn.turn_id for turn in mine}
        found = mine + [turn for turn in stored if turn.turn_id not in known]
        # Another replica's may be newer than ours.
        return sorted(found, key=lambda turn: turn.opened_at, reverse=True)

    def traces_with_turns(self, trace_ids: Collection[str]) -> set[str]:
        """Those of these traces whose turns are kept, and so are all of their ratings."""
        query = select(turns.c.trace_id).where(turns.c.trace_id.in_(trace_ids))
        return set(self.read(query, lambda row: str(row["trace_id"])))

    def turns_of_session(self, session_id: str, asker: str) -> list[Turn]:
        """The turns that this person asked in this session, newest first."""
        return self._turns(
            select(turns).where(turns.c.session_id == session_id, turns.c.asker == asker)
        )

    # -- ratings ----------------------------------------------------------------------------

    def ratings_of(self, person: str, trace_ids: Collection[str]) -> list[Rating]:
        """The person's ratings of these traces, withdrawn ones included."""
        return self.read(
            select(ratings)
            .where(ratings.c.person == person, ratings.c.trace_id.in_(trace_ids))
            .order_by(ratings.c.created_at, ratings.c.name),
            to_rating,
        )

    def change(
        self, transitions: Mapping[RatingKey, Transition], *, lease: str | None = None
    ) -> list[Rating]:
        """Bring ratings into new desired states, all or none, and durably so.

        Args:
            transitions: For each key, a pure function of the present state.
            lease: Hand the changed rows to this delivery at once, where nobody holds them.

        Returns:
            What the ratings should be now, in the order given.

        Raises:
            Unavailable: it could not be made durable; nothing was promised to anybody.
            FeedbackError: whatever a transition refused with.
        """

        def write(connection: Connection) -> list[Rating]:
            return [
                changed
                for key, transition in transitions.items()
                if (changed := _change_one(connection, key, transition, lease)) is not None
            ]

        return self.write(write)

    # -- for delivery, and for nobody else ----------------------------------------------------

    def write(self, write: Callable[[Connection], T]) -> T:
        """Run ``write`` in a transaction and wait until it is durable."""
        refused = threading.Event()

        def write_unless_refused(connection: Connection) -> T:
            result = write(connection)
            if refused.is_set():  # undone: it must not become durable after it was refused
                raise _unavailable()
            return result

        done = self._submit(write_unless_refused)
        try:
            return done.result(_PATIENCE_SECONDS)
        except FutureTimeout:
            refused.set()
            raise _unavailable() from None
        except (SQLAlchemyError, ConfigurationError) as error:
            logger.warning("agent_feedback: the ledger failed (%s)", type(error).__name__)
            raise _unavailable() from None

    def read(self, query: Executable, convert: Callable[[RowMapping], T]) -> list[T]:
        """Run ``query`` and convert its rows."""

        def run() -> list[T]:
            self.open()
            with self._reader.connect() as connection:
                return [convert(row) for row in connection.execute(query).mappings()]

        # In a thread of its own: a database that hangs holds it, and not whoever asked.
        rows = self._readers.submit(run)
        try:
            return rows.result(_PATIENCE_SECONDS)
        except FutureTimeout:
            rows.cancel()
            raise _unavailable() from None
        except (SQLAlchemyError, ConfigurationError) as error:
            logger.warning("agent_feedback: the ledger failed (%s)", type(error).__name__)
            raise _unavailable() from None

    # -- the plumbing -----------------------------------------------------------------------

    def _write_turns(self, written: Sequence[Turn]) -> None:
        failure: Exception | None = None
        for start in range(0, len(written), _TURNS_AT_ONCE):
            batch = written[start : start + _TURNS_AT_ONCE]
            try:
                self.write(functools.partial(_write_turns, written=batch))
            except Exception as error:  # noqa: BLE001 - raised below
                failure = error
                for turn in batch:  # one of them may be to blame: it keeps its neighbours
                    self._submit(functools.partial(_write_turns, written=[turn]))
        if failure is not None:
            raise failure

    def _submit(self, write: Callable[[Connection], T]) -> Future[T]:
        try:
            return self._writer.submit(write)
        except QueueFull:
            raise _unavailable() from None

    def _turns(self, query: Select[Any]) -> list[Turn]:
        newest_first = query.order_by(turns.c.opened_at.desc()).limit(1000)
        return self.read(newest_first, to_turn)


def _unavailable() -> Unavailable:
    return Unavailable("Feedback cannot be stored right now: try again in a moment.")


def _write_turns(connection: Connection, written: Sequence[Turn]) -> None:
    """Write many turns in three statements: their thread must leave the agent's alone."""
    ids = [turn.turn_id for turn in written]
    known = set(connection.scalars(select(turns.c.turn_id).where(turns.c.turn_id.in_(ids))))
    rows = [(turn.turn_id, turn_columns(turn)) for turn in written]
    new = [{"turn_id": i, **row} for i, row in rows if i not in known]
    changed = [{"known_id": i, **row} for i, row in rows if i in known]
    if new:
        connection.execute(insert(turns), new)
    if changed:
        connection.execute(update(turns).where(turns.c.turn_id == bindparam("known_id")), changed)


def _change_one(
    connection: Connection, key: RatingKey, transition: Transition, lease: str | None
) -> Rating | None:
    mine = (
        (ratings.c.trace_id == key.trace_id)
        & (ratings.c.person == key.person)
        & (ratings.c.name == key.name)
    )
    query = select(ratings).where(mine).with_for_update()
    row = connection.execute(query).mappings().first()
    old = to_rating(row) if row else None
    new = transition(old)
    if new is None or new is old:
        return new
    if row is None:
        try:
            with connection.begin_nested():
                connection.execute(insert(ratings).values(new_row(new)))
        except IntegrityError:  # another replica was first: its row is what we change
            return _change_one(connection, key, transition, lease)
    else:
        due = {"state": "pending", "due_at": now_ms(), "last_error": None} | dict.fromkeys(
            ("attempts", "refused_ms", "refused_at"), 0
        )
        connection.execute(update(ratings).where(mine).values(**to_columns(new), **due))
    if lease:
        connection.execute(
            update(ratings)
            .where(mine, ratings.c.lease_until <= now_ms())
            .values(
                lease_owner=lease,
                lease_until=now_ms() + LEASE_MS,
                unsettled_until=unsettled_if_abandoned(),
            )
        )
    return new


def unsettled_if_abandoned() -> ColumnElement[int]:
    """What to note when taking a lease: whoever let the last one run out may have been killed.

    What it had sent to MLflow may still take effect, and it cannot say so any more.
    """
    return case(
        (ratings.c.lease_owner.is_not(None), UNTIL_IT_ANSWERS), else_=ratings.c.unsettled_until
    )
