"""Agents of no type: what the server accepts of them, and where ids go.

The server checks what a handler hands over after the handler's wrapper, where a refusal ends the
stream without ``done`` and puts the value on the wire. So its own rules are applied before.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from typing import Any

from mlflow.genai.agent_server.validator import BaseAgentValidator

from agent_feedback.model import Turn

NOTHING_ANSWERED = "the handler ended without an answer"
_SCALARS = {str, int, float, bool, type(None)}


class PlainAdapter:
    """Any object is an answer, and spans hold only what handlers sent."""

    sends_closing_events = False
    """Whether ``done`` may go through the server, which records what it sends as the output."""

    def __init__(self) -> None:
        self._validator = BaseAgentValidator()

    def event(self, value: Any) -> dict[str, Any]:
        """Check a stream's event by the server's own rules, and return it as on the wire.

        Raises:
            ValueError, TypeError: the server would refuse it.
        """
        if type(value) is not dict:
            value = _unframed(value) if isinstance(value, str) else _as_mapping(value)
        on_wire = self._on_wire(value)
        if not _SCALARS.issuperset(map(type, (*on_wire, *on_wire.values()))):
            json.dumps(on_wire)  # the server will; a flat event needs no trial
        return on_wire

    def handed_over(self, event: dict[str, Any]) -> Any:
        """A checked event for the server."""
        return event

    def _on_wire(self, value: Any) -> dict[str, Any]:
        if type(value) is dict:
            return value
        return self._validator.validate_and_convert_result(value, stream=True)

    def result(self, value: Any) -> dict[str, Any]:
        """Check an answer by the server's own rules, and return it as it will be on the wire.

        Raises:
            ValueError, TypeError: the server would refuse it.
        """
        on_wire = self._validator.validate_and_convert_result(_as_mapping(value))
        # As FastAPI will: it refuses NaN and lone surrogates outside the span, in plain text.
        json.dumps(on_wire, allow_nan=False, ensure_ascii=False).encode()
        return on_wire

    def with_ids(self, result: dict[str, Any], turn: Turn) -> dict[str, Any]:
        """The answer that goes through the server."""
        return result

    def missing_ids(self, result: dict[str, Any], turn: Turn) -> dict[str, Any]:
        """What must be added to the answer behind the server's back."""
        return {name: value for name, value in ids_of(turn).items() if name not in result}

    def answer_of(self, pieces: Sequence[Any]) -> Any:
        """The answer of a generator: the last thing it yielded."""
        if not pieces:
            raise ValueError(NOTHING_ANSWERED)
        return pieces[-1]

    def partial_output(self, events: Sequence[dict[str, Any]]) -> Any:
        """What an unfinished stream sent so far, as an output; ``None`` for nothing."""
        return list(events) or None

    def partial_answer(self, pieces: Sequence[Any]) -> dict[str, Any]:
        """What a generator had yielded of an answer when its client left. Refuses nothing."""
        try:
            return self.result(self.answer_of(pieces))
        except (ValueError, TypeError):
            return {}


def ids_of(turn: Turn) -> dict[str, Any]:
    """The ids that every answer carries."""
    return {"trace_id": turn.trace_id, "client_request_id": turn.client_request_id}


def _as_mapping(value: Any) -> Any:
    """A dataclass as the server takes it for agents of any type: on its own it would not."""
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def _unframed(frame: str) -> Any:
    """The object in a string that is one ``data: {json}`` frame; other strings stay strings."""
    text = frame.strip()
    if text.startswith("data:") and "\n" not in text:
        try:
            return json.loads(text[len("data:") :])
        except ValueError:
            pass
    return frame
