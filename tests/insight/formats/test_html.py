"""The page: what is in its source. What it looks like is tested in a browser."""

# ruff: noqa: RUF001 (a minus sign and a dash are what readers see)

import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from agent_feedback.insight.content.report_values import Report
from agent_feedback.insight.formats.html import as_html, strip
from agent_feedback.text import clean
from tests.insight.sample_reports import (
    HOSTILE,
    LINKS,
    NOTHING,
    empty_report,
    few_people_report,
    hostile_report,
    large_report,
    sample_report,
    thin_report,
    unencodable_report,
)

REPORTS = {
    "sample": sample_report(),
    "empty": empty_report(),
    "nothing": empty_report(0),
    "thin": thin_report(),
    "large": large_report(),
    "hostile": hostile_report(),
    "unencodable": unencodable_report(),
    "few people": few_people_report(),
}


class Source(HTMLParser):
    """What a page is made of."""

    def __init__(self, report: Report, *, by: str | None = None) -> None:
        super().__init__()
        self.page = as_html(report, min_count=30, by=by)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(self.page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        """Its words, on one line."""
        return " ".join(" ".join(self.texts).replace("\N{NO-BREAK SPACE}", " ").split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of all elements of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(params=REPORTS)
def source(request: pytest.FixtureRequest) -> Source:
    """Read the page of each kind of report."""
    return Source(REPORTS[request.param])


def test_it_needs_nothing_else(source: Source) -> None:
    """No script, no address of another host but the links to traces, no way to get anything."""
    assert {"script", "link", "img", "iframe", "object", "form"}.isdisjoint(
        tag for tag, _ in source.elements
    )
    assert not [name for _, found in source.elements for name in found if name.startswith("on")]
    loads = [
        value for _, found in source.elements for name, value in found.items() if name == "src"
    ]
    assert loads == []
    links = [found["href"] or "" for found in source.all("a")]
    assert all(link.startswith(LINKS) for link in links)
    assert "@import" not in source.page
    assert set(re.findall(r"url\((?!#)", source.page)) == set()
    addresses = set(re.findall(r'="(?:https?:)?//[^"]*', source.page))
    assert {each for each in addresses if LINKS not in each} <= {'="http://www.w3.org/2000/svg'}
    policy = next(found for found in source.all("meta") if "http-equiv" in found)["content"]
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline';")


def test_ids_are_unique_and_lead_somewhere(source: Source) -> None:
    """Charts are several on a page, and each uses its own shapes."""
    ids = Counter(found["id"] for _, found in source.elements if "id" in found)
    assert [name for name, number in ids.items() if number > 1] == []
    uses = re.findall(r'(?:url\(|href=")#([^")]*)', source.page)
    assert set(uses) <= ids.keys()
    labels = {found["aria-labelledby"] for found in source.all("section")}
    assert labels <= ids.keys()


def test_charts_take_the_pages_colours_and_have_names(source: Source) -> None:
    """They scale, they say what they are, and no colour of theirs is fixed."""
    for found in source.all("svg"):
        assert found["role"] == "img"
        assert found["aria-label"]
        assert found["viewbox"]
        assert "width" not in found
    for chart in re.findall(r"<svg.*?</svg>", source.page, re.DOTALL):
        assert not re.search(r"#[0-9a-f]{6}\b", chart)
        assert "metadata" not in chart
        assert "DejaVu" not in chart


def test_the_same_report_is_the_same_page() -> None:
    """Nothing in it depends on when, or how often, it was made."""
    first, again = (as_html(sample_report(), min_count=30) for _ in range(2))
    assert first == again


def test_the_headline_comes_first() -> None:
    """A sentence, what to fix, and how many rated."""
    text = Source(sample_report()).text
    begin = text.index("74 % of 1,204")
    assert text[begin:].startswith(
        "74 % of 1,204 thumbs are positive (95 %: 71 to 77 %), 5 points worse than the week"
        " before. Fix first: “incorrect” , said by 41 people."
        " 312 people rated 1,318 of 41,203 answers: 3.2 %."
    )


def test_every_part_of_a_report_is_in_it() -> None:
    """What the report knows is shown, and each chart's numbers stand in a table."""
    source = Source(sample_report())
    for part in (
        "likely between 71 and 77 %",
        "worth as much as 926 of different people",
        "5 points worse than the week before (79 %)",
        "0.4 points lower than the week before (3.6 %)",
        "41 people gave half of the ratings",
        "nine of ten within 10.2 min",
        "2026-11-23 – – 0 0 0 5,900 0 %",
        "3.8 of 5 stars, likely 3.5 to 4.1",
        "Stars 5 4 3 2 1 Ratings 95 48 31 22 18",
        "−10 points (−16 to −4) worse",
        "median time 6.4 s 4.1 s",
        "judge: yes 331 54 judge: no 29 72",
        "κ 0.52 (0.43 to 0.60), AC1 0.71 (0.65 to 0.77)",
        "No answer has both a yes or no of this judge and a thumb.",
        "Should be: Refunds are paid within 30 days of the return.",
        "tone at least 0.6 of 1 0.80 of 1 18 too little data to say",
        "310 assessments by code",
        "How to read an interval",
    ):
        assert part in source.text, part
    findings = sample_report().fix_first
    links = [found["href"] for found in source.all("a")]
    wanted = [f"{LINKS}{trace_id}" for finding in findings for trace_id in finding.examples]
    assert links[: len(wanted)] == wanted


def test_peoples_text_is_text() -> None:
    """Whoever writes markup finds it shown as they wrote it; without what no page can hold."""
    sample, hostile = Source(sample_report()), Source(hostile_report())
    assert {tag for tag, _ in hostile.elements} <= {tag for tag, _ in sample.elements}
    assert hostile.text.count(clean(HOSTILE)) > 10
    assert "\x1b" not in hostile.page
    assert "javascript:" not in "".join(found["href"] or "" for found in hostile.all("a"))
    odd = Source(unencodable_report())
    assert odd.page.encode()
    assert "\N{REPLACEMENT CHARACTER}" in odd.text
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", odd.page)


def test_without_ratings_it_says_how_to_get_some() -> None:
    """No empty charts: the component to show, where that is documented, an example to start."""
    source = Source(empty_report())
    assert source.all("svg") == []
    for part in ("<agent-feedback trace-id=", "docs/widget.md", "make run", "mount", "--alias"):
        assert part in source.text


def test_without_answers_it_says_where_to_look() -> None:
    """The window or the experiment is another one, or nothing is traced."""
    source = Source(empty_report(0))
    assert source.all("svg") == []
    for part in ("Where are the answers?", "--since 30d", "--experiment", "make run"):
        assert part in source.text


def test_a_thin_number_is_called_thin_and_says_why() -> None:
    """Below the caller's number of ratings, not below ours."""
    assert "thin: 8 thumbs, fewer than 30" in Source(thin_report()).text
    assert "thin: 18 ratings, fewer than 30" in Source(sample_report()).text
    assert 'class="thin"' in as_html(thin_report(), min_count=30)
    assert 'class="thin"' not in as_html(sample_report(), min_count=1)


def test_no_verdict_is_read_off_thin_numbers() -> None:
    """Two people beside two others prove nothing, however far apart their thumbs are."""
    text = Source(few_people_report(), by="version").text
    assert not re.search(r"better|points worse", re.sub("which of .* is better", "", text))
    for part in (
        "too thin to compare with the day before (0 % of 6)",
        "too thin to compare with the day before (50 % of 12)",
        "Too thin to say which of m-2 and m-1 is better: both have fewer than 30 thumbs",
        "+4.0 stars (+2.0 to +5.0) thin, no verdict",
        "On 3 answers: thin, fewer than 30, so it says nothing about the judge.",
        "thin 50 %",
        "By version",
    ):
        assert part in text, part
    assert "100 to 100" not in text


def test_groups_are_named_by_what_they_have_in_common() -> None:
    """Where that is known; it may be anything that somebody typed."""
    for by, title in ((None, "Groups"), ("tag:<b>", "By tag:<b>")):
        source = Source(sample_report(), by=by)
        assert title in source.texts
        assert source.all("b") == []


def test_without_links_the_ids_are_whole() -> None:
    """Where it is not known who shows a trace, its id can be copied."""
    report = replace(sample_report(), comments=())
    source = Source(report)
    assert source.all("a") == []
    assert report.fix_first[0].examples[0] in source.text


def test_ratings_without_thumbs_have_no_trend() -> None:
    """Where there is no positive rate, no chart of it is drawn."""
    sample = sample_report()
    stars = replace(
        sample, headline=replace(sample.headline, positive=0, negative=0, positive_rate=NOTHING)
    )
    source = Source(stars)
    assert "No thumbs yet" in source.text
    assert "Over time" not in source.text
    assert "3.8 of 5 stars" in source.text


def test_a_strip_of_nothing_is_nothing() -> None:
    """A group without thumbs has no point to draw."""
    assert strip(NOTHING) == ""


def test_heavy_libraries_wait_until_a_page_is_made() -> None:
    """Importing the form imports none of them, and no chart goes through pyplot's global state."""
    program = """if True:
        import sys
        from agent_feedback.insight.formats.html import as_html
        assert not {"matplotlib", "jinja2", "pandas", "rich"} & sys.modules.keys()
        from tests.insight.sample_reports import sample_report
        as_html(sample_report(), min_count=30)
        assert "matplotlib" in sys.modules
        assert not {"matplotlib.pyplot", "pandas"} & sys.modules.keys()
    """
    subprocess.run([sys.executable, "-c", program], check=True)
