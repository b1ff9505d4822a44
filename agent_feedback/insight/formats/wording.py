"""How a report says numbers, in words that the table, the Markdown and the page share."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Final

from agent_feedback.insight.content.report_values import (
    Dimension,
    ReportComment,
    ReportWindow,
)
from agent_feedback.insight.definitions.values import share, thumb
from agent_feedback.insight.definitions.window import from_iso
from agent_feedback.insight.statistics.estimates import Difference, Estimate
from agent_feedback.text import clean

UNKNOWN: Final = "\N{EN DASH}"
MINUS: Final = "\N{MINUS SIGN}"
MANY_RATINGS: Final = 1000
"""From so many effective ratings on, a percentage has a decimal that says something."""
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_MONTHS: Final = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)
_UNITS: Final = ((86_400, "day", "days"), (3_600, "h", "h"), (60, "min", "min"))


def whole(number: int) -> str:
    """1204 as ``1,204``."""
    return f"{number:,}"


def counted(number: int, one: str, several: str) -> str:
    """``1 thumb``, ``1,204 thumbs``."""
    return f"{number:,} {one if number == 1 else several}"


def people(number: int) -> str:
    """``1 person``, ``312 people``."""
    return counted(number, "person", "people")


def percent(value: float | None, n_effective: float = 0) -> str:
    """``74 %``, and ``74.2 %`` where there are enough ratings for that to mean something.

    What is not nothing does not become ``0 %``, nor what is not all ``100 %``.
    """
    if value is None:
        return UNKNOWN
    if value in (0, 1):
        return f"{value:.0%}".replace("%", " %")
    decimals = _decimals(n_effective)
    number = f"{100 * value:.{decimals}f}"
    if value > 0 and float(number) == 0:
        return f"under {'0.1' if decimals else '1'} %"
    if value < 1 and float(number) == 100:
        return f"over {'99.9' if decimals else '99'} %"
    return f"{number} %"


def percent_of(estimate: Estimate) -> str:
    """The value of a rate."""
    return percent(estimate.value, estimate.n_effective)


def ends(estimate: Estimate) -> tuple[float, float] | None:
    """The ends of an interval; ``None`` where it has no width, as that would say "for certain"."""
    low, high = estimate.low, estimate.high
    return None if low is None or high is None or low == high else (low, high)


def interval(estimate: Estimate) -> str:
    """``70 to 78 %``: the interval of a rate."""
    decimals = _decimals(estimate.n_effective)
    found = ends(estimate)
    return f"{_to(f'{100 * end:.{decimals}f}' for end in found)} %" if found else UNKNOWN


def likely(estimate: Estimate) -> str:
    """How sure a rate is, in a sentence's words."""
    if ends(estimate) is None:
        return "nothing says how sure this is"
    return f"likely between {interval(estimate).replace(' to ', ' and ')}"


def stars(value: float | None) -> str:
    """``4.1``."""
    return UNKNOWN if value is None else f"{value:.1f}"


def stars_interval(estimate: Estimate, scale: int) -> str:
    """``3.9 to 4.3``: the interval of a mean, in stars."""
    found = ends(estimate)
    return _to(stars(end * scale) for end in found) if found else UNKNOWN


def fraction(value: float | None) -> str:
    """``0.62``, for an agreement beyond chance."""
    return UNKNOWN if value is None else f"{value:.2f}".replace("-", MINUS)


def fraction_interval(estimate: Estimate) -> str:
    """``0.51 to 0.72``."""
    found = ends(estimate)
    return _to(map(fraction, found)) if found else UNKNOWN


def duration(seconds: float | None) -> str:
    """``0.8 s``, ``42 s``, ``3 min``, ``2.5 h``, ``3 days``."""
    if seconds is None:
        return UNKNOWN
    for length, one, several in _UNITS:
        if seconds >= length:
            number = f"{seconds / length:.1f}".removesuffix(".0")
            return f"{number} {one if number == '1' else several}"
    return f"{seconds:.{0 if seconds >= 10 else 1}f} s".replace("-", MINUS)


def points(difference: float, n_effective: float = 0) -> str:
    """``5 points``: how far two rates are apart, whichever is above."""
    number = f"{abs(100 * difference):.{_decimals(n_effective)}f}"
    if float(number) == 0:
        return "less than a point" if n_effective < MANY_RATINGS else "less than 0.1 points"
    return f"{number} {'point' if float(number) == 1 else 'points'}"


def points_difference(difference: Difference) -> str:
    """``+5 points (+1 to +9)``."""
    if difference.difference is None:
        return UNKNOWN
    decimals = _decimals(_effective(difference))
    number = _signed(100 * difference.difference, decimals)
    said = f"{number} {'point' if number[1:] == '1' else 'points'}"
    if difference.low is None or difference.high is None:
        return said
    return f"{said} ({points_interval(difference).removesuffix(' points')})"


def points_interval(difference: Difference) -> str:
    """How far apart two rates may be: from ``+1`` to ``+9 points``."""
    if difference.low is None or difference.high is None:
        return UNKNOWN
    decimals = _decimals(_effective(difference))
    signed = (_signed(100 * end, decimals) for end in (difference.low, difference.high))
    return f"{_to(signed)} points"


def stars_difference(difference: Difference, scale: int) -> str:
    """``+0.3 stars (+0.1 to +0.5)``."""
    if difference.difference is None:
        return UNKNOWN
    said = f"{_signed(difference.difference * scale, 1)} stars"
    if difference.low is None or difference.high is None:
        return said
    signed = (_signed(end * scale, 1) for end in (difference.low, difference.high))
    return f"{said} ({_to(signed)})"


def changed(
    difference: Difference | None, better: str = "better", worse: str = "worse"
) -> str | None:
    """``5 points worse`` or ``no clear change``; ``None`` where nothing can be compared."""
    if difference is None or difference.difference is None:
        return None
    if difference.verdict == "undecided":
        return "no clear change"
    word = better if difference.verdict == "better" else worse
    return f"{points(difference.difference, _effective(difference))} {word}"


def is_thin(n: int, min_count: int) -> bool:
    """Whether a number is made of something, and of too little to judge by it."""
    return 0 < n < min_count


def with_thin(number: str, n: int, min_count: int) -> str:
    """``50 %, thin``: a number that is made of ``n``, and called thin where that is too little."""
    return f"{number}, thin" if is_thin(n, min_count) else number


def is_difference_thin(difference: Difference, min_count: int) -> bool:
    """Whether one of two sides is made of too little to compare them."""
    return any(is_thin(side.n, min_count) for side in (difference.a, difference.b))


def verdict_words(difference: Difference, min_count: int) -> str:
    """Which side is better, and no verdict where that would be read off thin numbers."""
    if is_difference_thin(difference, min_count):
        return "thin, no verdict"
    return difference.verdict


def scale_of(dimensions: Mapping[str, Dimension]) -> int:
    """The most stars: a report has both forms of each mean; MLflow's usual 5 if it has none."""
    for dimension in dimensions.values():
        if dimension.stars and dimension.mean.value:
            return round(dimension.stars / dimension.mean.value)
    return 5


def star_counts(dimension: Dimension, scale: int) -> list[tuple[int, int]]:
    """How many ratings there are of each number of stars: the most stars first.

    A value between two stars counts for the nearer one.
    """
    counts = dict.fromkeys(range(scale, 0, -1), 0)
    for value, number in dimension.distribution.items():
        nearest = math.floor(float(value) * scale + 0.5)
        counts[nearest] = counts.get(nearest, 0) + number
    return list(counts.items())


def readable(text: str) -> str:
    """What somebody typed, without what steers a terminal or what UTF-8 cannot hold."""
    return clean(_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text))


def one_line(text: str, longest: int | None = None) -> str:
    """What somebody typed, readable, on one line, and cut."""
    line = " ".join(readable(text).split())
    return line if longest is None or len(line) <= longest else f"{line[: longest - 1].rstrip()}…"


def stars_of(value: float, scale: int) -> str:
    """``2 of 5 stars``: the value of one rating."""
    return f"{stars(value * scale).removesuffix('.0')} of {scale} stars"


def rating_words(comment: ReportComment, scale: int) -> str:
    """What was rated, as its reader would say it: ``thumbs down``, ``accuracy: 2 of 5 stars``."""
    value = comment.value
    if comment.dimension is not None:
        known = share(value)
        said = str(value) if known is None else stars_of(known, scale)
        return one_line(f"{comment.dimension}: {said}", 80)
    if value is None:
        return "correction" if comment.rationale is None and comment.correction else "comment"
    thumb_up = thumb(value)
    if thumb_up is None:
        return one_line(f"rated “{value}”", 80)
    return "thumbs up" if thumb_up else "thumbs down"


def short_id(trace_id: str) -> str:
    """``tr-0a1b2c3d``: enough of a trace's id to tell it from others."""
    # In Unity Catalog an id begins with its place: trace:/catalog.schema/0a1b…
    return one_line(trace_id).rsplit("/", 1)[-1][:11]


def moment(time: str) -> datetime:
    """A time of a report."""
    return from_iso(time).astimezone(timezone.utc)


def day(time: str) -> str:
    """``21 Nov 2026``."""
    at = moment(time)
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}"


def day_and_hour(time: str) -> str:
    """``21 Nov 2026, 14:00``."""
    return f"{day(time)}, {moment(time):%H:%M}"


def window_words(window: ReportWindow) -> str:
    """``21 Nov 2026, 00:00 to 28 Nov 2026, 00:00 UTC``."""
    return f"{day_and_hour(window.since)} to {day_and_hour(window.until)} UTC"


def bucket_words(start: str, end: str) -> str:
    """The name of a bucket: its day, or its hour."""
    hours = (moment(end) - moment(start)).total_seconds() / 3600
    at = moment(start)
    # An hour is named by its time; the first day may be cut to less, but not to a whole hour.
    return f"{at:%Y-%m-%d %H:%M}" if hours <= 1 else f"{at:%Y-%m-%d}"


def period(window: ReportWindow) -> str:
    """How long a window is: ``week``, ``day``, ``30 days``, ``12 hours``."""
    minutes = round((moment(window.until) - moment(window.since)).total_seconds() / 60)
    for length, name in ((7 * 1440, "week"), (1440, "day"), (60, "hour")):
        if minutes == length:
            return name
    for length, names in ((1440, "days"), (60, "hours")):
        if minutes >= 2 * length:
            return f"{round(minutes / length)} {names}"
    return counted(minutes, "minute", "minutes")


def _to(ends: Iterable[str]) -> str:
    return " to ".join(ends)


def _decimals(n_effective: float) -> int:
    return 1 if n_effective >= MANY_RATINGS else 0


def _effective(difference: Difference) -> float:
    return min(difference.a.n_effective, difference.b.n_effective)


def _signed(number: float, decimals: int) -> str:
    text = f"{number:+.{decimals}f}"
    return f"{0:.{decimals}f}" if float(text) == 0 else text.replace("-", MINUS)
