"""The charts of the page: inline SVG that takes its colours and its font from the page.

No text of people is in them: names stand beside them, in HTML.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from agent_feedback.insight.content.report_values import Bucket, Coverage, Dimension, Part
from agent_feedback.insight.formats.wording import (
    bucket_words,
    duration,
    percent,
    star_counts,
    whole,
)
from agent_feedback.insight.libraries import needed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Matplotlib draws in colours that stand for the page's own, which follow light and dark.
_ACCENT, _SOFT, _INK, _MUTED, _LINE = "#010201", "#010202", "#010203", "#010204", "#010205"
_VARIABLES: Final = (
    (_ACCENT, "var(--accent)"),
    (_SOFT, "var(--soft)"),
    (_INK, "var(--ink)"),
    (_MUTED, "var(--muted)"),
    (_LINE, "var(--line)"),
)
_POINTS_PER_INCH: Final = 72
_FONT: Final = re.compile(r"font-family: [^;\"]*")
_DECLARATION: Final = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_STYLE: Final = re.compile(r"<defs>\s*<style.*?</style>\s*</defs>", re.DOTALL)
_SIZE: Final = re.compile(r'<svg [^>]*?(viewBox="[^"]*")[^>]*>')
_ID: Final = re.compile(r'\b(id="|xlink:href="#|url\(#)')
_MANY_BUCKETS: Final = 31


def trend_chart(trend: Sequence[Bucket], width: int, name: str) -> str:
    """The positive rate with its band, and the thumbs that it is made of below."""
    figure = _figure(width, 270)
    rate, thumbs = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    figure.subplots_adjust(left=46 / width, right=1 - 8 / width, top=0.97, bottom=0.1, hspace=0.16)
    _draw_rate(rate, trend)
    _draw_thumbs(thumbs, trend)
    _mark_times(thumbs, trend, most=max(2, width // 110))
    for axes in (rate, thumbs):
        _style(axes)
    thumbs.tick_params(axis="x", pad=9)
    return _svg(
        figure, name, "The positive rate over time with its interval, and the thumbs below."
    )


def distribution_chart(dimension: Dimension, scale: int, name: str) -> str:
    """How many ratings there are of each number of stars."""
    counts = star_counts(dimension, scale)
    figure = _figure(300, 26 * len(counts) + 6)
    axes = figure.add_axes((0.15, 0.0, 0.7, 1.0))
    labels = [f"{stars} ★" for stars, _ in counts]
    _draw_bars(axes, labels, [float(number) for _, number in counts], [whole(n) for _, n in counts])
    return _svg(figure, name, "The number of ratings of each number of stars.")


def coverage_chart(coverage: Coverage, name: str) -> str:
    """How long rated answers took and how many failed, beside those that nobody rated."""
    figure = _figure(340, 150)
    parts = (coverage.rated, coverage.unrated)
    seconds = [part.seconds_median for part in parts]
    errors = [part.error_rate for part in parts]
    labels = ["rated", "not rated"]
    for bottom, title, values, said in (
        (0.52, "Median time of an answer", seconds, [duration(value) for value in seconds]),
        (0.0, "Answers that failed", errors, [_error_rate(part) for part in parts]),
    ):
        axes = figure.add_axes((0.2, bottom, 0.62, 0.34))
        _draw_bars(axes, labels, [value or 0.0 for value in values], said)
        figure.text(0.0, bottom + 0.39, title, color=_MUTED, fontsize=11)
    return _svg(
        figure, name, "The median time and the share of failures of rated and of unrated answers."
    )


def _error_rate(part: Part) -> str:
    return percent(part.error_rate, part.traces)


def _draw_rate(axes: Axes, trend: Sequence[Bucket]) -> None:
    places = range(len(trend))
    estimates = [bucket.positive_rate for bucket in trend]
    values = [_percentage(each.value) for each in estimates]
    low = [_percentage(each.low) for each in estimates]
    high = [_percentage(each.high) for each in estimates]
    axes.fill_between(places, low, high, color=_SOFT, linewidth=0)
    # Not cut at 0 and 100 %, where small teams often are.
    axes.plot(places, values, color=_ACCENT, linewidth=2, clip_on=False)
    # A band needs two neighbours; a point that has none gets a bar.
    alone = _alone(values)
    axes.vlines(alone, [low[at] for at in alone], [high[at] for at in alone], _SOFT, linewidth=6)
    marked = places if len(trend) <= _MANY_BUCKETS else alone
    axes.plot(
        marked, [values[at] for at in marked], "o", color=_ACCENT, markersize=5, clip_on=False
    )
    axes.set_ylim(0, 100)
    axes.set_yticks([0, 25, 50, 75, 100], ["0", "25", "50", "75", "100 %"])
    axes.grid(axis="y", color=_LINE, linewidth=1)


def _draw_thumbs(axes: Axes, trend: Sequence[Bucket]) -> None:
    places = range(len(trend))
    positive = [bucket.positive for bucket in trend]
    negative = [bucket.negative for bucket in trend]
    axes.bar(places, positive, width=0.7, color=_ACCENT)
    axes.bar(places, negative, width=0.7, bottom=positive, color=_MUTED)
    most = max(map(sum, zip(positive, negative, strict=True)), default=0)
    axes.set_ylim(0, max(1, most) * 1.1)
    axes.set_yticks([0, max(1, most)], ["0", whole(max(1, most))])


def _mark_times(axes: Axes, trend: Sequence[Bucket], most: int) -> None:
    """At most so many times along the axis, evenly."""
    step = -(-len(trend) // most) or 1
    places = range(0, len(trend), step)
    names = [bucket_words(trend[at].start, trend[at].end)[5:] for at in places]
    axes.set_xticks(list(places), names)
    axes.set_xlim(-0.6, len(trend) - 0.4)


def _draw_bars(axes: Axes, labels: list[str], values: list[float], said: list[str]) -> None:
    """Horizontal bars, the first one on top, each with its number at its end."""
    most = max(values) or 1.0
    places = range(len(values))
    axes.barh(places, values, height=0.62, color=_ACCENT)
    for at, value, text in zip(places, values, said, strict=True):
        axes.text(value + most * 0.025, at, text, va="center", color=_INK, fontsize=12)
    axes.set_xlim(0, most)
    axes.set_ylim(len(values) - 0.5, -0.5)
    axes.set_yticks(list(places), labels, color=_INK, fontsize=12)
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.patch.set_alpha(0)
    for side in axes.spines.values():
        side.set_visible(False)


def _style(axes: Axes) -> None:
    """No ticks and no frame but the line below, in quiet colours."""
    axes.tick_params(length=0, labelcolor=_MUTED, labelsize=12, pad=6)
    axes.patch.set_alpha(0)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(_LINE)


def _percentage(value: float | None) -> float:
    return float("nan") if value is None else 100 * value


def _alone(values: list[float]) -> list[int]:
    """The places of values whose neighbours are both unknown."""
    known = [value == value for value in values]  # not NaN
    around = [False, *known, False]
    return [at for at, here in enumerate(known) if here and not (around[at] or around[at + 2])]


def _figure(width: int, height: int) -> Figure:
    """A figure whose unit is a pixel of the page."""
    size = (width / _POINTS_PER_INCH, height / _POINTS_PER_INCH)
    figure: Figure = needed("matplotlib.figure").Figure(figsize=size)
    needed("matplotlib.backends.backend_svg").FigureCanvasSVG(figure)
    figure.patch.set_alpha(0)
    return figure


def _svg(figure: Figure, name: str, label: str) -> str:
    text = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with needed("matplotlib").rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(text, format="svg", metadata=nothing)
    return _for_the_page(text.getvalue(), name, label)


def _for_the_page(svg: str, name: str, label: str) -> str:
    """Without prolog, style sheet and size; ids with the chart's name; the page's colours."""
    svg = _STYLE.sub("", _DECLARATION.sub("", svg, count=1))
    svg = _SIZE.sub(
        rf'<svg \1 xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{label}"'
        rf' class="chart">',
        svg,
        count=1,
    )
    svg = _ID.sub(lambda found: f"{found[1]}{name}-", svg).replace("xlink:href", "href")
    svg = _FONT.sub("font-family: inherit", svg)
    for colour, variable in _VARIABLES:
        svg = svg.replace(colour, variable)
    return svg.strip()
