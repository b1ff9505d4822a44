"""What people type, as it is kept: the same text for the same letters, nothing that deceives."""

from __future__ import annotations

import unicodedata
from typing import Final

MAX_NAME_LENGTH: Final = 250
"""Characters that a person's or a session's name may have, here and in the ledger: MLflow's limits
for an assessment's ``source_id`` and for a value of a trace's metadata."""

# Embeddings, overrides and isolates, with their ends. Marks that only say which way a text runs
# (U+200E, U+200F, U+061C) belong to Arabic and Hebrew and stay.
_BIDIRECTIONAL = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


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


def is_name(text: str) -> bool:
    """Whether every store can keep ``text`` as a name: not empty, not long, all of it visible."""
    fine = text.isprintable() or not any(map(_is_unwanted, text))  # the quick question first
    return fine and 0 < len(text) <= MAX_NAME_LENGTH


def _is_unwanted(character: str) -> bool:
    return character in _BIDIRECTIONAL or unicodedata.category(character) in ("Cc", "Cs")
