"""Starts and stops feedback with the server, around the app's own lifespan, whichever it is."""

from __future__ import annotations

from typing import Protocol

import anyio.to_thread
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent_feedback.errors import ConfigurationError


class LifespanHooks(Protocol):
    """What feedback does when the app starts and stops."""

    def start(self) -> None:
        """The app's own start is complete. Runs in a thread."""

    async def started(self, scope: Scope) -> None:
        """Ours is, too; the lifespan's ``scope`` has the state that requests will see."""

    def stop(self) -> None:
        """The app's own shutdown is complete. Runs in a thread."""

    def not_told(self) -> None:
        """The app answers a request, and was never told of its start. Called once."""


class LifespanMiddleware:
    """Listens to the app's lifespan instead of replacing it: it may be set before or after.

    Args:
        app: The application.
        hooks: What to do when.
    """

    def __init__(self, app: ASGIApp, *, hooks: LifespanHooks) -> None:
        self._app = app
        self._hooks = hooks
        self._was_told = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI connection."""
        if scope["type"] == "lifespan":
            self._was_told = True
            await _Lifespan(self._hooks, receive, send).run(self._app, scope)
            return
        if not self._was_told:  # a server sends nothing else before the app's start is complete
            self._was_told = True
            self._hooks.not_told()
        await self._app(scope, receive, send)


class _Lifespan:
    """One start and stop of the application, with ours within it."""

    def __init__(self, hooks: LifespanHooks, receive: Receive, send: Send) -> None:
        self._hooks = hooks
        self._receive = receive
        self._send = send
        self._scope: Scope = {}
        self._failure: ConfigurationError | None = None

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        """Run the app's lifespan; where our start fails, the app is shut down before we say so."""
        self._scope = scope
        await app(scope, self._next, self._tell)
        if self._failure is not None:
            await self._send({"type": "lifespan.startup.failed", "message": str(self._failure)})

    async def _next(self) -> Message:
        return {"type": "lifespan.shutdown"} if self._failure else await self._receive()

    async def _tell(self, message: Message) -> None:
        if message["type"] == "lifespan.startup.complete":
            try:
                await anyio.to_thread.run_sync(self._hooks.start)
                await self._hooks.started(self._scope)
            except ConfigurationError as error:
                self._failure = error
        elif message["type"].startswith("lifespan.shutdown.") and self._failure is None:
            await anyio.to_thread.run_sync(self._hooks.stop)
        if self._failure is None:
            await self._send(message)
