"""What people typed, as a cell of a spreadsheet."""

import pytest

from agent_feedback.insight.formats.spreadsheet import spreadsheet_safe


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("", ""),
        ("good", "good"),
        ("2 + 2 = 4", "2 + 2 = 4"),
        ('=HYPERLINK("http://evil.example","x")', '\'=HYPERLINK("http://evil.example","x")'),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\n=1", "'\n=1"),
        ("  =1", "'  =1"),
        ("\N{FULLWIDTH EQUALS SIGN}1", "'\N{FULLWIDTH EQUALS SIGN}1"),
    ],
)
def test_no_cell_of_an_export_is_a_formula(text: str, cell: str) -> None:
    """A spreadsheet shows what was typed instead of running it."""
    assert spreadsheet_safe(text) == cell
