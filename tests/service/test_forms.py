"""What a person sends becomes contents of ratings, or is refused."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_feedback import InvalidFeedback, Settings, Unavailable
from agent_feedback.model import COMMENT, CORRECTION, THUMB, Content
from agent_feedback.service.forms import Forms, RatingForm

SETTINGS = Settings(implicit_signals=("copy",), scale=4)
FORMS = Forms(SETTINGS)

TAKEN: dict[str, tuple[RatingForm, dict[str, Content]]] = {
    "thumbs up": (RatingForm(True), {THUMB: Content(True)}),
    "thumbs down": (RatingForm(False), {THUMB: Content(False)}),
    "a thumb with everything": (
        RatingForm(False, rationale=" why ", reasons=("incorrect", "unsafe", "incorrect")),
        {THUMB: Content(False, " why ", ("incorrect", "unsafe"))},
    ),
    "stars": (RatingForm(3, "accuracy"), {"user_accuracy": Content(0.75)}),
    "part of a star": (RatingForm(2.5, "relevance"), {"user_relevance": Content(0.625)}),
    "the fewest and the most": (
        RatingForm(ratings={"accuracy": 1, "relevance": 4}),
        {"user_accuracy": Content(0.25), "user_relevance": Content(1.0)},
    ),
    "a comment alone": (RatingForm(rationale="hm"), {COMMENT: Content("hm", "hm")}),
    "a comment with reasons": (
        RatingForm(rationale="hm", reasons=("unsafe",)),
        {COMMENT: Content("hm", "hm", ("unsafe",))},
    ),
    "a correction alone": (RatingForm(correction="16"), {CORRECTION: Content("16")}),
    "a thumb and a correction": (
        RatingForm(False, rationale="no", correction="16"),
        {THUMB: Content(False, "no"), CORRECTION: Content("16")},
    ),
    "a comment and a correction": (
        RatingForm(rationale="no", correction="16"),
        {COMMENT: Content("no", "no"), CORRECTION: Content("16")},
    ),
    "a signal": (RatingForm(signal="copy"), {"implicit_copy": Content(True)}),
    "several dimensions, in the settings' order": (
        RatingForm(ratings={"relevance": 4, "accuracy": 2}, rationale="so", reasons=("complete",)),
        {
            "user_accuracy": Content(0.5, "so", ("complete",)),
            "user_relevance": Content(1.0),
        },
    ),
    "an empty rationale is none": (RatingForm(True, rationale=" \n"), {THUMB: Content(True)}),
    "the longest rationale": (
        RatingForm(True, rationale="x" * 4000),
        {THUMB: Content(True, "x" * 4000)},
    ),
    "a text in its normal form, without what cannot be seen": (
        RatingForm(True, rationale="\x00" + "e\u0301" * 1999 + "\u202e"),
        {THUMB: Content(True, "é" * 1999)},
    ),
    "a text that its normal form would make too long": (
        RatingForm(True, rationale="\x00" + "\u0958" * 3999),
        {THUMB: Content(True, "\u0958" * 3999)},
    ),
}


@pytest.mark.parametrize(("form", "contents"), TAKEN.values(), ids=TAKEN.keys())
def test_a_form_becomes_contents(form: RatingForm, contents: dict[str, Content]) -> None:
    """Each submission names its assessments, in MLflow's units, its own rating first."""
    assert list(FORMS.contents(form).items()) == list(contents.items())


REFUSED: dict[str, tuple[RatingForm, str]] = {
    "nothing": (RatingForm(), "nothing to store"),
    "nothing but blanks": (RatingForm(rationale=" ", correction="\x00"), "nothing to store"),
    "a number as a thumb": (RatingForm(1), "true or false"),
    "a text": (RatingForm("up"), "true or false"),  # type: ignore[arg-type]
    "a bool as stars": (RatingForm(True, "accuracy"), "number of stars"),
    "no stars": (RatingForm(dimension="accuracy"), "number of stars"),
    "too few": (RatingForm(0, "accuracy"), "1 to 4"),
    "too many": (RatingForm(4.001, "accuracy"), "1 to 4"),
    "negative": (RatingForm(-1, "accuracy"), "1 to 4"),
    "not a number": (RatingForm(float("nan"), "accuracy"), "1 to 4"),
    "infinite": (RatingForm(float("inf"), "accuracy"), "1 to 4"),
    "more than a float holds": (RatingForm(10**400, "accuracy"), "1 to 4"),
    "an unknown dimension": (RatingForm(3, "s3cret"), "unknown"),
    "an unknown dimension of several": (RatingForm(ratings={"s3cret": 3}), "unknown"),
    "an assessment's name": (RatingForm(3, "user_accuracy"), "unknown"),
    "an unknown reason": (RatingForm(True, reasons=("s3cret",)), "reason"),
    "reasons for nothing": (RatingForm(reasons=("unsafe",)), "reasons of"),
    "reasons for a correction": (RatingForm(reasons=("unsafe",), correction="x"), "reasons of"),
    "a long rationale": (RatingForm(True, rationale="x" * 4001), "4,000"),
    "a rationale that is long as it was sent": (
        RatingForm(True, rationale="e\u0301" * 2001),
        "4,000",
    ),
    "a long correction": (RatingForm(correction="x" * 8001), "8,000"),
    "an unknown signal": (RatingForm(signal="s3cret"), "signal"),
    "a signal that is not taken": (RatingForm(signal="stop"), "signal"),
    "a signal with a value": (RatingForm(True, signal="copy"), "instead of a value"),
    "several dimensions and a value": (RatingForm(True, ratings={"accuracy": 3}), "only"),
    "several dimensions and a correction": (
        RatingForm(correction="x", ratings={"accuracy": 3}),
        "only",
    ),
}


@pytest.mark.parametrize(("form", "says"), REFUSED.values(), ids=REFUSED.keys())
def test_an_invalid_form_is_refused_in_a_sentence(form: RatingForm, says: str) -> None:
    """The sentence helps who wrote the client, and repeats nothing of the person's."""
    with pytest.raises(InvalidFeedback, match=says) as refused:
        FORMS.contents(form)
    assert "s3cret" not in str(refused.value)


OLD = Content(True, "because", ("complete",))
AMENDED: dict[str, tuple[str, Content, dict[str, Any], Content]] = {
    "nothing": (THUMB, OLD, {}, OLD),
    "the value": (THUMB, OLD, {"value": False}, replace(OLD, value=False)),
    "the rationale": (THUMB, OLD, {"rationale": "so"}, replace(OLD, rationale="so")),
    "no rationale": (THUMB, OLD, {"rationale": None}, replace(OLD, rationale=None)),
    "a blank rationale": (THUMB, OLD, {"rationale": " "}, replace(OLD, rationale=None)),
    "no reasons": (THUMB, OLD, {"reasons": None}, replace(OLD, reasons=())),
    "reasons": (THUMB, OLD, {"reasons": ["unsafe"]}, replace(OLD, reasons=("unsafe",))),
    "stars": ("user_accuracy", Content(0.5, "so"), {"value": 4}, Content(1.0, "so")),
    "a comment": (COMMENT, Content("a", "a"), {"rationale": "b"}, Content("b", "b")),
    "a correction": (CORRECTION, Content("a"), {"correction": "b"}, Content("b")),
}


@pytest.mark.parametrize(("name", "old", "changes", "new"), AMENDED.values(), ids=AMENDED.keys())
def test_an_amendment_changes_what_it_says(
    name: str, old: Content, changes: dict[str, Any], new: Content
) -> None:
    """What is absent is kept, and null clears."""
    assert FORMS.amended(name, old, changes) == new


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        (THUMB, {"value": None}),
        (THUMB, {"value": 3}),
        (THUMB, {"correction": "x"}),
        (THUMB, {"rationale": "x" * 4001}),
        ("user_accuracy", {"value": True}),
        ("user_accuracy", {"value": 5}),
        ("implicit_copy", {"value": False}),
        (COMMENT, {"value": True}),
        (COMMENT, {"rationale": None}),
        (COMMENT, {"rationale": " "}),
        (CORRECTION, {}),
        (CORRECTION, {"correction": None}),
        (CORRECTION, {"correction": " "}),
        (CORRECTION, {"value": True}),
        (CORRECTION, {"correction": "x", "rationale": "y"}),
    ],
)
def test_an_amendment_cannot_make_another_kind_of_rating(
    name: str, changes: dict[str, Any]
) -> None:
    """A rating stays what it is, and does not lose what makes it one."""
    with pytest.raises(InvalidFeedback):
        FORMS.amended(name, Content(True), changes)


@pytest.mark.parametrize(
    ("dimension", "name"),
    [
        (None, THUMB),
        ("accuracy", "user_accuracy"),
        ("expected_response", CORRECTION),
        ("comment", COMMENT),
        ("user_comment", COMMENT),
        ("user_feedback", THUMB),
        ("implicit_copy", "implicit_copy"),
    ],
)
def test_whatever_can_be_rated_can_be_withdrawn(dimension: str | None, name: str) -> None:
    """Every name that a submission can make is one that a withdrawal can say."""
    assert FORMS.name_to_withdraw(dimension) == name
    assert name in FORMS.names()


def test_an_unknown_name_cannot_be_withdrawn() -> None:
    """A withdrawal reaches ratings of ours only."""
    for unknown in ("relevance_to_query", "implicit_stop", ""):
        with pytest.raises(InvalidFeedback):
            FORMS.name_to_withdraw(unknown)


@given(st.integers(2, 100), st.data())
def test_stars_are_shown_as_they_were_given(scale: int, data: st.DataObject) -> None:
    """Whatever the scale, stored stars read back as the same number of stars."""
    forms = Forms(Settings(scale=scale))
    stars = data.draw(st.integers(1, scale) | st.integers(2, 2 * scale).map(lambda n: n / 2))
    stored = forms.stored_value("user_accuracy", stars)
    assert 0 < stored <= 1
    assert forms.shown_value("user_accuracy", stored) == stars


@pytest.mark.parametrize(
    ("name", "stored", "shown"),
    [
        (THUMB, True, True),
        (CORRECTION, "16", "16"),
        (COMMENT, "hm", None),
        (THUMB, None, None),
        (THUMB, 1, None),
        (THUMB, "yes", None),
        ("user_accuracy", "odd", None),
    ],
)
def test_values_are_shown_in_the_routes_units(name: str, stored: object, shown: object) -> None:
    """A thumb's bool, a correction's text; a comment's text is its rationale."""
    assert FORMS.shown_value(name, stored) == shown


def test_texts_are_redacted_before_they_are_anything_else() -> None:
    """The hook sees every cleaned comment and correction, and what it returns is what there is."""
    forms = Forms(Settings(redact=lambda text: text.replace("Ann", "***")))
    assert forms.contents(RatingForm(rationale="Ann\x00", correction="for Ann")) == {
        COMMENT: Content("***", "***"),
        CORRECTION: Content("for ***"),
    }
    assert forms.amended(THUMB, OLD, {"rationale": "Ann"}).rationale == "***"


def test_a_text_that_redaction_makes_too_long_is_refused() -> None:
    """What is stored is within the limits too."""
    forms = Forms(Settings(redact=lambda text: text * 2))
    with pytest.raises(InvalidFeedback, match="longer"):
        forms.contents(RatingForm(rationale="x" * 3000))


def _fails(_: str) -> str:
    raise LookupError("s3cret")


def _forgets(_: str) -> str:
    return None  # type: ignore[return-value]


@pytest.mark.parametrize("hook", [_fails, _forgets])
def test_a_broken_redaction_stores_nothing(hook: Any) -> None:
    """Where the hook fails, the text is refused for now, never stored as it was."""
    with pytest.raises(Unavailable) as refused:
        Forms(Settings(redact=hook)).contents(RatingForm(True, rationale="Ann"))
    assert "s3cret" not in str(refused.value)
