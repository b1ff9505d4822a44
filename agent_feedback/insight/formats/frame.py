"""A report as a data frame."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from agent_feedback.insight.content.report_values import Headline, Report
from agent_feedback.insight.libraries import needed

if TYPE_CHECKING:
    import pandas as pd


def as_frame(report: Report) -> pd.DataFrame:
    """The headlines of a report: a row for the window, the one before, each bucket, each group.

    ``part`` is ``window``, ``previous``, ``trend`` or ``group``. A rate has three columns: its
    value, and ``…_low`` and ``…_high``.
    """
    pandas = needed("pandas")
    frame: pd.DataFrame = pandas.DataFrame(list(_rows(report)))
    return frame


def _rows(report: Report) -> Iterator[dict[str, Any]]:
    window = report.window
    yield _row("window", None, window.since, window.until, report.headline)
    if report.previous:
        yield _row("previous", None, None, window.since, report.previous)
    for bucket in report.trend:
        yield _row("trend", None, bucket.start, bucket.end, bucket)
    for group in report.groups:
        yield _row("group", group.key, window.since, window.until, group)


def _row(
    part: str, key: str | None, start: str | None, end: str, headline: Headline
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "part": part,
        "key": key,
        "start": start,
        "end": end,
        "traces": headline.traces,
        "rated_traces": headline.rated_traces,
        "people": headline.people,
        "positive": headline.positive,
        "negative": headline.negative,
    }
    for name in ("feedback_rate", "positive_rate"):
        estimate = getattr(headline, name)
        row |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
    return row
