"""Texts as words that can be compared: stemmed, without words that mean little, synonyms as one.

`snowballstemmer` makes "rated", "ratings" and "rate" one word. The lists are general English, and
the words of this field; nothing in them depends on how a document is worded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import snowballstemmer  # type: ignore[import-untyped]
from bm25s.stopwords import STOPWORDS_EN_PLUS

# An underscore ends a word here: "request id" has to find `client_request_id`. A version, a date or
# an amount is one word: the 17 of 3.17.2 means nothing by itself.
_WORD = re.compile(r"\d[\d.,:-]*\d|[^\W_]+")
# The name of a setting or of a field is also a word of its own.
_NAME = re.compile(r"[^\W_]+(?:_[^\W_]+)+")
_LOG_IN = re.compile(r"\b(?:log|sign)(?:s|ged|ned|ging|ning)?[ -](?:in|on)\b", re.IGNORECASE)

# Words of asking say nothing about the subject.
_ASKING = """
    describe example examples explain give hello help hey hi let mean means meant please say
    show tell thank thanks want wanted wants wish wonder wondering would could should might must
"""
# Words that any question may have: these count little.
_VAGUE = """
    able actually afterwards again allow already also always anybody anyone anything available
    become begin bring certain come different down easy enough ever every everybody everyone
    everything exactly exist far find first get go good got happen idea instead just keep kind
    know later long look lot make many may maybe more most much necessary need never new next
    nobody now old one only other own part people person possible possibly put ready really
    right same see seem simple simply some somebody someone something still such support suppose
    sure take thing time today together too try two use user usually way well when where who why
    will work yet
"""
# Each line is one meaning.
_SYNONYMS = """
    rate vote grade
    withdraw undo revoke retract delete remove
    change edit modify
    login authenticate authentication
    postgresql postgres
    slow slower latency overhead performance speed fast delay
    frontend ui interface
    deploy deployment publish host hosting
    away unavailable offline outage unreachable
    privacy private personal confidential gdpr
    store save collect
    comment remark note
    color colour
    fail failure error exception
    stop cancel interrupt abort
    stream sse
    install installation
    integrate integration add
    colleague team
    laptop machine computer local locally
    require requirement
    configure configuration option setting
    licence license
"""


def terms(text: str) -> list[str]:
    """The words of a text that carry meaning, each as what it is compared by."""
    words = _WORD.findall(_LOG_IN.sub("login", text).lower())
    stems = _stems(word for word in words if word not in _STOPWORDS)
    return [*(_MEANINGS.get(stem, stem) for stem in stems), *_NAME.findall(text.lower())]


def is_vague(term: str) -> bool:
    """Whether any question may have this word, whatever it is about."""
    return term in _VAGUE_STEMS


def _stems(words: Iterable[str]) -> list[str]:
    # A stemmer has state, and cannot be shared between threads.
    stemmed: list[str] = snowballstemmer.stemmer("english").stemWords(list(words))
    return stemmed


_STOPWORDS = frozenset({*STOPWORDS_EN_PLUS, *_ASKING.split()} - set(_VAGUE.split()))
_VAGUE_STEMS = frozenset(_stems(_VAGUE.split()))
_MEANINGS = {
    stem: stems[0]
    for stems in (_stems(line.split()) for line in _SYNONYMS.strip().splitlines())
    for stem in stems[1:]
}
