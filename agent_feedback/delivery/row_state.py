"""What becomes of a ledger's row after an attempt: a pure function, and the outcomes it knows.

What makes this hard is that three things can happen while an attempt is under way, and each is
read off the row as it is *after* the attempt:

- The person changes the rating. The row then has a newer revision, which is due at once; what the
  attempt achieved counts for the older one only.
- The lease runs out, because the process was held up, and another claim takes the row. What the
  attempt did came late, perhaps after the other's, so the trace must be fetched once more.
- The outcome stays unknown: a request was sent and no answer came. It may take effect at any time
  until MLflow has answered something again, and for a while longer. A row that is delivered in this
  time stays in the queue, and its trace is fetched a last time when nothing can change any more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from agent_feedback.assessment_format import changed_at
from agent_feedback.ledger.queue import LEASE_MS, UNTIL_IT_ANSWERS, Claim, refused_ms
from agent_feedback.ledger.rows import DeliveryState, RatingRow
from agent_feedback.model import Assessment

UNSETTLED_MS = 60_000
"""How long an attempt of unknown outcome may still take effect once MLflow answers again."""
RECHECK_MS = LEASE_MS
"""How long another ledger's attempt at the same moment may last: no longer than its lease."""


@dataclass(frozen=True, slots=True)
class Released:
    """Nothing was attempted: the rating is due at once, for any claim."""


@dataclass(frozen=True, slots=True)
class Stored:
    """MLflow holds the claimed revision.

    Attributes:
        assessment_id: Under which id.
        recheck: Another ledger may be writing too: fetch the trace once more when it no longer can.
        adopted: It was an assessment that the person had made by another path, changed in place.
    """

    assessment_id: str
    recheck: bool = False
    adopted: bool = False


@dataclass(frozen=True, slots=True)
class Superseded:
    """Another replica's newer rating stands in MLflow: the row becomes what that one is."""

    by: Assessment


@dataclass(frozen=True, slots=True)
class Postponed:
    """Nothing is stored yet.

    Attributes:
        seconds: When it makes sense again.
        error: What went wrong, as an error code; ``None`` where nothing was attempted.
        unsettled: The attempt may still take effect.
        refused: MLflow answered that it will not take it.
    """

    seconds: float
    error: str | None = None
    unsettled: bool = False
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Undeliverable:
    """It can never be delivered as it is: kept, counted, and not tried again."""

    error: str


Outcome = Released | Stored | Superseded | Postponed | Undeliverable


def next_row(row: RatingRow, claim: Claim, outcome: Outcome, now: int) -> RatingRow:
    """The row after an attempt.

    Args:
        row: As it is now.
        claim: What was attempted, and under which lease.
        outcome: What became of it.
        now: The database's time, in milliseconds.
    """
    if row.lease != claim.row.lease:
        return _after_lost_lease(row, now)
    row = replace(row, lease=None, lease_until=0)
    is_current = row.rating.revision == claim.rating.revision
    if isinstance(outcome, Stored):
        return _after_storing(row, claim, outcome, now, is_current=is_current)
    if isinstance(outcome, Superseded):
        if is_current:
            row = _taken_over(row, outcome.by)
        stored = Stored(outcome.by.assessment_id)
        return _after_storing(row, claim, stored, now, is_current=is_current)
    if isinstance(outcome, Postponed):
        return _after_postponing(row, outcome, now, is_current=is_current)
    if isinstance(outcome, Undeliverable) and is_current:
        return replace(row, state="undeliverable", due_at=now, last_error=outcome.error)
    return replace(row, due_at=now)


def _after_lost_lease(row: RatingRow, now: int) -> RatingRow:
    """Another claim holds the row, or held it: keep what it noted, and fetch the trace again."""
    if row.state == "undeliverable":
        return row
    return replace(
        row,
        state="pending",
        due_at=now if row.state == "delivered" else row.due_at,
        unsettled_until=max(row.unsettled_until, now + LEASE_MS),
    )


def _after_storing(
    row: RatingRow, claim: Claim, outcome: Stored, now: int, *, is_current: bool
) -> RatingRow:
    settles_at = row.unsettled_until
    if settles_at == UNTIL_IT_ANSWERS:  # it has answered just now
        settles_at = now + UNSETTLED_MS
    elif outcome.recheck:
        settles_at = max(settles_at, now + RECHECK_MS)
    revision = claim.rating.revision
    is_news = row.rating.delivered_revision < revision
    row = replace(
        row,
        rating=replace(row.rating, delivered_revision=revision),
        delivered_at=now if is_news else row.delivered_at,
        unsettled_until=settles_at,
        attempts=0,
        refused_ms=0,
        refused_at=0,
        last_error=None,
    )
    own_id = row.rating.assessment_id
    if own_id == claim.rating.assessment_id:  # else the person withdrew it, and rated anew
        store_id = outcome.assessment_id if outcome.assessment_id != own_id else None
        row = replace(row, rating=replace(row.rating, store_id=store_id, clear_first=False))
    if not is_current:
        return replace(row, due_at=now)
    state: DeliveryState = "delivered" if settles_at <= now else "pending"
    return replace(row, state=state, due_at=settles_at)


def _taken_over(row: RatingRow, by: Assessment) -> RatingRow:
    rating = replace(
        row.rating, content=by.content, withdrawn=False, changed_at=changed_at(by) or 0
    )
    return replace(row, rating=rating)


def _after_postponing(
    row: RatingRow, outcome: Postponed, now: int, *, is_current: bool
) -> RatingRow:
    if outcome.unsettled:
        row = replace(row, unsettled_until=UNTIL_IT_ANSWERS)
    if not is_current:  # the failure was another revision's
        return replace(row, due_at=now)
    return replace(
        row,
        due_at=now + int(outcome.seconds * 1000),
        attempts=row.attempts + (outcome.error is not None),
        last_error=outcome.error,
        refused_ms=refused_ms(row, now) if outcome.refused else row.refused_ms,
        refused_at=now if outcome.refused else 0,
    )
