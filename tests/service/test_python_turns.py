"""Turns of hosts without our HTTP routes."""

import asyncio

import mlflow
import pytest

from agent_feedback import AgentFeedback, InvalidFeedback
from tests.support.mlflow_store import Tracking
from tests.support.rating import ANN, held
from tests.support.waiting import eventually

pytestmark = pytest.mark.usefixtures("tracking")


def metadata_of(tracking: Tracking, trace_id: str | None) -> dict[str, str]:
    """Return what a trace says about itself."""
    assert trace_id is not None
    found: dict[str, str] = tracking.trace(trace_id).info.trace_metadata
    return found


def test_a_turn_makes_a_trace_that_can_be_rated(
    feedback: AgentFeedback, tracking: Tracking
) -> None:
    """Outside any span a turn has a trace of its own, with all its metadata."""
    with feedback.turn(
        user_id="Ann@Example.com", session_id="session-1", client_request_id="request-1"
    ) as turn:
        assert (turn.user_id, turn.asker, turn.session_id) == (ANN, ANN, "session-1")
    metadata = metadata_of(tracking, turn.trace_id)
    assert metadata["mlflow.trace.user"] == metadata["agent_feedback.asker"] == ANN
    assert metadata["mlflow.trace.session"] == "session-1"
    assert metadata["agent_feedback.state"] == "ok"
    feedback.submit(client_request_id="request-1", value=True, user_id=ANN)
    assert turn.trace_id is not None
    assert eventually(lambda: held(str(turn.trace_id)), bool) == {"user_feedback": True}
    (mine,) = feedback.mine(session_id="session-1", user_id=ANN)
    assert mine.trace_id == turn.trace_id


def test_a_turn_belongs_to_the_active_trace(feedback: AgentFeedback, tracking: Tracking) -> None:
    """Within a span of the host's own no second trace is made."""
    with mlflow.start_span("bot") as span, feedback.turn(user_id=ANN) as turn:
        pass
    assert turn.trace_id == span.trace_id
    assert len(tracking.traces()) == 1
    assert turn.client_request_id


@pytest.mark.parametrize(
    ("raised", "state"),
    [(LookupError("gone"), "error"), (asyncio.CancelledError(), "interrupted")],
)
def test_a_turn_that_fails_says_how(
    feedback: AgentFeedback, tracking: Tracking, raised: BaseException, state: str
) -> None:
    """The exception goes on to the host; the trace knows, and can be rated all the same."""
    with pytest.raises(type(raised)), feedback.turn(user_id=ANN) as turn:
        raise raised
    assert metadata_of(tracking, turn.trace_id)["agent_feedback.state"] == state
    feedback.submit(trace_id=turn.trace_id, value=False, user_id=ANN)
    assert eventually(lambda: held(str(turn.trace_id)), bool) == {"user_feedback": False}


def test_an_answer_is_unharmed_without_tracing(feedback: AgentFeedback) -> None:
    """Where tracing makes no trace, the turn's block runs, and the answer cannot be rated."""
    mlflow.tracing.disable()
    try:
        with feedback.turn(user_id=ANN, client_request_id="request-1") as turn:
            answer = "hello"
    finally:
        mlflow.tracing.enable()
    assert (turn.trace_id, answer) == (None, "hello")
    with pytest.raises(InvalidFeedback, match="no trace"):
        feedback.submit(client_request_id="request-1", value=True, user_id=ANN)


@pytest.mark.parametrize("odd", ["", "a b", "x" * 51, "ü", "\x00"])
def test_a_requests_id_that_mlflow_cannot_keep_is_replaced(
    feedback: AgentFeedback, odd: str
) -> None:
    """As over HTTP, the turn carries an id that can be used for rating."""
    with feedback.turn(user_id=ANN, client_request_id=odd) as turn:
        assert turn.client_request_id != odd
    feedback.submit(client_request_id=turn.client_request_id, value=True, user_id=ANN)


@pytest.mark.parametrize("odd", ["", "x" * 251, "\x00", "\ud800"])
def test_a_session_that_mlflow_cannot_keep_is_left_out(feedback: AgentFeedback, odd: str) -> None:
    """The trace is stored all the same, and its rating with it."""
    with feedback.turn(user_id=ANN, session_id=odd) as turn:
        assert turn.session_id is None
    feedback.submit(trace_id=turn.trace_id, value=True, user_id=ANN)
    assert eventually(lambda: held(str(turn.trace_id)), bool) == {"user_feedback": True}
