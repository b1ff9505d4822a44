"""Numbers in words."""

# ruff: noqa: RUF001 (a minus sign and a dash are what readers see)

import pytest

from agent_feedback.insight.content.report_values import ReportWindow
from agent_feedback.insight.formats import wording
from agent_feedback.insight.statistics.estimates import Difference, Estimate
from tests.insight.sample_reports import (
    HOSTILE,
    NOTHING,
    difference,
    estimate,
    hostile_report,
    sample_report,
)


@pytest.mark.parametrize(
    ("value", "n_effective", "said"),
    [
        (None, 0, "–"),
        (0, 5, "0 %"),
        (0, 5000, "0 %"),
        (1, 5000, "100 %"),
        (0.744, 412, "74 %"),
        (0.744, 1000, "74.4 %"),
        (0.004, 412, "under 1 %"),
        (0.0004, 5000, "under 0.1 %"),
        (0.996, 412, "over 99 %"),
        (0.9996, 5000, "over 99.9 %"),
    ],
)
def test_a_percentage_says_as_much_as_is_known(
    value: float | None, n_effective: float, said: str
) -> None:
    """A decimal needs a thousand ratings, and nothing is rounded to none or all."""
    assert wording.percent(value, n_effective) == said


@pytest.mark.parametrize(
    ("found", "short", "sentence"),
    [
        (Estimate(0.74, 0.701, 0.779, 500, 400), "70 to 78 %", "likely between 70 and 78 %"),
        (
            Estimate(0.032, 0.0303, 0.0337, 9, 41_000),
            "3.0 to 3.4 %",
            "likely between 3.0 and 3.4 %",
        ),
        (NOTHING, "–", "nothing says how sure this is"),
    ],
)
def test_an_interval_says_how_sure(found: Estimate, short: str, sentence: str) -> None:
    """Both ends have as many decimals as the value."""
    assert (wording.interval(found), wording.likely(found)) == (short, sentence)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "–"),
        (0, "0.0 s"),
        (-0.25, "−0.2 s"),
        (1.24, "1.2 s"),
        (42.4, "42 s"),
        (60, "1 min"),
        (611, "10.2 min"),
        (9_000, "2.5 h"),
        (86_400, "1 day"),
        (260_000, "3 days"),
    ],
)
def test_a_duration_has_the_unit_that_people_would_use(seconds: float | None, said: str) -> None:
    """Seconds up to a minute, then minutes, hours and days."""
    assert wording.duration(seconds) == said


@pytest.mark.parametrize(
    ("a", "b", "n", "said", "signed"),
    [
        (0.79, 0.74, 900, "5 points worse", "−5 points (−9 to −1)"),
        (0.74, 0.79, 900, "5 points better", "+5 points (+1 to +9)"),
        (0.74, 0.75, 900, "no clear change", "+1 point (−3 to +5)"),
        (0.5, 0.51, 90_000, "1.0 point better", "+1.0 points (+0.5 to +1.5)"),
        (0.5, 0.5004, 900_000_000, "less than 0.1 points better", "0.0 points (0.0 to 0.0)"),
    ],
)
def test_a_change_is_only_one_where_it_is_clear(
    a: float, b: float, n: int, said: str, signed: str
) -> None:
    """Words for the verdict, and a sign for each number."""
    found = difference(estimate(a, n), estimate(b, n))
    assert wording.changed(found) == said
    assert wording.points_difference(found) == signed


def test_nothing_to_compare_is_no_change() -> None:
    """Where one of two windows has no thumbs, nothing is said, and no zero shown."""
    nothing = Difference(NOTHING, NOTHING, None, None, None, "undecided")
    assert wording.changed(None) is None
    assert wording.changed(nothing) is None
    assert wording.points_difference(nothing) == "–"
    assert wording.points_interval(nothing) == "–"
    assert wording.stars_difference(nothing, 5) == "–"


def test_a_difference_without_interval_is_shown_without() -> None:
    """One person's ratings have a mean, and nothing says how sure it is."""
    one = Estimate(0.5, None, None, 3, 1.0)
    found = Difference(one, one, 0.1, None, None, "undecided")
    assert wording.points_difference(found) == "+10 points"
    assert wording.stars_difference(found, 5) == "+0.5 stars"
    assert wording.stars_interval(one, 5) == "–"
    assert wording.fraction_interval(one) == "–"


@pytest.mark.parametrize(
    ("since", "until", "said"),
    [
        ("2026-11-21T00:00:00Z", "2026-11-28T00:00:00Z", "week"),
        ("2026-11-27T00:00:00Z", "2026-11-28T00:00:00Z", "day"),
        ("2026-11-27T00:00:00Z", "2026-11-27T01:00:00Z", "hour"),
        ("2026-10-29T00:00:00Z", "2026-11-28T00:00:00Z", "30 days"),
        ("2026-11-27T12:00:00.250Z", "2026-11-28T00:00:00.250Z", "12 hours"),
        ("2026-11-28T00:00:00Z", "2026-11-28T00:45:00Z", "45 minutes"),
    ],
)
def test_a_window_has_a_name(since: str, until: str, said: str) -> None:
    """It goes behind "the" and before "before"."""
    assert wording.period(ReportWindow(since=since, until=until)) == said


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        ("2026-11-27T00:00:00Z", "2026-11-28T00:00:00Z", "2026-11-27"),
        ("2026-11-27T14:00:00Z", "2026-11-27T15:00:00Z", "2026-11-27 14:00"),
        ("2026-11-27T14:20:00.500Z", "2026-11-27T15:00:00Z", "2026-11-27 14:20"),
        ("2026-11-27T14:20:00Z", "2026-11-28T00:00:00Z", "2026-11-27"),
    ],
)
def test_a_bucket_is_its_day_or_its_hour(start: str, end: str, said: str) -> None:
    """Also where the window cuts it."""
    assert wording.bucket_words(start, end) == said


def test_stars_that_nobody_gave_are_counted_too() -> None:
    """The most stars come first, and a value between two stars goes to the nearer one."""
    dimension = sample_report().dimensions["tone"]
    assert wording.star_counts(dimension, 5) == [(5, 4), (4, 12), (3, 0), (2, 2), (1, 0)]
    assert wording.star_counts(dimension, 3) == [(3, 4), (2, 12), (1, 2)]


def test_the_scale_is_in_the_means() -> None:
    """Stars divided by the share are the most stars; without ratings it is five."""
    assert wording.scale_of(sample_report().dimensions) == 5
    assert wording.scale_of({}) == 5


@pytest.mark.parametrize(
    ("trace_id", "said"),
    [
        ("tr-0a1b2c3d4e5f60718293a4b5c6d7e8f9", "tr-0a1b2c3d"),
        ("trace:/main.agents/0a1b2c3d4e5f60718293a4b5c6d7e8f9", "0a1b2c3d4e5"),
    ],
)
def test_a_short_id_tells_traces_apart(trace_id: str, said: str) -> None:
    """What all ids of a place begin with is not in it."""
    assert wording.short_id(trace_id) == said


def test_what_was_rated_has_a_name() -> None:
    """A thumb, stars, or words alone; odd values are shown as what they are."""
    comments = sample_report().comments
    assert [wording.rating_words(comment, 5) for comment in comments] == [
        "thumbs down",
        "accuracy: 2 of 5 stars",
        "thumbs down",
        "thumbs up",
        "comment",
    ]
    odd = wording.rating_words(hostile_report().comments[0], 5)
    assert odd.endswith("…")
    assert len(odd) == 80


def test_one_line_steers_no_terminal() -> None:
    """Control characters, line breaks and what reverses text are gone, and the end is cut."""
    assert "\x1b" not in wording.one_line(HOSTILE)
    assert wording.one_line("a\r\nb\x00\t c\u202e") == "a b c"
    assert wording.one_line("word " * 9, 10) == "word word…"
