"""Conditions that a report has to meet."""

from dataclasses import replace

import pytest

from agent_feedback.errors import ConfigurationError
from agent_feedback.insight.content.build import build_report
from agent_feedback.insight.content.gate import Bound, bound, with_gate
from agent_feedback.insight.content.report_values import Gate, Report
from agent_feedback.insight.definitions.aggregates import Aggregates, Sums
from agent_feedback.insight.definitions.options import Comparison, ReportOptions
from agent_feedback.insight.definitions.trace_keys import trace_key
from agent_feedback.insight.definitions.window import Window
from agent_feedback.model import THUMB

OPTIONS = ReportOptions(window=Window(10 * 86_400_000, 17 * 86_400_000))


def sums(positive: int, negative: int, accuracy: float | None = None) -> Sums:
    """Sum up that many people with one thumb each, of twice as many traces."""
    found = Sums(traces=2 * (positive + negative), rated_traces=positive + negative)
    for number in range(positive + negative):
        person = f"p-{number}"
        found.answers[person] += 1
        found.rate(THUMB, person, float(number < positive))
        if accuracy is not None:
            found.rate("user_accuracy", person, accuracy)
    return found


def report_of(now: Sums, options: ReportOptions = OPTIONS, **counts: object) -> Report:
    """Build the report of a window."""
    return build_report(
        Aggregates(total=now, **counts),  # type: ignore[arg-type]
        options,
        experiments=(),
        source="mlflow",
        made_at=0,
    )


def gate_of(report: Report, *bounds: str, worse: bool = False, **options: object) -> Gate:
    """Apply conditions."""
    changed = replace(OPTIONS, **options)  # type: ignore[arg-type]
    gate = with_gate(report, changed, [bound(one) for one in bounds], fail_if_worse=worse).gate
    assert gate is not None
    return gate


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("positive_rate=0.7", Bound("positive_rate", 0.7)),
        ("feedback_rate=0", Bound("feedback_rate", 0.0)),
        ("dimension:accuracy=1", Bound("dimension:accuracy", 1.0)),
        ("dimension:a=b=.5", Bound("dimension:a=b", 0.5)),
    ],
)
def test_a_bound_is_a_metric_and_a_value(text: str, expected: Bound) -> None:
    """The last equals sign divides them."""
    assert bound(text) == expected


@pytest.mark.parametrize(
    "text", ["positive_rate", "positive_rate=", "negative=0.5", "dimension:=0.5", "=0.5"]
)
def test_what_is_no_bound_is_one_sentence(text: str) -> None:
    """It says how a bound is written."""
    with pytest.raises(ConfigurationError, match="METRIC=VALUE"):
        bound(text)


@pytest.mark.parametrize("value", ["1.5", "-0.1", "70", "nan", "1.2.3", "0x1"])
def test_a_value_is_from_0_to_1(value: str) -> None:
    """A percentage is not a rate."""
    with pytest.raises(ConfigurationError, match="from 0 to 1"):
        bound(f"positive_rate={value}")


def test_a_report_without_conditions_has_no_gate() -> None:
    """The JSON says null."""
    assert with_gate(report_of(sums(5, 5)), OPTIONS, [], fail_if_worse=False).gate is None


@pytest.mark.parametrize(
    ("metric", "met"),
    [
        ("positive_rate=0.75", True),
        ("positive_rate=0.76", False),
        ("feedback_rate=0.5", True),
        ("feedback_rate=0.51", False),
        ("dimension:accuracy=0.8", True),
        ("dimension:accuracy=0.81", False),
        ("dimension:tone=0.1", None),
    ],
)
def test_a_condition_is_met_at_its_bound(metric: str, met: bool | None) -> None:
    """Of a dimension that nobody rated, nothing can be said."""
    gate = gate_of(report_of(sums(30, 10, accuracy=0.8)), metric)
    assert gate.passed is met
    assert [condition.met for condition in gate.conditions] == [met]


@pytest.mark.parametrize(
    ("bounds", "passed"),
    [
        (("positive_rate=0.5", "dimension:tone=0.5"), None),
        (("positive_rate=0.9", "dimension:tone=0.5"), False),
        (("positive_rate=0.5", "feedback_rate=0.5"), True),
    ],
)
def test_a_miss_outweighs_what_is_undecided(bounds: tuple[str, ...], passed: bool | None) -> None:
    """A gate passes only where every condition is met."""
    assert gate_of(report_of(sums(30, 10)), *bounds).passed is passed


def test_too_few_ratings_decide_nothing() -> None:
    """Neither for nor against, whatever the value is."""
    for bad in (0, 29):
        assert gate_of(report_of(sums(29 - bad, bad)), "positive_rate=0.5").passed is None
    assert gate_of(report_of(sums(20, 0)), "positive_rate=0.5", min_count=20).passed is True


def test_worse_than_before_fails() -> None:
    """And no less than worse: what is undecided passes, and so does better."""
    good, bad = sums(90, 10), sums(40, 60)
    assert gate_of(report_of(bad, previous=good), worse=True).passed is False
    assert gate_of(report_of(good, previous=bad), worse=True).passed is True
    assert gate_of(report_of(good, previous=good), worse=True).passed is True
    (condition,) = gate_of(report_of(bad, previous=good), worse=True).conditions
    assert condition.metric == "change.positive_rate"
    assert condition.value == pytest.approx(-0.5)


def test_nothing_before_decides_nothing() -> None:
    """The first window has nothing to be worse than; nor has one after too few ratings."""
    assert gate_of(report_of(sums(40, 10)), worse=True).passed is None
    assert gate_of(report_of(sums(40, 10), previous=sums(5, 0)), worse=True).passed is None


def test_a_comparison_takes_the_place_of_the_window_before() -> None:
    """With ``--compare``, the second group must not be worse than the first."""
    options = replace(OPTIONS, compare=Comparison(trace_key("version"), "one", "two"))
    compared = {"one": sums(90, 10), "two": sums(40, 60)}
    report = report_of(sums(130, 70), options, compared=compared, previous=sums(1, 99))
    gate = gate_of(report, worse=True)
    assert gate.passed is False
    assert gate.conditions[0].metric == "comparison.positive_rate"


def test_looked_at_often_only_a_whole_sequence_below_is_a_miss() -> None:
    """A value just below its bound is one that the next look may well find above it."""
    counted = sums(65, 35)
    assert gate_of(report_of(counted), "positive_rate=0.7").passed is False
    options = replace(OPTIONS, sequential=True)
    assert gate_of(report_of(counted, options), "positive_rate=0.7", sequential=True).passed is True
    assert gate_of(report_of(counted, options), "positive_rate=0.9", sequential=True).passed is (
        False
    )
