"""The events that end every stream, whatever the agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent_feedback.agent.adapters.plain import ids_of
from agent_feedback.model import Turn


def closing_events(
    turn: Turn, own_done: Mapping[str, Any], *, error: str | None = None, sequence_number: int = 0
) -> list[dict[str, Any]]:
    """What ends a stream: an error where there was one, then exactly one ``done``.

    Args:
        turn: The turn that ends.
        own_done: The handler's own ``done``, which is merged into ours.
        error: The sentence for the client.
        sequence_number: The error's place in the stream.
    """
    own = {name: value for name, value in own_done.items() if value is not None}
    done = {"type": "done", **ids_of(turn), "status": "ok", **own}
    if error is None:
        return [done]
    return [
        {
            "type": "error",
            "code": "agent_error",
            "message": error,
            "error": error,
            "param": None,
            "sequence_number": sequence_number,
            "trace_id": turn.trace_id,
        },
        {**done, "status": "error"},
    ]
