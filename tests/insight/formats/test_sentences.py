"""The sentence that a report begins with."""

# ruff: noqa: RUF001 (a minus sign and a dash are what readers see)

from dataclasses import replace

import pytest

from agent_feedback.insight.content.report_values import Change, Condition, Gate, Report
from agent_feedback.insight.formats import sentences
from tests.insight.sample_reports import (
    difference,
    empty_report,
    few_people_report,
    headline,
    hostile_report,
    sample_report,
    thin_report,
)

WINDOW = sample_report().window


def _before(positive: int, negative: int) -> Report:
    """The sample, after a week with these thumbs."""
    sample = sample_report()
    before = headline(1_000, positive + negative, 40, positive, negative)
    change = difference(before.positive_rate, sample.headline.positive_rate)
    return replace(sample, previous=before, change=Change(positive_rate=change, feedback_rate=None))


def _with_headline(traces: int, rated: int, people: int) -> Report:
    return replace(sample_report(), headline=headline(traces, rated, people, 0, 0), fix_first=())


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (
            sample_report(),
            "74 % of 1,204 thumbs are positive (95 %: 71 to 77 %), 5 points worse than the week"
            " before; fix first: “incorrect” (41 people).",
        ),
        (
            _before(600, 400),
            "74 % of 1,204 thumbs are positive (95 %: 71 to 77 %), 14 points better than the week"
            " before; fix first: “incorrect” (41 people).",
        ),
        (
            _before(740, 260),
            "74 % of 1,204 thumbs are positive (95 %: 71 to 77 %), no clear change from the week"
            " before; fix first: “incorrect” (41 people).",
        ),
        (
            _before(2, 27),
            "74 % of 1,204 thumbs are positive (95 %: 71 to 77 %); fix first: “incorrect”"
            " (41 people).",
        ),
        (empty_report(), "No ratings yet: nobody has rated one of 1,204 answers."),
        (empty_report(0), "No answers in this window, so there is nothing to rate."),
        (
            _with_headline(1_204, 40, 12),
            "No thumbs yet: 12 people rated 40 of 1,204 answers in other ways.",
        ),
        (thin_report(), "6 of 8 thumbs are positive (95 %: 41 to 100 %): thin, fewer than 30."),
    ],
    ids=["worse", "better", "undecided", "thin before", "unrated", "nothing", "no thumbs", "thin"],
)
def test_the_headline_is_a_sentence(report: Report, said: str) -> None:
    """How good, how sure, whether that changed, and what to fix first, as far as it is known."""
    assert sentences.headline_sentence(report, 30) == said


@pytest.mark.parametrize(
    ("width", "said"),
    [
        (
            130,
            "74 % of 1,204 thumbs are positive (95 %: 71 to 77 %), 5 points worse than the week"
            " before; fix first: “incorrect” (41 people).",
        ),
        (
            100,
            "74 % of 1,204 thumbs are positive (71 to 77 %), 5 points worse; fix first:"
            " “incorrect” (41 people).",
        ),
        (80, "74 % of 1,204 thumbs are positive (71 to 77 %), 5 points worse."),
    ],
)
def test_a_short_line_says_the_same_in_short(width: int, said: str) -> None:
    """The longest form that fits is taken."""
    assert sentences.headline_line(sample_report(), 30, width) == said


@pytest.mark.parametrize(
    ("metric", "value", "asked", "found"),
    [
        ("positive_rate", 0.744, "positive rate at least 70 %", "74.4 %"),
        ("feedback_rate", 0.021, "rated answers at least 70 %", "2.1 %"),
        ("feedback_rate", None, "rated answers at least 70 %", "–"),
        ("dimension:tone", 0.8, "tone at least 0.7 of 1", "0.80 of 1"),
        (
            "change.positive_rate",
            -0.05,
            "positive rate not worse than the week before",
            "−5 points",
        ),
        (
            "comparison.positive_rate",
            0.02,
            "positive rate not worse in the comparison",
            "+2 points",
        ),
    ],
)
def test_a_condition_says_what_it_asks_for(
    metric: str, value: float | None, asked: str, found: str
) -> None:
    """Its bound and its value are in the same unit."""
    condition = Condition(metric=metric, bound=0.7, value=value, n=40, met=None)
    assert sentences.condition_words(condition, WINDOW) == asked
    assert sentences.condition_value(condition) == found


def test_a_gate_has_three_outcomes() -> None:
    """Too little data is neither passed nor failed."""
    assert [
        sentences.gate_sentence(Gate(passed=p, conditions=())) for p in (True, False, None)
    ] == [
        "The gate is passed.",
        "The gate is not passed.",
        "The gate is undecided: there is too little data to say.",
    ]


def test_a_comparison_names_the_better_group() -> None:
    """The verdict is about the second group, seen from the first."""
    found = sample_report().comparison
    assert found is not None
    assert sentences.comparison_sentence(found, 30) == (
        "m-2f81c is 10 points worse than m-1d07a (95 %: −16 to −4 points)."
    )
    alike = hostile_report().comparison
    assert alike is not None
    assert sentences.comparison_sentence(alike, 30).startswith("No clear difference between b and ")
    nothing = replace(found.positive_rate, difference=None, low=None, high=None)
    assert sentences.comparison_sentence(replace(found, positive_rate=nothing), 30) == (
        "m-2f81c and m-1d07a cannot be compared: one of them has no thumbs."
    )


def test_thin_groups_are_not_told_apart() -> None:
    """It says how many of the two are thin."""
    found = few_people_report().comparison
    assert found is not None
    enough = replace(found.positive_rate, a=sample_report().headline.positive_rate)
    said = [
        sentences.comparison_sentence(each, 30)
        for each in (found, replace(found, positive_rate=enough))
    ]
    assert [each.partition(" (")[0] for each in said] == [
        "Too thin to say which of m-2 and m-1 is better: both have fewer than 30 thumbs",
        "Too thin to say which of m-2 and m-1 is better: one of them has fewer than 30 thumbs",
    ]


def test_a_judge_is_held_against_the_more_frequent_word() -> None:
    """Only an interval that lies above what always saying that would reach is better."""
    better, unclear, silent = sample_report().judges
    worse = replace(better, majority=0.95)
    assert [sentences.judge_sentence(judge, 30) for judge in (better, unclear, worse, silent)] == [
        "On 486 answers: better than always saying the more frequent word (74 %).",
        "On 12 answers: thin, fewer than 30, so it says nothing about the judge.",
        "On 486 answers: worse than always saying the more frequent word (95 %).",
        "On 0 answers.",
    ]


def test_what_nobody_knows_is_not_said() -> None:
    """Without ratings there is no sentence on who rated."""
    empty = empty_report()
    assert sentences.rated_sentence(empty, 30) is None
    assert sentences.spread_sentence(empty) is None
    assert sentences.change_sentence(empty, 30) is None
