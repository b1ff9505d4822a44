"""The agent itself: find passages, write an answer from them, keep the session.

It uses MLflow's spans; servers, requests and ratings are elsewhere.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import mlflow
from mlflow.entities import Document, SpanType

from examples.agent_app.questions import context_of
from examples.agent_app.search import Hit, Search
from examples.agent_app.sessions import PastTurn, Sessions
from examples.agent_app.writers import Writer


@dataclass(frozen=True)
class Found:
    """The passages that the answer will be written from; comes first."""

    hits: tuple[Hit, ...]


@dataclass(frozen=True)
class Text:
    """The next piece of the answer."""

    piece: str


class Assistant:
    """Answers questions over a fixed set of passages."""

    def __init__(self, search: Search, writer: Writer, sessions: Sessions) -> None:
        self._search = search
        self.writer = writer
        self._sessions = sessions

    async def answer(
        self, question: str, session_id: str | None, client_turns: Sequence[PastTurn] = ()
    ) -> AsyncGenerator[Found | Text, None]:
        """Yields what was found, then the answer in pieces.

        `client_turns` are the past turns that the client itself sent; where there are any, they
        replace what is remembered of the session.
        """
        earlier = tuple(client_turns) or self._sessions.recent(session_id)
        asked_before = [turn.question for turn in earlier]
        hits = self.writer.choose(self._find(question, context_of(question, asked_before)))
        yield Found(hits)
        pieces: list[str] = []
        try:
            with mlflow.start_span("write_answer", span_type=self.writer.span_type) as span:
                span.set_inputs(
                    {"question": question, "passages": [hit.passage.title for hit in hits]}
                )
                span.set_attribute("writer", self.writer.description)
                instead = self._search.answerable(question)
                answering = self.writer.write(question, hits, earlier, instead)
                async with aclosing(answering) as written:
                    async for piece in written:
                        pieces.append(piece)
                        yield Text(piece)
                span.set_outputs("".join(pieces))
        finally:
            # A stopped answer is part of the session too: the next question may refer to it.
            self._sessions.remember(session_id, PastTurn(question, "".join(pieces)))

    def _find(self, question: str, about: str) -> tuple[Hit, ...]:
        with mlflow.start_span("search_documentation", span_type=SpanType.RETRIEVER) as span:
            span.set_inputs({"query": question, "about": about})
            hits = tuple(self._search.find(question, about))
            span.set_outputs([_document(hit) for hit in hits])
        return hits


def _document(hit: Hit) -> Document:
    return Document(
        page_content=hit.passage.text,
        metadata={"doc_uri": hit.passage.source, "title": hit.passage.title, "score": hit.score},
        id=hit.passage.title,
    )
