"""What to fix first."""

import random
import sys
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_feedback.insight.content.findings import MAX_THEMES, fix_first
from agent_feedback.insight.content.report_values import Finding
from agent_feedback.insight.content.themes import Said, themes_of
from agent_feedback.insight.definitions.aggregates import Comment, CommentedTrace, Sums
from agent_feedback.insight.errors import ReportError
from tests.insight.complaints import COMPLAINTS


def sums(positive: int, negative: int) -> Sums:
    """A window with so many thumbs."""
    total = Sums(traces=1000)
    total.rate("user_feedback", "somebody", 1.0, positive)
    total.rate("user_feedback", "somebody", 0.0, negative)
    return total


def comment(person: str, words: str | None = None, *reasons: str) -> Comment:
    """What a person said."""
    return Comment(person, "user_feedback", None, words, reasons, None, 0)


def trace(
    number: int, *comments: Comment, positive: int = 0, negative: int = 0, at: int | None = None
) -> CommentedTrace:
    """A trace that began at its number, unless another time is given."""
    started_at = number if at is None else at
    return CommentedTrace(f"tr-{number}", "1", started_at, positive, negative, comments)


def test_a_reason_s_numbers_are_those_of_its_traces() -> None:
    """People and traces are distinct, and the thumbs are everybody's on these traces."""
    commented = [
        trace(4, comment("a", None, "wrong", "old"), negative=1),
        trace(3, comment("a", None, "wrong"), comment("b", None, "wrong"), negative=2),
        trace(2, comment("a", None, "wrong"), positive=1),
    ]
    assert fix_first(commented, sums(60, 20)) == (
        Finding(
            what="wrong",
            kind="reason",
            people=2,
            traces=3,
            negative_share=0.75,
            lift=3.0,
            examples=("tr-4", "tr-3", "tr-2"),
        ),
        Finding(
            what="old",
            kind="reason",
            people=1,
            traces=1,
            negative_share=1.0,
            lift=4.0,
            examples=("tr-4",),
        ),
    )


def test_praise_is_nothing_to_fix() -> None:
    """However many people say it, in reasons or in words."""
    commented = [
        *(trace(n, comment(f"p{n}", "Thank you", "correct"), positive=1) for n in range(20)),
        *(trace(n, comment(f"p{n}", "Dead link", "wrong"), negative=1) for n in range(20, 25)),
    ]
    assert [found.what for found in fix_first(commented, sums(20, 5))] == ["wrong", "Dead link"]


def test_nothing_is_to_fix_where_everybody_is_content() -> None:
    """Without a negative thumb, what has positive ones is praise."""
    commented = [trace(1, comment("a", None, "correct"), positive=1)]
    assert fix_first(commented, sums(5, 0)) == ()


def test_what_is_as_bad_as_everything_else_stays() -> None:
    """The shares are compared exactly: 1 of 3 is not less than 3 of 9."""
    commented = [trace(1, comment("a", None, "old"), positive=2, negative=1)]
    (found,) = fix_first(commented, sums(6, 3))
    assert found.lift == 1.0


def test_a_common_complaint_stays_where_others_are_worse() -> None:
    """Mostly negative is no praise, however bad the rest is."""
    commented = [trace(1, comment("a", None, "slow"), positive=2, negative=3)]
    (found,) = fix_first(commented, sums(1, 9))
    assert found.lift == pytest.approx(2 / 3)


def test_without_thumbs_nothing_is_known_and_nothing_is_left_out() -> None:
    """The shares are unknown, and the order is that of people."""
    commented = [
        trace(1, comment("a", None, "old"), comment("b", None, "wrong")),
        trace(2, comment("a", None, "wrong")),
    ]
    assert [
        (found.what, found.people, found.negative_share, found.lift)
        for found in fix_first(commented, Sums())
    ] == [("wrong", 2, None, None), ("old", 1, None, None)]


def test_people_then_lift_then_kind_then_name_decide() -> None:
    """An unknown lift comes after the known ones of as many people."""
    commented = [
        trace(1, comment("a", None, "unknown")),
        trace(2, comment("a", None, "half"), negative=1, positive=1),
        trace(3, comment("a", None, "b", "a"), negative=1),
        *(trace(n, comment(f"p{n}", "slow", "slow"), negative=1) for n in range(10, 13)),
    ]
    assert [(found.kind, found.what) for found in fix_first(commented, sums(5, 5))] == [
        ("reason", "slow"),
        ("theme", "slow"),
        ("reason", "a"),
        ("reason", "b"),
        ("reason", "half"),
        ("reason", "unknown"),
    ]


def test_examples_are_three_negative_ones_first_then_the_newest_then_by_id() -> None:
    """Who looks at an example sees what people complained about."""
    commented = [
        trace(5, comment("a", None, "old"), positive=1, negative=1),
        trace(4, comment("a", None, "old"), negative=1),
        trace(3, comment("a", None, "old"), negative=1, at=2),
        trace(2, comment("a", None, "old"), negative=1),
        trace(1, comment("a", None, "old"), negative=1),
    ]
    (found,) = fix_first(commented, sums(1, 5))
    assert found.examples == ("tr-4", "tr-2", "tr-3")
    (found,) = fix_first(commented[:2], sums(5, 5))
    assert found.examples == ("tr-4", "tr-5")


def test_the_realistic_complaints_are_ten_themes_without_praise() -> None:
    """The largest come first."""
    texts = [(subject, text) for subject, texts in COMPLAINTS.items() for text in texts]
    commented = [
        trace(n, comment(f"p{n}", text), **{"positive" if subject == "praise" else "negative": 1})
        for n, (subject, text) in enumerate(texts)
    ]
    found = fix_first(commented, sums(300, 131))
    assert len(found) == MAX_THEMES
    assert found[0].what == "policy, outdated, changed"
    assert not [finding.what for finding in found if "Thank" in finding.what]


def test_blank_reasons_are_none() -> None:
    """Metadata that other programs wrote may hold anything."""
    assert fix_first([trace(1, comment("a", "", "", " "), negative=1)], sums(1, 1)) == ()


def test_reasons_need_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only comments do, and then the report says what is missing."""
    monkeypatch.setitem(sys.modules, "sklearn.feature_extraction.text", None)
    assert fix_first([trace(1, comment("a", None, "old"), negative=1)], sums(1, 1))
    spoken = [trace(n, comment(f"p{n}", "too slow"), negative=1) for n in range(3)]
    with pytest.raises(ReportError):
        fix_first(spoken, sums(1, 1))


people = st.builds(
    comment,
    st.sampled_from("abcdef"),
    st.one_of(st.none(), st.sampled_from(["slow", "so slow!", "old policy", "Policy", "👎", ""])),
    st.sampled_from(["old", "wrong", "correct"]),
)
windows = st.lists(
    st.tuples(st.lists(people, min_size=1, max_size=4), st.integers(0, 3), st.integers(0, 3)),
    max_size=12,
).map(
    lambda specs: [
        trace(n, *said, positive=positive, negative=negative, at=n // 2)
        for n, (said, positive, negative) in enumerate(specs)
    ]
)


@settings(deadline=None, derandomize=True, max_examples=40)
@given(windows, st.integers(0, 50), st.integers(0, 50), st.randoms(use_true_random=False))
def test_every_number_is_a_recount(
    commented: list[CommentedTrace], positive: int, negative: int, dice: random.Random
) -> None:
    """Of the comments that belong to it, in whatever order they come."""
    total = sums(positive, negative)
    found = fix_first(commented, total)
    assert fix_first(dice.sample(commented, len(commented)), total) == found
    spoken = [
        Said(said.rationale, said.person, one.trace_id)
        for one in commented
        for said in one.comments
        if said.rationale
    ]
    themes = {theme.name: theme.comments for theme in themes_of(spoken)}
    for finding in found:
        on = {
            (one.trace_id, said.person)
            for one in commented
            for said in one.comments
            if finding.what in said.reasons
        }
        if finding.kind == "theme":
            on = {(said.trace_id, said.person) for said in themes[finding.what]}
        counts: Counter[bool] = Counter()
        for one in commented:
            if one.trace_id in {trace_id for trace_id, _ in on}:
                counts.update({True: one.positive, False: one.negative})
        assert finding.people == len({person for _, person in on})
        assert finding.traces == len({trace_id for trace_id, _ in on})
        assert set(finding.examples) <= {trace_id for trace_id, _ in on}
        thumbs = counts.total()
        share = counts[False] / thumbs if thumbs else None
        assert finding.negative_share == share
        if share is None or finding.lift is None:
            assert share is None or not negative
        else:
            assert finding.lift == pytest.approx(share / (negative / (positive + negative)))
            assert finding.lift >= 1 or share > 0.5
