"""How delivery is doing, counted in the ledger: the same for every process that shares it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import case, func, select

from agent_feedback.ledger.ledger import Ledger
from agent_feedback.ledger.tables import now_ms, ratings

_MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class DeliveryStatistics:
    """Counts for operators; no user's data.

    Attributes:
        pending: Ratings that MLflow does not hold yet.
        oldest_pending_seconds: How long the oldest of them has been waiting.
        undeliverable: Ratings that MLflow will never take as they are; they are kept.
        deliveries_per_minute: Ratings that MLflow was made to hold in the last 60 seconds.
        last_error: The newest failing rating's error code, or ``None``.
    """

    pending: int
    oldest_pending_seconds: float
    undeliverable: int
    deliveries_per_minute: int
    last_error: str | None


def delivery_statistics(ledger: Ledger) -> DeliveryStatistics:
    """Count what is on its way, what is stuck, and how fast it goes.

    Raises:
        Unavailable: the ledger cannot be read now.
    """
    waiting = (ratings.c.state == "pending") & (ratings.c.delivered_revision < ratings.c.revision)
    oldest = func.min(case((waiting, ratings.c.changed_at)))
    counts = select(
        func.count(case((waiting, 1))).label("pending"),
        (now_ms() - oldest).label("oldest"),
        func.count(case((ratings.c.state == "undeliverable", 1))).label("undeliverable"),
    ).where(ratings.c.state.in_(["pending", "undeliverable"]))
    delivered = select(func.count().label("count")).where(
        ratings.c.delivered_at > now_ms() - _MINUTE_MS
    )
    errors = (
        select(ratings.c.last_error)
        .where(ratings.c.state.in_(["pending", "undeliverable"]), ratings.c.last_error.is_not(None))
        .order_by(ratings.c.changed_at.desc())
        .limit(1)
    )
    row = ledger.database.read(counts, dict)[0]
    error = ledger.database.read(errors, lambda found: found["last_error"])
    return DeliveryStatistics(
        pending=row["pending"],
        oldest_pending_seconds=max(0.0, (row["oldest"] or 0) / 1000),
        undeliverable=row["undeliverable"],
        deliveries_per_minute=ledger.database.read(delivered, lambda found: int(found["count"]))[0],
        last_error=error[0] if error else None,
    )
