"""The form for a pull request or a chat."""

import re
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from agent_feedback.insight.content.report_values import Report
from agent_feedback.insight.formats.markdown import as_markdown, escaped
from tests.insight.sample_reports import (
    LINKS,
    empty_report,
    few_people_report,
    hostile_report,
    large_report,
    sample_report,
    thin_report,
    unencodable_report,
)

HARMFUL = [
    "<img src=x onerror=alert(1)>",
    "<!channel> <@U123> &lt;b&gt;",
    "![x](http://evil.example/x.png)",
    "[y](javascript:alert(1)) [z]: http://evil.example",
    "[z][] ![z][] [^1]",
    "https://evil.example www.evil.example <https://evil.example> ann@example.com",
    "@octocat #12 !12 ~label &3 $4 %5 owner/name#7",
    "*b* **b** _b_ __b__ ~~b~~ `b` ``b`` \\*b\\*",
    "a | b |",
    "# heading",
    "> quote",
    "- item",
    "+ item",
    "1. item",
    "23) item",
    "=====",
    "-----",
    "```",
    "/close",
    "$x^2$",
    "first\n\n# second\n\n<script>",
    "\\",
    "    code",
]


def parsed(text: str) -> list[Token]:
    """Markdown as a site reads it: tables, struck text, bare addresses."""
    reader = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    tokens = reader.parse(text)
    return [part for token in tokens for part in (token, *(token.children or ()))]


def kinds(text: str) -> set[str]:
    """What markup comes of it."""
    return {token.type for token in parsed(text)}


@pytest.mark.parametrize("text", HARMFUL)
@pytest.mark.parametrize("frame", ["{}", "> {}", "- {}", "**{}**", "say {}"])
def test_people_cannot_write_markup(text: str, frame: str) -> None:
    """Whatever they typed is one piece of text in what surrounds it, to be read as it is."""
    written = frame.format(escaped(text))
    assert kinds(written) - {"softbreak", "text_special"} == kinds(frame.format("x"))
    shown = "".join(token.content for token in parsed(written) if not token.children)
    expected = " ".join(text.split())
    assert expected in re.sub("\N{WORD JOINER}", "", shown)


@pytest.mark.parametrize("text", HARMFUL)
def test_no_site_makes_a_link_or_a_mention_of_it(text: str) -> None:
    """GitHub and GitLab look for these in what is already rendered: no escape stops that."""
    shown = "".join(token.content for token in parsed(escaped(text)) if not token.children)
    assert not re.search(r"[@#!~&$%]\w|://|www\.", shown)
    assert not shown.startswith("/")


def test_a_cell_of_a_table_stays_one() -> None:
    """The pipe of a group's name begins no further cell."""
    tokens = parsed(as_markdown(hostile_report(), min_count=30))
    rows = "".join({"tr_open": "\n", "td_open": "|"}.get(token.type, "") for token in tokens)
    assert {len(row) for row in rows.split()} == {5}


def test_a_hostile_report_has_only_our_markup() -> None:
    """What people chose to do harm adds no kind of markup, and no link."""
    found = kinds(as_markdown(hostile_report(), min_count=30))
    assert found <= kinds(as_markdown(sample_report(), min_count=30))
    assert "link_open" not in found
    assert not found & {"html_inline", "html_block", "image"}


def test_traces_are_linked() -> None:
    """Each thing to fix has three, and a reader gets there by a click."""
    report = sample_report()
    links = [
        token.attrs["href"]
        for token in parsed(as_markdown(report, min_count=30))
        if token.type == "link_open"
    ]
    assert links[:3] == [f"{LINKS}{trace_id}" for trace_id in report.fix_first[0].examples]
    unlinked = replace(report, comments=())
    assert f"`{report.fix_first[0].examples[0]}`" in as_markdown(unlinked, min_count=30)


@pytest.mark.parametrize("report", [sample_report(), large_report()])
def test_it_is_short(report: Report) -> None:
    """It fits a message of Slack, and a comment on a pull request."""
    assert len(as_markdown(report, min_count=30)) < 6_000


def test_it_begins_with_the_headline() -> None:
    """Also where nothing is rated, or too little to judge by."""
    firsts = [
        as_markdown(report, min_count=30).splitlines()[0]
        for report in (sample_report(), empty_report(), thin_report())
    ]
    assert firsts == [
        "**74 % of 1,204 thumbs are positive (95 %: 71 to 77 %), 5 points worse than the week"
        " before; fix first: “incorrect” (41 people).**",
        "**No ratings yet: nobody has rated one of 1,204 answers.**",
        "**6 of 8 thumbs are positive (95 %: 41 to 100 %): thin, fewer than 30.**",
    ]


def test_the_rest_of_many_groups_is_counted() -> None:
    """A pull request has no room for fifty."""
    assert "41 more groups are in the other forms." in as_markdown(large_report(), min_count=30)


def test_no_verdict_is_read_off_thin_numbers() -> None:
    """Two people beside two others prove nothing, and each of their numbers says so."""
    text = as_markdown(few_people_report(), min_count=30)
    for part in (
        "2 people rated 6 of 12 answers: 50 %, thin.",
        "| 0 %, thin | 6, thin |",
        "Too thin to say which of m-2 and m-1 is better: both have fewer than 30 thumbs",
        "| 0 % from 6, thin | 100 % from 6, thin |",
        "| tone | 1.0 from 4, thin | 5.0 from 4, thin | +4.0 stars (+2.0 to +5.0) | thin,",
        "agrees with people on 100 %. On 3 answers: thin, fewer than 30, so it says nothing about",
    ):
        assert part in text, part
    assert "| better" not in text
    assert "100 to 100" not in text


def test_groups_are_named_by_what_they_have_in_common() -> None:
    """Where that is known; it may be anything that somebody typed."""
    assert "**By version**" in as_markdown(sample_report(), min_count=30, by="version")
    assert "**Groups**" in as_markdown(sample_report(), min_count=30)
    assert "**By \\*b\\***" in as_markdown(sample_report(), min_count=30, by="*b*")


def test_every_text_can_be_written() -> None:
    """Half a pair is shown as what it is, and nothing that controls a device is left."""
    text = as_markdown(unencodable_report(), min_count=30, by="\ud800")
    assert text.encode()
    assert "\N{REPLACEMENT CHARACTER}" in text
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)
