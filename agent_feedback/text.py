"""What people type, as it is kept: the same text for the same letters, nothing invisible."""

from __future__ import annotations

import unicodedata

_BIDIRECTIONAL = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)


def clean(text: str) -> str:
    """``text`` in NFC, without control characters (newline and tab stay), lone surrogates and
    characters that reverse what follows them."""
    kept = "".join(c for c in text if c in "\n\t" or not _is_unwanted(c))
    return unicodedata.normalize("NFC", kept).strip()


def _is_unwanted(character: str) -> bool:
    return character in _BIDIRECTIONAL or unicodedata.category(character) in ("Cc", "Cs")
