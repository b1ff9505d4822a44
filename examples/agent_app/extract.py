"""Composes an answer from the passages themselves, without a model."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from examples.agent_app.passages import Passage
from examples.agent_app.search import Hit, asks_for_code
from examples.agent_app.sentences import (
    ITEM,
    ROW,
    blocks,
    code_blocks,
    is_code,
    sentences,
    table_heads,
    without_code,
)
from examples.agent_app.wording import terms

NOTHING_FOUND = "I do not know: I found nothing about that in this project's documentation."

_INSTEAD = "What I can answer, for instance:"
_OWN_LINK = re.compile(r"\[([^\]]+)\]\((?!https?://)[^)\s]*\)")
_ASKS_FOR_TABLE = re.compile(r"\b(tables?|rows?|columns?)\b", re.IGNORECASE)
_MAX_CODE_LINES = 24
# A section this short is quoted in full: parts of it would not be coherent.
_MAX_WORDS_IN_FULL = 110


def compose(question: str, hits: Sequence[Hit], instead: Sequence[str] = ()) -> str:
    """What answers the question best, in Markdown, each passage cited by its number: `[1]`.

    Without any passage it says so, and offers the questions in `instead`.
    """
    if not hits:
        return "\n\n".join([NOTHING_FOUND, *([_INSTEAD, _offered(instead)] if instead else [])])
    quotes = [
        _cited(_quote(question, hit.passage, most=2 if number > 1 else 3), number)
        for number, hit in enumerate(hits, 1)
    ]
    return "\n\n".join(quotes)


def _offered(questions: Sequence[str]) -> str:
    """The questions as links of the chat page: a click asks."""
    return "\n".join(f"{ITEM}[{each}](/?ask={quote(each, safe='')})" for each in questions)


def _cited(parts: Sequence[str], number: int) -> str:
    """The parts, with the citation at the end of the first one that is text."""
    texts = [_OWN_LINK.sub(r"\1", part) for part in parts]
    for position, part in enumerate(texts):
        if not is_code(part) and not part.splitlines()[-1].startswith(ROW):
            texts[position] = f"{part} [{number}]"
            break
    else:
        texts.append(f"[{number}]")
    return "\n\n".join(texts)


def _quote(question: str, passage: Passage, most: int) -> list[str]:
    codes = code_blocks(passage.text)
    words = len(without_code(passage.text).split())
    if words <= _MAX_WORDS_IN_FULL and "".join(codes).count("\n") <= _MAX_CODE_LINES:
        return _whole(question, passage.text)
    wanted = set(terms(question))
    chosen = _best(wanted, _prose_first(question, wanted, passage.text), most)
    quoted = blocks(_join(chosen, table_heads(passage.text)))
    if asks_for_code(question) or not quoted:
        short = [code for code in codes if code.count("\n") <= _MAX_CODE_LINES]
        fitting = [block for block in short if wanted & set(terms(block))]
        quoted += _best(wanted, fitting or short, most=1)
    return quoted


def _whole(question: str, markdown: str) -> list[str]:
    """A short passage's blocks, in order: its prose, and the rest where that was asked for."""
    whole = blocks(markdown)
    prose = [block for block in whole if not is_code(block) and not block.startswith(ROW)]
    if not prose:
        return whole
    wanted = [
        block
        for block in whole
        if block in prose
        or (asks_for_code(question) if is_code(block) else _ASKS_FOR_TABLE.search(question))
    ]
    return [_ended(block, followed=wanted[at + 1 :]) for at, block in enumerate(wanted)]


def _ended(block: str, followed: Sequence[str]) -> str:
    """The block, with a full stop where a colon introduces what is left out."""
    announces = block.endswith(":") and not is_code(block)
    is_there = followed and (is_code(followed[0]) or followed[0].startswith((ROW, ITEM)))
    return f"{block[:-1]}." if announces and not is_there else block


def _prose_first(question: str, wanted: set[str], markdown: str) -> list[str]:
    """The sentences to choose from; a table's rows only where no prose fits as well."""
    found = sentences(markdown)
    prose = [sentence for sentence in found if not sentence.startswith(ROW)]
    if _ASKS_FOR_TABLE.search(question) or _fit(wanted, found) > _fit(wanted, prose):
        return found
    return prose


def _fit(wanted: set[str], candidates: Sequence[str]) -> int:
    return max((len(wanted & set(terms(each))) for each in candidates), default=0)


def _best(wanted: set[str], candidates: Sequence[str], most: int) -> list[str]:
    """The candidates that share most words with the question, in the document's order.

    At most `most`, and none that fits half as well as the best one, or worse.
    """
    fits = [len(wanted & set(terms(candidate))) for candidate in candidates]
    best = max(fits, default=0)
    worth_it = [at for at, fit in enumerate(fits) if 2 * fit > best or best == 0]
    chosen = sorted(worth_it, key=lambda at: -fits[at])[:most]
    return [candidates[at] for at in sorted(chosen)]


def _join(chosen: Sequence[str], heads: Mapping[str, str]) -> str:
    """Sentences become paragraphs, items a list, rows a table; empty lines separate the kinds."""
    text = ""
    before = ""
    for sentence in chosen:
        kind = heads.get(sentence) or (ITEM if sentence.startswith(ITEM) else " ")
        if kind != before:
            text += "\n\n" + (f"{kind}\n" if kind.startswith(ROW) else "")
        else:
            text += " " if kind == " " else "\n"
        text += sentence
        before = kind
    return text.strip()
