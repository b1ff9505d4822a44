"""What can keep feedback from being recorded, one class per cause.

Every error carries one clear sentence, which is also what a caller reads over HTTP. A class's
docstring is its default sentence. None of them ever carries a token, another person's data, or
the text of an exception from elsewhere.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "ConfigurationError",
    "FeedbackError",
    "IdentityMalformed",
    "IdentityRefused",
    "IdentityRequired",
    "InvalidFeedback",
    "NotAllowed",
    "RateLimited",
    "RatingNotFound",
    "TraceNotFound",
    "Unavailable",
]


class FeedbackError(Exception):
    """Feedback could not be recorded."""

    status_code: ClassVar[int] = 500
    """The HTTP status that the feedback routes answer with."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").splitlines()[0])


class ConfigurationError(FeedbackError, ValueError):
    """agent_feedback is not configured or used correctly."""


class InvalidFeedback(FeedbackError, ValueError):
    """This feedback is not valid."""

    status_code = 422


class IdentityMalformed(FeedbackError):
    """A header that says who you are occurs twice or holds what no name can hold."""

    status_code = 400


class IdentityRequired(FeedbackError):
    """Sign in to give feedback: this app does not take it from anonymous people."""

    status_code = 401


class IdentityRefused(FeedbackError):
    """The workspace refused your access token: sign in again."""

    status_code = 401


class NotAllowed(FeedbackError):
    """Only the person who asked may rate this answer."""

    status_code = 403


class TraceNotFound(FeedbackError):
    """There is no such answer to rate."""

    status_code = 404

    def __init__(self, message: str | None = None, *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final
        """Whether asking again is in vain: a trace that is not stored yet may still come."""


class RatingNotFound(FeedbackError):
    """There is no such rating of yours on this trace."""

    status_code = 404


class _TryAgain(FeedbackError):
    """Try again later."""

    def __init__(self, message: str | None = None, *, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds after which another attempt makes sense."""


class RateLimited(_TryAgain):
    """You are sending feedback faster than this app takes it: wait a moment."""

    status_code = 429


class Unavailable(_TryAgain):
    """Feedback cannot be stored right now: try again in a moment."""

    status_code = 503
