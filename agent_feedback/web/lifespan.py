"""Starts and stops feedback with the server, around the app's own lifespan, whichever it is."""

from __future__ import annotations

from collections.abc import Callable

import anyio.to_thread
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent_feedback.errors import ConfigurationError


class LifespanMiddleware:
    """Listens to the app's lifespan instead of replacing it: it may be set before or after.

    Args:
        app: The application.
        start: Called once the app's own start is complete.
        stop: Called once its own shutdown is.
    """

    def __init__(
        self, app: ASGIApp, *, start: Callable[[], None], stop: Callable[[], None]
    ) -> None:
        self._app = app
        self._start = start
        self._stop = stop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI connection."""
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return

        await _Lifespan(self._start, self._stop, receive, send).run(self._app, scope)


class _Lifespan:
    """One life of the application, with ours within it."""

    def __init__(
        self, start: Callable[[], None], stop: Callable[[], None], receive: Receive, send: Send
    ) -> None:
        self._start = start
        self._stop = stop
        self._receive = receive
        self._send = send
        self._failure: ConfigurationError | None = None

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        """Live; where our start fails, the app is closed first, as it was opened."""
        await app(scope, self._next, self._tell)
        if self._failure is not None:
            await self._send({"type": "lifespan.startup.failed", "message": str(self._failure)})

    async def _next(self) -> Message:
        return {"type": "lifespan.shutdown"} if self._failure else await self._receive()

    async def _tell(self, message: Message) -> None:
        if message["type"] == "lifespan.startup.complete":
            try:
                await anyio.to_thread.run_sync(self._start)
            except ConfigurationError as error:
                self._failure = error
        elif message["type"].startswith("lifespan.shutdown.") and self._failure is None:
            await anyio.to_thread.run_sync(self._stop)
        if self._failure is None:
            await self._send(message)
