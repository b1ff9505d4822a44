"""Handlers of all kinds that follow one script: yield "Hello" in pieces, return, fail, or wait."""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Generator
from typing import Any

import mlflow
from mlflow.types.responses import create_text_delta, create_text_output_item

from tests.agent.hosting import TYPED, Handler, Json

KINDS = ["function", "coroutine", "generator", "async_generator"]
ENDINGS = ["ok", "error", "disconnect"]
SECRET = "password=4711"
_MAX_WAIT = 10.0


class Failed(Exception):
    """What a scripted handler raises; its text holds a secret."""


class Script:
    """What one handler does, and how it ended.

    Attributes:
        started: The first piece is out, or the function has begun.
        cleaned_up: The handler's ``finally`` ran.
        client_is_gone: Set by the test, for the kinds that cannot be interrupted.
    """

    def __init__(self, agent_type: str | None, ending: str) -> None:
        self.typed = agent_type == TYPED
        self.ending = ending
        self.started = threading.Event()
        self.cleaned_up = threading.Event()
        self.client_is_gone = threading.Event()

    def handler(self, route: str, kind: str) -> Handler:
        """The handler of a kind, for ``invoke`` or ``stream``."""
        if kind == "generator":
            return self.generator
        if kind == "async_generator":
            return self.async_generator
        if route == "stream":
            return self.stream_function if kind == "function" else self.stream_coroutine
        return self.function if kind == "function" else self.coroutine

    @property
    def pieces(self) -> list[Json]:
        """The two events that say "Hello"."""
        if not self.typed:
            return [{"text": "Hel"}, {"text": "lo"}]
        item = create_text_output_item("Hello", "m1")
        return [
            create_text_delta("Hello", "m1"),
            {"type": "response.output_item.done", "item": item},
        ]

    @property
    def whole(self) -> Json:
        """The answer in one piece."""
        return {"output": [self.pieces[1]["item"]]} if self.typed else {"text": "Hello"}

    def function(self, request: Any) -> Json:
        """Answer in one piece, from a thread."""
        try:
            with mlflow.start_span("child"):
                self._begin()
                if self.ending == "disconnect":
                    assert self.client_is_gone.wait(_MAX_WAIT)
                return self.whole
        finally:
            self.cleaned_up.set()

    async def coroutine(self, request: Any) -> Json:
        """Answer in one piece."""
        try:
            with mlflow.start_span("child"):
                self._begin()
                if self.ending == "disconnect":
                    await asyncio.sleep(_MAX_WAIT)
                return self.whole
        finally:
            self.cleaned_up.set()

    def generator(self, request: Any) -> Generator[Json, None, None]:
        """Answer in events, from a thread."""
        first, second = self.pieces
        try:
            with mlflow.start_span("child"):
                yield first
                self._begin()
                while self.ending == "disconnect":
                    time.sleep(0.02)
                    yield first
                yield second
        finally:
            self.cleaned_up.set()

    async def async_generator(self, request: Any) -> AsyncGenerator[Json, None]:
        """Answer in events."""
        first, second = self.pieces
        try:
            with mlflow.start_span("child"):
                yield first
                self._begin()
                if self.ending == "disconnect":
                    await asyncio.sleep(_MAX_WAIT)
                yield second
        finally:
            self.cleaned_up.set()

    def stream_function(self, request: Any) -> Generator[Json, None, None]:
        """Return the events, which are made when they are asked for."""
        return self.generator(request)

    async def stream_coroutine(self, request: Any) -> AsyncGenerator[Json, None]:
        """Return the events, which are made when they are asked for."""
        return self.async_generator(request)

    def _begin(self) -> None:
        self.started.set()
        if self.ending == "error":
            raise Failed(SECRET)
