"""The request on its way in: its body, and then that its client has disconnected."""

from __future__ import annotations

import asyncio

from starlette.types import Message, Receive

from agent_feedback.agent.wire.request_context import RequestContext


class DisconnectListener:
    """The ``receive`` of one request's ASGI application.

    Once the request's body has been read, a task listens for the client's leaving. So the turn is
    told before the server notices, while the trace's span is still open and can be written.

    Args:
        context: Is told that the client has left.
        receive: The server's own ``receive``.
    """

    def __init__(self, context: RequestContext, receive: Receive) -> None:
        self._context = context
        self._receive = receive
        self._has_sent_all = False
        self._listener: asyncio.Task[None] | None = None

    async def receive(self) -> Message:
        """The request's body, then that the client has left."""
        if self._has_sent_all:
            await self._context.gone.wait()
            return {"type": "http.disconnect"}
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._context.leave()
        elif not message.get("more_body", False):
            self._has_sent_all = True
            self._listener = asyncio.create_task(self._listen())
        return message

    def close(self) -> None:
        """The request is over."""
        if self._listener is not None:
            self._listener.cancel()

    async def _listen(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._context.leave()
