"""A report as one page that needs nothing else: no script, no font, no picture from anywhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

from agent_feedback.insight.content.report_values import Report
from agent_feedback.insight.formats import charts, sentences, wording
from agent_feedback.insight.formats.trace_links import TraceLinks
from agent_feedback.insight.statistics.estimates import Estimate

if TYPE_CHECKING:
    from jinja2 import Environment

_WIDE: Final = 800
_NARROW: Final = 350
"""The trend is drawn for a desk and for a phone: scaled, its letters would be too small to read."""

_INTERVAL: Final = re.compile(r"([\d.]+) (to|and) ([\d.]+)")


def as_html(report: Report, *, min_count: int, by: str | None = None) -> str:
    """The page.

    Args:
        report: What to show.
        min_count: Below this many ratings a number is called thin.
        by: What the groups have in common.
    """
    page = _environment().get_template("report.html.jinja")
    has_ratings = report.headline.rated_traces > 0
    return page.render(
        report=report,
        min_count=min_count,
        by=by,
        scale=wording.scale_of(report.dimensions),
        links=TraceLinks(report),
        has_ratings=has_ratings,
        charts=_charts(report) if has_ratings else {},
    )


def strip(estimate: Estimate, mark: float | None = None) -> Markup:
    """A rate as a point on its interval, between 0 and 100 %, and a mark to compare it with."""
    if estimate.value is None:
        return Markup()
    low, high = (estimate.value if end is None else end for end in (estimate.low, estimate.high))
    marked = "" if mark is None else f'<path class="mark" d="M{_place(mark)} 1V13"/>'
    return Markup(
        f'<svg class="strip" viewBox="0 0 128 14" role="img"'
        f' aria-label="{wording.percent_of(estimate)}, {wording.likely(estimate)}">'
        f'<path class="base" d="M4 7H124"/>'
        f'<path class="range" d="M{_place(low)} 7H{_place(high)}"/>{marked}'
        f'<circle cx="{_place(estimate.value)}" cy="7" r="3.5"/></svg>'
    )


def _place(value: float) -> str:
    return f"{4 + 120 * value:.1f}"


def _charts(report: Report) -> Mapping[str, Any]:
    scale = wording.scale_of(report.dimensions)
    has_thumbs = report.headline.positive_rate.n > 0
    return {
        "trend": [
            Markup(charts.trend_chart(report.trend, width, f"trend-{width}"))
            for width in (_WIDE, _NARROW)
            if has_thumbs
        ],
        "dimensions": {
            name: Markup(charts.distribution_chart(dimension, scale, f"stars-{number}"))
            for number, (name, dimension) in enumerate(report.dimensions.items())
            if dimension.n
        },
        "coverage": Markup(charts.coverage_chart(report.coverage, "coverage")),
    }


def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("agent_feedback.insight", "formats"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_readable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["unbroken"] = _unbroken
    environment.globals.update(wording=wording, sentences=sentences, strip=strip)
    return environment


def _readable(value: Any) -> Any:
    """Text without what no page can hold; what is HTML already stays."""
    return wording.readable(value) if type(value) is str else value


def _unbroken(text: str) -> str:
    """A number stays on one line with its sign of per cent, and an interval in one piece."""
    space = "\N{NO-BREAK SPACE}"
    return _INTERVAL.sub(rf"\1{space}\2{space}\3", text.replace(" %", f"{space}%")).replace(
        "%: ", f"%:{space}"
    )
