"""The ratings that have to be delivered: claimed under a lease, and updated by what became of them.

The queue is the ``ratings`` table itself. A row is due when its ``due_at`` has passed. Whoever
delivers it holds a lease on it, which ends by itself: a process that dies in the middle of an
attempt keeps nothing from being delivered. What a row becomes after an attempt is decided by
:mod:`agent_feedback.delivery.row_state`; here is how it is read and written.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, RowMapping, case, delete, func, select, update

from agent_feedback.ledger.database import Database
from agent_feedback.ledger.rows import RatingRow, changed_columns, to_row
from agent_feedback.ledger.tables import now_ms, ratings, turns
from agent_feedback.model import Rating

LEASE_MS = 20_000
"""How long a delivery may hold a row: longer than its longest attempt takes."""
UNTIL_IT_ANSWERS = 2**53
"""A value of ``unsettled_until``: an attempt whose outcome is unknown may still take effect for as
long as MLflow has not answered since, and for a while longer."""
_MAX_REFUSED_STEP_MS = 600_000
_MAX_PURGED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Claim:
    """One rating, held for one attempt at delivering its present revision.

    Attributes:
        row: The row as it was claimed; its ``lease`` is the claim's name.
        taken_at: When it was claimed, in monotonic seconds of this process.
        now: The same moment by the database's clock, in milliseconds.
    """

    row: RatingRow
    taken_at: float
    now: int

    @property
    def rating(self) -> Rating:
        """The desired state to deliver."""
        return self.row.rating

    @property
    def age_ms(self) -> int:
        """How long ago its person changed it."""
        return max(0, self.now - self.rating.changed_at)

    @property
    def refused_ms(self) -> int:
        """For how long MLflow has been answering that it will not take it."""
        return refused_ms(self.row, self.now)

    @property
    def seconds_left(self) -> float:
        """For how long nobody else can hold it."""
        return self.taken_at + LEASE_MS / 1000 - time.monotonic()


def refused_ms(row: RatingRow, now: int) -> int:
    """For how long MLflow has been answering that it will not take the row's rating, until now.

    A process that was down between two answers, or an outage, does not count: two answers are at
    most ten minutes apart.
    """
    since = min(now - row.refused_at, _MAX_REFUSED_STEP_MS) if row.refused_at else 0
    return row.refused_ms + max(0, since)


class DeliveryQueue:
    """Claims ratings and notes what became of them.

    Each claim has a lease of its own name, not its process's: two threads of one process must not
    deliver two revisions of a rating at the same time either.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, limit: int) -> list[Claim]:
        """Lease up to ``limit`` ratings that are due and that nobody holds, the longest due first.

        Rows that another process is claiming at the same moment are passed over.
        """
        due = (
            select(ratings, now_ms().label("now"))
            .where(
                ratings.c.state == "pending",
                ratings.c.due_at <= now_ms(),
                ratings.c.lease_until <= now_ms(),
            )
            .order_by(ratings.c.due_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        return self._database.write(lambda connection: _lease(connection, due))

    def update(self, claim: Claim, decide: Callable[[RatingRow, int], RatingRow]) -> None:
        """Write what became of a claim.

        Args:
            claim: What was attempted.
            decide: From the row as it is now, perhaps changed by its person or held by another
                claim meanwhile, and the database's time, to what it becomes.
        """
        this_one = ratings.c.rating_id == claim.row.rating_id
        query = select(ratings, now_ms().label("now")).where(this_one).with_for_update()

        def write(connection: Connection) -> None:
            found = connection.execute(query).mappings().first()
            if found is None:  # purged: the attempt outlived its lease, and more
                return
            row = to_row(found)
            if changes := changed_columns(row, decide(row, found["now"])):
                connection.execute(update(ratings).where(this_one).values(**changes))

        self._database.write(write)

    def make_due(self) -> None:
        """MLflow is back: make due what waits only because it was away."""
        self._database.write(
            lambda connection: connection.execute(
                update(ratings)
                .where(
                    ratings.c.state == "pending",
                    ratings.c.last_error.is_not(None),
                    ratings.c.refused_at == 0,
                )
                .values(due_at=now_ms(), attempts=0)
            )
        )

    def retry(self) -> int:
        """Put what is undeliverable back into the queue; returns how many ratings that are."""
        back: dict[str, Any] = {"state": "pending", "due_at": now_ms(), "last_error": None}
        back |= dict.fromkeys(("attempts", "refused_ms", "refused_at"), 0)
        undeliverable = update(ratings).where(ratings.c.state == "undeliverable")
        return self._database.write(
            lambda connection: connection.execute(undeliverable.values(**back)).rowcount
        )

    def seconds_until_due(self, *, undelivered_only: bool = False) -> float | None:
        """When the next rating is due, or ``None`` where none waits.

        Args:
            undelivered_only: Pass over what MLflow holds and is only fetched once more.
        """
        free_at = case(
            (ratings.c.lease_until > ratings.c.due_at, ratings.c.lease_until),
            else_=ratings.c.due_at,
        )
        query = select((func.min(free_at) - now_ms()).label("wait")).where(
            ratings.c.state == "pending"
        )
        if undelivered_only:
            query = query.where(ratings.c.delivered_revision < ratings.c.revision)
        wait = self._database.read(query, lambda row: row["wait"])[0]
        return None if wait is None else max(0.0, wait / 1000)

    def purge(self, retention_days: float) -> int:
        """Forget a batch of old turns and delivered ratings; returns how many rows went."""
        age_ms = int(retention_days * 86_400_000)
        old_turns = select(turns.c.turn_id).where(turns.c.opened_at < now_ms() - age_ms)
        old_ratings = select(ratings.c.rating_id).where(
            ratings.c.delivered_at < now_ms() - age_ms,
            ratings.c.changed_at < now_ms() - age_ms,
            ratings.c.state == "delivered",
        )

        def write(connection: Connection) -> int:
            gone = 0
            for table, key, old in (
                (turns, turns.c.turn_id, old_turns),
                (ratings, ratings.c.rating_id, old_ratings),
            ):
                batch = key.in_(old.limit(_MAX_PURGED_AT_ONCE))
                gone += connection.execute(delete(table).where(batch)).rowcount
            return gone

        return self._database.write(write)


def _lease(connection: Connection, due: Any) -> list[Claim]:
    found = connection.execute(due).mappings().all()
    if not found:
        return []
    lease = uuid.uuid4().hex
    _set(connection, found, lease_owner=lease, lease_until=now_ms() + LEASE_MS)
    # Whoever let the last lease run out may have been killed. What it had sent to MLflow may still
    # take effect, and it cannot say so any more.
    abandoned = [row for row in found if row["lease_owner"] is not None]
    if abandoned:
        _set(connection, abandoned, unsettled_until=UNTIL_IT_ANSWERS)
    return [_claim(row, lease, is_abandoned=row in abandoned) for row in found]


def _set(connection: Connection, rows: Sequence[RowMapping], **values: Any) -> None:
    ids = [row["rating_id"] for row in rows]
    connection.execute(update(ratings).where(ratings.c.rating_id.in_(ids)).values(**values))


def _claim(found: RowMapping, lease: str, *, is_abandoned: bool) -> Claim:
    row = replace(to_row(found), lease=lease, lease_until=found["now"] + LEASE_MS)
    if is_abandoned:
        row = replace(row, unsettled_until=UNTIL_IT_ANSWERS)
    return Claim(row, taken_at=time.monotonic(), now=found["now"])
