"""How the routes and the Python API wait: for a trace to appear, and for MLflow to store.

The operations never wait themselves, so this is the only code that exists for both worlds.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from agent_feedback.errors import TraceNotFound, Unavailable
from agent_feedback.service.receipts import Submission

T = TypeVar("T")

_ASK_AGAIN_SECONDS = 0.5
_MAX_WAITING = 100


class Waiting:
    """Waits within one application's bounds.

    Args:
        unknown_seconds: How long an unknown trace is asked for.
        delivery_seconds: How long an answer waits for MLflow.
    """

    def __init__(self, unknown_seconds: float, delivery_seconds: float) -> None:
        self._unknown_seconds = unknown_seconds
        self._delivery_seconds = delivery_seconds
        self._waiting = 0

    async def for_trace(self, operation: Callable[[], Awaitable[T]]) -> T:
        """Repeat ``operation`` while its trace is unknown. Holds no thread between attempts.

        Raises:
            TraceNotFound: it stayed unknown.
            Unavailable: too many wait already.
        """
        deadline = time.monotonic() + self._unknown_seconds
        try:
            return await operation()
        except TraceNotFound as error:
            self._give_up_if(error, deadline)
        if self._waiting >= _MAX_WAITING:
            raise Unavailable("Too many ratings wait for their traces: try again in a moment.")
        self._waiting += 1  # each attempt costs MLflow a search
        try:
            while True:
                await asyncio.sleep(_ASK_AGAIN_SECONDS)
                try:
                    return await operation()
                except TraceNotFound as error:
                    self._give_up_if(error, deadline)
        finally:
            self._waiting -= 1

    def for_trace_blocking(self, operation: Callable[[], T]) -> T:
        """As :meth:`for_trace`, in the caller's thread."""
        deadline = time.monotonic() + self._unknown_seconds
        while True:
            try:
                return operation()
            except TraceNotFound as error:
                self._give_up_if(error, deadline)
            time.sleep(_ASK_AGAIN_SECONDS)

    async def for_delivery(self, submission: Submission) -> None:
        """Wait until MLflow holds the ratings, within the time that an answer may take."""
        if submission.awaited and self._delivery_seconds:
            done = [asyncio.wrap_future(awaited) for awaited in submission.awaited]
            try:
                await asyncio.wait(done, timeout=self._delivery_seconds)
            finally:  # the request may be cancelled
                submission.stop_waiting()

    def for_delivery_blocking(self, submission: Submission) -> None:
        """As :meth:`for_delivery`, in the caller's thread."""
        concurrent.futures.wait(submission.awaited, timeout=self._delivery_seconds)

    @staticmethod
    def _give_up_if(error: TraceNotFound, deadline: float) -> None:
        if error.final or time.monotonic() + _ASK_AGAIN_SECONDS > deadline:
            raise error
