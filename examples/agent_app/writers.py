"""Writes the answer from the passages: the agent itself, or a model behind the same interface."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from mlflow.entities import SpanType

from examples.agent_app.extract import compose
from examples.agent_app.search import Hit
from examples.agent_app.sessions import PastTurn

# A passage that covers less than half of a question is about something else.
_ENOUGH = 0.5
# How well a second passage has to fit, against the best one, to be worth reading.
_WORTH_ADDING = 0.85
_WORD_WITH_SPACE = re.compile(r"\s*\S+\s*?")


class Writer(Protocol):
    """Turns a question, the passages found, and the session so far into an answer in pieces."""

    @property
    def description(self) -> str:
        """The writer's name, for the person who starts the app."""
        ...

    @property
    def span_type(self) -> str:
        """MLflow's type for the span in which the answer is written."""
        ...

    def choose(self, found: Sequence[Hit]) -> tuple[Hit, ...]:
        """The passages that the answer will be written from, best first."""
        ...

    def write(
        self,
        question: str,
        hits: Sequence[Hit],
        earlier: Sequence[PastTurn],
        instead: Sequence[str] = (),
    ) -> AsyncGenerator[str, None]:
        """Yields the answer in pieces that add up to it.

        `instead` are questions that have an answer, for when this one has none.
        """
        ...


class ExtractingWriter:
    """Quotes the passages. It needs no model, no account and no network.

    It sends `words_per_second`, as a model would, so that the page, the stop button and a client
    that disconnects midway can be tried without one; 0 sends as fast as it can.
    """

    description = "the agent itself, from sentences of the documentation (no model is set)"
    span_type = SpanType.CHAIN

    def __init__(self, words_per_second: float = 40.0) -> None:
        self._pause = 1 / words_per_second if words_per_second > 0 else 0.0

    def choose(self, found: Sequence[Hit]) -> tuple[Hit, ...]:
        """The best passage, and the next one where it says more; none that does not fit."""
        if not found or found[0].fit < _ENOUGH:
            return ()
        best, *others = found[:2]
        return (best, *(other for other in others if _says_more(other, best)))

    async def write(
        self,
        question: str,
        hits: Sequence[Hit],
        earlier: Sequence[PastTurn],  # noqa: ARG002 - the interface of every writer
        instead: Sequence[str] = (),
    ) -> AsyncGenerator[str, None]:
        """Yields the composed answer word by word."""
        for word in _WORD_WITH_SPACE.findall(compose(question, hits, instead)):
            yield word
            await asyncio.sleep(self._pause)


def _says_more(other: Hit, best: Hit) -> bool:
    """Whether the other passage fits about as well, and covers words that the best one does not."""
    fits = other.fit >= _ENOUGH and other.score >= _WORTH_ADDING * best.score
    return fits and not other.covered <= best.covered
