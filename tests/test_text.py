"""What people type, cleaned."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_feedback.text import clean, is_name


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("", ""),
        ("good", "good"),
        ("  good \n", "  good \n"),
        ("one\n\ttwo", "one\n\ttwo"),
        ("one\r\ntwo", "one\ntwo"),
        ("a\x00b\x1bc\x7fd\x85e", "abcde"),
        ("a\ud800b", "ab"),
        ("\ud83d\ude00", ""),
        ("\N{GRINNING FACE}", "\N{GRINNING FACE}"),
        ("e\N{COMBINING ACUTE ACCENT}", "é"),
        ("a\N{RIGHT-TO-LEFT OVERRIDE}b\N{LEFT-TO-RIGHT ISOLATE}c", "abc"),
        ("\N{FAMILY}\N{ZERO WIDTH JOINER}x", "\N{FAMILY}\N{ZERO WIDTH JOINER}x"),
        ("שלום\N{RIGHT-TO-LEFT MARK}!", "שלום\N{RIGHT-TO-LEFT MARK}!"),
        ("\x00 \ud800 ", "  "),
    ],
)
def test_typed_text_is_kept_without_what_nobody_sees(typed: str, kept: str) -> None:
    """Letters, line ends and tabs stay; controls, lone surrogates and reversals go."""
    assert clean(typed) == kept


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_any_text_becomes_one_that_every_store_takes(typed: str) -> None:
    """What is kept is UTF-8, in NFC, without NUL, and stays as it is when cleaned again."""
    kept = clean(typed)
    kept.encode()
    assert "\x00" not in kept
    assert unicodedata.is_normalized("NFC", kept)
    assert clean(kept) == kept


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("conversation-1", True),
        ("Zoë's", True),
        ("x" * 250, True),
        ("x" * 251, False),
        ("", False),
        ("a\x00b", False),
        ("a\nb", False),
        ("a\ud800b", False),
        ("a\u202eb", False),
    ],
)
def test_a_name_is_short_and_visible(text: str, good: bool) -> None:
    """Every store takes it, and it looks like what it is."""
    assert is_name(text) is good
