"""The time that a report is about, and the hours or days in it. All times are UTC."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Final

from agent_feedback.errors import ConfigurationError

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MAX_BUCKETS: Final = 10_000
_UNITS: Final = {"m": 60_000, "h": HOUR_MS, "d": DAY_MS, "w": 7 * DAY_MS}
_AGO = re.compile(r"([1-9][0-9]{0,5})([mhdw])")
_TIME = "a time in ISO 8601 such as 2026-01-31T12:00:00Z"
_FORMS: Final = {"--since": f"a length such as 24h, 7d or 4w, or {_TIME}", "--until": _TIME}
# What a datetime can hold.
_FIRST_MS: Final = -62_135_596_800_000
_LAST_MS: Final = 253_402_300_799_999


@dataclass(frozen=True, slots=True)
class Window:
    """Traces that began at ``since`` or later, and before ``until``: epoch milliseconds."""

    since: int
    until: int

    @property
    def previous(self) -> Window:
        """The window of the same length just before."""
        return Window(2 * self.since - self.until, self.since)

    @property
    def bucket_ms(self) -> int:
        """The length of a bucket: an hour in a window shorter than three days, else a day."""
        return HOUR_MS if self.until - self.since < 3 * DAY_MS else DAY_MS

    def buckets(self) -> tuple[Window, ...]:
        """The window's hours or days, by the clock; the first and the last may be cut by it."""
        starts = range(self.bucket_of(self.since), self.until, self.bucket_ms)
        return tuple(
            Window(max(start, self.since), min(start + self.bucket_ms, self.until))
            for start in starts
        )

    def bucket_of(self, moment: int) -> int:
        """When the hour or day of a moment begins, also where the window cuts it."""
        return moment - moment % self.bucket_ms


def window_of(since: str, until: str | None, now: datetime) -> Window:
    """The window that a person names.

    Args:
        since: A length before ``until`` such as ``24h``, or a time in ISO 8601, UTC where it names
            no zone.
        until: A time in ISO 8601; ``None`` for now.
        now: The present time.

    Raises:
        ConfigurationError: it is neither, or nothing can be in it.
    """
    end = _to_ms(now) if until is None else _moment(until, "--until")
    ago = _AGO.fullmatch(since)
    start = end - int(ago[1]) * _UNITS[ago[2]] if ago else _moment(since, "--since")
    if start >= end:
        raise ConfigurationError("The window is empty: --since must be before --until.")
    window = Window(start, end)
    if window.previous.since < 0 or (end - start) // window.bucket_ms > _MAX_BUCKETS:
        raise ConfigurationError("The window is too long: MLflow has no traces of that time.")
    return window


def iso(moment: int) -> str:
    """Milliseconds since the epoch as ISO 8601 in UTC, with milliseconds where there are some."""
    # Another client may have written nanoseconds: as far as dates go.
    moment = min(max(moment, _FIRST_MS), _LAST_MS)
    precision = "milliseconds" if moment % 1000 else "seconds"
    time = _EPOCH + timedelta(milliseconds=moment)
    return time.isoformat(timespec=precision).replace("+00:00", "Z")


def from_iso(text: str) -> datetime:
    """A time in ISO 8601; it is in UTC where it names no zone.

    Raises:
        ValueError: it is no such time.
    """
    # Python 3.10 does not read the Z that ISO 8601 has for UTC.
    time = datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith(("Z", "z")) else text)
    return time if time.tzinfo else time.replace(tzinfo=timezone.utc)


def _moment(text: str, option: str) -> int:
    try:
        return _to_ms(from_iso(text))
    except (ValueError, OverflowError):
        raise ConfigurationError(f"{option} is {_FORMS[option]}.") from None


def _to_ms(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(milliseconds=1)
