"""How answers look for each agent type: what the server accepts, and where ids go.

The server checks what a handler hands over after the handler's wrapper, where a refusal ends the
stream without ``done`` and puts the value on the wire. So its own rules are applied before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from typing import Any

from mlflow.genai.agent_server.validator import BaseAgentValidator, ResponsesAgentValidator
from mlflow.types.responses import (
    ResponsesAgentRequest,
    ResponsesAgentStreamEvent,
    create_text_output_item,
    responses_agent_output_reducer,
)

from agent_feedback.model import Turn

_NOTHING_SAID = "the handler ended without an answer"


_SCALARS = {str, int, float, bool, type(None)}


class _Checked(ResponsesAgentStreamEvent):
    """An event that passed the server's check, which it passes again at once and as it is."""

    def model_dump(self, **_: Any) -> dict[str, Any]:
        """The event as it goes on the wire."""
        return self.__dict__


class PlainAgent:
    """Agents of no type: any object is an answer, and spans hold only what handlers said."""

    speaks_closing_events = False
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
        return {name: value for name, value in _ids(turn).items() if name not in result}

    def whole(self, pieces: Sequence[Any]) -> Any:
        """The answer of a generator: the last thing it yielded."""
        if not pieces:
            raise ValueError(_NOTHING_SAID)
        return pieces[-1]

    def said(self, events: Sequence[dict[str, Any]]) -> Any:
        """What an unfinished stream said so far, as an output; ``None`` for nothing."""
        return list(events) or None

    def unfinished(self, pieces: Sequence[Any]) -> dict[str, Any]:
        """What a generator had said of an answer when its client left. Refuses nothing."""
        try:
            return self.result(self.whole(pieces))
        except (ValueError, TypeError):
            return {}


class ResponsesConvention(PlainAgent):
    """Agents of type ``ResponsesAgent``: typed events, and ids that its reducer passes over."""

    speaks_closing_events = True

    def __init__(self) -> None:
        self._validator = ResponsesAgentValidator()

    def _on_wire(self, value: Any) -> dict[str, Any]:
        if type(value) is dict:
            self._validator.validate_pydantic(ResponsesAgentStreamEvent, value)
            return value
        return self._validator.validate_and_convert_result(value, stream=True)

    def handed_over(self, event: dict[str, Any]) -> Any:
        """A checked event that the server need not check again."""
        checked = _Checked.__new__(_Checked)
        object.__setattr__(checked, "__dict__", event)
        return checked

    def with_ids(self, result: dict[str, Any], turn: Turn) -> dict[str, Any]:
        """The answer, with the ids where clients of either convention look."""
        answer = {**_ids(turn), **result}
        if turn.trace_id is not None:
            answer["metadata"] = {"trace_id": turn.trace_id, **(result.get("metadata") or {})}
        return answer

    def missing_ids(self, result: dict[str, Any], turn: Turn) -> dict[str, Any]:
        """Nothing: the ids go through the server."""
        return {}

    def whole(self, pieces: Sequence[Any]) -> Any:
        """The answer of a generator: a response that it yielded last, else its events' items."""
        if not pieces:
            raise ValueError(_NOTHING_SAID)
        last = pieces[-1]
        if hasattr(last, "output") or (isinstance(last, Mapping) and "output" in last):
            return last
        return responses_agent_output_reducer([self.event(piece) for piece in pieces])

    def said(self, events: Sequence[dict[str, Any]]) -> Any:
        """What was said so far as a response: finished items, and the text of begun ones."""
        finished: dict[str, Any] = {}
        text: dict[str, str] = {}
        for event in events:
            if event.get("type") == "response.output_item.done":
                item = event["item"]
                finished[str(item.get("id", len(finished)))] = item
            elif event.get("type") == "response.output_text.delta":
                item_id = str(event.get("item_id", ""))
                text[item_id] = text.get(item_id, "") + str(event.get("delta", ""))
        begun = [create_text_output_item(t, i) for i, t in text.items() if i not in finished]
        output = [*finished.values(), *begun]
        return {"object": "response", "output": output} if output else None

    def unfinished(self, pieces: Sequence[Any]) -> dict[str, Any]:
        """What a generator had said of an answer, with the text of an item that it had begun."""
        try:
            said = self.said([self.event(piece) for piece in pieces])
        except (ValueError, TypeError):
            said = super().unfinished(pieces)
        return said or {"output": []}


PLAIN = PlainAgent()
RESPONSES = ResponsesConvention()


def convention_of(request: Any) -> PlainAgent:
    """The server gives its Responses agents a typed request, and others the bare object."""
    return RESPONSES if isinstance(request, ResponsesAgentRequest) else PLAIN


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
    said = {name: value for name, value in own_done.items() if value is not None}
    done = {"type": "done", **_ids(turn), "status": "ok", **said}
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


def _ids(turn: Turn) -> dict[str, Any]:
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
