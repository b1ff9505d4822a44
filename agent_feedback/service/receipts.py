"""What an operation gives back: what there is to wait for, and then what to answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from agent_feedback.delivery.waiters import Delivered
from agent_feedback.model import Rating


@dataclass(frozen=True, slots=True)
class Receipt:
    """One rating as an answer shows it; field by field the routes' success body.

    ``value`` is in the units of the routes: a thumb's bool, a dimension's stars, a correction's
    text, ``None`` for a comment (its text is the rationale) and for a withdrawn rating.
    ``updated_at`` is ISO 8601 in UTC. ``correction`` is what stays when its thumb is withdrawn.
    """

    status: str
    trace_id: str
    client_request_id: str | None
    name: str
    value: bool | float | str | None
    rationale: str | None
    reasons: tuple[str, ...]
    assessment_id: str
    revision: int
    updated_at: str
    correction: Receipt | None = None
    is_correction_known: bool = field(default=True, compare=False)
    """Whether ``correction`` says what stands; not while only MLflow could tell, and is away."""
    created: bool = field(default=False, compare=False)
    """Whether there was no such rating before. Not in the body: the status code says it."""


@dataclass(frozen=True, slots=True)
class Submission:
    """Ratings that are durable and on their way to MLflow.

    ``awaited`` are done when MLflow holds their ratings; it is empty where waiting is in vain,
    because the trace is still in its export gap.
    """

    ratings: Sequence[Rating]
    awaited: Sequence[Future[Delivered]]
    receipts: Callable[[], list[Receipt]]
    """What to answer now: "ok" for what MLflow is known to hold, "pending" for the rest."""
    stop_waiting: Callable[[], None] = lambda: None
    """To be called where ``receipts`` may never be."""
