"""What a report is made of: counts, and people's sums. Every source fills this, and nothing else.

None of it grows with the traces that nobody rated.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final, Literal

from agent_feedback.model import THUMB, RatingValue

MAX_COMMENTED: Final = 50_000
"""A report keeps the words and reasons of so many traces: the newest."""


@dataclass(slots=True)
class Sums:
    """The sums of a window, a bucket of it, or a group of traces.

    Attributes:
        traces: How many there are.
        rated_traces: How many of them have an assessment by an end user that is not a signal.
        answers: How many traces each person rated, by the person's key.
        ratings: By name (``user_feedback``, ``user_accuracy``, …): how many ratings there are of
            each person and value. A thumb is 1.0 or 0.0. Values that are none are not in it.
    """

    traces: int = 0
    rated_traces: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    ratings: dict[str, Counter[tuple[str, float]]] = field(default_factory=dict)

    def rate(self, name: str, person: str, value: float, number: int = 1) -> None:
        """Add ratings of one person and value."""
        self.ratings.setdefault(name, Counter())[person, value] += number

    def thumbs(self) -> tuple[int, int]:
        """How many thumbs are up, and how many are down."""
        up = down = 0
        for (_, value), number in self.ratings.get(THUMB, {}).items():
            if value:
                up += number
            else:
                down += number
        return up, down

    def add(self, other: Sums) -> None:
        """Add the sums of other traces."""
        self.traces += other.traces
        self.rated_traces += other.rated_traces
        self.answers.update(other.answers)
        for name, ratings in other.ratings.items():
            self.ratings.setdefault(name, Counter()).update(ratings)


@dataclass(frozen=True, slots=True)
class TraceStatistics:
    """How the traces of a part went.

    Attributes:
        traces: How many there are.
        errors: How many ended in the state ERROR.
        seconds_median: Of those whose duration is known; ``None`` where there is none.
    """

    traces: int = 0
    errors: int = 0
    seconds_median: float | None = None


@dataclass(frozen=True, slots=True)
class Delay:
    """Seconds from a trace's end to a rating's creation; ``None`` where there is none."""

    median: float | None = None
    p90: float | None = None


@dataclass(slots=True)
class JudgeTable:
    """A judge and the majority of people's thumbs, on the traces where both said yes or no.

    Attributes:
        pairs: How many traces there are of each (judge said yes, people said yes).
        ties: Traces on which as many people said yes as no; they are in nothing else.
        unclear: The judge's values that are neither yes nor no, on any trace.
        disagreements: The traces where they disagree: the newest first, then by id.
    """

    pairs: Counter[tuple[bool, bool]] = field(default_factory=Counter)
    ties: int = 0
    unclear: int = 0
    disagreements: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Comment:
    """What a person said on a trace in words, reasons or a correction.

    Attributes:
        person: The person's key.
        name: Of the assessment that the words are on: ``user_feedback``, ``user_comment``, a
            dimension's ``user_…``, or ``expected_response`` for a correction that stands alone.
        value: That assessment's value as it is stored; ``None`` for a comment or correction.
        rationale: The words, if any.
        correction: The person's correction of the answer, on the first of the person's comments.
        at: When the assessment was last updated, in milliseconds since the epoch.
    """

    person: str
    name: str
    value: RatingValue
    rationale: str | None
    reasons: tuple[str, ...]
    correction: str | None
    at: int


@dataclass(frozen=True, slots=True)
class CommentedTrace:
    """A trace with words, reasons or corrections of end users, and its thumbs."""

    trace_id: str
    experiment_id: str | None
    started_at: int
    positive: int
    negative: int
    comments: tuple[Comment, ...]


LeftOut = Literal["unclear_thumbs", "unclear_ratings", "excluded_people"]
"""Assessments that are counted and not used: thumbs that are neither yes nor no, dimensions that
are no number from 0 to 1, and everything by people who are excluded."""


@dataclass(slots=True)
class Aggregates:
    """All that a report needs to know of a window.

    Attributes:
        total: The window.
        previous: The window before; ``None`` where it was not asked for.
        buckets: By their start, as ``Window.bucket_of`` has it; one without traces may be absent.
        groups: With ``by``: the largest 50 by traces, then by key, and ``(other)``.
        compared: With ``compare``: the two groups, by key.
        rated, unrated: How rated traces went, and the others.
        delay: From answers to their ratings.
        apart: Assessments of developers, judges and code that count, by class.
        signals: Implicit feedback that counts, by name.
        judges: By name.
        commented: The newest :data:`MAX_COMMENTED` traces with comments: newest first, then by id.
        more_commented: Whether there are more of them.
        left_out: What is counted and not used.
    """

    total: Sums = field(default_factory=Sums)
    previous: Sums | None = None
    buckets: dict[int, Sums] = field(default_factory=dict)
    groups: dict[str, Sums] = field(default_factory=dict)
    compared: dict[str, Sums] = field(default_factory=dict)
    rated: TraceStatistics = TraceStatistics()
    unrated: TraceStatistics = TraceStatistics()
    delay: Delay = Delay()
    apart: Counter[str] = field(default_factory=Counter)
    signals: Counter[str] = field(default_factory=Counter)
    judges: dict[str, JudgeTable] = field(default_factory=dict)
    commented: list[CommentedTrace] = field(default_factory=list)
    more_commented: bool = False
    left_out: Counter[LeftOut] = field(default_factory=Counter)
