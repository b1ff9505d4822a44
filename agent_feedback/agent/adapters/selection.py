"""Which adapter a request's agent needs."""

from __future__ import annotations

from typing import Any

from mlflow.types.responses import ResponsesAgentRequest

from agent_feedback.agent.adapters.plain import PlainAdapter
from agent_feedback.agent.adapters.responses import ResponsesAdapter

PLAIN = PlainAdapter()
RESPONSES = ResponsesAdapter()


def adapter_of(request: Any) -> PlainAdapter:
    """The server gives its Responses agents a typed request, and others the bare object."""
    return RESPONSES if isinstance(request, ResponsesAgentRequest) else PLAIN
