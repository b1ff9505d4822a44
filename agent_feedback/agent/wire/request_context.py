"""What a handler's wrapper and the middleware tell each other about one request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from typing import Any

from agent_feedback.agent.wire import sse
from agent_feedback.identity.headers import RawHeaders


class RequestContext:
    """One request to an agent route.

    Attributes:
        headers: The request's raw headers, duplicates included.
        client_left: Called once when the client leaves before the answer is complete.
        json_members: What is added to the JSON object that the server answers with.
        closing_frames: What is sent at the end of the stream that the server answers with.
        is_answered: Whether the last message of the answer is out.
        gone: Set when the client has left.
    """

    def __init__(self, headers: RawHeaders) -> None:
        self.headers = tuple(headers)
        self.client_left: Callable[[], None] = lambda: None
        self.json_members: dict[str, Any] = {}
        self.closing_frames = b""
        self.is_answered = False
        self.gone = asyncio.Event()

    def leave(self) -> None:
        """The client has left: tell the turn, unless the answer is complete. May come twice."""
        if not self.is_answered and not self.gone.is_set():
            self.client_left()
        self.gone.set()

    def add_to_json(self, members: Mapping[str, Any]) -> None:
        """Add members to the JSON object that the server will answer with."""
        self.json_members.update(members)

    def close_stream_with(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Send these events once the handler's are out, before the server's ``[DONE]``."""
        self.closing_frames = b"".join(map(sse.frame, events))


CurrentRequest = ContextVar[RequestContext | None]
