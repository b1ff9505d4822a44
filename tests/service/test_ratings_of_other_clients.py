"""Assessments that other clients wrote: the person's own is changed, others' are never touched."""

import time
from dataclasses import replace
from typing import Any

import mlflow
import pytest
from mlflow.entities import Assessment, AssessmentSource

from agent_feedback import AgentFeedback
from agent_feedback.assessment_format import CHANGED_AT_KEY, LEDGER_KEY
from agent_feedback.mlflow_client.assessments import Assessments
from agent_feedback.mlflow_client.failures import Failure, StoreError
from agent_feedback.model import Rating, new_assessment_id
from tests.service.conftest import OpenFeedback
from tests.support.rating import ANN, BOB, assessments_of, held, stored_trace, value_of
from tests.support.waiting import eventually

pytestmark = pytest.mark.usefixtures("tracking")


def human(person: str = ANN) -> AssessmentSource:
    """Attribute an assessment to a person, as another client would."""
    return AssessmentSource(source_type="HUMAN", source_id=person)


def logged(trace_id: str, value: Any = False, **changes: Any) -> str:
    """Log a thumb of Ann's by another path; return its id."""
    fields = {"name": "user_feedback", "source": human(), **changes}
    made = mlflow.log_feedback(trace_id=trace_id, value=value, **fields)
    assert made.assessment_id is not None
    return made.assessment_id


def everything(trace_id: str) -> dict[str | None, Assessment]:
    """Return all assessments of a trace by id, hidden ones included."""
    trace = mlflow.get_trace(trace_id)
    assert trace is not None
    return {each.assessment_id: each for each in trace.info.assessments or ()}


@pytest.mark.parametrize("person", [ANN, "Ann@Example.COM"])
def test_a_rating_by_another_path_is_changed(feedback: AgentFeedback, person: str) -> None:
    """The person's own earlier rating keeps its id, and nothing else of it remains."""
    trace_id = stored_trace()
    before = logged(trace_id, source=human(person), rationale="from the UI")
    (receipt,) = feedback.submit(trace_id=trace_id, value=True, user_id=ANN)
    assert (receipt.status, receipt.assessment_id, receipt.created) == ("ok", before, False)
    (only,) = assessments_of(trace_id)
    assert (only.assessment_id, value_of(only), only.rationale or None) == (before, True, None)
    assert feedback.withdraw(trace_id=trace_id, assessment_id=before, user_id=ANN).value is None
    assert everything(trace_id) == {}


def test_a_rating_by_another_path_is_amended_by_its_id(feedback: AgentFeedback) -> None:
    """The id that MLflow shows is one that a withdrawal takes, before any rating of ours."""
    trace_id = stored_trace()
    before = logged(trace_id)
    assert [mine.assessment_id for mine in feedback.mine(trace_ids=[trace_id], user_id=ANN)] == [
        before
    ]
    feedback.withdraw(trace_id=trace_id, assessment_id=before, user_id=ANN)
    assert everything(trace_id) == {}


@pytest.mark.parametrize("length", [1, 2, 4])
def test_nothing_comes_back_after_a_withdrawal(feedback: AgentFeedback, length: int) -> None:
    """Of a chain of overrides none revives when the last one goes."""
    trace_id = stored_trace()
    newest = logged(trace_id)
    for number in range(length):
        overridden = mlflow.override_feedback(
            trace_id=trace_id, assessment_id=newest, value=bool(number % 2), source=human()
        )
        assert overridden.assessment_id is not None
        newest = overridden.assessment_id
    assert len(everything(trace_id)) == length + 1
    feedback.withdraw(trace_id=trace_id, user_id=ANN)
    assert everything(trace_id) == {}


def test_a_change_settles_a_chain_of_overrides(feedback: AgentFeedback) -> None:
    """What was overridden goes, and what stood is changed in place."""
    trace_id = stored_trace()
    first = logged(trace_id)
    standing = mlflow.override_feedback(
        trace_id=trace_id, assessment_id=first, value=True, source=human()
    )
    feedback.submit(trace_id=trace_id, value=False, user_id=ANN)
    assert list(everything(trace_id)) == [standing.assessment_id]
    assert held(trace_id) == {"user_feedback": False}


def test_two_ratings_by_another_path_become_one(feedback: AgentFeedback) -> None:
    """MLflow takes two ratings of one person; the person's next rating replaces both."""
    trace_id = stored_trace()
    logged(trace_id)
    time.sleep(0.01)
    newer = logged(trace_id)
    feedback.submit(trace_id=trace_id, value=True, user_id=ANN)
    assert list(everything(trace_id)) == [newer]


def test_the_work_of_others_is_never_touched(feedback: AgentFeedback) -> None:
    """Judges, code, other people, experts, spans and runs keep theirs, whatever a person does."""
    trace_id = stored_trace()
    trace = mlflow.get_trace(trace_id)
    assert trace is not None
    span_id = trace.data.spans[0].span_id
    logged(trace_id, source=AssessmentSource(source_type="LLM_JUDGE", source_id=ANN))
    logged(trace_id, source=AssessmentSource(source_type="CODE", source_id=ANN))
    logged(trace_id, source=human(BOB))
    logged(trace_id, source=human("default"))
    logged(trace_id, span_id=span_id)
    logged(trace_id, metadata={"mlflow.assessment.sourceRunId": "run-1"})
    logged(trace_id, name="relevance_to_query")
    mlflow.log_expectation(
        trace_id=trace_id, name="expected_response", value="the expert's", source=human()
    )
    before = everything(trace_id)
    assert len(before) == 8
    target: dict[str, Any] = {"trace_id": trace_id, "user_id": ANN}
    for value in (True, False):
        feedback.submit(value=value, correction="mine", **target)
        now = everything(trace_id)
        assert len(now) == len(before) + 2
        assert {each: str(now[each]) for each in before} == {k: str(v) for k, v in before.items()}
    feedback.withdraw(**target)
    feedback.withdraw(dimension="expected_response", **target)
    assert {k: str(v) for k, v in everything(trace_id).items()} == {
        k: str(v) for k, v in before.items()
    }


def test_a_shared_name_is_ours_by_our_mark_only(open_feedback: OpenFeedback) -> None:
    """Anonymous ratings of another program are not taken for ours, and ours are found again."""
    trace_id = stored_trace("anonymous")
    theirs = logged(trace_id, source=human("anonymous"))
    (receipt,) = open_feedback("one").submit(trace_id=trace_id, value=True)
    assert set(everything(trace_id)) == {theirs, receipt.assessment_id}
    (again,) = open_feedback("two").submit(trace_id=trace_id, value=False)
    assert again.assessment_id == receipt.assessment_id
    assert set(everything(trace_id)) == {theirs, receipt.assessment_id}


def test_replicas_without_a_shared_ledger_agree(open_feedback: OpenFeedback) -> None:
    """The person's newest rating remains, whichever replica took it, and only that one."""
    trace_id = stored_trace()
    one, two = open_feedback("one"), open_feedback("two")
    target: dict[str, Any] = {"trace_id": trace_id, "user_id": ANN}
    for replica, value in ((one, True), (two, False), (one, True), (two, False)):
        replica.submit(value=value, **target)
        time.sleep(0.002)
        assert held(trace_id) == {"user_feedback": value}
    two.withdraw(**target)
    assert held(trace_id) == {}
    one.submit(value=True, **target)
    assert held(trace_id) == {"user_feedback": True}


@pytest.mark.parametrize(("ahead_ms", "wins"), [(60_000, True), (10 * 60_000, False)])
def test_an_older_rating_yields_to_a_newer_one(
    open_feedback: OpenFeedback, ahead_ms: int, wins: bool
) -> None:
    """A replica whose rating is older takes the newer one over, unless its clock is far ahead."""
    trace_id = stored_trace()
    newer = int(time.time() * 1000) + ahead_ms
    mark = {LEDGER_KEY: "another-ledger", CHANGED_AT_KEY: str(newer)}
    logged(trace_id, value=False, metadata=mark)
    feedback = open_feedback()
    feedback.submit(trace_id=trace_id, value=True, user_id=ANN)
    assert held(trace_id) == {"user_feedback": not wins}
    (mine,) = feedback.mine(trace_ids=[trace_id], user_id=ANN)
    assert mine.value is (not wins)


@pytest.mark.parametrize("failure", [Failure.UNKNOWN, Failure.BUSY])
def test_a_create_that_was_done_and_failed_is_not_doubled(
    open_feedback: OpenFeedback, monkeypatch: pytest.MonkeyPatch, failure: Failure
) -> None:
    """The id was fixed before the attempt, so the next one finds what the first one did."""
    attempts: list[str] = []
    create = Assessments.create

    def stores_and_fails(client: Assessments, rating: Rating) -> str:
        made = create(client, rating)
        attempts.append(made)
        if len(attempts) == 1:
            raise StoreError(failure, "TIMEOUT")
        return made

    monkeypatch.setattr(Assessments, "create", stores_and_fails)
    trace_id = stored_trace()
    (receipt,) = open_feedback().submit(trace_id=trace_id, value=True, user_id=ANN)
    assert (receipt.status, receipt.created) == ("ok", True)
    assert list(everything(trace_id)) == [receipt.assessment_id] == attempts


def test_a_store_that_replaces_ids_holds_one(
    open_feedback: OpenFeedback, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers show the store's id; changes take either; a withdrawal leaves nothing."""
    store_ids: list[str] = []
    create = Assessments.create

    def replacing(client: Assessments, rating: Rating) -> str:
        made = create(client, replace(rating, assessment_id=new_assessment_id()))
        store_ids.append(made)
        return made

    monkeypatch.setattr(Assessments, "create", replacing)
    feedback = open_feedback()
    trace_id = stored_trace()
    target: dict[str, Any] = {"trace_id": trace_id, "user_id": ANN}
    (receipt,) = feedback.submit(value=True, **target)
    assert (receipt.assessment_id, receipt.created) == (store_ids[0], True)
    (changed,) = feedback.submit(value=False, **target)
    assert changed.assessment_id == receipt.assessment_id
    assert list(everything(trace_id)) == store_ids
    assert held(trace_id) == {"user_feedback": False}
    feedback.withdraw(assessment_id=receipt.assessment_id, **target)
    assert everything(trace_id) == {}
    (fresh,) = feedback.submit(value=True, **target)
    assert fresh.assessment_id == store_ids[1]
    assert eventually(lambda: held(trace_id), bool) == {"user_feedback": True}
