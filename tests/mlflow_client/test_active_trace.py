"""The client for the active trace."""

import threading

import mlflow
import pytest
from mlflow.entities import TraceState

from agent_feedback.mlflow_client.active_trace import ActiveTrace
from agent_feedback.model import Turn, TurnState
from tests.support.mlflow_store import Tracking

TURN = Turn(
    trace_id=None,
    client_request_id="request-1",
    session_id="session-1",
    user_id="ann@example.com",
    asker="ann@example.com",
    state=TurnState.OK,
)


def test_a_trace_says_whose_turn_it_is(tracking: Tracking) -> None:
    """Tags written from any thread while the span is open are on the stored trace."""
    with mlflow.start_span("answer") as span:
        active = ActiveTrace()
        thread = threading.Thread(target=active.tag, args=(TURN,))
        thread.start()
        thread.join()
        active.set_outputs("so far")
    assert active.trace_id == span.trace_id
    trace = tracking.trace(span.trace_id)
    assert trace.info.client_request_id == "request-1"
    metadata = trace.info.trace_metadata
    assert metadata["mlflow.trace.user"] == metadata["agent_feedback.asker"] == "ann@example.com"
    assert metadata["mlflow.trace.session"] == "session-1"
    assert (metadata["agent_feedback.state"], metadata["agent_feedback.user_verified"]) == (
        "ok",
        "true",
    )
    assert trace.data.spans[0].outputs == "so far"


def test_what_the_handler_called_the_request_stays(tracking: Tracking) -> None:
    """Our closing tag repeats only what is new, and overwrites no id of the handler's own."""
    with mlflow.start_span("answer") as span:
        active = ActiveTrace()
        active.tag(TURN)
        mlflow.update_current_trace(client_request_id="the-handlers-own")
        active.tag(TURN)
    assert tracking.trace(span.trace_id).info.client_request_id == "the-handlers-own"


def test_a_claimed_user_is_marked_as_unverified(tracking: Tracking) -> None:
    """A user that only the request's body names does not become the asker."""
    with mlflow.start_span("answer") as span:
        ActiveTrace().tag(Turn(None, "request-1", user_id="ann@example.com", asker="anonymous"))
    metadata = tracking.trace(span.trace_id).info.trace_metadata
    assert metadata["agent_feedback.user_verified"] == "false"
    assert metadata["agent_feedback.asker"] == "anonymous"


def test_a_failed_trace_keeps_the_real_exception(tracking: Tracking) -> None:
    """The trace's state is ERROR, with what was raised, although nothing left the span."""
    with mlflow.start_span("answer") as span:
        ActiveTrace().fail(LookupError("the index is gone"))
    trace = tracking.trace(span.trace_id)
    assert trace.info.state == TraceState.ERROR
    assert "the index is gone" in str(trace.data.spans[0].events)


@pytest.mark.parametrize("disabled", [False, True])
def test_without_a_trace_there_is_nothing_to_do(tracking: Tracking, disabled: bool) -> None:
    """Outside a span, and where tracing is off, every operation is a no-op."""
    if disabled:
        mlflow.tracing.disable()
    try:
        with mlflow.start_span("answer") if disabled else threading.Lock():
            active = ActiveTrace()
            active.tag(TURN)
            active.set_outputs("x")
            active.fail(LookupError())
            assert active.trace_id is None
    finally:
        mlflow.tracing.enable()
    assert tracking.traces() == []
