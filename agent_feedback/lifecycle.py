"""What a mounted application does at its start and at its stop."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from fastapi import FastAPI
from starlette.types import Scope

from agent_feedback.application import Application
from agent_feedback.web.reachability import is_hidden


class Lifecycle:
    """The hooks of :class:`~agent_feedback.web.lifespan.LifespanMiddleware`.

    Args:
        parts: What starts and stops.
        app: What it is mounted on.
        problems: Says, at the moment of the start, which answers cannot be rated, and why.
    """

    def __init__(
        self, parts: Application, app: FastAPI, problems: Callable[[], Iterable[str]]
    ) -> None:
        self._parts = parts
        self._app = app
        self._problems = problems
        self._prefix = parts.settings.prefix

    def start(self) -> None:
        """Open the ledger and deliver what is left in it."""
        self._parts.start()

    async def started(self, scope: Scope) -> None:
        """Log what keeps answers from being rated, where the app can start all the same."""
        guard = self._parts.guard
        with guard.protect("checking whether answers can be rated"):
            self._log_problems()
            if await is_hidden(self._app, self._prefix, scope):
                guard.log_once(
                    f"another route or middleware answers GET {self._prefix}/settings:"
                    " call feedback.mount(server) before what catches every path is added"
                    ' (StaticFiles at "/", a catch-all route),'
                    " or set AGENT_FEEDBACK_PREFIX to a path that is free."
                )

    def stop(self) -> None:
        """Deliver what can be."""
        self._parts.stop()

    def not_told(self) -> None:
        """Log that the app will not be told of its stop either."""
        guard = self._parts.guard
        with guard.protect("checking whether answers can be rated"):
            self._parts.warn_of_configuration()
            self._log_problems()
            guard.log_once(
                "this app is never told that it starts or stops (it is mounted inside another app,"
                " or its server runs with lifespan off): delivery starts with the first turn or"
                " rating, and what is undelivered at a stop waits for the next start. To deliver"
                " at the stop, run its lifespan: serve it on its own with lifespan on, or let the"
                " outer app run it (asgi_lifespan.LifespanManager)."
            )

    def _log_problems(self) -> None:
        for problem in self._problems():
            self._parts.guard.log_once(problem)
