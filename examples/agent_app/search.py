"""Full-text search over the passages, and how much of a question the best of them covers.

`bm25s` ranks: it is maintained (`rank-bm25` has had no release since 2022), needs only NumPy, which
MLflow brings, and takes tokens that we make ourselves, so that the same words decide here and in
`extract.py`.

Beside BM25 counts how much a question is like one that a passage answers: its heading, and the
other ways to ask that its document names.
"""

from __future__ import annotations

import logging
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass

import bm25s
import numpy as np
from numpy.typing import NDArray

from examples.agent_app.passages import Passage
from examples.agent_app.sentences import ROW, code_blocks, sentences
from examples.agent_app.wording import is_vague, terms

# bm25s puts its own logger on DEBUG when it is imported.
logging.getLogger("bm25s").setLevel(logging.WARNING)

_ASKS_FOR_CODE = re.compile(
    r"\bhow (do|can|could|would|should|to)\b"
    r"|\b(show|examples?|code|commands?|snippets?|scripts?|curl|css|html|json)\b",
    re.IGNORECASE,
)
# A heading says in three words what the text below is about.
_HEADING_WEIGHT = 3
# Words in code and tables say less about a passage than those in its prose.
_BESIDE_PROSE = 0.4
_CONTEXT_WEIGHT = 0.4
_VAGUE_WEIGHT = 0.25
# Below this two questions share no more than a common word.
_MAY_BE_MEANT = 0.1
# A passage that lists the questions that it answers was written for them.
_WRITTEN_AS_AN_ANSWER = 1.15


@dataclass(frozen=True)
class Hit:
    """A passage that was found.

    `score` ranks the hits of one search. `covered` are the question's words that stand together in
    one place of the passage. `fit` says how much of the question the passage accounts for, from 0
    to 1: the mean of the share that is covered and of BM25's share of what it could be at most.
    Rare words count most in it, and words that no passage has count as the rarest.
    """

    passage: Passage
    score: float
    fit: float = 1.0
    covered: frozenset[str] = frozenset()


def asks_for_code(question: str) -> bool:
    """Whether code helps: the question names it, or asks how something is done."""
    return _ASKS_FOR_CODE.search(question) is not None


class Search:
    """An index in memory over a fixed set of passages; safe to use from several threads."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._pages = [_Page(passage) for passage in passages]
        self._prose = _Index([page.prose for page in self._pages])
        self._beside = _Index([page.beside_prose for page in self._pages])
        self._counts = Counter(word for page in self._pages for word in page.words)

    def find(self, question: str, about: str = "", limit: int = 3) -> list[Hit]:
        """The passages that fit best, best first; none where no word of the question occurs.

        `about` is the question's subject, where it does not name it itself: these words count, and
        the question's own count more.
        """
        asked, context = set(terms(question)), set(terms(about))
        if all(is_vague(word) for word in asked):
            asked, context = asked | context, set()
        matches = self._matches(asked, 1.0 if asks_for_code(question) else _BESIDE_PROSE)
        scores = np.array([match.score for match in matches])
        if context:
            meant = self._matches(context, _BESIDE_PROSE)
            scores += _CONTEXT_WEIGHT * np.array([match.score for match in meant])
        best = np.argsort(-scores, kind="stable")[:limit]
        return [
            Hit(match.passage, float(scores[at]), match.fit, match.covered)
            for at in best
            if (match := matches[at]) and scores[at] > 0
        ]

    def answerable(self, question: str, most: int = 2) -> list[str]:
        """Questions that the passages answer: those that this one may mean, else the first ones."""
        answered = [page for page in self._pages if page.passage.also_asked]
        words = set(terms(question))
        likeness = {page.passage: self._likeness(page, words) for page in answered}
        order = sorted(
            likeness, key=lambda each: -likeness[each] if likeness[each] >= _MAY_BE_MEANT else 0
        )
        return [passage.headings[-1] for passage in order[:most]]

    def _matches(self, words: Set[str], beside_prose: float) -> list[Hit]:
        """How each passage matches the words, in the passages' order."""
        clear = {word for word in words if not is_vague(word)}
        found = np.maximum(self._prose.scores(clear), beside_prose * self._beside.scores(clear))
        # The words' own weight is the limit that BM25 approaches.
        shares = found / (self._weight(clear) or 1.0)
        return [
            self._match(page, words, float(share) if clear else None)
            for page, share in zip(self._pages, shares, strict=True)
        ]

    def _match(self, page: _Page, words: Set[str], share: float | None) -> Hit:
        likeness = self._likeness(page, words)
        covered = max((words & place for place in page.places), key=self._weight, default=set())
        # That vague words occur is no evidence.
        fit = likeness
        if share is not None:
            fit = (share + self._weight(covered) / self._weight(words)) / 2
        return Hit(page.passage, (fit + likeness) * page.favour, fit, frozenset(covered))

    def _likeness(self, page: _Page, words: Set[str]) -> float:
        """How much the words are like a question that the passage answers, from 0 to 1."""
        return max((self._dice(words, asked) for asked in page.asked), default=0.0)

    def _dice(self, one: Set[str], other: Set[str]) -> float:
        """How much two sets of words are alike (Dice's coefficient, by the words' weights)."""
        whole = self._weight(one) + self._weight(other)
        return 2 * self._weight(one & other) / whole if whole else 0.0

    def _weight(self, words: Iterable[str]) -> float:
        """The words' inverse document frequency, as in BM25; an unknown word weighs most."""
        total = len(self._pages)
        return sum(
            (_VAGUE_WEIGHT if is_vague(word) else 1.0)
            * math.log(1 + (total - self._counts[word] + 0.5) / (self._counts[word] + 0.5))
            for word in words
        )


class _Page:
    """A passage as lists of words, for the search."""

    def __init__(self, passage: Passage) -> None:
        self.passage = passage
        self.favour = _WRITTEN_AS_AN_ANSWER if passage.also_asked else 1.0
        heading = terms(" ".join(passage.headings[-1:]))
        units = sentences(passage.text)
        prose = [terms(sentence) for sentence in units if not sentence.startswith(ROW)]
        rows = [terms(sentence) for sentence in units if sentence.startswith(ROW)]
        self.asked = [set(terms(each)) for each in (*passage.headings[-1:], *passage.also_asked)]
        self.prose = [
            *(heading * _HEADING_WEIGHT),
            *terms(" ".join((*passage.headings[:-1], *passage.also_asked))),
            *(word for sentence in prose for word in sentence),
        ]
        self.beside_prose = [word for row in rows for word in row]
        self.beside_prose += terms("\n".join(code_blocks(passage.text)))
        self.words = {*self.prose, *self.beside_prose}
        # Neighbouring sentences belong together, and the heading to each pair.
        pairs = zip(prose, [*prose[1:], []], strict=True)
        self.places = [*self.asked, *({*heading, *one, *two} for one, two in pairs)]
        self.places += [{*heading, *row} for row in rows]
        if passage.also_asked:
            self.places.append(set(self.prose))  # a short answer to one question is one place


class _Index:
    """BM25 over lists of words; also over none."""

    def __init__(self, texts: Sequence[Sequence[str]]) -> None:
        self._size = len(texts)
        self._index = bm25s.BM25() if any(texts) else None
        if self._index is not None:
            self._index.index([list(text) for text in texts], show_progress=False)

    def scores(self, words: Set[str]) -> NDArray[np.float64]:
        if self._index is None or not words:
            return np.zeros(self._size)
        return np.asarray(self._index.get_scores(sorted(words)), np.float64)
