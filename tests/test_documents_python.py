"""docs/python.md: its lines are run, with a test's own agent and Slack in the places it leaves."""

from pathlib import Path
from typing import Any

import httpx
import mlflow
import pytest

from agent_feedback import AgentFeedback
from tests.conftest import Serve
from tests.support.documents import block
from tests.support.rating import ANN, held, settings_in, stored_trace
from tests.support.waiting import eventually

DOCUMENT = "docs/python.md"

pytestmark = pytest.mark.usefixtures("tracking")


class FakeSlack:
    """A FAKE client of a chat, which keeps what is posted."""

    def __init__(self) -> None:
        self.posted: list[tuple[str, dict[str, Any]]] = []

    def post(self, text: str, metadata: dict[str, Any]) -> None:
        """Keep it."""
        self.posted.append((text, metadata))


@mlflow.trace
def shout(text: str) -> str:
    """Answer, as an agent that makes a trace of its own."""
    return text.upper()


def test_a_host_of_another_kind(tmp_path: Path) -> None:
    """A turn is recorded, rated, listed and withdrawn by the documented lines."""
    slack = FakeSlack()
    names: dict[str, Any] = {
        "feedback": AgentFeedback(settings_in(tmp_path)),
        "client": slack,
        "my_agent": shout,
        "text": "hello",
    }
    exec(block(DOCUMENT, "python", "with feedback.turn"), names)
    ((text, metadata),) = slack.posted
    assert text == "HELLO"
    names["trace_id"] = metadata["trace_id"]
    exec(block(DOCUMENT, "python", "feedback.submit("), names)
    (receipt,) = names["receipts"]
    assert (receipt.name, receipt.value) == ("user_feedback", True)
    assert [each.assessment_id for each in names["mine"]] == [receipt.assessment_id]
    assert names["withdrawn"].assessment_id == receipt.assessment_id
    assert eventually(lambda: held(metadata["trace_id"]), (dict[str, Any]()).__eq__) == {}


def test_routes_without_an_agent(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sidecar takes a rating of a trace that lacks our mark."""
    monkeypatch.setenv("AGENT_FEEDBACK_LEDGER_URL", f"sqlite:///{tmp_path}/ledger.db")
    names: dict[str, Any] = {}
    exec(block(DOCUMENT, "python", "# sidecar.py"), names)
    trace_id = stored_trace(asker=None)
    answer = httpx.post(
        f"{serve(names['app'])}/feedback",
        json={"trace_id": trace_id, "value": True},
        headers={"x-forwarded-email": ANN},
        timeout=30,
    )
    assert answer.is_success, answer.text
    assert eventually(lambda: held(trace_id), bool) == {"user_feedback": True}


def test_the_hook_that_cleans_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the documented function takes out of a comment is stored nowhere."""
    monkeypatch.setenv("AGENT_FEEDBACK_LEDGER_URL", f"sqlite:///{tmp_path}/ledger.db")
    names: dict[str, Any] = {}
    exec(block(DOCUMENT, "python", "redact=without_addresses"), names)
    (receipt,) = names["feedback"].submit(
        trace_id=stored_trace(), value=False, rationale="ask bob@example.com", user_id=ANN
    )
    assert receipt.rationale == "ask [address]"
