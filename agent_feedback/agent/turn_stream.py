"""A stream of events on its way to a client: its turn, what it sent so far, how it is closed."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from typing import Any, Final

from agent_feedback.agent.adapters.plain import PlainAdapter
from agent_feedback.agent.closing_events import closing_events
from agent_feedback.agent.live_turn import LiveTurn
from agent_feedback.agent.wire.request_context import RequestContext
from agent_feedback.mlflow_client.active_trace import ActiveTrace
from agent_feedback.model import Turn

logger = logging.getLogger(__name__)

HELD_BACK: Final = object()
"""What a stream takes and does not hand on: a handler's own ``done``, until the end."""


class TurnStream:
    """A stream that answers a request of the server.

    Args:
        live: Its turn.
        context: Its request.
        adapter: What the server accepts.
        sentence: What a client is told of an exception.
    """

    def __init__(
        self,
        live: LiveTurn,
        context: RequestContext,
        adapter: PlainAdapter,
        sentence: Callable[[BaseException], str],
    ) -> None:
        self._live = live
        self._context = context
        self._adapter = adapter
        self._sentence = sentence
        self._events: list[dict[str, Any]] = []
        self._own_done: dict[str, Any] = {}
        context.client_left = self.interrupt

    @property
    def turn(self) -> Turn:
        """What the handler may know of it."""
        return self._live.turn

    def take(self, value: Any) -> Any:
        """Check what the handler yields, and return what the server gets.

        Raises:
            ValueError, TypeError: the server would refuse it.
        """
        event = self._adapter.event(value)
        if event.get("type") == "done":
            self._own_done.update(event)
            self._live.rename_request(event.get("client_request_id"))
            return HELD_BACK
        self._events.append(event)
        return self._adapter.handed_over(event)

    def interrupt(self) -> None:
        """The client left: keep what was sent."""
        self._live.interrupt(self._adapter.partial_output(self._events))

    async def finish(self) -> list[dict[str, Any]]:
        """The handler ended; returns the events that the server gets after its own."""
        await self._live.know_asker()
        self._live.finish()
        return self._closing(None)

    async def fail(self, error: BaseException) -> list[dict[str, Any]]:
        """The handler raised; returns the events that the server gets after its own."""
        logger.error("agent_feedback: the agent's stream failed", exc_info=error)
        await self._live.know_asker()
        self._live.fail(error)
        return self._closing(self._sentence(error))

    def _closing(self, error: str | None) -> list[dict[str, Any]]:
        number = len(self._events)
        events = closing_events(self.turn, self._own_done, error=error, sequence_number=number)
        if self._adapter.sends_closing_events:
            return events
        # As events of the handler they would become part of the trace's output.
        self._context.close_stream_with(events)
        return []


class StreamOutside:
    """A stream outside a request, as in a test: everything is handed on as it is."""

    def __init__(self) -> None:
        self.turn = turn_outside()

    def take(self, value: Any) -> Any:
        """Hand on what the handler yields."""
        return value

    def interrupt(self) -> None:
        """Nothing was captured."""

    async def finish(self) -> list[dict[str, Any]]:
        """Add nothing."""
        return []

    async def fail(self, error: BaseException) -> list[dict[str, Any]]:
        """Raise the handler's own exception."""
        raise error


def turn_outside() -> Turn:
    """The turn of a handler that is called without a server: a test, or an evaluation."""
    return Turn(ActiveTrace().trace_id, client_request_id=str(uuid.uuid4()))
