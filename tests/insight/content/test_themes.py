"""Themes of comments."""

import random
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_feedback.insight.content.themes import MIN_PEOPLE, Said, Theme, themes_of
from agent_feedback.insight.content.words import MAX_LENGTH, terms, tidy
from agent_feedback.insight.errors import ReportError
from tests.insight.complaints import COMPLAINTS

SUBJECTS = {text: subject for subject, texts in COMPLAINTS.items() for text in texts}

comments = st.lists(
    st.builds(
        Said,
        text=st.one_of(
            st.text(max_size=20),
            st.text("ab 遅い古規程12<>&;'\u0e01\u0300", max_size=12),
            st.sampled_from(sorted(SUBJECTS)),
        ),
        person=st.sampled_from("abcdefg"),
        trace_id=st.sampled_from(["tr-1", "tr-2", "tr-3", "tr-4"]),
    ),
    max_size=40,
)


def said(*texts: str) -> list[Said]:
    """Comments, each by another person on another trace."""
    return [Said(text, f"p{number}", f"tr-{number}") for number, text in enumerate(texts)]


def names(found: tuple[Theme, ...]) -> list[str]:
    """What the themes are called."""
    return [theme.name for theme in found]


def test_the_themes_of_realistic_comments_are_their_subjects() -> None:
    """In three languages, each large theme is nearly all about one thing."""
    found = themes_of(said(*SUBJECTS))
    assert 12 <= len(found) <= 22
    for theme in found:
        subjects = [SUBJECTS[comment.text] for comment in theme.comments]
        largest = max(subjects.count(subject) for subject in subjects)
        assert largest / len(subjects) >= 0.6, theme
    covered = sum(len(theme.comments) for theme in found)
    assert covered / len(SUBJECTS) > 0.8


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        ("outdated", "policy, outdated"),
        ("format", "formatting, table"),
        ("rude", "tone, rude"),
        ("slow", "slow"),
        ("veraltet", "veraltet"),
        ("遅い", "遅い"),
        ("太慢", "太慢"),
    ],
)
def test_a_theme_is_named_by_its_words(subject: str, name: str) -> None:
    """The words are whole, as people typed them."""
    found = themes_of(said(*SUBJECTS))
    largest = max(
        found,
        key=lambda theme: sum(SUBJECTS[comment.text] == subject for comment in theme.comments),
    )
    assert largest.name.startswith(name)


def test_the_most_frequent_form_names_a_theme() -> None:
    """The stem that is compared is never shown."""
    found = themes_of(said("Citations wrong", "citation", "citation", "Citations"))
    assert names(found) == ["citation"]


def test_what_two_people_say_is_no_theme() -> None:
    """However often they say it."""
    twice = [Said("too slow", person, f"tr-{n}") for person in "ab" for n in range(9)]
    assert themes_of(twice) == ()
    assert names(themes_of([*twice, Said("Too slow!", "c", "tr-1")])) == ["slow"]


def test_all_comments_may_be_the_same() -> None:
    """One text is one theme, with everybody who wrote it."""
    (theme,) = themes_of(said(*["The link is dead"] * 40))
    assert theme.name == "link is dead"
    assert len(theme.comments) == 40


@pytest.mark.parametrize(
    "text", ["", "   \n", "👎", "?!", "42", "1,000.50", "<p></p>", "the", "https://example.com/a"]
)
def test_comments_without_words_are_no_theme(text: str) -> None:
    """Spaces, signs, numbers, markup, addresses and words without a subject say nothing."""
    assert themes_of(said(*[text] * 5)) == ()


def test_markup_is_not_read_as_words() -> None:
    """A comment from a rich text field is the same as its text."""
    found = themes_of(said("<p class='x'>link&nbsp;dead</p>", "link dead", "<b>link</b> dead"))
    assert names(found) == ["link dead"]


def test_a_long_comment_is_read_at_its_beginning() -> None:
    """What a book says at its end takes no time."""
    long = "slow " * (MAX_LENGTH // 5) + "rude " * 600
    assert names(themes_of(said(*[long] * 3))) == ["slow slow"]


@pytest.mark.parametrize(
    ("text", "stems"),
    [
        ("Wrong citations", ["wrong", "citat", "wrong citat"]),
        ("tone of the reply is rude", ["tone", "rude", "tone rude"]),
        ("slow. Rude", ["slow", "rude"]),
        ("規程が古い", ["規程", "古"]),
        ("太慢了", ["太慢", "慢了"]),
        ("リンク切れ", ["リンク", "切"]),
        ("링크가 깨졌어요", ["링크", "깨졌", "링크 깨졌"]),
        ("लिंक टूटा", ["लिंक", "टूटा", "लिंक टूटा"]),
        ("ช้ามาก", ["ช้า", "้าม", "ามา", "มาก"]),
        ("Überfällig", ["überf"]),
        ("don\u2019t", []),
        ("x" * 31, []),
    ],
)
def test_words_are_found_in_every_script(text: str, stems: list[str]) -> None:
    """Where no spaces separate words, pieces of a few characters stand for them."""
    assert [term.stem for term in terms(tidy(text))] == stems


def test_more_comments_than_are_compared_join_the_themes() -> None:
    """Beyond the sample, a comment belongs to the theme that it is like."""
    dice = random.Random(3)
    subjects = ("link dead", "tone rude", "table broken")
    many = [
        Said(
            f"{subjects[n % 3]} {dice.choice('bdfgk')}{dice.randrange(10**6):06}", f"p{n}", f"t{n}"
        )
        for n in range(2_600)
    ]
    found = themes_of(many)
    assert sorted(names(found)) == ["link dead", "table broken", "tone rude"]
    assert sum(len(theme.comments) for theme in found) == 2_600


def test_a_missing_library_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only where there is something to compare."""
    monkeypatch.setitem(sys.modules, "sklearn.feature_extraction.text", None)
    assert themes_of(said("👎", "42")) == ()
    with pytest.raises(ReportError, match="scikit-learn"):
        themes_of(said("too slow", "so slow"))


@settings(deadline=None, derandomize=True, max_examples=40)
@given(comments, st.randoms(use_true_random=False))
def test_themes_do_not_depend_on_the_order(of: list[Said], dice: random.Random) -> None:
    """Nor on the source that the comments came from."""
    shuffled = dice.sample(of, len(of))
    assert themes_of(of) == themes_of(shuffled)


@settings(deadline=None, derandomize=True, max_examples=40)
@given(comments)
def test_each_theme_is_several_people_s_and_has_a_name(of: list[Said]) -> None:
    """Whatever they write, no comment is in two themes, and none is invented."""
    found = themes_of(of)
    left = list(of)
    for theme in found:
        assert theme.name.strip() == theme.name != ""
        assert len({comment.person for comment in theme.comments}) >= MIN_PEOPLE
        for comment in theme.comments:
            left.remove(comment)
