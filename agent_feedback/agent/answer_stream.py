"""A stream of events on its way to a client: its turn, what it said so far, how it is closed."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from typing import Any, Final

from agent_feedback.agent.conventions import PlainAgent, closing_events
from agent_feedback.agent.exchange import Exchange
from agent_feedback.agent.turns import LiveTurn
from agent_feedback.doors.active_trace import ActiveTrace
from agent_feedback.model import Turn

logger = logging.getLogger(__name__)

HELD_BACK: Final = object()
"""What a stream takes and does not hand on: a handler's own ``done``, until the end."""


class AnswerStream:
    """A stream that answers a request of the server.

    Args:
        live: Its turn.
        exchange: Its request.
        convention: What the server accepts.
        sentence: What a client is told of an exception.
    """

    def __init__(
        self,
        live: LiveTurn,
        exchange: Exchange,
        convention: PlainAgent,
        sentence: Callable[[BaseException], str],
    ) -> None:
        self._live = live
        self._exchange = exchange
        self._convention = convention
        self._sentence = sentence
        self._said: list[dict[str, Any]] = []
        self._own_done: dict[str, Any] = {}
        exchange.client_left = self.interrupt

    @property
    def turn(self) -> Turn:
        """What the handler may know of it."""
        return self._live.turn

    def take(self, value: Any) -> Any:
        """Check what the handler yields, and return what the server gets.

        Raises:
            ValueError, TypeError: the server would refuse it.
        """
        event = self._convention.event(value)
        if event.get("type") == "done":
            self._own_done.update(event)
            self._live.call_request(event.get("client_request_id"))
            return HELD_BACK
        self._said.append(event)
        return self._convention.handed_over(event)

    def interrupt(self) -> None:
        """The client left: keep what was said."""
        self._live.interrupt(self._convention.said(self._said))

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
        said = len(self._said)
        events = closing_events(self.turn, self._own_done, error=error, sequence_number=said)
        if self._convention.speaks_closing_events:
            return events
        self._exchange.close_stream_with(events, after=said)
        return []


class StreamOutside:
    """A stream that nobody's request asked for: everything is handed on as it is."""

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
