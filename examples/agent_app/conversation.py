"""Reads a Responses request: the question, and the conversation that came with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlflow.types.responses import ResponsesAgentRequest

from examples.agent_app.sessions import PastTurn


@dataclass(frozen=True)
class Conversation:
    """The last question of the person, and the past_turns before it, oldest first."""

    question: str
    earlier: tuple[PastTurn, ...]


def read_conversation(request: ResponsesAgentRequest) -> Conversation:
    """Reads the request's messages; calls, results and system messages are skipped."""
    messages = [
        (str(item["role"]), _text(item.get("content")))
        for item in (entry.model_dump() for entry in request.input)
        if item.get("role") in ("user", "assistant")
    ]
    while messages and messages[-1][0] == "assistant":
        messages.pop()
    past_turns: list[PastTurn] = []
    for role, text in messages:
        if role == "user":
            past_turns.append(PastTurn(text, ""))
        elif past_turns:
            last = past_turns[-1]
            past_turns[-1] = PastTurn(last.question, f"{last.answer}{text}")
    if not past_turns:
        return Conversation("", ())
    *before, asked = past_turns
    return Conversation(asked.question, tuple(before))


def session_of(request: ResponsesAgentRequest) -> str | None:
    """The session that the request names, in the places that `agent_feedback` reads as well."""
    if request.context and request.context.conversation_id:
        return str(request.context.conversation_id)
    inputs: Mapping[str, Any] = request.custom_inputs or {}
    session = inputs.get("session_id") or inputs.get("thread_id")
    return session if isinstance(session, str) else None


def _text(content: object) -> str:
    """The text of a message, whose content is a string or a list of parts."""
    if isinstance(content, str):
        return content.strip()
    if not isinstance(content, list):
        return ""
    parts = [part.get("text") for part in content if isinstance(part, dict)]
    return "\n".join(text for text in parts if isinstance(text, str)).strip()
