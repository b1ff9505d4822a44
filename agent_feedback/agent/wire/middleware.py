"""The middleware around the agent server's own routes.

A pure ASGI middleware. It lets the handler's wrapper know that it answers a request. The request's
messages pass through a :class:`DisconnectListener` on their way in, and an :class:`Answer` on their
way out.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent_feedback.agent.wire.answer import Answer
from agent_feedback.agent.wire.disconnect import DisconnectListener
from agent_feedback.agent.wire.request_context import CurrentRequest, RequestContext

AGENT_ROUTES = ("/invocations", "/responses")
_CLOSING_SECONDS = 3.0


class AgentRoutesMiddleware:
    """Opens a :class:`RequestContext` for every request to an agent route; passes on all others.

    Args:
        app: What answers.
        current: Where the handler's wrapper finds the context.
    """

    def __init__(self, app: ASGIApp, *, current: CurrentRequest) -> None:
        self._app = app
        self._current = current
        self._running: set[asyncio.Task[Any]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI connection."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, self._after_requests(send))
        elif _is_agent_request(scope):
            await self._answer(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        context = RequestContext(scope["headers"])
        answer = Answer(context, send)
        listener = DisconnectListener(context, receive)
        token = self._current.set(context)
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._running.add(task)
        try:
            await self._app(_uncompressed(scope), listener.receive, answer.send)
        finally:
            self._running.discard(task)
            self._current.reset(token)
            answer.close()
            listener.close()

    def _after_requests(self, send: Send) -> Send:
        """Say that the app is shut down only after the requests that its stop cancelled have ended.

        They close their traces then. uvicorn does not wait for them, and once the app is shut down
        it ends its own process with the signal that had stopped it.
        """

        async def send_late(message: Message) -> None:
            if message["type"].startswith("lifespan.shutdown.") and self._running:
                await asyncio.wait(self._running, timeout=_CLOSING_SECONDS)
            await send(message)

        return send_late


def _is_agent_request(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["method"] != "POST":
        return False
    return scope["path"].removeprefix(scope.get("root_path", "")) in AGENT_ROUTES


def _uncompressed(scope: Scope) -> Scope:
    """Nothing between us and the server may compress: answers could not be added to."""
    headers = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
    return {**scope, "headers": headers}
