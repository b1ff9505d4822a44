"""Durable, owned, exactly-once ratings for agents behind MLflow's agent server."""

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
from agent_feedback.model import Turn
from agent_feedback.namesake import warn_of_namesake
from agent_feedback.plugin import AgentFeedback
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
    "RatingNotFound",
    "Settings",
    "TraceNotFound",
    "Turn",
    "Unavailable",
]

warn_of_namesake()
