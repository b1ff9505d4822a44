"""The handlers' wrappers: what MLflow's agent server calls instead of a decorated function.

Inside a request of the server, a wrapper opens a turn, runs the handler without ever blocking the
event loop, checks what it hands over, and closes the turn however it ends. Outside, it hands on
exactly what the handler returned.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import anyio
from mlflow.genai.agent_server import get_request_headers

from agent_feedback.agent.adapters.selection import adapter_of
from agent_feedback.agent.handler_threads import HandlerThreads, as_it_is_now
from agent_feedback.agent.handlers import Handler, HandlerRunner, is_stream
from agent_feedback.agent.turn_stream import (
    HELD_BACK,
    StreamOutside,
    TurnStream,
    turn_outside,
)
from agent_feedback.agent.turns import Turns
from agent_feedback.agent.wire.request_context import CurrentRequest, RequestContext
from agent_feedback.guard import Guard

_PAUSES = (*[False] * 63, True)
_GENERIC_ERROR = "The agent could not answer. The error is on the trace."


class AgentFailed(Exception):
    """What the server is told instead of a handler's own exception, whose text may hold secrets."""


class Wrappers:
    """Makes the wrapper for each kind of handler.

    Args:
        turns: Opens turns.
        current: The context of the request that is being answered, if any.
        guard: Says once that nothing is mounted.
        expose_errors: Show clients the real exception.
    """

    def __init__(
        self, turns: Turns, current: CurrentRequest, guard: Guard, *, expose_errors: bool
    ) -> None:
        self._turns = turns
        self._current = current
        self._guard = guard
        self._expose_errors = expose_errors
        self._threads = HandlerThreads()

    def invoke(self, handler: Handler) -> Handler:
        """The wrapper of a handler that answers in one piece."""
        runner = HandlerRunner(handler, self._threads)

        async def registered(request: Any) -> Any:
            context = self._request_context()
            if context is None:
                return await runner.outcome(request, turn_outside())
            return await self._answer(runner, request, context)

        return runner.name(registered)

    def stream(self, handler: Handler) -> Handler:
        """The wrapper of a handler that answers in events."""
        runner = HandlerRunner(handler, self._threads)

        # A partial, not a generator around the generator: every layer costs every event.
        return runner.name(functools.partial(self._events, runner))

    def _request_context(self) -> RequestContext | None:
        """The request that is being answered; ``None`` where a test or an evaluation calls."""
        context = self._current.get()
        if context is None and get_request_headers():  # MLflow's, inside its own routes only
            self._guard.log_once(
                "answers cannot be rated, because feedback is not mounted on this server: call"
                " feedback.mount(server) where the AgentServer is made."
            )
        return context

    # -- inside a request ---------------------------------------------------------------------

    async def _answer(self, runner: HandlerRunner, request: Any, context: RequestContext) -> Any:
        adapter = adapter_of(request)
        live = self._turns.open_request(request, context.headers)
        answer: dict[str, Any] = {}
        pieces: list[Any] = []
        scope = anyio.CancelScope()
        context.client_left = scope.cancel
        try:
            with scope:
                outcome = await runner.outcome(request, live.turn)
                if is_stream(outcome):
                    async with aclosing(runner.events(outcome)) as events:
                        async for piece in events:
                            pieces.append(as_it_is_now(piece))  # noqa: PERF401 - kept when it fails
                    outcome = adapter.answer_of(pieces)
                answer = adapter.result(outcome)
                live.rename_request(answer.get("client_request_id"))
                await live.know_asker()
        except BaseException as error:
            if _is_told_to_stop(error):  # not by the client: the server itself is stopping
                live.interrupt(None)
                raise
            await live.know_asker()
            live.fail(error)
            context.add_to_json({"trace_id": live.turn.trace_id})
            raise AgentFailed(self._sentence(error)) from error
        if scope.cancel_called:
            live.interrupt(None)
            return answer or adapter.partial_answer(pieces)
        live.finish()
        context.add_to_json(adapter.missing_ids(answer, live.turn))
        return adapter.with_ids(answer, live.turn)

    async def _events(self, runner: HandlerRunner, request: Any) -> AsyncGenerator[Any, None]:
        context = self._request_context()
        stream = self._begin(request, context) if context else StreamOutside()
        # A handler that never awaits would block the loop: other requests, and its cancellation.
        pauses = itertools.cycle(_PAUSES)
        is_waiting = False
        try:
            outcome = await runner.outcome(request, stream.turn)
            async with aclosing(runner.events(outcome, ahead=context is not None)) as events:
                async for value in events:
                    event = stream.take(value)
                    if event is not HELD_BACK:
                        is_waiting = True  # a reader that wants no more closes us here
                        yield event
                        is_waiting = False
                    if next(pauses):
                        await asyncio.sleep(0)
        except BaseException as error:
            if is_waiting or _is_told_to_stop(error):
                stream.interrupt()
                raise
            closing = await stream.fail(error)
        else:
            closing = await stream.finish()
        for event in closing:
            yield event

    def _begin(self, request: Any, context: RequestContext) -> TurnStream:
        live = self._turns.open_request(request, context.headers)
        return TurnStream(live, context, adapter_of(request), self._sentence)

    def _sentence(self, error: BaseException) -> str:
        return f"{type(error).__name__}: {error}" if self._expose_errors else _GENERIC_ERROR


def _is_told_to_stop(error: BaseException) -> bool:
    """Whether the handler was cancelled, or the process is stopping: it did not fail.

    Libraries leak the cancellation of their own inner tasks: that is a failure like any other.
    Python 3.10 cannot tell one from the other.
    """
    if not isinstance(error, asyncio.CancelledError):
        return not isinstance(error, Exception)
    cancelling = getattr(asyncio.current_task(), "cancelling", None)
    return cancelling is None or cancelling() > 0
