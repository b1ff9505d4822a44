"""The form with one row per rating."""

import csv
import io
from collections.abc import Iterator
from dataclasses import replace

import pandas as pd
import pytest

from agent_feedback.insight.formats.csv_form import COLUMNS, write_csv
from agent_feedback.insight.sources.source import RatingRow
from agent_feedback.model import RatingValue

ROW = RatingRow(
    trace_id="tr-1",
    person="ann@example.com",
    name="user_feedback",
    value=False,
    rationale='Two lines,\n"quoted".',
    reasons=("incorrect", "out of date"),
    at=1_764_237_600_250,
    version="m-1",
    session=None,
)


def written(*rows: RatingRow) -> str:
    """The file with these rows."""
    file = io.StringIO(newline="")
    write_csv(rows, file, 5)
    return file.getvalue()


def cells(*rows: RatingRow) -> list[dict[str, str]]:
    """The rows of that file."""
    return list(csv.DictReader(io.StringIO(written(*rows), newline="")))


def test_a_row_says_everything_of_a_rating() -> None:
    """Its columns are the contract's, its time is ISO 8601 in UTC, its reasons are joined."""
    assert cells(ROW) == [
        {
            "trace_id": "tr-1",
            "person": "ann@example.com",
            "name": "user_feedback",
            "value": "false",
            "stars": "",
            "rationale": 'Two lines,\n"quoted".',
            "reasons": "incorrect; out of date",
            "at": "2025-11-27T10:00:00.250Z",
            "version": "m-1",
            "session": "",
        }
    ]


@pytest.mark.parametrize(
    ("name", "value", "cell", "stars"),
    [
        ("user_feedback", True, "true", ""),
        ("user_feedback", "YES", "true", ""),
        ("user_feedback", 0, "false", ""),
        ("user_feedback", "perhaps", "perhaps", ""),
        ("user_accuracy", 0.6, "0.6", "3"),
        ("user_accuracy", 1, "1", "5"),
        ("user_accuracy", 0.55, "0.55", "2.75"),
        ("user_accuracy", 7, "7", ""),
        ("user_accuracy", True, "true", ""),
        ("user_comment", None, "", ""),
        ("expected_response", "Better so.", "Better so.", ""),
    ],
)
def test_values_and_stars(name: str, value: RatingValue, cell: str, stars: str) -> None:
    """A clear thumb is true or false; only a dimension's number from 0 to 1 is stars."""
    found = cells(replace(ROW, name=name, value=value))[0]
    assert (found["value"], found["stars"]) == (cell, stars)


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "\n", " =", "\uff1d"])
def test_no_cell_is_a_formula(begin: str) -> None:
    """Whoever chose a name, a reason or an id: a spreadsheet shows it and runs nothing."""
    text = f'{begin}HYPERLINK("http://evil.example")'
    row = RatingRow(
        trace_id=text,
        person=text,
        name=text,
        value=text,
        rationale=text,
        reasons=(text, text),
        at=0,
        version=text,
        session=text,
    )
    for cell in cells(row, replace(row, name="user_accuracy", value=-0.5))[1].values():
        assert cell.lstrip(" ")[:1] not in set("=+-@\t\r\n\uff1d")


def test_pandas_reads_it() -> None:
    """Quotes, commas and line breaks are where they were; odd characters spoil nothing."""
    odd = replace(ROW, rationale="NUL \x00, half of a pair \ud800, \u6f22", version=None)
    frame = pd.read_csv(io.StringIO(written(ROW, odd)), keep_default_na=False)
    assert list(frame.columns) == list(COLUMNS)
    assert list(frame["rationale"]) == [
        'Two lines,\n"quoted".',
        "NUL , half of a pair \ufffd, \u6f22",
    ]
    assert str(pd.to_datetime(frame["at"]).dt.tz) == "UTC"
    assert written(odd).encode()


def test_rows_are_written_as_they_come() -> None:
    """The file holds each row before the next is asked for, so that a million need no memory."""
    file = io.StringIO(newline="")
    seen: list[int] = []

    def rows() -> Iterator[RatingRow]:
        for number in range(3):
            seen.append(file.getvalue().count("\r\n"))
            yield replace(ROW, rationale=None, trace_id=f"tr-{number}")

    write_csv(rows(), file, 5)
    assert seen == [1, 2, 3]


def test_nothing_is_a_header() -> None:
    """Whoever reads the file finds the columns also where nobody rated."""
    assert written() == ",".join(COLUMNS) + "\r\n"
