"""What people type, as it is kept: the same text for the same letters, nothing that deceives."""

from __future__ import annotations

import unicodedata

# Embeddings, overrides and isolates, with their ends. Marks that only say which way a text runs
# (U+200E, U+200F, U+061C) belong to Arabic and Hebrew and stay.
_BIDIRECTIONAL = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_BEGINS_FORMULA = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


def clean(text: str, longest: int | None = None) -> str:
    """``text`` as it was given, in NFC, without control characters (newline and tab stay), lone
    surrogates and characters that reverse what follows them.

    Args:
        text: What was typed.
        longest: Some letters of Hindi, Bengali or Hebrew are two or three characters in NFC. Where
            that would make the text longer than this, it stays in the form that it has.
    """
    kept = "".join(c for c in text if c in "\n\t" or not _is_unwanted(c))
    normal = unicodedata.normalize("NFC", kept)
    return normal if longest is None or len(normal) <= longest else kept


def is_name(text: str, longest: int) -> bool:
    """Whether ``text`` can name something, in every store: not empty, not long, all visible."""
    fine = text.isprintable() or not any(map(_is_unwanted, text))  # the quick question first
    return fine and 0 < len(text) <= longest


def spreadsheet_safe(text: str) -> str:
    """``text`` for a cell of a CSV file: what a spreadsheet would run as a formula is quoted.

    Every export of what people typed passes through here (OWASP, "CSV Injection").
    """
    return f"'{text}" if text.lstrip(" ")[:1] in _BEGINS_FORMULA else text


def _is_unwanted(character: str) -> bool:
    return character in _BIDIRECTIONAL or unicodedata.category(character) in ("Cc", "Cs")
