"""The contract's rules, one by one, with numbers that were worked out by hand.

The oracle and the product must both give them: what both had wrong could agree unnoticed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from agent_feedback.insight.definitions.options import Comparison, ReportOptions
from agent_feedback.insight.definitions.trace_keys import trace_key
from agent_feedback.insight.definitions.window import Window
from tests.insight.oracle import oracle_report
from tests.insight.oracle_comparison import comparable, counted
from tests.insight.trace_specs import AssessmentSpec, TraceSpec

MINUTE, HOUR = 60_000, 3_600_000
DAY = 24 * HOUR
# 2026-03-02T06:00Z, for two hours.
SINCE = 1_772_431_200_000
UNTIL = SINCE + 2 * HOUR
OURS = {"agent_feedback.ledger": "l1"}


@dataclass(frozen=True)
class Rule:
    """Traces, options, and what members of the report must be, by their paths."""

    says: str
    traces: tuple[TraceSpec, ...]
    expected: Mapping[str, Any]
    options: Mapping[str, Any] = field(default_factory=dict)


class Ids:
    """Numbers assessments, so that later ones have greater ids."""

    def __init__(self) -> None:
        self._last = 0

    def next(self) -> str:
        self._last += 1
        return f"a-{self._last:05}"


IDS = Ids()


def said(name: str, person: str, value: Any, **more: Any) -> AssessmentSpec:
    """Make an assessment by a person, two seconds after the window's start."""
    at = more.pop("at", SINCE + 2_000)
    return AssessmentSpec(
        assessment_id=more.pop("assessment_id", None) or IDS.next(),
        name=name,
        source_type=more.pop("source_type", "HUMAN"),
        source_id=person,
        value=value,
        created_at=more.pop("created_at", at),
        updated_at=at,
        **more,
    )


def thumb(person: str, value: Any = True, **more: Any) -> AssessmentSpec:
    """Make a thumb."""
    return said("user_feedback", person, value, **more)


def stars(person: str, value: Any, **more: Any) -> AssessmentSpec:
    """Make a rating of the dimension ``accuracy``."""
    return said("user_accuracy", person, value, **more)


def judged(value: Any, by: str = "judge", name: str = "correct", **more: Any) -> AssessmentSpec:
    """Make a judge's word."""
    return said(name, by, value, source_type="LLM_JUDGE", **more)


def corrected(person: str, value: Any, **more: Any) -> AssessmentSpec:
    """Make a correction that agent_feedback wrote."""
    more = {"kind": "expectation", "metadata": OURS, **more}
    return said("expected_response", person, value, **more)


def trace(trace_id: str, *assessments: AssessmentSpec, **more: Any) -> TraceSpec:
    """Make a trace that began with the window and took a second."""
    return TraceSpec(trace_id, more.pop("started_at", SINCE), assessments=assessments, **more)


def reasons(*chosen: str) -> dict[str, str]:
    """Make the metadata of chosen reasons; none of them has a character to be escaped."""
    return {"agent_feedback.reasons": "[" + ", ".join(f'"{one}"' for one in chosen) + "]"}


def thumbs(*of_people: str) -> tuple[TraceSpec, ...]:
    """Make a trace for each thumb: ``"++-"`` is a person who said yes, yes and no."""
    return tuple(
        trace(f"t{person}-{position}", thumb(f"p{person}@x.org", mark == "+"))
        for person, marks in enumerate(of_people)
        for position, mark in enumerate(marks)
    )


def at(trace_id: str, started_at: int) -> TraceSpec:
    """Make a trace that ann rated."""
    return trace(trace_id, thumb("ann@x.org"), started_at=started_at)


# fmt: off
RULES = (
    # -- what counts ---------------------------------------------------------------------------
    Rule("an overridden row does not count",
         (trace("t", thumb("ann@x.org", True, valid=False, assessment_id="a-old"),
                thumb("ann@x.org", False, overrides="a-old")),),
         {"headline.positive": 0, "headline.negative": 1, "headline.people": 1}),
    Rule("what is only invalid rates nothing",
         (trace("t", thumb("ann@x.org", valid=False)),),
         {"headline.rated_traces": 0, "headline.people": 0, "coverage.unrated.traces": 1}),
    Rule("a row of which nothing says whether it is valid counts",
         (trace("t", thumb("ann@x.org", valid=None)),), {"headline.positive": 1}),
    Rule("an assessment of a span does not count",
         (trace("t", thumb("ann@x.org", span_id="00f067aa0ba902b7")),),
         {"headline.rated_traces": 0, "headline.positive": 0}),
    Rule("an assessment that a run made does not count",
         (trace("t", judged("yes", run_id="0123456789abcdef0123456789abcdef"),
                judged("yes", name="other", metadata={"mlflow.assessment.sourceRunId": "r"})),),
         {"apart.judge": 0, "judges": []}),
    Rule("an empty name of a run is none",
         (trace("t", thumb("ann@x.org", metadata={"mlflow.assessment.sourceRunId": ""})),),
         {"headline.positive": 1}),
    Rule("of two of one person and name the one that was updated last counts",
         (trace("t", thumb("ann@x.org", False, at=SINCE + 9_000, created_at=SINCE + 1_000),
                thumb("ann@x.org", True, at=SINCE + 8_000, created_at=SINCE + 8_000)),),
         {"headline.positive": 0, "headline.negative": 1}),
    Rule("of two that were updated at once the one that was made last counts",
         (trace("t", thumb("ann@x.org", False, at=SINCE + 9_000, created_at=SINCE + 5_000),
                thumb("ann@x.org", True, at=SINCE + 9_000, created_at=SINCE + 4_000)),),
         {"headline.positive": 0, "headline.negative": 1}),
    Rule("of two of the same moments the one with the greater id counts",
         (trace("t", thumb("ann@x.org", False, assessment_id="a-2"),
                thumb("ann@x.org", True, assessment_id="a-1")),),
         {"headline.positive": 0, "headline.negative": 1}),
    Rule("two persons, and two names of one person, stand beside each other",
         (trace("t", thumb("ann@x.org"), thumb("bob@x.org", False), stars("ann@x.org", 0.4)),),
         {"headline.positive": 1, "headline.negative": 1, "headline.people": 2,
          "headline.rated_traces": 1, "dimensions.accuracy.n": 1}),
    # -- persons -------------------------------------------------------------------------------
    Rule("e-mail addresses compare without case",
         (trace("t", thumb("Ann@X.org", True, at=SINCE), thumb("ann@x.org", False)),),
         {"headline.people": 1, "headline.positive": 0, "headline.negative": 1}),
    Rule("names that are no address compare with case",
         (trace("t", thumb("carol"), thumb("Carol")),),
         {"headline.people": 2, "headline.positive": 2}),
    Rule("anonymous is one person in a session",
         (trace("t1", thumb("anonymous"), metadata={"mlflow.trace.session": "s"}),
          trace("t2", thumb("anonymous"), metadata={"mlflow.trace.session": "s"})),
         {"headline.people": 1, "headline.positive": 2, "headline.positive_rate.n_effective": 1.0}),
    Rule("anonymous is a person per trace where there is no session, or an empty one",
         (trace("t1", thumb("anonymous"), metadata={"mlflow.trace.session": ""}),
          trace("t2", thumb("anonymous"))),
         {"headline.people": 2, "headline.positive_rate.n_effective": 2.0}),
    Rule("default and anonymous are two, and a person without a name is anonymous",
         (trace("t", thumb("default", False), thumb("anonymous"), thumb("", False)),),
         {"headline.people": 2}),
    # -- classes -------------------------------------------------------------------------------
    Rule("MLflow's own thumbs are a developer's without an alias",
         (trace("t", said("User feedback", "ann@x.org", True)),),
         {"headline.rated_traces": 0, "apart.developer": 1}),
    Rule("an alias makes them thumbs, of which the latest counts",
         (trace("t", said("User feedback", "ann@x.org", False, at=SINCE + 9_000),
                thumb("ann@x.org", True)),),
         {"headline.positive": 0, "headline.negative": 1, "apart.developer": 0},
         {"aliases": {"User feedback": "user_feedback"}}),
    Rule("an alias is of people's assessments only",
         (trace("t", judged("yes", name="User feedback")),),
         {"headline.rated_traces": 0, "apart.judge": 1},
         {"aliases": {"User feedback": "user_feedback"}}),
    Rule("a correction with our mark rates a trace",
         (trace("t", corrected("ann@x.org", "42")),),
         {"headline.rated_traces": 1, "headline.people": 1, "headline.positive_rate.n": 0,
          "comments": [{"trace_id": "t", "person": "ann@x.org", "value": None, "dimension": None,
                        "rationale": None, "reasons": (), "correction": "42",
                        "at": "2026-03-02T06:00:02Z"}]}),
    Rule("an expectation without our mark is a developer's",
         (trace("t", corrected("ann@x.org", "42", metadata={})),),
         {"headline.rated_traces": 0, "apart.developer": 1, "comments": []}),
    Rule("feedback of that name is a developer's, marked or not",
         (trace("t", corrected("ann@x.org", "42", kind="feedback")),),
         {"headline.rated_traces": 0, "apart.developer": 1}),
    Rule("signals rate nothing and are counted by name",
         (trace("t", said("implicit_copy", "ann@x.org", True),
                said("implicit_copy", "bob@x.org", True),
                said("implicit_redo", "ann@x.org", True)),),
         {"headline.rated_traces": 0, "headline.people": 0,
          "apart.signal": {"implicit_copy": 2, "implicit_redo": 1}}),
    Rule("every other word of a person is a developer's, and code's is code's",
         (trace("t", said("quality", "ann@x.org", 1), thumb("x", source_type="CODE"),
                said("implicit_copy", "x", 1, source_type="CODE")),),
         {"apart.developer": 1, "apart.code": 2, "apart.signal": {}, "headline.rated_traces": 0}),
    Rule("a developer's ratings are a developer's, whatever the case",
         (trace("t", thumb("Dev@X.org"), corrected("dev@x.org", "42"),
                said("implicit_copy", "dev@x.org", 1)),),
         {"apart.developer": 2, "apart.signal": {"implicit_copy": 1}, "headline.rated_traces": 0},
         {"developers": frozenset({"dev@x.org"})}),
    Rule("a person who is excluded is left out everywhere, and each valid word counted once",
         (trace("t", thumb("Bot@x.org"), thumb("bot@x.org"), said("quality", "bot@x.org", 1),
                thumb("bot@x.org", valid=False), judged("yes", by="bot@x.org")),),
         {"left_out": {"excluded_people": 3}, "headline.rated_traces": 0, "apart.developer": 0,
          "apart.judge": 1},
         {"excluded": frozenset({"bot@x.org"})}),
    # -- values --------------------------------------------------------------------------------
    Rule("yes, true and 1, and their strings, are thumbs up",
         (trace("t", *(thumb(f"p{position}", value) for position, value in
                       enumerate((True, "true", "True", "yes", "YES", 1, 1.0, "1")))),),
         {"headline.positive": 8, "headline.negative": 0, "left_out": {}}),
    Rule("no, false and 0, and their strings, are thumbs down",
         (trace("t", *(thumb(f"p{position}", value) for position, value in
                       enumerate((False, "false", "No", 0, 0.0, "0")))),),
         {"headline.positive": 0, "headline.negative": 6, "left_out": {}}),
    Rule("any other thumb is counted as unclear, and its trace is rated",
         (trace("t", *(thumb(f"p{position}", value) for position, value in
                       enumerate((None, "maybe", 2, -1, 0.5, "", " yes", [True], {"a": 1})))),),
         {"headline.rated_traces": 1, "headline.people": 9, "headline.positive_rate.n": 0,
          "headline.positive_rate.value": None, "left_out": {"unclear_thumbs": 9}}),
    Rule("a rating of a dimension is a number from 0 to 1",
         (trace("t", *(stars(f"p{position}", value) for position, value in
                       enumerate((0, 1, 0.25, True, "0.8", None, 1.5, -0.5, [0.5], {"a": 1})))),),
         {"dimensions.accuracy.n": 3, "dimensions.accuracy.people": 3,
          "dimensions.accuracy.mean.value": 1.25 / 3, "left_out": {"unclear_ratings": 7},
          "dimensions.accuracy.distribution": {"0": 1, "0.25": 1, "1": 1},
          "dimensions.accuracy.stars": 6.25 / 3}),
    Rule("a dimension of which nothing is a rating is not shown",
         (trace("t", stars("ann@x.org", "good")),),
         {"dimensions": {}, "headline.rated_traces": 1, "left_out": {"unclear_ratings": 1}}),
    # -- windows -------------------------------------------------------------------------------
    Rule("a window takes its first millisecond in and leaves its last one out",
         (at("t1", SINCE - 1), at("t2", SINCE), at("t3", UNTIL - 1), at("t4", UNTIL)),
         {"headline.traces": 2, "previous.traces": 1, "coverage.rated.traces": 2}),
    Rule("the previous window is as long, and ends where this one begins",
         (at("t1", SINCE - 2 * HOUR - 1), at("t2", SINCE - 2 * HOUR), at("t3", SINCE - 1)),
         {"headline.traces": 0, "previous.traces": 2, "previous.positive": 2,
          "change.positive_rate": None, "change.feedback_rate": None}),
    Rule("a rating belongs to its trace, whenever it was given",
         (trace("t", thumb("ann@x.org", at=UNTIL + 40 * DAY)),), {"headline.positive": 1}),
    Rule("a short window has hours, cut by it, and empty ones are there",
         (at("t1", SINCE + 30 * MINUTE), at("t2", SINCE + 2 * HOUR)),
         {"trend.0.start": "2026-03-02T06:30:00Z", "trend.0.end": "2026-03-02T07:00:00Z",
          "trend.0.traces": 1, "trend.1.start": "2026-03-02T07:00:00Z", "trend.1.traces": 0,
          "trend.1.feedback_rate.value": None, "trend.2.traces": 1,
          "trend.2.end": "2026-03-02T08:00:00.001Z"},
         {"window": Window(SINCE + 30 * MINUTE, UNTIL + 1)}),
    Rule("a window of three days has days",
         (at("t1", SINCE), at("t2", SINCE + 18 * HOUR - 1), at("t3", SINCE + 18 * HOUR)),
         {"trend.0.end": "2026-03-03T00:00:00Z", "trend.0.traces": 2, "trend.1.traces": 1,
          "trend.3.start": "2026-03-05T00:00:00Z", "trend.3.end": "2026-03-05T06:00:00Z"},
         {"window": Window(SINCE, SINCE + 3 * DAY)}),
    # -- rates ---------------------------------------------------------------------------------
    # Wilson for 1 of 2, z² = 3.841458820694124: 0.5 ± √(0.125 + z²/16) · z / (1 + z²/2).
    Rule("the feedback rate is of all traces, with Wilson's interval",
         (trace("t1", thumb("ann@x.org")), trace("t2")),
         {"headline.feedback_rate": {"value": 0.5, "low": 0.0945312057342307,
                                     "high": 0.9054687942657693, "n": 2, "n_effective": 2.0}}),
    # p = 3/4; ann's 2 thumbs: residual 2 - 1.5 = 0.5, bob's: 1 - 1.5 = -0.5; each 0.25 / (1 - 1/2);
    # sum 1, ÷ 16 = 0.0625; simple variance 0.1875 / 4 = 0.046875; deff = 4/3; 4 ÷ 4/3 = 3.
    Rule("thumbs of people who differ count for fewer",
         thumbs("++", "+-"),
         {"headline.positive_rate.value": 0.75, "headline.positive_rate.n": 4,
          "headline.positive_rate.n_effective": 3.0}),
    # p = 1/2; each residual 0: deff 0, and max(1, 0) = 1.
    Rule("no agreement between a person's thumbs makes more of them than there are",
         thumbs("+-", "+-"), {"headline.positive_rate.n_effective": 4.0}),
    Rule("where all say the same, n² / Σn_i² is left: 25 / (16 + 1)",
         thumbs("++++", "+"),
         {"headline.positive_rate.value": 1.0, "headline.positive_rate.n_effective": 25 / 17,
          "headline.positive_rate.high": 1.0}),
    Rule("one person who clicks five times is one person",
         thumbs("+++--"),
         {"headline.positive_rate.value": 0.6, "headline.positive_rate.n_effective": 1.0}),
    # Two people, one thumb each, both up: n_eff 2, df max(1, 2 - 1) = 1, t² = tan²(0.475π) =
    # 161.447638797588; low = 2 / (2 + t²).
    Rule("Student's t stands in place of z",
         thumbs("+", "+"),
         {"headline.positive_rate.low": 0.0122363346, "headline.positive_rate.high": 1.0}),
    # Means 0.2 and 0.6 of one rating each: m 0.4; Σ 0.04 / (1 - 1/2) · 2 / 4 = 0.04; t = 12.706.
    Rule("the interval of a mean is clustered, and cut to what can be",
         (trace("t", stars("ann@x.org", 0.2), stars("bob@x.org", 0.6)),),
         {"dimensions.accuracy.mean.value": 0.4, "dimensions.accuracy.mean.low": 0.0,
          "dimensions.accuracy.mean.high": 1.0, "dimensions.accuracy.mean.n": 2}),
    # Four people, 0.4 and 0.6 twice each: Σ 4 · 0.01 / (3/4) / 16 = 1/300; df 3, t = 3.182446305;
    # half = 3.182446305 · 0.0577350269 = 0.1837386231
    Rule("four people's mean has an interval",
         (trace("t", *(stars(f"p{one}", 0.4 + 0.2 * (one % 2)) for one in range(4))),),
         {"dimensions.accuracy.mean.value": 0.5, "dimensions.accuracy.mean.low": 0.3162613769,
          "dimensions.accuracy.mean.high": 0.6837386231}),
    Rule("one person's mean has no interval",
         (trace("t", stars("ann@x.org", 0.2)), trace("u", stars("ann@x.org", 0.6))),
         {"dimensions.accuracy.mean.value": 0.4, "dimensions.accuracy.mean.low": None,
          "dimensions.accuracy.mean.high": None}),
    # n 2, p 1/2, r2 = (5.991 + ln 5.991 + 1) / 30 = 0.29272:
    # half = 0.5 · √(2(2 · r2 + 1) / (4 · r2) · ln(√(2 · r2 + 1) / 0.05)) > 1: the whole range.
    Rule("a sequence of two traces says nothing yet",
         (trace("t1", thumb("ann@x.org")), trace("t2")),
         {"headline.feedback_rate.low": 0.0, "headline.feedback_rate.high": 1.0},
         {"sequential": True}),
    # n 200: half = 0.5 · √(2 · 59.5453 / (40000 · 0.29272669) · ln(7.71656 / 0.05)) = 0.113194...
    Rule("a sequence is wider than an interval, and narrows",
         tuple(trace(f"t{one}", *(thumb(f"p{one}"),) * (one % 2)) for one in range(200)),
         {"headline.feedback_rate.low": 0.3868057749, "headline.feedback_rate.high": 0.6131942251},
         {"sequential": True}),
    # -- changes -------------------------------------------------------------------------------
    Rule("the change is from the window before to this one",
         (trace("t1", thumb("ann@x.org"), started_at=SINCE - 1), trace("t2", thumb("ann@x.org")),
          trace("t3", thumb("bob@x.org", False))),
         {"change.positive_rate.a.value": 1.0, "change.positive_rate.b.value": 0.5,
          "change.positive_rate.difference": -0.5, "change.positive_rate.verdict": "undecided",
          "change.feedback_rate.difference": 0.0}),
    # 0 of 40 people against 40 of 40: the intervals are far apart.
    Rule("a change that is sure has a verdict",
         tuple(trace(f"t{one}", thumb(f"p{one}", one < 40), started_at=SINCE - (one >= 40))
               for one in range(80)),
         {"change.positive_rate.difference": 1.0, "change.positive_rate.verdict": "better",
          "change.feedback_rate.verdict": "undecided"}),
    Rule("two groups are compared, and the others left out",
         (trace("t1", thumb("a"), stars("a", 0.2), tags={"app_version": "v1"}),
          trace("t2", thumb("b", False), tags={"app_version": "v2"}),
          trace("t3", thumb("c"), tags={"app_version": "v3"})),
         {"comparison.positive_rate.a.value": 1.0, "comparison.positive_rate.b.value": 0.0,
          "comparison.positive_rate.difference": -1.0, "comparison.key": "version",
          "comparison.dimensions.accuracy.a.value": 0.2,
          "comparison.dimensions.accuracy.b.value": None,
          "comparison.dimensions.accuracy.difference": None},
         {"compare": Comparison(trace_key("version"), "v1", "v2")}),
    # -- groups --------------------------------------------------------------------------------
    Rule("a version is the model's id, else the commit, else the tag, and an empty one is none",
         (trace("t1", metadata={"mlflow.modelId": "m", "mlflow.source.git.commit": "c"}),
          trace("t2", metadata={"mlflow.modelId": "", "mlflow.source.git.commit": "c"}),
          trace("t3", tags={"app_version": "v"}), trace("t4", tags={"app_version": "v"}),
          trace("t5")),
         {"groups.0.key": "v", "groups.0.traces": 2, "groups.1.key": "(none)",
          "groups.2.key": "c", "groups.3.key": "m"},
         {"by": trace_key("version")}),
    Rule("the largest 50 groups are shown and the rest added up: one person counts once",
         (*(trace(f"t{one:02}", tags={"k": f"g{one:02}"}) for one in range(50)),
          trace("t50", thumb("a"), tags={"k": "g50"}), trace("t51", thumb("a"), tags={"k": "g51"}),
          trace("t52", tags={"k": "g49"}), trace("t53", thumb("b"), tags={"k": "g00"})),
         {"groups.0.key": "g00", "groups.0.traces": 2, "groups.0.positive": 1,
          "groups.1.key": "g49", "groups.2.key": "g01", "groups.49.key": "g48",
          "groups.50.key": "(other)", "groups.50.traces": 2, "groups.50.positive": 2,
          "groups.50.people": 1, "groups.50.rated_traces": 2},
         {"by": trace_key("tag:k")}),
    # -- coverage ------------------------------------------------------------------------------
    Rule("rated and unrated traces are told apart; a median is between two",
         (trace("t1", thumb("a"), duration_ms=1_000, state="ERROR"),
          trace("t2", stars("a", "odd"), duration_ms=2_000), trace("t3", duration_ms=None),
          trace("t4", said("implicit_copy", "a", 1), duration_ms=5_000, state="ERROR")),
         {"coverage.rated.traces": 2, "coverage.rated.seconds_median": 1.5,
          "coverage.rated.error_rate": 0.5, "coverage.unrated.traces": 2,
          "coverage.unrated.seconds_median": 5.0, "coverage.unrated.error_rate": 0.5}),
    # Rated answers: a 3, b 2, c 1, of 6: a alone has half of them.
    Rule("the busiest rater's share is of all rated answers, whatever the rating",
         (trace("t1", thumb("a"), stars("a", 1), thumb("b")), trace("t2", stars("a", 1)),
          trace("t3", corrected("a", "x"), said("user_comment", "b", "y"), thumb("c", "odd"))),
         {"coverage.top_rater_share": 0.5, "coverage.people_for_half": 1, "headline.people": 3}),
    Rule("of three people with one answer each it takes two for half",
         thumbs("+", "+", "-"),
         {"coverage.top_rater_share": 1 / 3, "coverage.people_for_half": 2}),
    Rule("nothing is known where nobody rated",
         (trace("t1"),),
         {"coverage.top_rater_share": None, "coverage.people_for_half": None,
          "coverage.rated.error_rate": None, "coverage.rated.seconds_median": None,
          "time_to_rating.median": None}),
    # Ends at 1 s; made at 2, 3, 5 and 11 s: delays 1, 2, 4, 10; p90: 4 + 0.7 · 6 = 8.2.
    Rule("the time to a rating is from the trace's end to its creation, not its last change",
         (trace("t1", *(thumb(f"p{seconds}", at=SINCE + DAY, created_at=SINCE + 1_000 * seconds)
                        for seconds in (2, 3, 5, 11))),
          trace("t2", thumb("p", created_at=SINCE), duration_ms=None)),
         {"time_to_rating.median": 3.0, "time_to_rating.p90": 8.2}),
    # -- judges --------------------------------------------------------------------------------
    # tp 2, fp 1, fn 0, tn 1: observed 3/4; judge yes 3/4, people 1/2: chance 1/2, κ = 1/2;
    # Gwet: π = 5/8, 2π(1-π) = 15/32, AC1 = (9/32) / (17/32) = 9/17.
    Rule("a judge agrees with people beyond chance",
         (trace("t1", judged("yes"), thumb("a")), trace("t2", judged(True), thumb("a")),
          trace("t3", judged("yes"), thumb("a", False)), trace("t4", judged("no"),
                                                              thumb("a", False))),
         {"judges.0.n": 4, "judges.0.agreement.value": 0.75, "judges.0.kappa.value": 0.5,
          "judges.0.ac1.value": 9 / 17, "judges.0.majority": 0.5,
          "judges.0.table": {"tp": 2, "fp": 1, "fn": 0, "tn": 1},
          "judges.0.disagreements": ["t3"]}),
    Rule("people speak by majority, and ties are counted apart",
         (trace("t1", judged("no"), thumb("a"), thumb("b"), thumb("c", False)),
          trace("t2", judged("no"), thumb("a"), thumb("b", False)), trace("t3", judged("no"))),
         {"judges.0.n": 1, "judges.0.ties": 1, "judges.0.table.fn": 1}),
    Rule("what a judge says otherwise is compared with nothing",
         (trace("t1", judged(0.7), thumb("a")), trace("t2", judged("maybe"))),
         {"judges.0.n": 0, "judges.0.agreement.value": None, "judges.0.majority": None,
          "judges.0.ties": 0, "unclear": {"correct": 2}}),
    Rule("of several sources of a judge's name the latest speaks",
         (trace("t1", judged("no", by="j1", at=SINCE + 9_000), judged("yes", by="j2"),
                thumb("a", False)),),
         {"judges.0.table.tn": 1, "judges.0.n": 1, "apart.judge": 2}),
    Rule("disagreements are the newest trace first, then by id",
         (trace("t1", judged("no"), thumb("a")), trace("t3", judged("no"), thumb("a"),
                                                      started_at=SINCE + 1),
          trace("t2", judged("no"), thumb("a"), started_at=SINCE + 1)),
         {"judges.0.disagreements": ["t2", "t3", "t1"]}),
    # -- words ---------------------------------------------------------------------------------
    Rule("negative comments come first, then the newest; a comment's words are its value",
         (trace("t1", thumb("a", False, rationale="bad", at=SINCE + 1_000)),
          trace("t2", said("user_comment", "b", "fine", at=SINCE + 9_000)),
          trace("t3", thumb("c", "yes", rationale="good", at=SINCE + 8_000)),
          trace("t4", stars("d", 0.4, rationale="so so", at=SINCE + 500)),
          trace("t5", thumb("e", False))),
         {"comments.*.rationale": ["bad", "so so", "fine", "good"],
          "comments.*.value": [False, 0.4, None, True],
          "comments.*.dimension": [None, "accuracy", None, None]}),
    Rule("a correction is on the first comment of its person",
         (trace("t1", stars("a", 0.5, rationale="x"), thumb("a", rationale="y"),
                corrected("a", "42")),),
         {"comments.*.rationale": ["y", "x"], "comments.*.correction": ["42", None]}),
    Rule("of one moment a person's thumb comes before the comment, and that before stars",
         (trace("t1", stars("a", 0.5, rationale="x"), said("user_comment", "a", "y"),
                corrected("a", "42"), thumb("a", rationale="z")),),
         {"comments.*.rationale": ["z", "y", "x"], "comments.*.correction": ["42", None, None]}),
    Rule("fifty comments are shown: the newest, whatever they say",
         tuple(trace(f"t{one}", thumb("a", one > 0, rationale=f"r{one}", at=SINCE + one))
               for one in range(51)),
         {"comments.0.rationale": "r50", "comments.49.rationale": "r1"}),
    # slow: on t1 and t2, by a and b: 2 of 3 thumbs are negative there, and 2 of 4 everywhere.
    Rule("reasons are ranked by people, with their lift",
         (trace("t1", thumb("a", False, metadata=reasons("slow", "slow"))),
          trace("t2", thumb("b", False, metadata=reasons("slow", "wrong")), thumb("c")),
          trace("t3", thumb("d"))),
         {"fix_first.0.what": "slow", "fix_first.0.people": 2, "fix_first.0.traces": 2,
          "fix_first.0.negative_share": 2 / 3, "fix_first.0.lift": 4 / 3,
          "fix_first.0.examples": ("t1", "t2"), "fix_first.1.what": "wrong",
          "fix_first.1.people": 1, "fix_first.1.negative_share": 0.5, "fix_first.1.lift": 1.0}),
    Rule("what people praise is nothing to fix, and where nobody gave a thumb nobody knows",
         (trace("t1", thumb("a", metadata=reasons("right"))), trace("t2", thumb("b", False)),
          trace("t3", stars("c", 0.2, metadata=reasons("dull", " ")))),
         {"fix_first": [{"what": "dull", "kind": "reason", "people": 1, "traces": 1,
                         "negative_share": None, "lift": None, "examples": ("t3",)}]}),
    Rule("reasons that cannot be read are none",
         (trace("t1", thumb("a", False, metadata={"agent_feedback.reasons": '["slow"'})),
          trace("t2", thumb("a", False, metadata={"agent_feedback.reasons": '"slow"'}))),
         {"fix_first": [], "comments": [], "headline.negative": 2}),
)
# fmt: on


def _options(rule: Rule) -> ReportOptions:
    return ReportOptions(**{"window": Window(SINCE, UNTIL), **rule.options})


def _at(report: Any, path: str) -> Any:
    """Follow a path such as ``trend.0.start``; ``*`` is each of a list."""
    name, _, rest = path.partition(".")
    if name == "*":
        return [_at(one, rest) for one in report]
    found = report[int(name)] if isinstance(report, (list, tuple)) else report[name]
    return _at(found, rest) if rest else found


def _near(value: Any) -> Any:
    """Give what was worked out by hand its digits."""
    if isinstance(value, float):
        return pytest.approx(value, abs=1e-9)
    if isinstance(value, Mapping):
        return {name: _near(one) for name, one in value.items()}
    return [_near(one) for one in value] if isinstance(value, (list, tuple)) else value


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, (list, tuple)) else value


def _check(rule: Rule, report: Mapping[str, Any]) -> None:
    for path, expected in rule.expected.items():
        assert _plain(_at(report, path)) == _near(expected), path


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.says)
def test_the_oracle_keeps_the_rule(rule: Rule) -> None:
    """The oracle says what a person worked out."""
    _check(rule, oracle_report(rule.traces, _options(rule)))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.says)
def test_the_product_keeps_the_rule(rule: Rule) -> None:
    """What the package counts and makes of it is what a person worked out."""
    options = _options(rule)
    _check(rule, comparable(counted(rule.traces, options), options))
