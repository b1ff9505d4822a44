"""The charts of the page."""

# ruff: noqa: RUF001 (a minus sign and a dash are what readers see)

import re
from dataclasses import replace

import pytest

from agent_feedback.insight.content.report_values import Bucket
from agent_feedback.insight.formats.charts import coverage_chart, distribution_chart, trend_chart
from tests.insight.sample_reports import empty_report, headline, large_report, sample_report

TREND = sample_report().trend


def words(chart: str) -> list[str]:
    """The text of a chart, which stays text."""
    return re.findall(r"<text [^>]*>([^<]*)</text>", chart)


def without_thumbs(one: Bucket) -> Bucket:
    """The same day, on which nobody rated."""
    nothing = headline(one.traces, 0, 0, 0, 0)
    return replace(one, positive=0, negative=0, positive_rate=nothing.positive_rate)


def test_a_trend_names_its_days_and_its_scale() -> None:
    """From nothing to all, and the most thumbs of a day."""
    assert words(trend_chart(TREND, 800, "trend")) == [
        *("0", "25", "50", "75", "100 %"),
        *("11-21", "11-22", "11-23", "11-24", "11-25", "11-26", "11-27"),
        *("0", "257"),
    ]


@pytest.mark.parametrize(("width", "most"), [(800, 7), (350, 3)])
def test_a_long_trend_names_few_of_its_days(width: int, most: int) -> None:
    """Their names do not run into each other."""
    days = [word for word in words(trend_chart(large_report().trend, width, "t")) if "-" in word]
    assert 1 < len(days) <= most


@pytest.mark.parametrize(
    "trend",
    [
        (),
        TREND[:1],
        tuple(map(without_thumbs, TREND)),
        (TREND[0], without_thumbs(TREND[1]), TREND[3]),
        empty_report().trend,
    ],
    ids=["none", "one", "no thumbs", "alone", "hours"],
)
def test_a_trend_with_gaps_is_drawn(trend: tuple[Bucket, ...]) -> None:
    """Where nobody rated there is nothing, and no warning: a line does not pass over it."""
    assert trend_chart(trend, 350, "trend").startswith("<svg ")


def test_a_distribution_has_all_stars() -> None:
    """Each with the number of its ratings at the end of its bar."""
    chart = distribution_chart(sample_report().dimensions["tone"], 5, "stars")
    assert words(chart) == [
        *("5 ★", "4 ★", "3 ★", "2 ★", "1 ★"),
        *("4", "12", "0", "2", "0"),
    ]


def test_coverage_compares_time_and_failures() -> None:
    """Of rated answers and of the others; what is not known has no bar."""
    assert words(coverage_chart(sample_report().coverage, "coverage")) == [
        *("rated", "not rated", "6.4 s", "4.1 s"),
        *("rated", "not rated", "2.1 %", "0.9 %"),
        "Median time of an answer",
        "Answers that failed",
    ]
    assert words(coverage_chart(empty_report(0).coverage, "coverage")).count("–") == 4


def test_names_keep_charts_apart() -> None:
    """Two charts of the same numbers share no id."""
    ids = [
        set(re.findall(r'id="([^"]*)"', trend_chart(TREND, 350, name))) for name in ("one", "two")
    ]
    assert ids[0]
    assert ids[0].isdisjoint(ids[1])
