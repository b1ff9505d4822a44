"""Agents of type ``ResponsesAgent``: typed events, and ids that may go through the server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlflow.genai.agent_server.validator import ResponsesAgentValidator
from mlflow.types.responses import (
    ResponsesAgentStreamEvent,
    create_text_output_item,
    responses_agent_output_reducer,
)

from agent_feedback.agent.adapters.plain import NOTHING_ANSWERED, PlainAdapter, ids_of
from agent_feedback.model import Turn


class _Checked(ResponsesAgentStreamEvent):
    """An event that passed the server's check, which it passes again at once and as it is."""

    def model_dump(self, **_: Any) -> dict[str, Any]:
        """The event as it goes on the wire."""
        return self.__dict__


class ResponsesAdapter(PlainAdapter):
    """Agents of type ``ResponsesAgent``: typed events, and ids that its reducer passes over."""

    sends_closing_events = True

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
        """The answer, with the ids where clients of either kind look for them."""
        answer = {**ids_of(turn), **result}
        if turn.trace_id is not None:
            answer["metadata"] = {"trace_id": turn.trace_id, **(result.get("metadata") or {})}
        return answer

    def missing_ids(self, result: dict[str, Any], turn: Turn) -> dict[str, Any]:
        """Nothing: the ids go through the server."""
        return {}

    def answer_of(self, pieces: Sequence[Any]) -> Any:
        """The answer of a generator: a response that it yielded last, else its events' items."""
        if not pieces:
            raise ValueError(NOTHING_ANSWERED)
        last = pieces[-1]
        if hasattr(last, "output") or (isinstance(last, Mapping) and "output" in last):
            return last
        return responses_agent_output_reducer([self.event(piece) for piece in pieces])

    def partial_output(self, events: Sequence[dict[str, Any]]) -> Any:
        """What was sent so far as a response: finished items, and the text of begun ones."""
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

    def partial_answer(self, pieces: Sequence[Any]) -> dict[str, Any]:
        """What a generator had yielded of an answer, with the text of an item that it had begun."""
        try:
            sent = self.partial_output([self.event(piece) for piece in pieces])
        except (ValueError, TypeError):
            sent = super().partial_answer(pieces)
        return sent or {"output": []}
