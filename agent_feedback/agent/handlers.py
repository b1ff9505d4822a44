"""The four kinds of handler, told apart once, when they are decorated."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable
from typing import Any, TypeVar

from agent_feedback.agent.handler_threads import HandlerThreads
from agent_feedback.errors import ConfigurationError
from agent_feedback.model import Turn

Handler = Callable[..., Any]
F = TypeVar("F", bound=Handler)

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class HandlerRunner:
    """Runs one handler, whatever its kind, without blocking the event loop.

    Args:
        handler: A synchronous or asynchronous function or generator of ``(request)`` or
            ``(request, turn)``.
        threads: Where synchronous ones run.

    Raises:
        ConfigurationError: the server could never call this.
    """

    def __init__(self, handler: Handler, threads: HandlerThreads) -> None:
        self._handler = handler
        self._threads = threads
        self._takes_turn = _takes_turn(handler)
        self._is_coroutine = inspect.iscoroutinefunction(handler)
        self._is_lazy = inspect.isgeneratorfunction(handler) or inspect.isasyncgenfunction(handler)

    async def outcome(self, request: Any, turn: Turn) -> Any:
        """What the handler returns: a value, or a generator that has not begun."""
        arguments = (request, turn) if self._takes_turn else (request,)
        if self._is_coroutine:
            return await self._handler(*arguments)
        if self._is_lazy:
            return self._handler(*arguments)
        returned = await self._threads.call(self._handler, *arguments)
        return await returned if inspect.isawaitable(returned) else returned

    def events(self, outcome: Any, *, ahead: bool = True) -> AsyncGenerator[Any, None]:
        """The events of an outcome, each of its kind's steps where it belongs.

        Args:
            outcome: What the handler returned.
            ahead: Let a synchronous one run ahead of its reader, who then gets copies.

        Raises:
            TypeError: it is nothing to iterate over.
        """
        if isinstance(outcome, AsyncGenerator):
            return outcome
        if isinstance(outcome, AsyncIterable):
            return _generated(outcome)
        if isinstance(outcome, Iterable) and not isinstance(outcome, (str, bytes, dict)):
            return self._threads.iterate(lambda: outcome, ahead=ahead)
        raise TypeError(
            f"a stream handler yields events or returns an iterable of them,"
            f" not {type(outcome).__name__}"
        )

    def name(self, registered: F) -> F:
        """Give the wrapper the handler's name: MLflow calls the span by it."""
        functools.update_wrapper(registered, self._handler)
        if not hasattr(self._handler, "__name__"):
            registered.__name__ = type(self._handler).__name__
        # inspect.signature would follow it, and the wrapper takes one argument.
        del registered.__wrapped__  # type: ignore[attr-defined]
        return registered


def is_stream(outcome: Any) -> bool:
    """Whether an answer comes in pieces."""
    return inspect.isgenerator(outcome) or inspect.isasyncgen(outcome)


async def _generated(events: AsyncIterable[Any]) -> AsyncGenerator[Any, None]:
    async for event in events:
        yield event


def _takes_turn(handler: Handler) -> bool:
    if not callable(handler):
        raise ConfigurationError(
            f"decorate the handler function itself, not a {type(handler).__name__}."
        )
    parameters = inspect.signature(handler).parameters.values()
    positional = [p for p in parameters if p.kind in _POSITIONAL]
    required = [p.kind for p in parameters if p.default is p.empty]
    takes_any = inspect.Parameter.VAR_POSITIONAL in required
    if (
        sum(kind in _POSITIONAL for kind in required) > 2
        or inspect.Parameter.KEYWORD_ONLY in required
        or not (positional or takes_any)
    ):
        raise ConfigurationError(
            f"a handler takes (request) or (request, turn):"
            f" change the parameters of {getattr(handler, '__name__', 'the handler')}."
        )
    return len(positional) >= 2
