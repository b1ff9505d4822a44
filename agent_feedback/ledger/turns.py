"""The turns in the ledger: which trace belongs to which request, session and person."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from sqlalchemy import Connection, Select, bindparam, insert, select, update

from agent_feedback.ledger.database import Database
from agent_feedback.ledger.rows import to_turn, turn_columns
from agent_feedback.ledger.tables import turns
from agent_feedback.ledger.turn_log import TurnLog
from agent_feedback.log_throttle import LogThrottle
from agent_feedback.model import Turn

logger = logging.getLogger(__name__)

_MAX_PER_WRITE = 500
_MAX_ONE_BY_ONE = 50
_MAX_FOUND = 1_000
_LOG_AGAIN_SECONDS = 60.0


class TurnRecords:
    """Turns, recorded without waiting and found by any of their ids.

    This process's newest turns are found in memory, also before they are written.

    Every method that reads raises :class:`~agent_feedback.errors.Unavailable` where the database
    cannot be used now.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._log = TurnLog(self._write)
        self._throttle = LogThrottle(_LOG_AGAIN_SECONDS)

    def record(self, turn: Turn) -> None:
        """Note a turn's new state. Never waits and never fails: an answer must not pay for it."""
        self._log.record(turn)

    def close(self, within: float) -> None:
        """Write what is still in memory, for at most ``within`` seconds."""
        self._log.close(within)

    def of_trace(self, trace_id: str) -> Turn | None:
        """The newest turn that made this trace."""
        return self._newest(
            lambda turn: turn.trace_id == trace_id,
            select(turns).where(turns.c.trace_id == trace_id),
        )

    def of_bare_trace(self, bare_id: str) -> Turn | None:
        """The newest turn whose trace id ends in this hexadecimal id."""
        endings = (f"/{bare_id}", f"tr-{bare_id}")
        ends = turns.c.trace_id.endswith(endings[0]) | (turns.c.trace_id == endings[1])
        return self._newest(
            lambda turn: turn.trace_id is not None and turn.trace_id.endswith(endings),
            select(turns).where(ends),
        )

    def of_request(self, client_request_id: str) -> list[Turn]:
        """The turns with this client request id, newest first; the id is not unique."""
        mine = [t for t in self._log.remembered() if t.client_request_id == client_request_id]
        stored = self._read(select(turns).where(turns.c.client_request_id == client_request_id))
        known = {turn.turn_id for turn in mine}
        found = mine + [turn for turn in stored if turn.turn_id not in known]
        # Another replica's may be newer than ours.
        return sorted(found, key=lambda turn: turn.opened_at, reverse=True)

    def of_session(self, session_id: str, asker: str) -> list[Turn]:
        """The turns that this person asked in this session, newest first."""
        return self._read(
            select(turns).where(turns.c.session_id == session_id, turns.c.asker == asker)
        )

    def kept_of(self, trace_ids: Collection[str]) -> set[str]:
        """Those of these traces whose turns are kept, and so are all of their ratings."""
        query = select(turns.c.trace_id).where(turns.c.trace_id.in_(trace_ids))
        return set(self._database.read(query, lambda row: str(row["trace_id"])))

    def _newest(self, is_meant: Callable[[Turn], bool], query: Select[Any]) -> Turn | None:
        for turn in self._log.remembered():
            if is_meant(turn):
                return turn
        found = self._read(query)
        return found[0] if found else None

    def _read(self, query: Select[Any]) -> list[Turn]:
        newest_first = query.order_by(turns.c.opened_at.desc()).limit(_MAX_FOUND)
        return self._database.read(newest_first, to_turn)

    def _write(self, written: Sequence[Turn]) -> None:
        for batch in _in_batches(written, _MAX_PER_WRITE):
            try:
                self._database.write(partial(_write_turns, written=batch))
            except Exception as error:  # noqa: BLE001 - raised again, unless one turn is to blame
                self._write_one_by_one(batch, type(error).__name__)

    def _write_one_by_one(self, written: Sequence[Turn], failure: str) -> None:
        # Waited for, too: a turn's later state must not be written before this one. In small
        # batches, each of which a distant database can take in the time of one write.
        for batch in _in_batches(written, _MAX_ONE_BY_ONE):
            refused = self._database.write(partial(_write_one_by_one, written=batch))
            if refused and self._throttle.allows(failure):
                logger.warning("agent_feedback: a turn cannot be recorded (%s)", failure)


def _in_batches(turns: Sequence[Turn], size: int) -> Iterator[Sequence[Turn]]:
    for start in range(0, len(turns), size):
        yield turns[start : start + size]


def _write_one_by_one(connection: Connection, written: Sequence[Turn]) -> int:
    """Write the turns that the database takes; returns how many it refused."""
    taken = 0
    for turn in written:
        with suppress(Exception), connection.begin_nested():
            _write_turns(connection, [turn])
            taken += 1
    return len(written) - taken


def _write_turns(connection: Connection, written: Sequence[Turn]) -> None:
    """Write many turns in three statements, so as to keep the interpreter from agents briefly."""
    ids = [turn.turn_id for turn in written]
    known = set(connection.scalars(select(turns.c.turn_id).where(turns.c.turn_id.in_(ids))))
    rows = [(turn.turn_id, turn_columns(turn)) for turn in written]
    new = [{"turn_id": i, **row} for i, row in rows if i not in known]
    changed = [{"known_id": i, **row} for i, row in rows if i in known]
    if new:
        connection.execute(insert(turns), new)
    if changed:
        connection.execute(update(turns).where(turns.c.turn_id == bindparam("known_id")), changed)
