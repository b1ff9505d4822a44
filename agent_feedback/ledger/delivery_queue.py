"""The ledger as delivery sees it: rows to claim, with leases, and what became of them."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
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

from agent_feedback.ledger.ledger import (
    LEASE_MS,
    UNTIL_IT_ANSWERS,
    Ledger,
    unsettled_if_abandoned,
)
from agent_feedback.ledger.rows import to_rating
from agent_feedback.ledger.tables import now_ms, ratings, turns
from agent_feedback.model import Assessment, Rating

UNSETTLED_MS = 60_000
"""How long an attempt of unknown outcome may still take effect once MLflow answers again."""
LAST_LOOK_MS = LEASE_MS
"""How long another ledger's attempt at the same moment may last: no longer than its lease."""
_LONGEST_PAUSE_MS = 600_000
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
    refused_ms: int
    """For how long MLflow has been answering that it will not take it."""

    @property
    def seconds_left(self) -> float:
        """For how long nobody else can hold it."""
        return self.taken_at + LEASE_MS / 1000 - time.monotonic()


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
                .values(
                    lease_owner=lease,
                    lease_until=now_ms() + LEASE_MS,
                    unsettled_until=unsettled_if_abandoned(),
                )
            )
            held = _claims().where(ratings.c.rating_id.in_(ids))
            return [_to_claim(row) for row in connection.execute(held).mappings()]

        return self._ledger.write(write)

    def held(self, lease: str) -> list[Claim]:
        """The ratings that were handed over under ``lease`` with their change."""
        return self._ledger.read(_claims().where(ratings.c.lease_owner == lease), _to_claim)

    def release(self, claim: Claim) -> None:
        """Nothing was attempted: whoever comes next may have it."""
        self._finish(claim, due_at=now_ms())

    def settle(self, claim: Claim, store_id: str | None, *, look_again: bool = False) -> None:
        """MLflow holds the claimed revision, under ``store_id`` where that is another id.

        It stays in the queue for a last look while an attempt of unknown outcome may still take
        effect, or, with ``look_again``, while another ledger's may.
        """
        still = _still(claim)
        # That MLflow answered is what ends an unknown outcome's uncertainty, a while later.
        settles_at: ColumnElement[int] = case(
            (ratings.c.unsettled_until == UNTIL_IT_ANSWERS, now_ms() + UNSETTLED_MS),
            else_=_unsettled_for(LAST_LOOK_MS) if look_again else ratings.c.unsettled_until,
        )
        is_news = ratings.c.delivered_revision < claim.rating.revision
        self._finish(
            claim,
            store_id=case((still, literal(store_id, String)), else_=ratings.c.store_id),
            delivered_revision=claim.rating.revision,
            delivered_at=case((is_news, now_ms()), else_=ratings.c.delivered_at),
            clear_first=case((still, False), else_=ratings.c.clear_first),
            state=case((still & (settles_at <= now_ms()), "delivered"), else_="pending"),
            due_at=case((still, settles_at), else_=now_ms()),
            unsettled_until=settles_at,
            **_UNTROUBLED,
        )

    def take_over(self, claim: Claim, found: Assessment, found_changed_at: int) -> None:
        """Another replica's newer rating stands: the row says what it says."""

        def write(connection: Connection) -> None:
            connection.execute(
                update(ratings)
                .where(ratings.c.rating_id == claim.rating_id, _still(claim))
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
        error: str | None,
        *,
        attempted: bool = True,
        unsettled: bool = False,
        refused: bool = False,
    ) -> None:
        """Try again after ``seconds``; a revision that came meanwhile is due at once.

        Args:
            claim: What could not be delivered now.
            seconds: When it makes sense again.
            error: What went wrong, if anything did.
            attempted: Whether it counts as an attempt.
            unsettled: The attempt may still take effect.
            refused: MLflow answered, and would not take it: that cannot go on for ever.
        """
        still = _still(claim)
        values: dict[str, Any] = {
            "due_at": case((still, now_ms() + int(seconds * 1000)), else_=now_ms()),
            "attempts": case((still, claim.attempts + attempted), else_=0),
            "last_error": error,
            "refused_at": case((still, now_ms() if refused else 0), else_=0),
        }
        if refused:
            values["refused_ms"] = case((still, claim.refused_ms), else_=0)
        if unsettled:
            values["unsettled_until"] = UNTIL_IT_ANSWERS
        self._finish(claim, **values)

    def give_up(self, claim: Claim, error: str) -> None:
        """It can never be delivered as it is: kept, counted, and not tried again."""
        self._finish(
            claim,
            state=case((_still(claim), "undeliverable"), else_="pending"),
            due_at=now_ms(),
            last_error=error,
        )

    def hasten(self) -> None:
        """MLflow is back: what only waits because it was away is due now."""
        self._ledger.write(
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
        return self._ledger.write(
            lambda connection: (
                connection.execute(
                    update(ratings)
                    .where(ratings.c.state == "undeliverable")
                    .values(state="pending", due_at=now_ms(), **_UNTROUBLED)
                ).rowcount
            )
        )

    def seconds_until_due(self, *, but_for_looks: bool = False) -> float | None:
        """When the next rating is due, or ``None`` where none waits.

        Args:
            but_for_looks: Pass over what MLflow holds, and is only looked at once more.
        """
        free_at = case(
            (ratings.c.lease_until > ratings.c.due_at, ratings.c.lease_until),
            else_=ratings.c.due_at,
        )
        query = select((func.min(free_at) - now_ms()).label("wait")).where(
            ratings.c.state == "pending"
        )
        if but_for_looks:
            query = query.where(ratings.c.delivered_revision < ratings.c.revision)
        wait = self._ledger.read(query, lambda row: row["wait"])[0]
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
                batch = key.in_(old.limit(_PURGE_AT_ONCE))
                gone += connection.execute(delete(table).where(batch)).rowcount
            return gone

        return self._ledger.write(write)

    def _finish(self, claim: Claim, **values: Any) -> None:
        """Write what became of a claim, unless its lease has run out and another holds it."""
        this_one = ratings.c.rating_id == claim.rating_id

        def write(connection: Connection) -> None:
            written = connection.execute(
                update(ratings)
                .where(this_one, ratings.c.lease_owner == claim.lease)
                .values(lease_owner=None, lease_until=0, **values)
            )
            if not written.rowcount:
                # This process was held up in its attempt for longer than a lease lasts. What it
                # did came late, perhaps after somebody else's: it takes another look to tell.
                delivered = ratings.c.state == "delivered"
                connection.execute(
                    update(ratings)
                    .where(this_one, ratings.c.state != "undeliverable")
                    .values(
                        state="pending",
                        due_at=case((delivered, now_ms()), else_=ratings.c.due_at),
                        unsettled_until=_unsettled_for(LEASE_MS),
                    )
                )

        self._ledger.write(write)


_UNTROUBLED: dict[str, Any] = {
    "attempts": 0,
    "refused_ms": 0,
    "refused_at": 0,
    "last_error": None,
}


def new_lease() -> str:
    """A name that no other claim has."""
    return uuid.uuid4().hex


def _still(claim: Claim) -> ColumnElement[bool]:
    """Whether nobody has changed the rating since it was claimed."""
    return ratings.c.revision == claim.rating.revision


def _unsettled_for(milliseconds: int) -> ColumnElement[int]:
    ends = now_ms() + milliseconds
    return case((ratings.c.unsettled_until > ends, ratings.c.unsettled_until), else_=ends)


def _claims() -> Any:
    return select(ratings, now_ms().label("now"))


def _to_claim(row: RowMapping) -> Claim:
    # A process that was down, or an outage in between, do not count.
    since = min(row["now"] - row["refused_at"], _LONGEST_PAUSE_MS) if row["refused_at"] else 0
    return Claim(
        rating_id=row["rating_id"],
        lease=row["lease_owner"],
        taken_at=time.monotonic(),
        rating=to_rating(row),
        attempts=row["attempts"],
        age_ms=max(0, row["now"] - row["changed_at"]),
        refused_ms=row["refused_ms"] + max(0, since),
    )
