"""Where the traces that a report names are shown."""

from __future__ import annotations

from urllib.parse import quote

from agent_feedback.insight.content.report_values import Report


class TraceLinks:
    """Links to the pages of traces.

    A report holds those of traces with comments. Where it is of one experiment, the other traces'
    differ from these in the trace's id alone, which ends them.
    """

    def __init__(self, report: Report) -> None:
        links = {
            comment.trace_id: comment.link
            for comment in report.comments
            if comment.link and comment.link.startswith(("https://", "http://"))
        }
        self._links = links
        self._prefix = next(
            (
                link.removesuffix(_quoted(trace_id))
                for trace_id, link in links.items()
                if len(report.experiments) == 1 and link.endswith(_quoted(trace_id))
            ),
            None,
        )

    def __call__(self, trace_id: str) -> str | None:
        """Where a trace is shown; ``None`` where that is not known."""
        if trace_id in self._links or self._prefix is None:
            return self._links.get(trace_id)
        return self._prefix + _quoted(trace_id)


def _quoted(trace_id: str) -> str:
    return quote(trace_id, safe="", errors="replace")
