"""Hooks, and several applications in one process."""

import logging
from pathlib import Path
from typing import Any

import mlflow
import pytest

from agent_feedback import InvalidFeedback, TraceNotFound, Unavailable
from agent_feedback.model import Content, Rating
from tests.service.conftest import OpenFeedback
from tests.support.mlflow_store import Tracking
from tests.support.rating import ANN, assessments_of, held, stored_trace

pytestmark = pytest.mark.usefixtures("tracking")


def test_a_hook_hears_of_every_durable_rating(open_feedback: OpenFeedback) -> None:
    """It gets the rating as it is kept: given, changed, and withdrawn."""
    heard: list[Rating] = []
    feedback = open_feedback(on_rating=heard.append)
    trace_id = stored_trace()
    target: dict[str, Any] = {"trace_id": trace_id, "user_id": ANN}
    feedback.submit(value=True, correction="16", **target)
    feedback.withdraw(**target)
    assert [(each.key.name, each.content, each.withdrawn) for each in heard] == [
        ("user_feedback", Content(True), False),
        ("expected_response", Content("16"), False),
        ("user_feedback", Content(), True),
    ]
    assert {each.key.person for each in heard} == {ANN}
    with pytest.raises(InvalidFeedback):
        feedback.submit(value=3, **target)
    assert len(heard) == 3


def test_a_failing_hook_fails_no_rating(
    open_feedback: OpenFeedback, caplog: pytest.LogCaptureFixture
) -> None:
    """The rating is kept and delivered; the log says once that the hook failed."""

    def broken(_: Rating) -> None:
        raise LookupError("no such channel")

    feedback = open_feedback(on_rating=broken)
    caplog.set_level(logging.WARNING, logger="agent_feedback")
    for value in (True, False):
        trace_id = stored_trace()
        (receipt,) = feedback.submit(trace_id=trace_id, value=value, user_id=ANN)
        assert receipt.status == "ok"
        assert held(trace_id) == {"user_feedback": value}
    assert caplog.text.count("the on_rating hook failed; the answer is unharmed") == 1
    assert ANN not in caplog.text


def test_texts_are_redacted_before_anybody_has_them(
    open_feedback: OpenFeedback, tmp_path: Path
) -> None:
    """What the redact hook takes out is in no receipt, no hook, no ledger and no assessment."""
    heard: list[Rating] = []
    feedback = open_feedback(
        redact=lambda text: text.replace("555-0100", "#"), on_rating=heard.append
    )
    trace_id = stored_trace()
    target: dict[str, Any] = {"trace_id": trace_id, "user_id": ANN}
    receipts = feedback.submit(value=False, rationale="call 555-0100", **target)
    receipts += feedback.submit(rationale="or 555-0100", correction="555-0100", **target)
    shown = f"{receipts} {heard} {assessments_of(trace_id)}"
    assert "call #" in shown
    assert "555-0100" not in shown
    feedback._parts.stop()
    for file in tmp_path.iterdir():
        assert b"555-0100" not in file.read_bytes()


def test_a_failing_redaction_stores_nothing(
    open_feedback: OpenFeedback, caplog: pytest.LogCaptureFixture
) -> None:
    """The text is refused for now, the rest of the rating with it, and no log repeats it."""

    def broken(text: str) -> str:
        raise LookupError(text)

    feedback = open_feedback(redact=broken)
    trace_id = stored_trace()
    with pytest.raises(Unavailable):
        feedback.submit(trace_id=trace_id, value=True, rationale="call Ann", user_id=ANN)
    assert feedback.mine(trace_ids=[trace_id], user_id=ANN) == []
    assert "the redact hook failed" in caplog.text
    assert "call Ann" not in caplog.text
    assert "LookupError" in caplog.text


def test_two_applications_do_not_know_each_other(
    tracking: Tracking, open_feedback: OpenFeedback
) -> None:
    """Turns, ratings, hooks and settings of one are not the other's."""
    heard: list[str] = []
    one = open_feedback("one", on_rating=lambda _: heard.append("one"), wait_seconds=0.0)
    two = open_feedback(
        "two",
        on_rating=lambda _: heard.append("two"),
        dimensions=("tone",),
        unknown_wait_seconds=0.0,
    )
    with mlflow.start_span("host"):  # while it is open, MLflow knows nothing of the trace either
        with one.turn(user_id=ANN, client_request_id="request-1") as turn:
            pass
        (receipt,) = one.submit(client_request_id="request-1", value=True, user_id=ANN)
        assert receipt.status == "pending"
        with pytest.raises(TraceNotFound):
            two.submit(client_request_id="request-1", value=True, user_id=ANN)
        assert two.mine(trace_ids=[str(turn.trace_id)], user_id=ANN) == []
        with pytest.raises(InvalidFeedback):
            one.submit(trace_id=turn.trace_id, dimension="tone", value=3, user_id=ANN)
        assert heard == ["one"]
    one._parts.stop()
    with two.turn(user_id=ANN, client_request_id="request-2"):
        pass
    assert two.submit(client_request_id="request-2", value=True, user_id=ANN)
    assert heard == ["one", "two"]
