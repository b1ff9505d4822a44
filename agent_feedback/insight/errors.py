"""What can keep a report from being made."""

from __future__ import annotations

from agent_feedback.errors import FeedbackError


class ReportError(FeedbackError):
    """The report could not be made."""
