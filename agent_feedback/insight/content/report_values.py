"""The report: frozen values, whose members are the members of its JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from agent_feedback.insight.statistics.estimates import Difference, Estimate

SCHEMA: Final = "agent-feedback/report/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentName:
    """An MLflow experiment whose traces were counted."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportWindow:
    """Traces that began in ``[since, until)``; ISO 8601, UTC."""

    since: str
    until: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """How many traces were rated, and how well.

    ``positive`` and ``negative`` are thumbs, at most one per trace and person; ``people`` gave any
    rating.
    """

    traces: int
    rated_traces: int
    feedback_rate: Estimate
    people: int
    positive: int
    negative: int
    positive_rate: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """From the window before to this one; ``None`` where one of them has nothing to compare."""

    positive_rate: Difference | None
    feedback_rate: Difference | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """The stars of one dimension.

    ``stars`` is the mean in stars; ``distribution`` is the number of ratings of each value.
    """

    n: int
    people: int
    mean: Estimate
    stars: float | None
    distribution: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket(Headline):
    """An hour or a day of the window."""

    start: str
    end: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Group(Headline):
    """The traces that have one value of the key of ``--by``."""

    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonResult:
    """``--compare``: the difference is how far ``b`` is above ``a``."""

    key: str
    a: str
    b: str
    positive_rate: Difference
    dimensions: Mapping[str, Difference]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The rated traces, or those that nobody rated."""

    traces: int
    seconds_median: float | None
    error_rate: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Who rates, and what.

    ``top_rater_share``: of all rated answers (an answer that two people rated counts twice), the
    share of the person who rated most; ``people_for_half``: how few people rated half of them.
    """

    rated: Part
    unrated: Part
    top_rater_share: float | None
    people_for_half: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeToRating:
    """Seconds from a trace's end to a rating's creation."""

    median: float | None
    p90: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A reason, or a theme of comments, and what its traces have in common.

    ``negative_share``: of the thumbs on its traces, how many are negative; ``lift``: that, divided
    by the same share over all rated traces.
    """

    what: str
    kind: Literal["reason", "theme"]
    people: int
    traces: int
    negative_share: float | None
    lift: float | None
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportComment:
    """What somebody wrote, chose or corrected on one answer."""

    trace_id: str
    person: str
    value: bool | float | str | None
    dimension: str | None
    rationale: str | None
    reasons: tuple[str, ...]
    correction: str | None
    at: str
    link: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementTable:
    """``tp``: both say yes; ``fp``: only the judge; ``fn``: only people; ``tn``: neither."""

    tp: int
    fp: int
    fn: int
    tn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """How far a judge agrees with people, on the traces where both said yes or no.

    ``majority`` is what always saying people's more frequent word would reach.
    """

    name: str
    n: int
    agreement: Estimate
    kappa: Estimate
    ac1: Estimate
    majority: float | None
    table: AgreementTable
    ties: int
    disagreements: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """Assessments that are not end users' ratings, by class; signals by name."""

    developer: int
    judge: int
    code: int
    signal: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A condition of the gate; ``met`` is ``None`` where there is not enough to say."""

    metric: str
    bound: float
    value: float | None
    n: int
    met: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """``passed`` is false where a condition is not met, ``None`` where one is undecided."""

    passed: bool | None
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How people rate an agent's answers, how sure that is, and what to fix first.

    Rates are between 0 and 1, times ISO 8601 in UTC, durations in seconds. ``None`` means that
    nothing is known.
    """

    schema: Literal["agent-feedback/report/1"] = SCHEMA
    made_at: str
    experiments: tuple[ExperimentName, ...]
    window: ReportWindow
    source: Literal["mlflow", "warehouse"]
    headline: Headline
    previous: Headline | None
    change: Change
    dimensions: Mapping[str, Dimension]
    trend: tuple[Bucket, ...]
    groups: tuple[Group, ...]
    comparison: ComparisonResult | None
    coverage: Coverage
    time_to_rating: TimeToRating
    fix_first: tuple[Finding, ...]
    comments: tuple[ReportComment, ...]
    judges: tuple[Judge, ...]
    apart: Apart
    gate: Gate | None
    notes: tuple[str, ...]
