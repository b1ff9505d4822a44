"""From a request to its report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from agent_feedback.errors import ConfigurationError
from agent_feedback.insight.content import report_values
from agent_feedback.insight.content.build import build_report
from agent_feedback.insight.content.gate import with_gate
from agent_feedback.insight.definitions.options import ReportOptions
from agent_feedback.insight.formats.frame import as_frame
from agent_feedback.insight.formats.html import as_html
from agent_feedback.insight.formats.json_form import as_dict
from agent_feedback.insight.request import ReportRequest
from agent_feedback.insight.sources.source import Progress, RatingRow, no_progress

if TYPE_CHECKING:
    import pandas as pd


class Report(report_values.Report):
    """How people rate an agent's answers, how sure that is, and what to fix first.

    Its attributes are the members of the JSON, which ``docs/report.md`` explains.
    """

    __slots__ = ("_request",)

    @classmethod
    def of(cls, made: report_values.Report, request: ReportRequest) -> Report:
        """What was made for a request: its forms call thin what the request does."""
        report = cls(**{field.name: getattr(made, field.name) for field in fields(made)})
        object.__setattr__(report, "_request", request)
        return report

    def to_dict(self) -> dict[str, Any]:
        """The JSON, as Python's own values."""
        return as_dict(self)

    def to_html(self) -> str:
        """One page that needs nothing else."""
        request: ReportRequest = self._request  # type: ignore[attr-defined]
        return as_html(self, min_count=request.min_count, by=request.by)

    def to_pandas(self) -> pd.DataFrame:
        """The headlines: one row for the window, the one before, each bucket and each group."""
        return as_frame(self)


def report(request: ReportRequest | None = None, /, **options: Any) -> Report:
    """Count the ratings of a window and say how good they are, and how sure that is.

    Args:
        request: What to report on; or else its attributes, as keyword arguments:
            ``report(since="24h", by="version")``.
        **options: The attributes of :class:`~agent_feedback.insight.request.ReportRequest`.

    Raises:
        ConfigurationError: an option cannot be.
        ReportError: the traces cannot be counted; one sentence says why.
    """
    if request is None:
        request = ReportRequest(**options)
    elif options:
        raise ConfigurationError("Give a ReportRequest or its attributes, not both.")
    return make_report(request)


def ratings(
    request: ReportRequest, progress: Progress = no_progress, now: datetime | None = None
) -> tuple[ReportOptions, Iterator[RatingRow]]:
    """Every rating of the window that counts, and the options that it was counted by.

    Raises:
        ConfigurationError: an option cannot be.
        ReportError: the traces cannot be read; one sentence says why.
    """
    options = request.options(now or datetime.now(timezone.utc))
    return options, request.source().ratings(options, progress)


def make_report(
    request: ReportRequest, progress: Progress = no_progress, now: datetime | None = None
) -> Report:
    """Make the report of a request, and tell ``progress`` how far it is.

    Raises:
        ConfigurationError: an option cannot be.
        ReportError: the traces cannot be counted; one sentence says why.
    """
    now = now or datetime.now(timezone.utc)
    options, bounds = request.options(now), request.bounds()
    source = request.source()
    experiments = source.experiments()
    counts = source.aggregate(options, progress)
    progress("Making the report", 0, None)
    built = build_report(
        counts,
        options,
        experiments=experiments,
        source=source.kind,
        made_at=int(now.timestamp() * 1000),
    )
    done = with_gate(built, options, bounds, fail_if_worse=request.fail_if_worse)
    return Report.of(done, request)
