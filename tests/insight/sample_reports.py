"""Reports to look at: a rich one, one of a store without ratings, one of the largest kind.

They are built from the values themselves: their numbers fit together, and nothing counted them.
"""

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from math import sqrt
from typing import Any, Literal

from agent_feedback.insight.content.report_values import (
    AgreementTable,
    Apart,
    Bucket,
    Change,
    ComparisonResult,
    Condition,
    Coverage,
    Dimension,
    ExperimentName,
    Finding,
    Gate,
    Group,
    Headline,
    Judge,
    Part,
    Report,
    ReportComment,
    ReportWindow,
    TimeToRating,
)
from agent_feedback.insight.statistics.estimates import Difference, Estimate, Verdict

NOTHING = Estimate(None, None, None, 0, 0.0)
LINKS = "http://localhost:5000/#/experiments/7/traces?selectedEvaluationId="
HOSTILE = (
    "<script>alert(1)</script> ![x](http://evil.example/x.png) [y](javascript:alert(1)) @octocat"
    " | # *b* `c` https://evil.example www.evil.example \x1b[31m{{ 7 * 7 }}"
)
"""What somebody who means harm might write."""
UNENCODABLE = "\ud800 \x00\x07\x1b[2J\x9b0m \u202e\u2028\udfff" + "\u6f22\U0001f44e e\u0301" * 800
"""4,000 characters and more: halves of pairs, control characters, wide and composed letters."""


def trace_id_of(name: str) -> str:
    """A trace's id as MLflow makes them, the same for the same name."""
    return f"tr-{sha256(name.encode()).hexdigest()[:32]}"


def estimate(value: float, n: int, deff: float = 1.0) -> Estimate:
    """An estimate whose interval is about as wide as it would be."""
    effective = n / deff
    half = 1.96 * sqrt(max(value * (1 - value), 0.01) / effective)
    return Estimate(value, max(0.0, value - half), min(1.0, value + half), n, effective)


def difference(a: Estimate, b: Estimate) -> Difference:
    """How far ``b`` is above ``a``, by Newcombe's hybrid of their intervals."""
    assert a.value is not None
    assert a.low is not None
    assert a.high is not None
    assert b.value is not None
    assert b.low is not None
    assert b.high is not None
    between = b.value - a.value
    low = between - sqrt((b.value - b.low) ** 2 + (a.high - a.value) ** 2)
    high = between + sqrt((b.high - b.value) ** 2 + (a.value - a.low) ** 2)
    verdict: Verdict = "better" if low > 0 else "worse" if high < 0 else "undecided"
    return Difference(a, b, between, low, high, verdict)


def headline(traces: int, rated: int, people: int, positive: int, negative: int) -> Headline:
    """A headline of these counts, whose thumbs are worth 1/1.3 of as many independent ones."""
    thumbs = positive + negative
    return Headline(
        traces=traces,
        rated_traces=rated,
        feedback_rate=estimate(rated / traces, traces) if traces else NOTHING,
        people=people,
        positive=positive,
        negative=negative,
        positive_rate=estimate(positive / thumbs, thumbs, 1.3) if thumbs else NOTHING,
    )


def bucket(start: datetime, hours: int, found: Headline) -> Bucket:
    """A day or an hour with these counts."""
    return Bucket(start=_iso(start), end=_iso(start + timedelta(hours=hours)), **_members_of(found))


def group(key: str, found: Headline) -> Group:
    """A group with these counts."""
    return Group(key=key, **_members_of(found))


def sample_report() -> Report:
    """A week of an agent that many people use: everything that a report can have is in it."""
    now = headline(41_203, 1_318, 312, 891, 313)
    before = headline(38_977, 1_402, 298, 998, 266)
    versions = {
        "m-2f81c": headline(22_410, 741, 201, 470, 205),
        "m-1d07a": headline(18_020, 566, 164, 414, 106),
        "(none)": headline(773, 11, 6, 7, 2),
    }
    return Report(
        made_at="2026-11-28T08:15:00Z",
        experiments=(ExperimentName(id="7", name="support-agent"),),
        window=ReportWindow(since="2026-11-21T00:00:00Z", until="2026-11-28T00:00:00Z"),
        source="mlflow",
        headline=now,
        previous=before,
        change=Change(
            positive_rate=difference(before.positive_rate, now.positive_rate),
            feedback_rate=difference(before.feedback_rate, now.feedback_rate),
        ),
        dimensions=_dimensions(),
        trend=_week(),
        groups=tuple(group(key, found) for key, found in versions.items()),
        comparison=_comparison(versions["m-1d07a"], versions["m-2f81c"]),
        coverage=Coverage(
            rated=Part(traces=1_318, seconds_median=6.4, error_rate=0.021),
            unrated=Part(traces=39_885, seconds_median=4.1, error_rate=0.009),
            top_rater_share=0.087,
            people_for_half=41,
        ),
        time_to_rating=TimeToRating(median=24.0, p90=611.0),
        fix_first=_findings(),
        comments=_comments(),
        judges=_judges(),
        apart=Apart(
            developer=12,
            judge=2_240,
            code=310,
            signal={"implicit_copy": 512, "implicit_regenerate": 96, "implicit_stop": 31},
        ),
        gate=Gate(
            passed=False,
            conditions=(
                Condition(metric="positive_rate", bound=0.75, value=0.74, n=1_204, met=False),
                Condition(metric="dimension:tone", bound=0.6, value=0.8, n=18, met=None),
                Condition(metric="feedback_rate", bound=0.02, value=0.032, n=41_203, met=True),
            ),
        ),
        notes=(
            "3 thumbs are neither yes nor no and count for nothing.",
            "44 assessments by excluded people are left out.",
        ),
    )


def empty_report(traces: int = 1_204) -> Report:
    """A day of an agent whose answers nobody rated."""
    now = headline(traces, 0, 0, 0, 0)
    return Report(
        made_at="2026-11-28T08:15:00Z",
        experiments=(ExperimentName(id="0", name="Default"),),
        window=ReportWindow(since="2026-11-27T00:00:00Z", until="2026-11-28T00:00:00Z"),
        source="mlflow",
        headline=now,
        previous=headline(0, 0, 0, 0, 0),
        change=Change(positive_rate=None, feedback_rate=None),
        dimensions={},
        trend=tuple(
            bucket(_day(27) + timedelta(hours=hour), 1, headline(traces // 24, 0, 0, 0, 0))
            for hour in range(24)
        ),
        groups=(),
        comparison=None,
        coverage=Coverage(
            rated=Part(traces=0, seconds_median=None, error_rate=None),
            unrated=Part(traces=traces, seconds_median=2.2 if traces else None, error_rate=None),
            top_rater_share=None,
            people_for_half=None,
        ),
        time_to_rating=TimeToRating(median=None, p90=None),
        fix_first=(),
        comments=(),
        judges=(),
        apart=Apart(developer=0, judge=0, code=0, signal={}),
        gate=None,
        notes=(
            "Nobody has rated an answer in this window yet: show <agent-feedback> beside each"
            " answer (docs/widget.md), or send ratings to POST /feedback.",
        ),
    )


def thin_report() -> Report:
    """A day with eight thumbs, and nothing before."""
    hours = {9: (2, 0), 10: (1, 1), 14: (0, 1), 15: (3, 0)}
    return replace(
        empty_report(),
        headline=headline(96, 9, 5, 6, 2),
        trend=tuple(
            bucket(
                _day(27) + timedelta(hours=hour),
                1,
                headline(4, sum(hours.get(hour, ())), hour in hours, *hours.get(hour, (0, 0))),
            )
            for hour in range(24)
        ),
        coverage=Coverage(
            rated=Part(traces=9, seconds_median=3.0, error_rate=0.0),
            unrated=Part(traces=87, seconds_median=2.2, error_rate=0.0),
            top_rater_share=0.5,
            people_for_half=1,
        ),
        notes=(
            "The positive rate is thin: 8 thumbs, fewer than the 30 that it takes to judge by it.",
        ),
    )


def unencodable_report() -> Report:
    """The rich report, with words that are in no encoding, and links that are no better."""
    return hostile_report(UNENCODABLE, f"{LINKS}\ud800")


def few_people_report() -> Report:
    """Two people before and two now, whose thumbs look like a clear change; a judge right by luck.

    The two groups that are compared are as small.
    """
    a, b = headline(12, 6, 2, 0, 6), headline(12, 6, 2, 6, 0)
    certain = Estimate(1.0, 1.0, 1.0, 3, 3.0)
    between = difference(a.positive_rate, b.positive_rate)
    assert between.verdict == "better"
    stars_of_both = difference(estimate(0.2, 4), estimate(1.0, 4))
    assert stars_of_both.verdict == "better"
    return replace(
        thin_report(),
        headline=b,
        previous=a,
        change=Change(positive_rate=between, feedback_rate=difference(*[a.feedback_rate] * 2)),
        groups=(group("m-1", a), group("m-2", b)),
        comparison=ComparisonResult(
            key="version",
            a="m-1",
            b="m-2",
            positive_rate=between,
            dimensions={"tone": stars_of_both},
        ),
        trend=tuple(
            bucket(_day(27) + timedelta(hours=12 * half), 12, headline(6, 3, 2, 3, 0))
            for half in range(2)
        ),
        coverage=Coverage(
            rated=Part(traces=6, seconds_median=3.0, error_rate=0.0),
            unrated=Part(traces=6, seconds_median=2.2, error_rate=0.0),
            top_rater_share=0.5,
            people_for_half=1,
        ),
        judges=(
            Judge(
                name="correctness",
                n=3,
                agreement=certain,
                kappa=certain,
                ac1=certain,
                majority=2 / 3,
                table=AgreementTable(tp=2, fp=0, fn=0, tn=1),
                ties=0,
                disagreements=(),
            ),
        ),
        notes=(),
    )


def large_report() -> Report:
    """Ninety days, fifty groups and the rest of them, fifty comments."""
    sample = sample_report()
    first = datetime(2026, 8, 30, tzinfo=timezone.utc)
    days = [headline(4_000 + 10 * day, 60, 30, 36 + day % 14, 12 + day % 5) for day in range(90)]
    return replace(
        sample,
        window=ReportWindow(since="2026-08-30T00:00:00Z", until="2026-11-28T00:00:00Z"),
        trend=tuple(bucket(first + timedelta(days=day), 24, one) for day, one in enumerate(days)),
        groups=(
            *(
                group(f"team-{number:02}", headline(900 - number, 40, 20, 25 + number % 9, 9))
                for number in range(50)
            ),
            group("(other)", headline(310, 9, 5, 6, 2)),
        ),
        comments=sample.comments * 10,
    )


def hostile_report(text: str = HOSTILE, link: str = "javascript:alert(1)") -> Report:
    """The rich report, in which people chose each of their words to do harm."""
    sample = sample_report()
    return replace(
        sample,
        experiments=(ExperimentName(id="7", name=text),),
        dimensions={text: sample.dimensions["accuracy"]},
        groups=(group(text, sample.headline), group("=1+1|a", sample.headline)),
        comparison=replace(_comparison(sample.headline, sample.headline), a=text, b="b"),
        fix_first=(replace(sample.fix_first[0], what=text, examples=(text, "tr-1")),),
        comments=tuple(_hostile(comment, text, link) for comment in sample.comments),
        judges=(replace(sample.judges[0], name=text, disagreements=(text,)),),
        apart=replace(sample.apart, signal={text: 1}),
        gate=Gate(
            passed=False,
            conditions=(
                Condition(metric=f"dimension:{text}", bound=0.5, value=0.4, n=40, met=False),
            ),
        ),
        notes=(f"1 value of the judge {text} is neither yes nor no and is not compared.",),
    )


def _hostile(comment: ReportComment, text: str, link: str) -> ReportComment:
    return replace(
        comment,
        trace_id=text,
        person=text,
        value=text,
        dimension=text,
        rationale=text,
        reasons=(text,),
        correction=text,
        link=link,
    )


def _day(day: int) -> datetime:
    return datetime(2026, 11, day, tzinfo=timezone.utc)


def _iso(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def _members_of(found: Headline) -> dict[str, Any]:
    return {name: getattr(found, name) for name in Headline.__dataclass_fields__}


def _week() -> tuple[Bucket, ...]:
    # A weekend without thumbs on its Sunday, so that the line has a gap.
    counts = [(141, 38), (44, 9), (0, 0), (178, 55), (176, 66), (182, 75), (170, 70)]
    return tuple(
        bucket(
            _day(21 + number),
            24,
            headline(5_900, (up + down) * 11 // 10, (up + down) // 3, up, down),
        )
        for number, (up, down) in enumerate(counts)
    )


def _dimensions() -> dict[str, Dimension]:
    return {
        "accuracy": Dimension(
            n=214,
            people=96,
            mean=estimate(0.768, 214, 1.2),
            stars=3.84,
            distribution={"0.2": 18, "0.4": 22, "0.6": 31, "0.8": 48, "1": 95},
        ),
        "tone": Dimension(
            n=18,
            people=9,
            mean=estimate(0.8, 18, 1.1),
            stars=4.0,
            distribution={"0.4": 2, "0.8": 12, "1": 4},
        ),
    }


def _comparison(a: Headline, b: Headline) -> ComparisonResult:
    return ComparisonResult(
        key="version",
        a="m-1d07a",
        b="m-2f81c",
        positive_rate=difference(a.positive_rate, b.positive_rate),
        dimensions={"accuracy": difference(estimate(0.79, 92), estimate(0.75, 122))},
    )


def _findings() -> tuple[Finding, ...]:
    def finding(
        what: str, kind: Literal["reason", "theme"], people: int, traces: int, share: float
    ) -> Finding:
        examples = tuple(trace_id_of(f"{what}{number}") for number in range(3))
        return Finding(
            what=what,
            kind=kind,
            people=people,
            traces=traces,
            negative_share=share,
            lift=share / 0.26,
            examples=examples,
        )

    return (
        finding("incorrect", "reason", 41, 66, 0.91),
        finding("out of date", "reason", 28, 35, 0.83),
        finding("refund, order, days", "theme", 19, 24, 0.79),
        finding("incomplete", "reason", 17, 21, 0.62),
    )


def _comments() -> tuple[ReportComment, ...]:
    def comment(number: int, person: str, value: bool | float | None, **more: object) -> object:
        trace_id = trace_id_of(f"comment {number}")
        members = {
            "trace_id": trace_id,
            "person": person,
            "value": value,
            "dimension": None,
            "rationale": None,
            "reasons": (),
            "correction": None,
            "at": f"2026-11-27T1{number}:04:00Z",
            "link": f"{LINKS}{trace_id}",
        }
        return ReportComment(**(members | more))  # type: ignore[arg-type]

    return (
        comment(  # type: ignore[return-value]
            7,
            "ann@example.com",
            False,
            rationale="It says refunds take 14 days. Since October it is 30.",
            reasons=("incorrect", "out of date"),
            correction="Refunds are paid within 30 days of the return.",
        ),
        comment(6, "bob@example.com", 0.4, dimension="accuracy", rationale="Two of five steps."),
        comment(5, "anonymous", False, reasons=("incomplete",)),
        comment(4, "carla@example.com", True, rationale="Exactly what I needed, thank you!"),
        comment(3, "dmitri@example.com", None, rationale="Could it show where it has this from?"),
    )


def _judges() -> tuple[Judge, ...]:
    return (
        Judge(
            name="correctness",
            n=486,
            agreement=Estimate(0.83, 0.79, 0.86, 486, 486.0),
            kappa=Estimate(0.52, 0.43, 0.6, 486, 486.0),
            ac1=Estimate(0.71, 0.65, 0.77, 486, 486.0),
            majority=0.74,
            table=AgreementTable(tp=331, fp=54, fn=29, tn=72),
            ties=4,
            disagreements=tuple(trace_id_of(f"judge {number}") for number in range(83)),
        ),
        Judge(
            name="politeness",
            n=12,
            agreement=Estimate(0.58, 0.31, 0.81, 12, 12.0),
            kappa=Estimate(0.02, -0.31, 0.4, 12, 12.0),
            ac1=Estimate(0.3, -0.2, 0.71, 12, 12.0),
            majority=0.67,
            table=AgreementTable(tp=7, fp=4, fn=1, tn=0),
            ties=0,
            disagreements=(),
        ),
        Judge(
            name="safety",
            n=0,
            agreement=NOTHING,
            kappa=NOTHING,
            ac1=NOTHING,
            majority=None,
            table=AgreementTable(tp=0, fp=0, fn=0, tn=0),
            ties=0,
            disagreements=(),
        ),
    )
