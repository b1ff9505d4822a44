"""The ratings in the ledger: one row per trace, person and name says what the rating should be."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from agent_feedback.ledger.database import Database
from agent_feedback.ledger.rows import (
    changed_columns,
    changed_row,
    first_row,
    new_columns,
    to_rating,
    to_row,
)
from agent_feedback.ledger.tables import now_ms, ratings
from agent_feedback.model import Rating, RatingKey
from agent_feedback.ratings.transitions import Transition


class RatingRecords:
    """Ratings as their people want them, durable before a request is answered.

    Every method raises :class:`~agent_feedback.errors.Unavailable` where the database cannot be
    used now.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, person: str, trace_ids: Collection[str]) -> list[Rating]:
        """The person's ratings of these traces, withdrawn ones included."""
        return self._database.read(
            select(ratings)
            .where(ratings.c.person == person, ratings.c.trace_id.in_(trace_ids))
            .order_by(ratings.c.created_at, ratings.c.name),
            to_rating,
        )

    def change(self, transitions: Mapping[RatingKey, Transition]) -> list[Rating]:
        """Bring ratings into new desired states, all or none, and durably so.

        Args:
            transitions: For each key, a function of the present rating. It may be called again,
                where its transaction has to be repeated; the last call counts.

        Returns:
            What the ratings should be now, in the order given.

        Raises:
            Unavailable: it could not be made durable, and is not stored.
            FeedbackError: whatever a transition refused with.
        """

        def write(connection: Connection) -> list[Rating]:
            # Rows are locked in one order, whatever the caller's: else two processes that change
            # the same ratings could wait for each other.
            in_order = sorted(transitions, key=lambda key: (key.trace_id, key.person, key.name))
            changed = {key: _change(connection, key, transitions[key]) for key in in_order}
            return [new for key in transitions if (new := changed[key]) is not None]

        return self._database.write(write)


def _change(connection: Connection, key: RatingKey, transition: Transition) -> Rating | None:
    mine = (
        (ratings.c.trace_id == key.trace_id)
        & (ratings.c.person == key.person)
        & (ratings.c.name == key.name)
    )
    query = select(ratings, now_ms().label("now")).where(mine).with_for_update()
    found = connection.execute(query).mappings().first()
    if found is None:
        new = transition(None)
        if new is None:
            return None
        columns = new_columns(first_row(new)) | {"created_at": now_ms(), "due_at": now_ms()}
        try:
            with connection.begin_nested():
                connection.execute(insert(ratings).values(columns))
        # No lock holds a row that is not there: another process may insert it at this moment. The
        # savepoint keeps the transaction alive, and the other's row is then what we change.
        except IntegrityError:
            return _change(connection, key, transition)
        return new
    row = to_row(found)
    new = transition(row.rating)
    if new is not None and new is not row.rating:
        changes = changed_columns(row, changed_row(row, new, found["now"]))
        connection.execute(update(ratings).where(mine).values(**changes))
    return new
