"""Threads for synchronous handlers, which MLflow would run on the event loop.

A thread sees the handler's world as the loop does: the active span, MLflow's request headers and
the application's own context variables. A generator keeps one thread and one context for all its
steps, so that spans held open across its ``yield``s nest and close as written.
"""

from __future__ import annotations

import asyncio
import copy
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable
from functools import partial
from typing import Any, TypeVar

import anyio
import anyio.to_thread

T = TypeVar("T")

_MAX_THREADS = 256
_AHEAD = 16
_LOOK_SECONDS = 1.0
_END = object()
_UNCHANGING = {str, int, float, bool, type(None)}


class HandlerThreads:
    """A pool of its own, so that slow handlers starve nothing else of threads."""

    def __init__(self) -> None:
        self._limiter = anyio.CapacityLimiter(_MAX_THREADS)

    async def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run a function to its end: a thread cannot be interrupted, and its answer is kept."""
        run = partial(function, *arguments)
        with anyio.CancelScope(shield=True):
            return await anyio.to_thread.run_sync(run, limiter=self._limiter)
        raise AssertionError("a shielded scope swallows nothing")

    async def iterate(
        self, start: Callable[[], Iterable[T]], *, ahead: bool = True
    ) -> AsyncGenerator[T, None]:
        """Yield what the iterable that ``start`` makes yields, produced in one thread.

        The thread runs up to 16 items ahead, and hands over what each of them was when it came.
        Without ``ahead`` it hands over the very items, and goes on when it is asked for the next.
        Closing this closes the iterable at its next step, and waits for that.
        """
        loop = asyncio.get_running_loop()
        channel: _Channel = _Channel(loop) if ahead else _StepByStep(loop)
        producer = asyncio.ensure_future(
            anyio.to_thread.run_sync(_produce, start, channel, limiter=self._limiter)
        )
        try:
            while (item := await channel.get()) is not _END:
                yield item
        finally:
            channel.close()
            with anyio.CancelScope(shield=True):
                await asyncio.wait([producer])
        await producer


def as_it_is_now(item: Any) -> Any:
    """A copy that stays as it is when a handler goes on to change what it has handed over."""
    if type(item) is dict and _UNCHANGING.issuperset(map(type, item.values())):
        return item.copy()
    try:
        return copy.deepcopy(item)
    except Exception:  # noqa: BLE001 - whatever cannot be copied is handed on as it is
        return item


def _produce(start: Callable[[], Iterable[T]], channel: _Channel) -> None:
    try:
        iterable = start()
        try:
            for item in iterable:
                if not channel.put(item):
                    break
        finally:
            if close := getattr(iterable, "close", None):
                close()
    finally:
        channel.end()


class _Channel:
    """Hands items from one thread to the event loop, waking it once for many of them."""

    _goes_on_below = _AHEAD // 2

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._items: deque[Any] = deque()
        self._ready = asyncio.Event()
        self._drained = threading.Event()
        self._notified = False
        self._closed = False

    def put(self, item: Any) -> bool:
        """From the thread: hand over an item, wait while the reader lags; false once closed."""
        self._append(as_it_is_now(item))
        if len(self._items) >= _AHEAD:
            self._drained.clear()
            if len(self._items) >= _AHEAD:
                self._wait()
        return not self._closed

    def _wait(self) -> None:
        # A loop that was closed over an unfinished stream asks for nothing any more.
        while not (self._closed or self._drained.wait(_LOOK_SECONDS)):
            self._closed = self._loop.is_closed()

    def end(self) -> None:
        """From the thread: there is no more."""
        self._append(_END)

    async def get(self) -> Any:
        """From the loop: the next item, or the end mark."""
        while not self._items:
            self._ready.clear()
            self._notified = False
            if not self._items:  # one may have come before the flag was lowered
                await self._ready.wait()
        item = self._items.popleft()
        if len(self._items) < self._goes_on_below:
            self._drained.set()
        return item

    def close(self) -> None:
        """From the loop: nobody reads any more."""
        self._closed = True
        self._drained.set()

    def _append(self, item: Any) -> None:
        self._items.append(item)
        if not self._notified:
            self._notified = True
            try:
                self._loop.call_soon_threadsafe(self._ready.set)
            except RuntimeError:  # the loop is gone, and nobody reads any more
                self._closed = True


class _StepByStep(_Channel):
    """Hands over one item at a time, as a loop over a generator does."""

    _goes_on_below = 0  # only a reader who asks for more lets the thread go on

    def put(self, item: Any) -> bool:
        """From the thread: hand over an item, wait until the next is asked for."""
        self._drained.clear()
        self._append(item)
        self._wait()
        return not self._closed

    async def get(self) -> Any:
        """From the loop: ask for the next item, or the end mark."""
        self._drained.set()
        return await super().get()
