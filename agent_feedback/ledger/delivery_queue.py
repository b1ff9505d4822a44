"""The ledger as delivery sees it: rows to claim, with leases, and what became of them."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Connection,
    RowMapping,
    String,
    case,
    delete,
    func,
    literal,
    select,
    update,
)

from agent_feedback.ledger.ledger import LEASE_MS, Ledger, to_rating
from agent_feedback.ledger.tables import now_ms, ratings, turns
from agent_feedback.model import Assessment, Rating

_PURGE_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Claim:
    """One rating, held for one attempt at delivering its present revision.

    ``lease`` is the name under which it is held; ``taken_at`` is monotonic, in seconds.
    """

    rating_id: str
    lease: str
    taken_at: float
    rating: Rating
    attempts: int
    age_ms: int
    unsettled_ms: int
    """For how long an earlier attempt of unknown outcome may still take effect."""


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """How delivery is doing; no user's data."""

    pending: int
    oldest_pending_seconds: float
    undeliverable: int
    last_error: str | None


class DeliveryQueue:
    """Claims and settles ratings.

    A lease has a name of its own, not its process's: two threads of one process must not deliver
    two revisions of a rating at the same time either.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def claim(self, limit: int) -> list[Claim]:
        """Lease up to ``limit`` ratings that are due and that nobody holds."""
        due = (
            select(ratings.c.rating_id)
            .where(
                ratings.c.state == "pending",
                ratings.c.due_at <= now_ms(),
                ratings.c.lease_until <= now_ms(),
            )
            .order_by(ratings.c.due_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )

        lease = new_lease()

        def write(connection: Connection) -> list[Claim]:
            ids = list(connection.scalars(due))
            if not ids:
                return []
            connection.execute(
                update(ratings)
                .where(ratings.c.rating_id.in_(ids))
                .values(lease_owner=lease, lease_until=now_ms() + LEASE_MS)
            )
            held = _claims().where(ratings.c.rating_id.in_(ids))
            return [_to_claim(row) for row in connection.execute(held).mappings()]

        return self._ledger.write(write)

    def held(self, lease: str) -> list[Claim]:
        """The ratings that were handed over under ``lease`` with their change."""
        return self._ledger.read(_claims().where(ratings.c.lease_owner == lease), _to_claim)

    def settle(self, claim: Claim, store_id: str | None) -> None:
        """MLflow holds the claimed revision, under ``store_id`` where that is another id."""
        still = ratings.c.revision == claim.rating.revision
        settled = still & (ratings.c.unsettled_until <= now_ms())
        self._finish(
            claim,
            store_id=case((still, literal(store_id, String)), else_=ratings.c.store_id),
            delivered_revision=claim.rating.revision,
            clear_first=case((still, False), else_=ratings.c.clear_first),
            state=case((settled, "delivered"), else_="pending"),
            due_at=case((still, ratings.c.unsettled_until), else_=now_ms()),
            attempts=0,
            last_error=None,
        )

    def take_over(self, claim: Claim, found: Assessment, found_changed_at: int) -> None:
        """Another replica's newer rating stands: the row says what it says."""
        still = ratings.c.revision == claim.rating.revision

        def write(connection: Connection) -> None:
            connection.execute(
                update(ratings)
                .where(ratings.c.rating_id == claim.rating_id, still)
                .values(
                    value=json.dumps(found.content.value),
                    rationale=found.content.rationale,
                    reasons=json.dumps(found.content.reasons),
                    withdrawn=False,
                    changed_at=found_changed_at,
                )
            )

        self._ledger.write(write)
        self.settle(claim, found.assessment_id)

    def postpone(
        self,
        claim: Claim,
        seconds: float,
        error: str,
        *,
        attempted: bool = True,
        unsettled_ms: int = 0,
    ) -> None:
        """Try again after ``seconds``; a revision that came meanwhile is due at once."""
        still = ratings.c.revision == claim.rating.revision
        values: dict[str, Any] = {
            "due_at": case((still, now_ms() + int(seconds * 1000)), else_=now_ms()),
            "attempts": case((still, claim.attempts + attempted), else_=0),
            "last_error": error,
        }
        if unsettled_ms:
            values["unsettled_until"] = now_ms() + unsettled_ms
        self._finish(claim, **values)

    def give_up(self, claim: Claim, error: str) -> None:
        """It can never be delivered as it is: kept, counted, and not tried again."""
        still = ratings.c.revision == claim.rating.revision
        self._finish(
            claim,
            state=case((still, "undeliverable"), else_="pending"),
            due_at=now_ms(),
            last_error=error,
        )

    def hasten(self) -> None:
        """MLflow is back: whatever waits only because it was away is due now."""
        self._ledger.write(
            lambda connection: connection.execute(
                update(ratings)
                .where(ratings.c.state == "pending", ratings.c.last_error.is_not(None))
                .values(due_at=now_ms(), attempts=0)
            )
        )

    def seconds_until_due(self) -> float | None:
        """When the next rating is due, or ``None`` where none waits."""
        free_at = case(
            (ratings.c.lease_until > ratings.c.due_at, ratings.c.lease_until),
            else_=ratings.c.due_at,
        )
        query = select((func.min(free_at) - now_ms()).label("wait")).where(
            ratings.c.state == "pending"
        )
        wait = self._ledger.read(query, lambda row: row["wait"])[0]
        return None if wait is None else max(0.0, wait / 1000)

    def status(self) -> QueueStatus:
        """Count what is on its way and what is stuck."""
        waiting = (ratings.c.state == "pending") & (
            ratings.c.delivered_revision < ratings.c.revision
        )
        oldest = func.min(case((waiting, ratings.c.changed_at)))
        counts = select(
            func.count(case((waiting, 1))).label("pending"),
            (now_ms() - oldest).label("oldest"),
            func.count(case((ratings.c.state == "undeliverable", 1))).label("undeliverable"),
        )
        errors = (
            select(ratings.c.last_error)
            .where(ratings.c.last_error.is_not(None))
            .order_by(ratings.c.changed_at.desc())
            .limit(1)
        )
        row = self._ledger.read(counts, dict)[0]
        error = self._ledger.read(errors, lambda found: found["last_error"])
        return QueueStatus(
            row["pending"],
            max(0.0, (row["oldest"] or 0) / 1000),
            row["undeliverable"],
            error[0] if error else None,
        )

    def purge(self, retention_days: float) -> int:
        """Forget a batch of old turns and delivered ratings; returns how many rows went."""
        age_ms = int(retention_days * 86_400_000)
        old_turns = select(turns.c.turn_id).where(turns.c.opened_at < now_ms() - age_ms)
        old_ratings = select(ratings.c.rating_id).where(
            ratings.c.state == "delivered", ratings.c.changed_at < now_ms() - age_ms
        )

        def write(connection: Connection) -> int:
            gone = connection.execute(
                delete(turns).where(turns.c.turn_id.in_(old_turns.limit(_PURGE_AT_ONCE)))
            ).rowcount
            return (
                gone
                + connection.execute(
                    delete(ratings).where(
                        ratings.c.rating_id.in_(old_ratings.limit(_PURGE_AT_ONCE))
                    )
                ).rowcount
            )

        return self._ledger.write(write)

    def _finish(self, claim: Claim, **values: Any) -> None:
        """Write what became of a claim, unless its lease has run out and another holds it."""
        self._ledger.write(
            lambda connection: connection.execute(
                update(ratings)
                .where(
                    ratings.c.rating_id == claim.rating_id,
                    ratings.c.lease_owner == claim.lease,
                )
                .values(lease_owner=None, lease_until=0, **values)
            )
        )


def new_lease() -> str:
    """A name that no other claim has."""
    return uuid.uuid4().hex


def _claims() -> Any:
    return select(ratings, now_ms().label("now"))


def _to_claim(row: RowMapping) -> Claim:
    return Claim(
        rating_id=row["rating_id"],
        lease=row["lease_owner"],
        taken_at=time.monotonic(),
        rating=to_rating(row),
        attempts=row["attempts"],
        age_ms=max(0, row["now"] - row["changed_at"]),
        unsettled_ms=max(0, row["unsettled_until"] - row["now"]),
    )
