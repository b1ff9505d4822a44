"""Ratings as CSV: one row each, safe to open in a spreadsheet program."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from typing import Final, TextIO

from agent_feedback.insight.definitions.classes import is_dimension
from agent_feedback.insight.definitions.values import share, thumb
from agent_feedback.insight.definitions.window import iso
from agent_feedback.insight.formats.spreadsheet import spreadsheet_safe
from agent_feedback.insight.formats.wording import readable
from agent_feedback.insight.sources.source import RatingRow
from agent_feedback.model import THUMB

COLUMNS: Final = (
    *("trace_id", "person", "name", "value", "stars"),
    *("rationale", "reasons", "at", "version", "session"),
)


def write_csv(rows: Iterable[RatingRow], out: TextIO, scale: int) -> None:
    """Write the ratings as they come: RFC 4180, a header first.

    Args:
        rows: The ratings.
        out: Where to; it must not translate line ends.
        scale: The most stars.
    """
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    writer.writerows(_cells(row, scale) for row in rows)


def _cells(row: RatingRow, scale: int) -> list[str]:
    texts = (
        row.trace_id,
        row.person,
        row.name,
        _value(row),
        _stars(row, scale),
        row.rationale or "",
        "; ".join(row.reasons),
        iso(row.at),
        row.version or "",
        row.session or "",
    )
    return [spreadsheet_safe(readable(text)) for text in texts]


def _value(row: RatingRow) -> str:
    """A thumb that is clear as ``true`` or ``false``, however it was stored."""
    said = thumb(row.value) if row.name == THUMB else None
    value = row.value if said is None else said
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _stars(row: RatingRow, scale: int) -> str:
    value = share(row.value) if is_dimension(row.name) else None
    return "" if value is None else f"{round(value * scale, 4):g}"
