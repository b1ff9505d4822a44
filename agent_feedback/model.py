"""The values that pass between layers: who asked, which turn, what rating. All are frozen."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal

ANONYMOUS: Final = "anonymous"
"""The person of a request that says nothing about its sender."""

THUMB: Final = "user_feedback"
COMMENT: Final = "user_comment"
CORRECTION: Final = "expected_response"
DIMENSION_PREFIX: Final = "user_"
SIGNAL_PREFIX: Final = "implicit_"

RatingValue = bool | float | str | None
Kind = Literal["feedback", "expectation"]


class TurnState(str, Enum):
    """How far a turn has come; the value is what the ledger and the trace hold."""

    OPEN = "open"
    OK = "ok"
    ERROR = "error"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Identity:
    """The person behind a request.

    ``how`` names the evidence: the header that was trusted, ``"obo"`` for an access token,
    ``"app"`` where the host application says so, ``"none"`` where nobody is named.
    """

    user_id: str = ANONYMOUS
    how: str = "none"
    is_human: bool = False

    @property
    def is_anonymous(self) -> bool:
        """Whether nobody is named."""
        return self.user_id == ANONYMOUS


def folded(person: str) -> str:
    """A person's name as it is compared: the case of e-mail addresses does not count."""
    return person.lower() if "@" in person else person


def same_person(one: str, other: str) -> bool:
    """Whether two names are one person's: the case of e-mail addresses does not count."""
    return folded(one) == folded(other)


@dataclass(frozen=True, slots=True)
class Turn:
    """One question and its answer: what a handler receives as its second parameter.

    Attributes:
        trace_id: The trace as its span says it, or ``None`` where tracing made no trace.
        client_request_id: The caller's id of this request, or the UUID that stands in for it.
        session_id: The conversation, where the request names one.
        user_id: The person, for display: verified, or claimed by the request's body. ``None``
            where it is unknown, also while an access token is still being looked up.
        asker: The verified person; ``"anonymous"`` for nobody, ``None`` where it is unknown.
        state: Open while the handler runs.
        turn_id: The ledger's own name for it.
        opened_at: When the handler began, in milliseconds since the epoch.
        closed_at: When it ended.
    """

    trace_id: str | None
    client_request_id: str
    session_id: str | None = None
    user_id: str | None = None
    asker: str | None = None
    state: TurnState = TurnState.OPEN
    turn_id: str = ""
    opened_at: int = 0
    closed_at: int | None = None


def new_assessment_id() -> str:
    """A fresh id in MLflow's own form."""
    return f"a-{uuid.uuid4().hex}"


@dataclass(frozen=True, slots=True)
class RatingKey:
    """What there is one rating of: a trace, a person, and a name."""

    trace_id: str
    person: str
    name: str

    @property
    def kind(self) -> Kind:
        """The type of assessment that MLflow keeps it as."""
        return "expectation" if self.name == CORRECTION else "feedback"


@dataclass(frozen=True, slots=True)
class Content:
    """What a rating says; ``value`` in MLflow's units (a thumb's bool, stars ÷ scale, a text)."""

    value: RatingValue = None
    rationale: str | None = None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rating:
    """The desired state of one rating, as the ledger holds it.

    Attributes:
        assessment_id: The id that the ledger chose.
        store_id: The id that MLflow uses, where it is another one: the person may have made the
            assessment by another path.
        revision: Raised by every change and withdrawal.
        delivered_revision: The newest revision that MLflow is known to hold.
        changed_at: When the person last changed it, in milliseconds since the epoch.
        clear_first: An earlier withdrawal is not known to be done: what MLflow still holds must be
            deleted first.
    """

    key: RatingKey
    content: Content
    assessment_id: str
    store_id: str | None = None
    withdrawn: bool = False
    revision: int = 1
    delivered_revision: int = 0
    changed_at: int = 0
    client_request_id: str | None = None
    clear_first: bool = False
    undeliverable: bool = False

    @property
    def pending(self) -> bool:
        """Whether MLflow is not known to hold the newest revision."""
        return self.delivered_revision < self.revision

    @property
    def public_id(self) -> str:
        """The id that answers show: MLflow's once it is known."""
        return self.store_id or self.assessment_id

    @property
    def ids(self) -> frozenset[str]:
        """Both ids: changes accept either."""
        return frozenset({self.assessment_id, self.store_id or self.assessment_id})


@dataclass(frozen=True, slots=True)
class Assessment:
    """An MLflow assessment on a trace, reduced to what decisions need."""

    assessment_id: str
    name: str
    kind: Kind
    source_type: str
    source_id: str
    content: Content
    metadata: Mapping[str, str]
    valid: bool
    on_trace: bool
    """On the trace itself: neither on one of its spans nor made by an evaluation run."""
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class StoredTrace:
    """What MLflow knows of a trace: the mark of who asked, and its assessments.

    ``is_whole`` is false for a moment after the trace ended: MLflow stores the spans first, and
    the trace's info (with the mark of who asked) after them. ``experiment_id`` is where it lives;
    ``None`` in Unity Catalog, whose traces' ids say it.
    """

    trace_id: str
    client_request_id: str | None
    asker: str | None
    assessments: tuple[Assessment, ...] = ()
    is_whole: bool = True
    experiment_id: str | None = None


@dataclass(frozen=True, slots=True)
class TraceRecord:
    """What a report reads of a trace.

    Attributes:
        started_at: In milliseconds since the epoch.
        duration_ms: ``None`` where it is not known, as of a trace that has not ended.
        failed: Whether it ended in MLflow's state ERROR.
        experiment_id: ``None`` in Unity Catalog.
    """

    trace_id: str
    experiment_id: str | None
    started_at: int
    duration_ms: int | None
    failed: bool
    metadata: Mapping[str, str]
    tags: Mapping[str, str]
    assessments: tuple[Assessment, ...]
