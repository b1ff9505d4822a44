"""Whose word an assessment is, and which of several counts."""

from typing import Any

import pytest

from agent_feedback.assessment_format import LEDGER_KEY
from agent_feedback.insight.definitions.classes import (
    AssessmentClass,
    classify,
    counted,
    person_key,
    shown_person,
)
from agent_feedback.insight.definitions.options import ReportOptions
from agent_feedback.insight.definitions.window import Window
from agent_feedback.model import Assessment, Content

OPTIONS = ReportOptions(
    window=Window(0, 1),
    aliases={"User feedback": "user_feedback"},
    developers=frozenset({"dev@example.com"}),
    excluded=frozenset({"bot"}),
)
MARK = {LEDGER_KEY: "l-1"}


def assessment(name: str = "user_feedback", **changes: Any) -> Assessment:
    """Make an assessment of a person."""
    fields: dict[str, Any] = {
        "assessment_id": "a-1",
        "name": name,
        "kind": "feedback",
        "source_type": "HUMAN",
        "source_id": "ada@example.com",
        "content": Content(changes.pop("value", True)),
        "metadata": {},
        "valid": True,
        "on_trace": True,
        "created_at": 1,
        "updated_at": 1,
    }
    return Assessment(**(fields | changes))


@pytest.mark.parametrize(
    ("found", "of"),
    [
        (assessment(), AssessmentClass.END_USER),
        (assessment("user_accuracy", value=0.4), AssessmentClass.END_USER),
        (assessment("user_comment", value="Hm."), AssessmentClass.END_USER),
        (assessment("User feedback"), AssessmentClass.END_USER),
        (
            assessment("expected_response", kind="expectation", metadata=MARK),
            AssessmentClass.END_USER,
        ),
        (assessment("expected_response", kind="expectation"), AssessmentClass.DEVELOPER),
        (assessment("expected_response", metadata=MARK), AssessmentClass.DEVELOPER),
        (assessment("quality"), AssessmentClass.DEVELOPER),
        (assessment(source_id="Dev@Example.com"), AssessmentClass.DEVELOPER),
        (assessment("implicit_copy"), AssessmentClass.SIGNAL),
        (assessment(source_type="LLM_JUDGE"), AssessmentClass.JUDGE),
        (assessment(source_type="CODE"), AssessmentClass.CODE),
    ],
)
def test_each_assessment_is_in_one_class(found: Assessment, of: AssessmentClass) -> None:
    """By its source and its name; a developer's rating is no user's."""
    assert classify(found, OPTIONS)[0] is of


def test_an_alias_is_another_name_of_peoples_assessments_alone() -> None:
    """A judge of that name keeps its own."""
    assert classify(assessment("User feedback"), OPTIONS)[1] == "user_feedback"
    judge = assessment("User feedback", source_type="LLM_JUDGE")
    assert classify(judge, OPTIONS)[1] == "User feedback"


def test_the_latest_counts_by_update_then_creation_then_id() -> None:
    """One for each trace, person and name; addresses are one person's whatever their case."""
    found = (
        assessment(assessment_id="a-1", updated_at=5, created_at=1),
        assessment(assessment_id="a-2", updated_at=5, created_at=2, source_id="ADA@example.com"),
        assessment(assessment_id="a-3", updated_at=5, created_at=2, value=False),
        assessment("User feedback", assessment_id="a-0", updated_at=4, created_at=9),
        assessment(assessment_id="b-1", source_id="bob"),
    )
    latest, _ = counted(found, "tr-1", {}, OPTIONS)
    assert [one.assessment.assessment_id for one in latest] == ["a-3", "b-1"]


def test_what_does_not_count_at_all() -> None:
    """Overridden ones, those on a span or of a run, and everything by people who are excluded."""
    found = (
        assessment(assessment_id="a-1", valid=False, updated_at=9),
        assessment(assessment_id="a-2", on_trace=False, updated_at=9),
        assessment(assessment_id="a-3", source_id="bot"),
        assessment(assessment_id="a-4", source_id="bot", valid=False),
        assessment(assessment_id="a-5", source_id="bot", source_type="LLM_JUDGE"),
    )
    latest, excluded = counted(found, "tr-1", {}, OPTIONS)
    assert [one.assessment.assessment_id for one in latest] == ["a-5"]
    assert excluded == 1


@pytest.mark.parametrize("name", ["anonymous", "default", ""])
def test_nobody_in_particular_counts_by_session_else_by_trace(name: str) -> None:
    """Two sessions are two people; they are shown by the name that MLflow has."""
    assert person_key(name, "s-1", "tr-1") == person_key(name, "s-1", "tr-2")
    assert person_key(name, "s-1", "tr-1") != person_key(name, "s-2", "tr-1")
    assert person_key(name, None, "tr-1") != person_key(name, None, "tr-2")
    assert shown_person(person_key(name, "s-1", "tr-1")) == (name or "anonymous")
