"""Rows of the ledger as values, and values as rows: here and nowhere else."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, replace
from typing import Any, Literal

from sqlalchemy import RowMapping

from agent_feedback.model import Content, Rating, RatingKey, Turn, TurnState

DeliveryState = Literal["pending", "delivered", "undeliverable"]


@dataclass(frozen=True, slots=True)
class RatingRow:
    """A row of ``ratings``: what the rating should be, and how far its delivery has come.

    All times are in milliseconds since the epoch, by the database's clock.

    Attributes:
        rating_id: The row's own key.
        rating: The desired state.
        state: Pending while something is left to do, also where MLflow holds the newest revision
            and is only asked once more whether it still does.
        due_at: When the next attempt makes sense.
        attempts: How many failed in a row, since the last change.
        lease: The name of the claim that holds the row; ``None`` for nobody's.
        lease_until: Until when no other claim may take it.
        unsettled_until: Until when an earlier attempt may still take effect in MLflow.
        last_error: Why the last attempt failed, as an error code.
        refused_ms: For how long MLflow has been answering that it will not take the rating.
        refused_at: When it last answered so; 0 where its last answer was another.
        delivered_at: When MLflow was last made to hold a new revision; 0 for never.
    """

    rating_id: str
    rating: Rating
    state: DeliveryState = "pending"
    due_at: int = 0
    attempts: int = 0
    lease: str | None = None
    lease_until: int = 0
    unsettled_until: int = 0
    last_error: str | None = None
    refused_ms: int = 0
    refused_at: int = 0
    delivered_at: int = 0


def first_row(rating: Rating) -> RatingRow:
    """The row of a new rating."""
    return RatingRow(uuid.uuid4().hex, rating)


def changed_row(row: RatingRow, rating: Rating, now: int) -> RatingRow:
    """The row after its person changed the rating: due at once, as if nothing had failed before.

    A claim that holds the row goes on holding it, and what it had sent may still take effect.
    """
    # MLflow's answer to a deletion proves nothing. Until a last fetch has shown that a withdrawn
    # assessment is gone, the row is not "delivered"; a new rating must not be kept under its id.
    is_anew = row.rating.withdrawn and not rating.withdrawn
    if is_anew and row.state != "delivered":
        rating = replace(rating, clear_first=True)
    return replace(
        row,
        rating=rating,
        state="pending",
        due_at=now,
        attempts=0,
        last_error=None,
        refused_ms=0,
        refused_at=0,
    )


def to_row(row: RowMapping) -> RatingRow:
    """A row of ``ratings`` as a value."""
    return RatingRow(
        rating_id=row["rating_id"],
        rating=to_rating(row),
        state=row["state"],
        due_at=row["due_at"],
        attempts=row["attempts"],
        lease=row["lease_owner"],
        lease_until=row["lease_until"],
        unsettled_until=row["unsettled_until"],
        last_error=row["last_error"],
        refused_ms=row["refused_ms"],
        refused_at=row["refused_at"],
        delivered_at=row["delivered_at"],
    )


def to_rating(row: RowMapping) -> Rating:
    """The rating that a row of ``ratings`` is about."""
    reasons = json.loads(row["reasons"]) if row["reasons"] else []
    content = Content(json.loads(row["value"]), row["rationale"], tuple(reasons))
    return Rating(
        key=RatingKey(row["trace_id"], row["person"], row["name"]),
        content=content,
        assessment_id=row["assessment_id"],
        store_id=row["store_id"],
        withdrawn=row["withdrawn"],
        revision=row["revision"],
        delivered_revision=row["delivered_revision"],
        changed_at=row["changed_at"],
        client_request_id=row["client_request_id"],
        clear_first=row["clear_first"],
        undeliverable=row["state"] == "undeliverable",
    )


def new_columns(row: RatingRow) -> dict[str, Any]:
    """The columns of a row that is not there yet, but for the time of its creation."""
    key = row.rating.key
    return {
        "rating_id": row.rating_id,
        "trace_id": key.trace_id,
        "person": key.person,
        "name": key.name,
        **_columns(row),
    }


def changed_columns(old: RatingRow, new: RatingRow) -> dict[str, Any]:
    """The columns in which a row differs from what it was."""
    before = _columns(old)
    return {name: value for name, value in _columns(new).items() if value != before[name]}


def _columns(row: RatingRow) -> dict[str, Any]:
    rating = row.rating
    return {
        "client_request_id": rating.client_request_id,
        "value": json.dumps(rating.content.value),
        "rationale": rating.content.rationale,
        "reasons": json.dumps(rating.content.reasons),
        "withdrawn": rating.withdrawn,
        "clear_first": rating.clear_first,
        "assessment_id": rating.assessment_id,
        "store_id": rating.store_id,
        "revision": rating.revision,
        "delivered_revision": rating.delivered_revision,
        "changed_at": rating.changed_at,
        "state": row.state,
        "due_at": row.due_at,
        "attempts": row.attempts,
        "lease_owner": row.lease,
        "lease_until": row.lease_until,
        "unsettled_until": row.unsettled_until,
        "last_error": row.last_error,
        "refused_ms": row.refused_ms,
        "refused_at": row.refused_at,
        "delivered_at": row.delivered_at,
    }


def turn_columns(turn: Turn) -> dict[str, Any]:
    """What a turn's row says, but for its id."""
    return {
        "trace_id": turn.trace_id,
        "client_request_id": turn.client_request_id,
        "session_id": turn.session_id,
        "user_id": turn.user_id,
        "asker": turn.asker,
        "state": turn.state.value,
        "opened_at": turn.opened_at,
        "closed_at": turn.closed_at,
    }


def to_turn(row: RowMapping) -> Turn:
    """A row of ``turns`` as a value."""
    return Turn(
        trace_id=row["trace_id"],
        client_request_id=row["client_request_id"],
        session_id=row["session_id"],
        user_id=row["user_id"],
        asker=row["asker"],
        state=TurnState(row["state"]),
        turn_id=row["turn_id"],
        opened_at=row["opened_at"],
        closed_at=row["closed_at"],
    )
