"""Composes an answer from the passages themselves, without a model."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from examples.agent_app.passages import Passage
from examples.agent_app.search import Hit, terms

NOTHING_FOUND = (
    "I found nothing about that in this project's documentation. "
    "Try the words that it would use: *rating*, *trace*, *stream*, *ledger*, *withdraw*."
)

_FENCED = re.compile(r"^(```|~~~)[^\n]*\n.*?^\1[^\n]*$", re.DOTALL | re.MULTILINE)
_LIST_ITEM = re.compile(r"\s*(?:[-*+]|\d+[.)])\s+")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z`\"*\[])")
_OWN_LINK = re.compile(r"\[([^\]]+)\]\((?!https?://)[^)\s]*\)")
_ASKS_FOR_CODE = re.compile(
    r"\b(how|show|example|code|command|install|run|add|use|write|curl)\b", re.IGNORECASE
)
_ITEM = "- "
_ROW = "|"
_LONGEST_CODE = 24
# A section this short is said as it is: taken apart it only loses its thread.
_MOST_WORDS_AS_IT_IS = 110


def compose(question: str, hits: Sequence[Hit]) -> str:
    """What answers the question best, in Markdown, each passage cited by its number: `[1]`."""
    if not hits:
        return NOTHING_FOUND
    quotes = [
        _cited(_quote(question, hit.passage, most=2 if number > 1 else 3), number)
        for number, hit in enumerate(hits, 1)
    ]
    return "\n\n".join(quotes)


def _cited(parts: Sequence[str], number: int) -> str:
    """The parts, with the citation at the end of the first one that is text."""
    said = [_OWN_LINK.sub(r"\1", part) for part in parts]
    for position, part in enumerate(said):
        if not part.splitlines()[-1].startswith(("```", "~~~", _ROW)):
            said[position] = f"{part} [{number}]"
            break
    else:
        said.append(f"[{number}]")
    return "\n\n".join(said)


def _quote(question: str, passage: Passage, most: int) -> list[str]:
    codes = [block[0] for block in _FENCED.finditer(passage.text)]
    words = len(_FENCED.sub("", passage.text).split())
    if words <= _MOST_WORDS_AS_IT_IS and "".join(codes).count("\n") <= _LONGEST_CODE:
        return _blocks(passage.text)
    wanted = set(terms(question))
    chosen = _best(wanted, sentences(passage.text), most)
    quoted = _blocks(_join(chosen, _table_heads(passage.text)))
    if _ASKS_FOR_CODE.search(question):
        short = [code for code in codes if code.count("\n") <= _LONGEST_CODE]
        quoted += _best(wanted, [block for block in short if wanted & set(terms(block))], most=1)
    return quoted


def _blocks(markdown: str) -> list[str]:
    """The paragraphs, lists and code of a passage; a code block may have empty lines in it."""
    codes = [block[0] for block in _FENCED.finditer(markdown)]
    parts = re.split(r"\n\s*\n", _FENCED.sub("\n\n\0\n\n", markdown))
    left = iter(codes)
    return [next(left) if part == "\0" else part for part in (p.strip() for p in parts) if part]


def _best(wanted: set[str], candidates: Sequence[str], most: int) -> list[str]:
    """The candidates that share most words with the question, in the document's order.

    At most `most`, and none that fits half as well as the best one, or worse.
    """
    fits = [len(wanted & set(terms(candidate))) for candidate in candidates]
    best = max(fits, default=0)
    worth_it = [at for at, fit in enumerate(fits) if 2 * fit > best or best == 0]
    chosen = sorted(worth_it, key=lambda at: -fits[at])[:most]
    return [candidates[at] for at in sorted(chosen)]


def _join(chosen: Sequence[str], table_heads: Mapping[str, str]) -> str:
    """Sentences become running text again, items a list, rows a table; a line between the kinds."""
    text = ""
    before = ""
    for sentence in chosen:
        kind = table_heads.get(sentence) or (_ITEM if sentence.startswith(_ITEM) else " ")
        if kind != before:
            text += "\n\n" + (f"{kind}\n" if kind.startswith(_ROW) else "")
        else:
            text += " " if kind == " " else "\n"
        text += sentence
        before = kind
    return text.strip()


def sentences(markdown: str) -> list[str]:
    """The sentences of a passage. A list item or a table's row is one, marked; code is left out."""
    heads = _table_heads(markdown)
    found: list[str] = []
    for block in re.split(r"\n\s*\n", _FENCED.sub("\n\n", markdown)):
        for unit in _units(block):
            is_row = unit.startswith(_ROW)
            is_whole = is_row or unit.startswith(_ITEM)
            parts = [unit] if is_whole else _SENTENCE_END.split(unit)
            found += [part for part in parts if terms(part) and (not is_row or part in heads)]
    return found


def _table_heads(markdown: str) -> dict[str, str]:
    """For each row of each table, the table's first two lines: its columns' names and the rule."""
    heads: dict[str, str] = {}
    table: list[str] = []
    for line in [*_FENCED.sub("\n\n", markdown).splitlines(), ""]:
        if line.strip().startswith(_ROW):
            table.append(line.strip())
        else:
            heads |= dict.fromkeys(table[2:], "\n".join(table[:2]))
            table = []
    return heads


def _units(block: str) -> list[str]:
    """A block of Markdown as running text: one string for a paragraph, one for each item or row."""
    units: list[str] = []
    for line in block.splitlines():
        text = line.strip().lstrip(">").strip()
        if text.startswith(_ROW):
            units.append(text)
        elif _LIST_ITEM.match(line):
            units.append(_ITEM + _LIST_ITEM.sub("", line, count=1).strip())
        elif units and not units[-1].startswith(_ROW):
            units[-1] = f"{units[-1]} {text}"
        else:
            units.append(text)
    return units
