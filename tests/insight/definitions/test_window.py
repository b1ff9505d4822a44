"""The window of a report, as a person names it."""

from datetime import datetime, timedelta, timezone
from itertools import pairwise

import pytest

from agent_feedback.errors import ConfigurationError
from agent_feedback.insight.definitions.window import Window, iso, window_of

NOW = datetime(2026, 3, 10, 12, 30, tzinfo=timezone.utc)
HOUR = 3_600_000


def moment(text: str) -> int:
    """Return a time in milliseconds since the epoch."""
    return int(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.parametrize(
    ("since", "until", "begins", "ends"),
    [
        ("7d", None, "2026-03-03T12:30+00:00", "2026-03-10T12:30+00:00"),
        ("24h", None, "2026-03-09T12:30+00:00", "2026-03-10T12:30+00:00"),
        ("90m", None, "2026-03-10T11:00+00:00", "2026-03-10T12:30+00:00"),
        ("2w", "2026-03-01", "2026-02-15T00:00+00:00", "2026-03-01T00:00+00:00"),
        ("2026-02-01", "2026-03-01T06:00:00Z", "2026-02-01T00:00+00:00", "2026-03-01T06:00+00:00"),
        (
            "2026-02-01T00:00:00.250+01:00",
            None,
            "2026-01-31T23:00:00.250+00:00",
            "2026-03-10T12:30+00:00",
        ),
    ],
)
def test_a_window_is_a_length_before_its_end_or_two_times(
    since: str, until: str | None, begins: str, ends: str
) -> None:
    """Lengths count back from the end, which is now; times without a zone are UTC."""
    assert window_of(since, until, NOW) == Window(moment(begins), moment(ends))


@pytest.mark.parametrize(
    ("since", "until", "said"),
    [
        ("0d", None, "--since is"),
        ("week", None, "--since is"),
        ("", None, "--since is"),
        ("7d", "tomorrow", "--until is"),
        ("2026-13-01", None, "--since is"),
        ("2026-03-11", None, "empty"),
        ("2026-03-01", "2026-03-01", "empty"),
        ("999999d", None, "too long"),
        ("1900-01-01", None, "too long"),
    ],
)
def test_what_is_no_window_is_one_sentence(since: str, until: str | None, said: str) -> None:
    """It names the option and the forms that it takes, or what is wrong with the two."""
    with pytest.raises(ConfigurationError, match=said):
        window_of(since, until, NOW)


def test_the_previous_window_is_as_long_and_ends_where_this_one_begins() -> None:
    """No trace is in both, and none between."""
    window = Window(1_000, 5_000)
    assert Window(100_000, 104_000).previous == Window(96_000, 100_000)
    assert window.previous.until == window.since


@pytest.mark.parametrize(("days", "step"), [(2, HOUR), (3, 24 * HOUR), (30, 24 * HOUR)])
def test_buckets_are_hours_below_three_days_else_days(days: int, step: int) -> None:
    """They follow the clock, cover the window without a gap, and are cut by its ends."""
    end = NOW + timedelta(milliseconds=7)
    window = window_of(f"{days}d", end.isoformat(), NOW)
    buckets = window.buckets()
    assert (buckets[0].since, buckets[-1].until) == (window.since, window.until)
    assert all(a.until == b.since for a, b in pairwise(buckets))
    assert all(bucket.since % step == 0 for bucket in buckets[1:])
    assert window.bucket_ms == step
    for bucket in buckets:
        for inside in (bucket.since, bucket.until - 1):
            assert window.bucket_of(inside) == bucket.since - bucket.since % step


def test_times_are_written_in_utc() -> None:
    """With milliseconds only where there are some."""
    assert iso(moment("2026-03-10T12:30+02:00")) == "2026-03-10T10:30:00Z"
    assert iso(moment("2026-03-10T12:30:00.250+00:00")) == "2026-03-10T12:30:00.250Z"
