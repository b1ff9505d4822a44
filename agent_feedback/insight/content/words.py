"""The words of a comment, in any language, as its theme is found by them."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

MAX_LENGTH: Final = 400
"""Of a longer comment, only the first characters are read: they say what it is about."""

_UNSPACED: Final = "\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
"""Scripts that write no spaces between words: Thai, Lao, Khmer, kana and Chinese characters."""
_MARKS: Final = "\u0300-\u036f\u0900-\u0963\u0966-\u109f"
"""Signs that stand within words and that Python's ``\\w`` leaves out, such as India's vowels."""

_TAG_OR_ADDRESS: Final = re.compile(r"<[a-zA-Z/!][^<>]*>|https?://\S+")
_TOKEN: Final = re.compile(
    r"(?P<han>[\u3400-\u9fff\uf900-\ufaff]+[\u3041-\u3096]?)"
    r"|(?P<kana>[\u30a1-\u30ff]{2,})"
    r"|(?P<southeast>[\u0e00-\u0eff\u1780-\u17ff]+)"
    rf"|(?P<word>[^\W\d_{_UNSPACED}][\w{_MARKS}]*(?:['\u2019-][\w{_MARKS}]+)*)"
)
_FIRST_HAN: Final = "\u3400"
_STEM_LENGTH: Final = 5
_KOREAN_STEM_LENGTH: Final = 2
_MAX_WORD: Final = 30
_STOP_WORDS_BY_LANGUAGE: Final = MappingProxyType(
    {
        "English": """
            a about after again all also am an and answer answered answers any are aren't as ask
            asked at be because been before being bot both but by can could did didn't do does
            doesn't doing don't done down each even every for from get gets got had has have he her
            here his how i i'm i've if in into is isn't it it's its just many may me might mine more
            most much must my no nor not of off on one only or our out own please question questions
            quite rather really reply response responses same shall she should so some still such
            than that that's the their them then there there's these they this those to too up us
            very was wasn't we were what when where which while who why will with without would you
            your
        """,
        "German": """
            aber als antwort antworten auch auf aus bei bin bis bitte da das dass dem den der des
            die diese dieser dieses du ein eine einem einen einer eines er es frage fragen für
            gefragt gibt habe haben hat hatte hier ich ihr im ist kann kein keine können mal mein
            meine mich mir mit nach nicht noch nur ob oder schon sehr seit sich sie sind um und uns
            viel vom von war waren warum wenn wer werden wie wieso wir wird wo wurde wurden zu zum
            zur über
        """,
        "French": """
            au aux avec c'est ce ces cette dans de elle elles en est et il ils j'ai je la le les ma
            mais mes mon n'est ne nous ou par pas plus pour que qui quoi réponse sans se sont sur
            trop très tu un une vous était
        """,
        "Spanish": """
            al como con del el era las lo los mi muy o para pero por pregunta respuesta sin son su
            una unos y
        """,
        "Portuguese": """
            com e em mas muito na não os sem uma é
        """,
        "Italian": """
            che di gli molto non per si sono uno è
        """,
        "Dutch": """
            dat dit een het ik maar met niet op te van voor zeer
        """,
    }
)
"""Words that say nothing of a subject, "answer" and "question" among them. A word that languages
share stands at the first of them. Words of other languages weigh little where they are frequent.

Without the list, themes mix subjects and get names such as "answer in, language"; scikit-learn has
a list of English words only."""
_STOP_WORDS: Final = frozenset(" ".join(_STOP_WORDS_BY_LANGUAGE.values()).split())
_STOP_HAN: Final = frozenset({"\u56de\u7b54", "\u8fd4\u7b54", "\u8cea\u554f", "\u95ee\u9898"})
"""Answer, reply and question, in Chinese characters."""


@dataclass(frozen=True, slots=True)
class Term:
    """A word or two neighbours.

    Attributes:
        stem: What is compared: the beginning of each word, so that a word's forms are alike.
        form: As it was typed.
    """

    stem: str
    form: str


@dataclass(frozen=True, slots=True)
class _Token:
    term: Term
    start: int
    end: int


def tidy(text: str) -> str:
    """Make texts alike that look alike: one kind of space, no markup, composed characters."""
    shortened = unicodedata.normalize("NFKC", text[:MAX_LENGTH])
    plain = _TAG_OR_ADDRESS.sub(" ", html.unescape(shortened))
    return " ".join(plain.split())


def terms(text: str) -> Iterator[Term]:
    """The words of a text that :func:`tidy` returned, and pairs of words that follow each other.

    Between the words of a pair may stand words that say nothing, but no punctuation.
    """
    before: _Token | None = None
    read_until = 0
    for match in _TOKEN.finditer(text):
        together = not text[read_until : match.start()].strip()
        read_until = match.end()
        before = before if together and match.lastgroup == "word" else None
        for token in _tokens(match):
            yield token.term
            if before is not None:
                yield _pair(before, token, text)
            before = token if match.lastgroup == "word" else None


def _pair(first: _Token, second: _Token, text: str) -> Term:
    return Term(f"{first.term.stem} {second.term.stem}", text[first.start : second.end])


def _tokens(match: re.Match[str]) -> Iterator[_Token]:
    """The words of a match: its stems and forms depend on its script."""
    text, kind, at = match.group(), match.lastgroup, match.start()
    if kind == "word":
        if (stem := _stem(text)) is not None:
            yield _Token(Term(stem, text), at, match.end())
    elif kind == "kana":
        yield _Token(Term(text, text), at, match.end())
    elif kind == "southeast":
        yield from _pieces(text, 3, at)
    else:
        characters = text if text[-1] >= _FIRST_HAN else text[:-1]
        if len(characters) == 1:
            yield _Token(Term(characters, text), at, match.end())
        else:
            yield from _pieces(characters, 2, at)


def _stem(word: str) -> str | None:
    folded = word.casefold().replace("\u2019", "'")
    if folded in _STOP_WORDS or len(word) > _MAX_WORD:
        return None
    return folded[: _KOREAN_STEM_LENGTH if "\uac00" <= word[0] <= "\ud7a3" else _STEM_LENGTH]


def _pieces(text: str, length: int, at: int) -> Iterator[_Token]:
    """Every piece of a length, as words that no space separates are looked for."""
    for start in range(max(1, len(text) - length + 1)):
        piece = text[start : start + length]
        if piece not in _STOP_HAN:
            yield _Token(Term(piece, piece), at + start, at + start + len(piece))
