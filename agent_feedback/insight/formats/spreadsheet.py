"""What people typed, as a cell of a file that a spreadsheet program opens."""

from __future__ import annotations

_BEGINS_FORMULA = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


def spreadsheet_safe(text: str) -> str:
    """``text`` for a cell of a CSV file: what a spreadsheet would run as a formula is quoted.

    Every export of what people typed passes through here (OWASP, "CSV Injection").
    """
    return f"'{text}" if text.lstrip(" ")[:1] in _BEGINS_FORMULA else text
