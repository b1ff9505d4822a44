"""The operations from Python: a Slack bot, a WebSocket handler, a notebook."""

import asyncio
import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from agent_feedback import (
    AgentFeedback,
    FeedbackError,
    IdentityMalformed,
    InvalidFeedback,
    NotAllowed,
    RatingNotFound,
    TraceNotFound,
)
from agent_feedback.mlflow_client.assessments import Assessments
from agent_feedback.model import Rating
from tests.service.conftest import OpenFeedback
from tests.support.rating import ANN, BOB, UNKNOWN_TRACE, assessments_of, held, stored_trace
from tests.support.waiting import eventually

pytestmark = pytest.mark.usefixtures("tracking")


@pytest.fixture
def stores(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Let MLflow take no new assessment until this is set."""
    create, may_store = Assessments.create, threading.Event()

    def held_back(client: Assessments, rating: Rating) -> str:
        assert may_store.wait(60)
        return create(client, rating)

    monkeypatch.setattr(Assessments, "create", held_back)
    return may_store


def test_the_same_operations_as_over_http(feedback: AgentFeedback) -> None:
    """Everything that the routes do can be done with plain calls, and says the same."""
    trace_id = stored_trace(client_request_id="request-1", session_id="session-1")
    target: dict[str, Any] = {"trace_id": trace_id, "user_id": ANN}
    thumb, correction = feedback.submit(
        value=False, rationale="no", reasons=["incorrect"], correction="16", **target
    )
    assert (thumb.status, thumb.name, thumb.value) == ("ok", "user_feedback", False)
    assert (thumb.rationale, thumb.reasons) == ("no", ("incorrect",))
    assert (thumb.client_request_id, thumb.revision) == ("request-1", 1)
    assert (correction.name, correction.value) == ("expected_response", "16")
    stars = feedback.submit(ratings={"relevance": 2, "accuracy": 4}, **target)
    assert [(each.name, each.value) for each in stars] == [
        ("user_accuracy", 4),
        ("user_relevance", 2),
    ]
    feedback.submit(dimension="accuracy", value=5, client_request_id="request-1", user_id=ANN)
    assert held(trace_id) == {
        "user_feedback": False,
        "expected_response": "16",
        "user_accuracy": 1.0,
        "user_relevance": 0.4,
    }
    assert {each.source.source_id for each in assessments_of(trace_id)} == {ANN}
    for query in (
        {"trace_ids": [trace_id]},
        {"client_request_ids": ["request-1"]},
        {"session_id": "session-1"},
    ):
        mine = feedback.mine(user_id=ANN, **query)
        assert {each.name for each in mine} == set(held(trace_id))
        assert feedback.mine(user_id=BOB, **query) == []
    gone = feedback.withdraw(assessment_id=thumb.assessment_id, **target)
    assert (gone.status, gone.name, gone.value) == ("ok", "user_feedback", None)
    assert gone.correction == correction
    feedback.withdraw(dimension="accuracy", **target)
    assert held(trace_id) == {"expected_response": "16", "user_relevance": 0.4}
    feedback.withdraw(dimension="expected_response", **target)
    assert feedback.withdraw(**target).correction is None
    assert held(trace_id) == {"user_relevance": 0.4}


REFUSED: dict[str, tuple[dict[str, Any], type[FeedbackError]]] = {
    "nothing given": ({}, InvalidFeedback),
    "not a thumb": ({"value": 3}, InvalidFeedback),
    "off the scale": ({"value": 6, "dimension": "accuracy"}, InvalidFeedback),
    "not a number": ({"value": float("nan"), "dimension": "accuracy"}, InvalidFeedback),
    "no target": ({"trace_id": None, "value": True}, InvalidFeedback),
    "an unknown trace": ({"trace_id": UNKNOWN_TRACE, "value": True}, TraceNotFound),
    "someone else's": ({"user_id": BOB, "value": True}, NotAllowed),
    "nobody's": ({"user_id": None, "value": True}, NotAllowed),
    "no name": ({"user_id": "x" * 251, "value": True}, IdentityMalformed),
}


@pytest.mark.parametrize(("form", "error"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_recorded_raises(
    feedback: AgentFeedback, form: dict[str, Any], error: type[FeedbackError]
) -> None:
    """Each cause has its own class, and nothing is stored."""
    trace_id = stored_trace()
    with pytest.raises(error):
        feedback.submit(**{"trace_id": trace_id, "user_id": ANN} | form)
    assert held(trace_id) == {}


def test_an_unknown_rating_cannot_be_withdrawn(feedback: AgentFeedback) -> None:
    """An id that is not one's own is none."""
    with pytest.raises(RatingNotFound):
        feedback.withdraw(trace_id=stored_trace(), assessment_id="a-0", user_id=ANN)


def test_the_application_vouches_for_the_person(feedback: AgentFeedback) -> None:
    """A user_id is believed, in the same form as a header's; none is nobody."""
    trace_id = stored_trace()
    feedback.submit(trace_id=trace_id, value=True, user_id=" Ann@Example.com ")
    nobodys = stored_trace("anonymous")
    feedback.submit(trace_id=nobodys, value=True)
    names = [assessments_of(each)[0].source.source_id for each in (trace_id, nobodys)]
    assert names == [ANN, "anonymous"]


async def test_asynchronous_code_does_not_wait_for_mlflow(
    open_feedback: OpenFeedback, stores: threading.Event
) -> None:
    """On a thread with an event loop a call returns once the rating is durable; it lands later."""
    feedback = open_feedback(wait_seconds=60)
    trace_id = stored_trace()
    (receipt,) = feedback.submit(trace_id=trace_id, value=True, user_id=ANN)
    assert receipt.status == "pending"
    stores.set()
    (waited,) = await asyncio.to_thread(
        feedback.submit, trace_id=trace_id, value=False, user_id=ANN
    )
    assert (waited.status, waited.assessment_id) == ("ok", receipt.assessment_id)
    assert held(trace_id) == {"user_feedback": False}


async def test_asynchronous_code_does_not_wait_for_a_trace(open_feedback: OpenFeedback) -> None:
    """An unknown trace is refused at once there, and waited for elsewhere."""
    feedback = open_feedback(unknown_wait_seconds=60)
    with pytest.raises(TraceNotFound):
        feedback.submit(trace_id=UNKNOWN_TRACE, value=True, user_id=ANN)
    waiting = asyncio.create_task(
        asyncio.to_thread(feedback.submit, client_request_id="request-1", value=True, user_id=ANN)
    )
    await asyncio.sleep(0.2)
    trace_id = stored_trace(client_request_id="request-1")
    assert (await waiting)[0].trace_id == trace_id


@pytest.mark.parametrize(("seconds", "status"), [(60.0, "ok"), (0.2, "pending"), (0.0, "pending")])
def test_synchronous_code_waits_as_long_as_the_setting(
    open_feedback: OpenFeedback, stores: threading.Event, seconds: float, status: str
) -> None:
    """A plain call waits for MLflow like an answer does, and no longer."""
    feedback = open_feedback(wait_seconds=seconds)
    trace_id = stored_trace()
    if status == "ok":
        threading.Timer(0.2, stores.set).start()
    (receipt,) = feedback.submit(trace_id=trace_id, value=True, user_id=ANN)
    assert receipt.status == status
    stores.set()
    assert eventually(lambda: held(trace_id), bool) == {"user_feedback": True}


def test_many_threads_make_one_rating(feedback: AgentFeedback) -> None:
    """Twenty calls at once for one person and one answer leave one assessment, the last rating."""
    trace_id = stored_trace()

    def submit(number: int) -> str:
        (receipt,) = feedback.submit(trace_id=trace_id, value=number % 2 == 0, user_id=ANN)
        return receipt.assessment_id

    with ThreadPoolExecutor(20) as pool:
        ids = set(pool.map(submit, range(20)))
    (mine,) = feedback.mine(trace_ids=[trace_id], user_id=ANN)
    wanted = {"user_feedback": mine.value}
    assert eventually(lambda: held(trace_id), wanted.__eq__) == wanted
    assert {each.assessment_id for each in assessments_of(trace_id)} == ids


def test_receipts_are_plain_values(feedback: AgentFeedback) -> None:
    """A receipt can be compared, printed and turned into a dict, and does not change."""
    (receipt,) = feedback.submit(trace_id=stored_trace(), value=True, user_id=ANN)
    assert dataclasses.asdict(receipt)["name"] == "user_feedback"
    with pytest.raises(dataclasses.FrozenInstanceError):
        receipt.value = False  # type: ignore[misc]
