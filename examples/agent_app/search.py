"""Full-text search over the passages.

`bm25s` ranks: it is maintained (`rank-bm25` has had no release since 2022), needs only NumPy, which
MLflow brings, and takes tokens that we make ourselves, so that the same words decide here and in
`extract.py`. `snowballstemmer` makes "rated", "ratings" and "rate" one word.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass

import bm25s
import numpy as np
import snowballstemmer  # type: ignore[import-untyped]
from bm25s.stopwords import STOPWORDS_EN_PLUS
from numpy.typing import NDArray

from examples.agent_app.passages import Passage

# bm25s puts its own logger on DEBUG when it is imported.
logging.getLogger("bm25s").setLevel(logging.WARNING)

# An underscore ends a word here: "request id" has to find `client_request_id`.
_WORD = re.compile(r"[^\W_]+")
_STOPWORDS = frozenset(STOPWORDS_EN_PLUS)
# A heading says in three words what the text below is about.
_HEADING_WEIGHT = 3
_CONTEXT_WEIGHT = 0.4


@dataclass(frozen=True)
class Hit:
    """A passage that was found, and how well it fits (BM25; only comparable in one search)."""

    passage: Passage
    score: float


def terms(text: str) -> list[str]:
    """The words of a text that carry meaning, stemmed."""
    words = [word for word in _WORD.findall(text.lower()) if word not in _STOPWORDS]
    # A stemmer keeps the word at hand in itself and is no thing to share between threads.
    stemmed: list[str] = snowballstemmer.stemmer("english").stemWords(words)
    return stemmed


class Search:
    """An index in memory over a fixed set of passages; safe to use from several threads."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._passages = list(passages)
        self._index = bm25s.BM25() if passages else None
        if self._index is not None:
            self._index.index([_indexed(passage) for passage in passages], show_progress=False)

    def find(self, question: str, about: str = "", limit: int = 3) -> list[Hit]:
        """The passages that fit best, best first; none where no word of the question occurs.

        `about` is what the question is about, where it does not say so itself: the words count, and
        the question's own count more.
        """
        if self._index is None:
            return []
        scores = self._scores(question) + _CONTEXT_WEIGHT * self._scores(about)
        best = np.argsort(-scores, kind="stable")[:limit]
        return [Hit(self._passages[at], float(scores[at])) for at in best if scores[at] > 0]

    def _scores(self, text: str) -> NDArray[np.float32]:
        assert self._index is not None
        words = terms(text)
        if not words:
            return np.zeros(len(self._passages), np.float32)
        scores: NDArray[np.float32] = self._index.get_scores(words)
        return scores


def _indexed(passage: Passage) -> list[str]:
    return terms(" ".join(passage.headings)) * _HEADING_WEIGHT + terms(passage.text)
