"""Rows of the ledger as values, and values as rows: here and nowhere else."""

from __future__ import annotations

import json
import uuid
from typing import Any

from sqlalchemy import RowMapping

from agent_feedback.ledger.tables import now_ms
from agent_feedback.model import Content, Rating, RatingKey, Turn, TurnState


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


def to_rating(row: RowMapping) -> Rating:
    """A row of ``ratings`` as a value."""
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


def to_columns(rating: Rating) -> dict[str, Any]:
    """What of a row says what the rating should be."""
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
        "changed_at": rating.changed_at,
    }


def new_row(rating: Rating) -> dict[str, Any]:
    """A rating's first row, due at once."""
    return {
        "rating_id": uuid.uuid4().hex,
        "trace_id": rating.key.trace_id,
        "person": rating.key.person,
        "name": rating.key.name,
        **to_columns(rating),
        "state": "pending",
        "delivered_revision": rating.delivered_revision,
        "created_at": now_ms(),
        "attempts": 0,
        "due_at": now_ms(),
        "lease_owner": None,
        "lease_until": 0,
        "unsettled_until": 0,
        "last_error": None,
    }
