"""Durable, owned, exactly-once ratings for agents behind MLflow's agent server.

Names are imported when they are first used: the command line and readers of the ledger need no
MLflow, whose import takes seconds.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from agent_feedback.package_conflict import warn_of_package_conflict

if TYPE_CHECKING:
    from agent_feedback.errors import (
        ConfigurationError,
        FeedbackError,
        IdentityMalformed,
        IdentityRefused,
        IdentityRequired,
        InvalidFeedback,
        NotAllowed,
        RateLimited,
        RatingNotFound,
        TraceNotFound,
        Unavailable,
    )
    from agent_feedback.model import Rating, Turn
    from agent_feedback.plugin import AgentFeedback
    from agent_feedback.service.receipts import Receipt
    from agent_feedback.settings import Settings

__all__ = [
    "AgentFeedback",
    "ConfigurationError",
    "FeedbackError",
    "IdentityMalformed",
    "IdentityRefused",
    "IdentityRequired",
    "InvalidFeedback",
    "NotAllowed",
    "RateLimited",
    "Rating",
    "RatingNotFound",
    "Receipt",
    "Settings",
    "TraceNotFound",
    "Turn",
    "Unavailable",
]

_MODULES = {
    "AgentFeedback": "plugin",
    "Rating": "model",
    "Receipt": "service.receipts",
    "Settings": "settings",
    "Turn": "model",
}


if not TYPE_CHECKING:  # a type checker would take every name for one of ours

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_MODULES.get(name, 'errors')}"), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted([*globals(), *__all__])


warn_of_package_conflict()
