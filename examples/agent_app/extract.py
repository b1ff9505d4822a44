"""Composes an answer from the passages themselves, without a model."""

from __future__ import annotations

import re
from collections.abc import Sequence

from examples.agent_app.passages import Passage
from examples.agent_app.search import Hit, terms

NOTHING_FOUND = (
    "I found nothing about that in this project's documentation. "
    "Try the words that it would use: *rating*, *trace*, *stream*, *ledger*, *withdraw*."
)

_FENCED = re.compile(r"^(```|~~~)[^\n]*\n.*?^\1[^\n]*$", re.DOTALL | re.MULTILINE)
_LIST_ITEM = re.compile(r"\s*(?:[-*+]|\d+[.)])\s+")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z`\"*\[])")
_ASKS_FOR_CODE = re.compile(
    r"\b(how|show|example|code|command|install|run|add|use|write|curl)\b", re.IGNORECASE
)
_ITEM = "- "
_LONGEST_CODE = 24


def compose(question: str, hits: Sequence[Hit]) -> str:
    """The sentences that answer the question best, in Markdown, with their passages named."""
    if not hits:
        return NOTHING_FOUND
    parts: list[str] = []
    for position, hit in enumerate(hits):
        opening, most = ("And from", 2) if position else ("From", 3)
        parts += [f"{opening} {_name(hit.passage)}:", *_quote(question, hit.passage, most)]
    return "\n\n".join(parts)


def _name(passage: Passage) -> str:
    document = f"`{passage.source}`"
    return f"**{passage.headings[-1]}** in {document}" if passage.headings else document


def _quote(question: str, passage: Passage, most: int) -> list[str]:
    wanted = set(terms(question))
    quoted = [_join(_best(wanted, sentences(passage.text), most))]
    if _ASKS_FOR_CODE.search(question):
        blocks = [block[0] for block in _FENCED.finditer(passage.text)]
        short = [block for block in blocks if block.count("\n") <= _LONGEST_CODE]
        quoted += _best(wanted, [block for block in short if wanted & set(terms(block))], most=1)
    return [part for part in quoted if part]


def _best(wanted: set[str], candidates: Sequence[str], most: int) -> list[str]:
    """The candidates that share most words with the question, in the document's order.

    At most `most`, and none that fits half as well as the best one, or worse.
    """
    fits = [len(wanted & set(terms(candidate))) for candidate in candidates]
    best = max(fits, default=0)
    worth_it = [at for at, fit in enumerate(fits) if 2 * fit > best or best == 0]
    chosen = sorted(worth_it, key=lambda at: -fits[at])[:most]
    return [candidates[at] for at in sorted(chosen)]


def _join(chosen: Sequence[str]) -> str:
    """Sentences become running text again, items a list, with a line between the two."""
    text = ""
    was_item = False
    for sentence in chosen:
        is_item = sentence.startswith(_ITEM)
        between = "\n\n" if is_item != was_item else "\n" if is_item else " "
        text += between + sentence
        was_item = is_item
    return text.strip()


def sentences(markdown: str) -> list[str]:
    """The sentences of a passage. A list item or a table's row is one, marked; code is left out."""
    found: list[str] = []
    for block in re.split(r"\n\s*\n", _FENCED.sub("\n\n", markdown)):
        for unit in _units(block):
            parts = [unit] if unit.startswith(_ITEM) else _SENTENCE_END.split(unit)
            found += [part for part in parts if terms(part)]
    return found


def _units(block: str) -> list[str]:
    """A block of Markdown as running text: one string for a paragraph, one for each item or row."""
    units: list[str] = []
    rows: list[list[str]] = []
    for line in block.splitlines():
        text = line.strip().lstrip(">").strip()
        if text.startswith("|"):
            rows.append([cell.strip() for cell in text.strip("|").split("|")])
        elif _LIST_ITEM.match(line):
            units.append(_ITEM + _LIST_ITEM.sub("", line, count=1).strip())
        elif units:
            units[-1] = f"{units[-1]} {text}"
        else:
            units.append(text)
    # The first row names the columns, the second one is the rule below them.
    return units + [_ITEM + _row(rows[0], row) for row in rows[2:]]


def _row(columns: Sequence[str], cells: Sequence[str]) -> str:
    """`while it is away: kept (with us); lost (without)`."""
    named = [
        f"{cell} ({column})" if column else cell
        for column, cell in zip(columns[1:], cells[1:], strict=False)
        if cell
    ]
    return f"{cells[0]}: {'; '.join(named)}" if named else cells[0]
