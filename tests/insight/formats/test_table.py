"""The form for a terminal."""

# ruff: noqa: RUF001 (a minus sign and a dash are what readers see)

from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.cells import cell_len

from agent_feedback.insight.content.report_values import Report
from agent_feedback.insight.formats.table import as_table
from tests.insight import sample_reports

WIDE = "\N{CJK UNIFIED IDEOGRAPH-6F22}" * 120


def _wide_report() -> Report:
    """Words of characters that take two columns each, without a place to break them."""
    sample = sample_reports.hostile_report()
    return replace(
        sample,
        notes=(WIDE,),
        fix_first=(replace(sample.fix_first[0], what=WIDE, examples=(WIDE,)),),
        groups=(sample_reports.group(WIDE, sample.headline),),
        comments=(replace(sample.comments[0], rationale=WIDE, trace_id=WIDE),),
    )


@pytest.mark.parametrize(
    "made",
    [
        sample_reports.sample_report,
        sample_reports.empty_report,
        sample_reports.thin_report,
        sample_reports.large_report,
        sample_reports.hostile_report,
        sample_reports.unencodable_report,
        sample_reports.few_people_report,
        _wide_report,
    ],
)
@pytest.mark.parametrize("width", [100, 60])
def test_it_fits(made: Callable[[], Report], width: int) -> None:
    """No line is wider, whatever people typed."""
    text = as_table(made(), min_count=30, width=width)
    assert max(map(cell_len, text.splitlines())) <= width
    assert text.encode()


def test_the_first_line_says_it() -> None:
    """How good, how sure, whether it changed, and what to fix."""
    assert as_table(sample_reports.sample_report(), min_count=30).splitlines()[0] == (
        "74 % of 1,204 thumbs are positive (71 to 77 %), 5 points worse; fix first: “incorrect”"
        " (41 people)."
    )


@pytest.mark.parametrize("width", [200, 120, 100, 80, 60, 40, 20, 8])
@pytest.mark.parametrize(
    "made",
    [
        sample_reports.sample_report,
        sample_reports.empty_report,
        sample_reports.thin_report,
        sample_reports.unencodable_report,
        _wide_report,
    ],
)
def test_the_first_line_stands_alone(made: Callable[[], Report], width: int) -> None:
    """It ends where its sentence ends, also where letters take two columns each."""
    first, second, *_ = as_table(made(), min_count=30, width=width).splitlines()
    assert first.endswith("." if width >= 40 else (".", "…"))
    assert second.startswith(made().experiments[0].name[:1].strip("\ud800") or "\ufffd")


def test_of_a_long_reason_there_is_what_fits() -> None:
    """Two columns for each letter: four letters and not nine."""
    first = as_table(_wide_report(), min_count=30).splitlines()[0]
    assert first == (
        "74 % of 1,204 thumbs are positive (71 to 77 %), 5 points worse; fix first:"
        f" “{WIDE[:4]}…” (41 people)."
    )


def test_groups_are_named_by_what_they_have_in_common() -> None:
    """Where that is known."""
    sample = sample_reports.sample_report()
    assert "\nBy version\n" in as_table(sample, min_count=30, by="version")
    assert "\nGroups\n" in as_table(sample, min_count=30)


def test_every_part_of_a_report_is_in_it() -> None:
    """What the report knows is shown, and a whole trace id with each thing to fix."""
    report = sample_reports.sample_report()
    text, example = as_table(report, min_count=30), report.fix_first[0].examples[0]
    for part in (
        "Since the week before: positive −5 points (−9 to −1)",
        f"incorrect (reason)               41       66  91 %      3.5  {example}",
        "accuracy   3.8  3.5 to 4.1       214      96",
        "(none)       78 %  47 to 100 %  9, thin       6      773    1 %",
        "m-2f81c is 10 points worse than m-1d07a",
        "positive thumbs  80 % from 520  70 % from 675     −10 points (−16 to −4)  worse",
        "accuracy           4.0 from 92   3.8 from 122  −0.2 stars (−0.8 to +0.4)  undecided",
        "correctness   83 %  79 to 86 %      74 %   0.52 (0.43 to 0.60)  0.71       486     4",
        "not rated   39,885        4.1 s   0.9 %",
        "41 people gave half of them",
        "From answer to rating: 24 s at the median, nine of ten within 10.2 min.",
        "“It says refunds take 14 days. Since October it is 30.”",
        "Should be: Refunds are paid within 30 days of the return.",
        "12 by developers, 2,240 by judges, 310 by code, 512 implicit_copy",
        "tone at least 0.6 of 1       0.80 of 1      18  too little data to say",
        "44 assessments by excluded people are left out.",
    ):
        assert part in text


def test_sections_without_anything_are_not_there() -> None:
    """Without ratings there is the headline, and the note that says how to get some."""
    text = as_table(sample_reports.empty_report(), min_count=30)
    assert [line for line in text.splitlines() if line and not line.startswith(" ")] == [
        "No ratings yet: nobody has rated one of 1,204 answers.",
        "Default · 27 Nov 2026, 00:00 to 28 Nov 2026, 00:00 UTC",
        "Notes",
    ]
    assert "docs/widget.md" in text


def test_thin_numbers_are_called_thin() -> None:
    """Below the caller's number of ratings, not below ours."""
    report = sample_reports.thin_report()
    assert "8, thin" in as_table(report, min_count=30)
    assert "thin" not in as_table(replace(report, notes=()), min_count=8)


def test_no_verdict_is_read_off_thin_numbers() -> None:
    """Two people beside two others prove nothing, and each of their numbers says so."""
    text = as_table(sample_reports.few_people_report(), min_count=30, by="version")
    for part in (
        "Since the day before: positive (thin) +100 points",
        "2 people rated 6 of 12 answers: 50 %, thin.",
        "6, thin       2       12  50 %, thin",
        "Too thin to say which of m-2 and m-1 is better: both have fewer than 30 thumbs",
        "0 % from 6, thin  100 % from 6, thin",
        "1.0 from 4, thin    5.0 from 4, thin  +4.0 stars (+2.0 to +5.0)  thin, no verdict",
        "3, thin",
    ):
        assert part in text, part
    assert "100 to 100" not in text
    assert "  better" not in text


def test_nothing_steers_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """No colours, and none of people's control characters, whatever the environment wants."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    text = as_table(sample_reports.hostile_report(), min_count=30)
    assert all(character == "\n" or character.isprintable() for character in text)
    assert "[31m{{ 7 * 7 }}" in " ".join(text.split())
