"""docs/operate.md: what it says of MLflow and of the ledger, run against both."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import mlflow
import pytest
from click.testing import CliRunner

from agent_feedback import AgentFeedback, Settings, assessment_format
from agent_feedback.application import Application
from agent_feedback.cli import main
from tests.support.documents import PROJECT, block, commands
from tests.support.mlflow_store import Tracking
from tests.support.rating import ANN, BOB, held
from tests.support.waiting import eventually

DOCUMENT = "docs/operate.md"
LEDGER = "agent_feedback.db"


@pytest.fixture
def feedback(tracking: Tracking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AgentFeedback:
    """Work in an empty folder, with the ledger where it is without a setting."""
    monkeypatch.chdir(tmp_path)
    return AgentFeedback(Settings(raters="anyone"))


def ask(feedback: AgentFeedback, user: str, request: str) -> str:
    """Have a question answered, and return its trace."""
    with feedback.turn(user_id=user, client_request_id=request) as turn:
        pass
    assert turn.trace_id is not None
    return turn.trace_id


def rate_everything(feedback: AgentFeedback) -> dict[str, str]:
    """Have three people's answers rated in each way, and return their traces by request."""
    traces = {
        request: ask(feedback, user, request)
        for request, user in [("my-first-question", ANN), ("second", BOB), ("third", ANN)]
    }
    first, second, third = traces.values()
    reasons = ["incorrect", "out of date"]
    feedback.submit(trace_id=first, value=False, reasons=reasons, correction="42", user_id=ANN)
    feedback.submit(trace_id=first, ratings={"accuracy": 2, "relevance": 5}, user_id=ANN)
    feedback.submit(trace_id=second, value=True, user_id=BOB)
    feedback.submit(trace_id=second, value=False, reasons=["incorrect"], user_id=ANN)
    feedback.submit(trace_id=third, rationale="far too slow", user_id=ANN)
    expected = {first: 4, second: 2, third: 1}
    arrived = eventually(lambda: {each: len(stored(each)) for each in expected}, expected.__eq__)
    assert arrived == expected
    return traces


def stored(trace_id: str) -> list[Any]:
    """What MLflow has of a trace."""
    trace = mlflow.get_trace(trace_id, silent=True)
    return list(trace.info.assessments or ()) if trace else []


def run(containing: str, names: dict[str, Any]) -> dict[str, Any]:
    """Run the one Python block that contains this, with what blocks before it have defined."""
    exec(block(DOCUMENT, "python", containing), names)
    return names


def requests_of(traces: list[Any]) -> set[str]:
    """Which questions these are."""
    return {trace.info.client_request_id for trace in traces}


def test_every_search_finds_what_it_says(feedback: AgentFeedback) -> None:
    """The filters, the reasons and the share of thumbs are right about a store with all of them."""
    rate_everything(feedback)
    failed = pytest.raises(RuntimeError, match="broken")
    with failed, feedback.turn(user_id=ANN, client_request_id="fourth"):
        raise RuntimeError("broken")
    found = run("def rated", {})
    assert requests_of(found["any_thumb"]) == {"my-first-question", "second"}
    assert requests_of(found["thumbs_down"]) == {"my-first-question", "second"}
    for name, request in [
        ("inaccurate", "my-first-question"),
        ("commented", "third"),
        ("corrected", "my-first-question"),
        ("failed", "fourth"),
        ("one_answer", "my-first-question"),
    ]:
        assert requests_of(found[name]) == {request}, name
    assert requests_of(found["asked_by_ann"]) == {"my-first-question", "third", "fourth"}
    run("def reasons_of", found)
    assert requests_of(found["out_of_date"]) == {"my-first-question"}
    assert found["how_often"] == {"incorrect": 2, "out of date": 1}
    run("share_of_thumbs_up", found)
    assert found["share_of_thumbs_up"] == 1 / 3


def test_no_thumbs_have_no_share() -> None:
    """Where nobody has given a thumb yet, the share is unknown, and no division by zero."""
    found = run("share_of_thumbs_up", {"any_thumb": []})
    assert found["share_of_thumbs_up"] is None


def test_every_key_is_named() -> None:
    """The tables name each key that we write into MLflow, and each member of the status."""
    text = (PROJECT / DOCUMENT).read_text()
    keys = {
        value
        for name, value in vars(assessment_format).items()
        if name.endswith("_KEY") and value.startswith("agent_feedback.")
    }
    assert assessment_format.REASONS_KEY in keys
    assert {key for key in keys if f"`{key}`" not in text} == set()


def test_the_status_is_explained(feedback: AgentFeedback, tmp_path: Path) -> None:
    """Each member of the status that the app gives has a row."""
    application = Application(Settings(ledger_url=f"sqlite:///{tmp_path}/other.db"))
    text = (PROJECT / DOCUMENT).read_text()
    assert [name for name in application.status() if f"| `{name}` |" not in text] == []


def test_the_commands_run(feedback: AgentFeedback) -> None:
    """What operators type works beside the app, in its folder."""
    ask(feedback, ANN, "first")
    feedback.submit(client_request_id="first", value=True, user_id=ANN)
    typed = [command.line.split() for command in commands(DOCUMENT)]
    assert [words[0] for words in typed] == ["agent-feedback"] * len(typed)
    for words in typed:
        result = CliRunner().invoke(main, words[1:])
        assert result.exit_code == 0, result.output


def test_a_backup_has_every_rating(feedback: AgentFeedback, tmp_path: Path) -> None:
    """The copy is whole also while the app has the ledger open."""
    rate_everything(feedback)
    run("ledger.backup", {})
    assert count(tmp_path / "agent_feedback.backup.db", "ratings") == 7


def count(ledger: Path, table: str) -> int:
    """How many rows one of the ledger's tables has."""
    with closing(sqlite3.connect(ledger)) as connection:
        (found,) = connection.execute(f"SELECT count(*) FROM agent_feedback_{table}").fetchone()
    return int(found)


def test_a_person_is_deleted(feedback: AgentFeedback, tmp_path: Path) -> None:
    """After the three steps neither store holds Ann's ratings or questions; Bob's are untouched."""
    traces = rate_everything(feedback)
    assert eventually(lambda: count(tmp_path / LEDGER, "turns"), (3).__eq__) == 3
    names = run("DELETE FROM agent_feedback_ratings", {})
    assert names["person"] == ANN
    assert count(tmp_path / LEDGER, "ratings") == 1
    assert count(tmp_path / LEDGER, "turns") == 1
    run("mlflow.delete_assessment", names)
    assert held(traces["second"]) == {"user_feedback": True}
    assert stored(traces["third"]) == []
    run("delete_traces", names)
    (left,) = mlflow.search_traces(return_type="list")
    assert left.info.client_request_id == "second"
