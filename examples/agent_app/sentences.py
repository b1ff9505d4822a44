"""Splits the Markdown of a passage into blocks and into sentences."""

from __future__ import annotations

import re

ROW = "|"
ITEM = "- "

_FENCED = re.compile(r"^(```|~~~)[^\n]*\n.*?^\1[^\n]*$", re.DOTALL | re.MULTILINE)
_LIST_ITEM = re.compile(r"\s*(?:[-*+]|\d+[.)])\s+")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z`\"*\[])")
_WORD = re.compile(r"\w")


def code_blocks(markdown: str) -> list[str]:
    """The blocks of code between fences, with their fences."""
    return [block[0] for block in _FENCED.finditer(markdown)]


def is_code(block: str) -> bool:
    """Whether a block is code between fences."""
    return block.startswith(("```", "~~~"))


def without_code(markdown: str) -> str:
    """The Markdown without its blocks of code."""
    return _FENCED.sub("\n\n", markdown)


def blocks(markdown: str) -> list[str]:
    """The paragraphs, lists, tables and code of a passage; code may have empty lines in it."""
    parts = re.split(r"\n\s*\n", _FENCED.sub("\n\n\0\n\n", markdown))
    left = iter(code_blocks(markdown))
    return [next(left) if part == "\0" else part for part in (p.strip() for p in parts) if part]


def sentences(markdown: str) -> list[str]:
    """The sentences of a passage. A list item or a table's row is one, marked; code is left out."""
    heads = table_heads(markdown)
    found: list[str] = []
    for block in re.split(r"\n\s*\n", without_code(markdown)):
        for unit in _units(block):
            is_row = unit.startswith(ROW)
            is_whole = is_row or unit.startswith(ITEM)
            parts = [unit] if is_whole else _SENTENCE_END.split(unit)
            found += [part for part in parts if _WORD.search(part) and _is_kept(part, heads)]
    return found


def table_heads(markdown: str) -> dict[str, str]:
    """For each row of each table, the table's first two lines: its columns' names and the rule."""
    heads: dict[str, str] = {}
    table: list[str] = []
    for line in [*without_code(markdown).splitlines(), ""]:
        if line.strip().startswith(ROW):
            table.append(line.strip())
        else:
            heads |= dict.fromkeys(table[2:], "\n".join(table[:2]))
            table = []
    return heads


def _is_kept(sentence: str, heads: dict[str, str]) -> bool:
    return not sentence.startswith(ROW) or sentence in heads


def _units(block: str) -> list[str]:
    """A block of Markdown as running text: one string for a paragraph, one for each item or row."""
    units: list[str] = []
    for line in block.splitlines():
        text = line.strip().lstrip(">").strip()
        if text.startswith(ROW):
            units.append(text)
        elif _LIST_ITEM.match(line):
            units.append(ITEM + _LIST_ITEM.sub("", line, count=1).strip())
        elif units and not units[-1].startswith(ROW):
            units[-1] = f"{units[-1]} {text}"
        else:
            units.append(text)
    return units
