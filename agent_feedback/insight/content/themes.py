"""What comments have in common: comments with the same words are one theme, named by them.

No language model takes part, and the order of the comments does not matter.
"""

from __future__ import annotations

import hashlib
import math
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from agent_feedback.insight.content.words import terms, tidy
from agent_feedback.insight.libraries import needed

MIN_PEOPLE: Final = 3
"""What fewer people say is an anecdote."""
_SAMPLE: Final = 2_000
"""So many different comments are compared with each other; the others join what they are like."""
_MAX_CLUSTERS: Final = 200
_MAX_TERMS: Final = 4_000
_WORDS_IN_NAME: Final = 3
_LEAST_ALIKE: Final = 0.1
"""The least mean cosine of the comments of a theme. From 0.05 to 0.1, the themes of
``tests/insight/complaints.py`` are nearest to its subjects (adjusted Rand index 0.8; with 0.2 0.74;
k-means 0.3 to 0.67, depending on a number of themes that nobody knows)."""
_CHUNK: Final = 2_000


@dataclass(frozen=True, slots=True, order=True)
class Said:
    """What somebody wrote on a trace."""

    text: str
    person: str
    trace_id: str


@dataclass(frozen=True, slots=True)
class Theme:
    """Comments that have words in common, of at least :data:`MIN_PEOPLE` people.

    Attributes:
        name: The most telling of these words, as they were typed most.
    """

    name: str
    comments: tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class _Document:
    """What several people wrote word for word, but for spaces and markup."""

    text: str
    stems: tuple[str, ...]
    people: int
    comments: tuple[Said, ...]
    order: bytes
    """A hash of the text: a pseudo-random place among the others, the same in every run."""


def themes_of(comments: Iterable[Said]) -> tuple[Theme, ...]:
    """Find the themes of comments; a comment is in one of them at most.

    Raises:
        ReportError: scikit-learn is not installed.
    """
    documents = _documents(comments)
    frequency = _frequency(documents)
    vocabulary = _vocabulary(frequency)
    if not vocabulary:
        return ()
    matrix = _vectors(documents, vocabulary)
    kept = [row for row, filled in enumerate(matrix.getnnz(axis=1)) if filled]
    clusters = _clusters(matrix[kept], [documents[row].people for row in kept])
    found = [[documents[kept[row]] for row in cluster] for cluster in clusters]
    spread = {stem: frequency[stem] for stem in vocabulary}
    return tuple(sorted(_themes(found, spread), key=lambda theme: (theme.name, theme.comments)))


def _themes(clusters: list[list[_Document]], spread: Mapping[str, int]) -> Iterator[Theme]:
    for cluster in clusters:
        comments = sorted(comment for document in cluster for comment in document.comments)
        if len({comment.person for comment in comments}) >= MIN_PEOPLE:
            yield Theme(_name(cluster, spread), tuple(comments))


def _documents(comments: Iterable[Said]) -> list[_Document]:
    """Different texts: those of most people first, then in a pseudo-random order."""
    by_text: dict[str, list[Said]] = {}
    for comment in comments:
        by_text.setdefault(tidy(comment.text), []).append(comment)
    documents = [
        _Document(
            text=text,
            stems=tuple(sys.intern(term.stem) for term in terms(text)),
            people=len({comment.person for comment in said}),
            comments=tuple(said),
            order=hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest(),
        )
        for text, said in by_text.items()
    ]
    return sorted(documents, key=lambda document: (-document.people, document.order))


def _frequency(documents: Sequence[_Document]) -> Counter[str]:
    """How many people's comments have each word: its document frequency."""
    frequency: Counter[str] = Counter()
    for document in documents:
        for stem in set(document.stems):
            frequency[stem] += document.people
    return frequency


def _vocabulary(frequency: Counter[str]) -> dict[str, int]:
    """The most frequent words that more than one person's comments have, each with its column."""
    shared = sorted(
        (stem for stem, number in frequency.items() if number > 1),
        key=lambda stem: (-frequency[stem], stem),
    )
    return {stem: position for position, stem in enumerate(sorted(shared[:_MAX_TERMS]))}


def _vectors(documents: Sequence[_Document], vocabulary: dict[str, int]) -> Any:
    """A row per document; a word is rare if few people's comments have it."""
    text = needed("sklearn.feature_extraction.text")
    vectorizer = text.TfidfVectorizer(analyzer=_stems_of, vocabulary=vocabulary, sublinear_tf=True)
    vectorizer.fit(document for document in documents for _ in range(document.people))
    return vectorizer.transform(documents)


def _stems_of(document: _Document) -> tuple[str, ...]:
    return document.stems


def _clusters(matrix: Any, people: list[int]) -> list[list[int]]:
    """Which rows belong together, by their numbers."""
    np = needed("numpy")
    sampled = matrix[:_SAMPLE]
    if sampled.shape[0] < 2:
        return [list(range(sampled.shape[0]))]
    distances = 1 - (sampled @ sampled.T).toarray()
    np.fill_diagonal(distances, 0)
    clustering = needed("sklearn.cluster").AgglomerativeClustering(
        n_clusters=None,
        distance_threshold=1 - _LEAST_ALIKE,
        metric="precomputed",
        linkage="average",
    )
    labels = clustering.fit_predict(np.clip(distances, 0, 1).round(12))
    clusters: dict[int, list[int]] = {}
    for row, label in enumerate(labels.tolist()):
        clusters.setdefault(label, []).append(row)
    largest = sorted(clusters.values(), key=lambda rows: (-sum(people[row] for row in rows), rows))
    return _joined(matrix, largest[:_MAX_CLUSTERS])


def _joined(matrix: Any, clusters: list[list[int]]) -> list[list[int]]:
    """Add every row beyond the sample to the cluster that it is most like, if it is like one."""
    csr_array = needed("scipy.sparse").csr_array
    means = csr_array(
        (
            [1 / len(rows) for rows in clusters for _ in rows],
            (
                [number for number, rows in enumerate(clusters) for _ in rows],
                [row for rows in clusters for row in rows],
            ),
        ),
        shape=(len(clusters), matrix.shape[0]),
    )
    centres = (means @ matrix).T
    grown = [list(rows) for rows in clusters]
    for start in range(_SAMPLE, matrix.shape[0], _CHUNK):
        alike = (matrix[start : start + _CHUNK] @ centres).toarray()
        best = alike.argmax(axis=1)
        for row, cluster in enumerate(best.tolist()):
            if alike[row, cluster] >= _LEAST_ALIKE:
                grown[cluster].append(start + row)
    return grown


def _name(cluster: Sequence[_Document], spread: Mapping[str, int]) -> str:
    """The words that many of a theme's comments have, and few others."""
    within: Counter[str] = Counter()
    forms: dict[str, Counter[str]] = {}
    for document in cluster:
        typed = {term.stem: term.form for term in terms(document.text)}
        for stem in typed.keys() & spread.keys():
            within[stem] += document.people
            forms.setdefault(stem, Counter())[typed[stem]] += document.people
    best = sorted(within, key=lambda stem: (-_weight(stem, within, spread), stem))
    return ", ".join(_form(forms[stem]) for stem in _chosen(best, within))


def _weight(stem: str, within: Counter[str], spread: Mapping[str, int]) -> float:
    """How telling a word is: frequent in the theme, and seldom elsewhere.

    A pair of words tells more than each of them.
    """
    exclusive = within[stem] / spread[stem]
    return within[stem] * exclusive * (1.3 if " " in stem else 1) * math.log2(1 + len(stem))


def _chosen(best: Sequence[str], within: Counter[str]) -> list[str]:
    """The first words that do not repeat each other and that are no rarities."""
    chosen: list[str] = []
    for stem in best:
        rare = chosen and within[stem] < max(2, within[chosen[0]] / 5)
        if not rare and not any(_overlap(stem, other) for other in chosen):
            chosen.append(stem)
        if len(chosen) == _WORDS_IN_NAME:
            break
    return chosen


def _overlap(one: str, other: str) -> bool:
    """Whether two words, or pairs of words, say the same."""
    if set(one.split()) & set(other.split()):
        return True
    unspaced = not (one.isascii() or other.isascii()) and len(one) <= 3 and len(other) <= 3
    return unspaced and bool(set(one) & set(other))


def _form(forms: Counter[str]) -> str:
    """As it was typed most, without regard to a capital at a sentence's beginning."""
    return min(forms, key=lambda form: (-forms[form], len(form), form))
