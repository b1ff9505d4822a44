"""A person's own ratings for a page that is loaded again, and what a widget and operators read."""

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.entities import AssessmentSource

from agent_feedback import AgentFeedback
from tests.support.ledgers import trace_named
from tests.support.rating import (
    ANN,
    BOB,
    UNKNOWN_TRACE,
    OpenSite,
    Site,
    held,
    settings_in,
    stored_trace,
)
from tests.support.waiting import eventually

pytestmark = pytest.mark.usefixtures("tracking")
DAY_MS = 86_400_000


def mine(site: Site, **query: Any) -> list[tuple[str, str, object]]:
    """List one's own ratings: where, what and how."""
    return [(each["trace_id"], each["name"], each["value"]) for each in site.mine(**query)]


def test_a_reloaded_page_finds_its_ratings(site: Site) -> None:
    """By several traces, by several requests, by session: one's own, as they were given."""
    first = stored_trace(client_request_id="request-1", session_id="session-1")
    second = stored_trace(client_request_id="request-2", session_id="session-1")
    unrated = stored_trace(client_request_id="request-3", session_id="session-1")
    given = site.post({"trace_id": first, "value": True, "rationale": "so"}).json()
    site.post({"trace_id": second, "accuracy": 4, "relevance": 2}, "/detailed")
    wanted = [
        (first, "user_feedback", True),
        (second, "user_accuracy", 4),
        (second, "user_relevance", 2),
    ]
    assert mine(site, trace_id=[first, second, unrated]) == wanted
    requests = ["request-1", "request-2", "request-3", "unknown"]
    assert mine(site, client_request_id=requests) == wanted
    assert sorted(mine(site, session_id="session-1")) == sorted(wanted)
    assert mine(site, trace_id=first, client_request_id="request-1") == wanted[:1]
    assert site.mine(trace_id=first) == [given]
    assert mine(site, session_id="session-2") == []


def test_nobody_reads_anothers_ratings(open_site: OpenSite) -> None:
    """The same questions by somebody else find nothing, and anonymous people list no session."""
    site = open_site(raters="anyone")
    trace_id = stored_trace("anonymous", client_request_id="request-1", session_id="session-1")
    site.post({"trace_id": trace_id, "value": True})
    site.post({"trace_id": trace_id, "value": False}, user=None)
    for query in (
        {"trace_id": trace_id},
        {"client_request_id": "request-1"},
        {"session_id": "session-1"},
    ):
        assert site.mine(user=BOB, **query) == []
    assert [each["value"] for each in site.mine(trace_id=trace_id)] == [True]
    assert [each["value"] for each in site.mine(user=None, trace_id=trace_id)] == [False]
    assert site.mine(user=None, session_id="session-1") == []


def _empty(ledger: Path) -> None:
    with closing(sqlite3.connect(ledger)) as connection:
        for table in ("ratings", "turns"):
            connection.execute(f"DELETE FROM agent_feedback_{table}")
        connection.commit()


def _purge(ledger: Path) -> None:
    """Let the retention pass for the thumb only: the correction was changed yesterday."""
    with closing(sqlite3.connect(ledger)) as connection:
        connection.execute("DELETE FROM agent_feedback_ratings WHERE name = 'user_feedback'")
        connection.execute("DELETE FROM agent_feedback_turns")
        connection.commit()


@pytest.mark.parametrize("forget", [_empty, _purge])
def test_a_purged_ledger_changes_nothing_that_people_see(
    site: Site, tmp_path: Path, forget: Callable[[Path], None]
) -> None:
    """What was purged is read, changed and withdrawn from MLflow, under the same id."""
    trace_id = stored_trace(client_request_id="request-1", session_id="session-1")
    rating = {"trace_id": trace_id, "value": False, "rationale": "no", "reasons": ["incorrect"]}
    given = site.post(rating | {"correction": "16 KiB"}).json()
    queries = (
        {"trace_id": trace_id},
        {"client_request_id": "request-1"},
        {"session_id": "session-1"},
    )
    before = [sorted(mine(site, **query)) for query in queries]
    forget(tmp_path / "ledger.db")
    assert [sorted(mine(site, **query)) for query in queries] == before
    found = {each["name"]: each for each in site.mine(trace_id=trace_id)}["user_feedback"]
    assert found["client_request_id"] == "request-1"
    assert found["assessment_id"] == given["assessment_id"]
    assert (found["rationale"], found["reasons"]) == ("no", ["incorrect"])
    assert found["client_request_id"] == "request-1"

    amended = site.patch(given["assessment_id"], {"value": True}, trace_id=trace_id)
    assert (amended.status_code, amended.json()["rationale"]) == (200, "no")
    assert amended.json()["assessment_id"] == given["assessment_id"]
    assert amended.json()["client_request_id"] == "request-1"
    assert held(trace_id) == {"user_feedback": True, "expected_response": "16 KiB"}
    assert sorted(mine(site, trace_id=trace_id)) == [
        (trace_id, "expected_response", "16 KiB"),
        (trace_id, "user_feedback", True),
    ]
    forget(tmp_path / "ledger.db")
    gone = site.delete(f"/{given['assessment_id']}", trace_id=trace_id)
    assert (gone.status_code, gone.json()["client_request_id"]) == (200, "request-1")
    assert gone.json()["correction"]["value"] == "16 KiB"
    assert held(trace_id) == {"expected_response": "16 KiB"}
    assert mine(site, trace_id=trace_id) == [(trace_id, "expected_response", "16 KiB")]


def test_a_rating_after_the_purge_changes_the_old_one(site: Site, tmp_path: Path) -> None:
    """POST finds what MLflow holds of this person's, and makes no second."""
    trace_id = stored_trace()
    given = site.post({"trace_id": trace_id, "value": False}).json()
    _empty(tmp_path / "ledger.db")
    changed = site.post({"trace_id": trace_id, "value": True})
    assert (changed.status_code, changed.json()["assessment_id"]) == (200, given["assessment_id"])
    assert held(trace_id) == {"user_feedback": True}
    _empty(tmp_path / "ledger.db")
    assert site.delete(trace_id=trace_id).status_code == 200
    assert held(trace_id) == {}


def test_what_was_rated_elsewhere_is_shown(site: Site) -> None:
    """A rating that the person made by another path is theirs; judges' and others' are not."""
    trace_id = stored_trace()
    for source in (
        AssessmentSource(source_type="HUMAN", source_id="Ann@Example.com"),
        AssessmentSource(source_type="HUMAN", source_id=BOB),
        AssessmentSource(source_type="LLM_JUDGE", source_id="judge"),
    ):
        mlflow.log_feedback(trace_id=trace_id, name="user_feedback", value=True, source=source)
    person = AssessmentSource(source_type="HUMAN", source_id=ANN)
    mlflow.log_feedback(trace_id=trace_id, name="of_another_app", value=3, source=person)
    assert mine(site, trace_id=trace_id) == [(trace_id, "user_feedback", True)]


def test_an_unknown_trace_has_no_ratings(open_site: OpenSite) -> None:
    """Asking for what is not there is an empty list: whoever waited for it would give up first."""
    site = open_site(unknown_wait_seconds=600)
    assert site.mine(trace_id=trace_named(0), client_request_id="request-0", session_id="x") == []
    assert site.mine(session_id="x' OR '1'='1") == []


def test_a_widget_reads_its_settings(open_site: OpenSite) -> None:
    """Dimensions, scale, reasons, signals and limits are the application's own."""
    site = open_site(dimensions=("tone",), scale=3, reasons=("rude",), implicit_signals=("stop",))
    answer = site.ask("GET", "/settings", user=None)
    assert answer.status_code == 200
    assert answer.json() == {
        "dimensions": ["tone"],
        "scale": 3,
        "reasons": ["rude"],
        "implicit_signals": ["stop"],
        "limits": {"rationale": 4000, "correction": 8000},
        "person": None,
    }


def test_settings_tell_people_apart_without_naming_them(open_site: OpenSite) -> None:
    """The key is one person's, in any spelling, on every replica; it is in no cache."""
    site, replica = open_site(), open_site()
    answer = site.ask("GET", "/settings", user=ANN)
    key = answer.json()["person"]
    assert answer.headers["cache-control"] == "private, no-store"
    assert re.fullmatch(r"[0-9a-f]{32}", key)
    assert "ann" not in answer.text
    assert site.ask("GET", "/settings", user=ANN.upper()).json()["person"] == key
    assert replica.ask("GET", "/settings", user=ANN).json()["person"] == key
    assert site.ask("GET", "/settings", user=BOB).json()["person"] not in (key, None)
    assert site.client.get(f"/feedback?trace_id={UNKNOWN_TRACE}").headers["cache-control"] == (
        "private, no-store"
    )


def test_the_key_is_this_deployments_own(open_site: OpenSite, tmp_path: Path) -> None:
    """Another ledger gives another key: nobody is followed from app to app."""
    other = f"sqlite:///{tmp_path}/other.db"
    keys = [
        site.ask("GET", "/settings").json()["person"]
        for site in (open_site(), open_site(ledger_url=other))
    ]
    assert keys[0] != keys[1]


def test_settings_can_be_read_before_anybody_has_signed_in(open_site: OpenSite) -> None:
    """Where a person is required, nobody's key is null; a malformed header is still refused."""
    site = open_site(require_user=True)
    answer = site.ask("GET", "/settings", user=None)
    assert (answer.status_code, answer.json()["person"]) == (200, None)
    twice = [("x-forwarded-email", ANN), ("x-forwarded-email", BOB)]
    assert site.client.get("/feedback/settings", headers=twice).status_code == 400


def test_operators_read_the_status(site: Site) -> None:
    """Counts and a class of errors; nobody's name, id or text."""
    trace_id = stored_trace()
    site.post({"trace_id": trace_id, "value": True, "rationale": "private"})
    answer = site.ask("GET", "/status", user=None)
    assert answer.status_code == 200
    assert answer.json() == {
        "pending": 0,
        "oldest_pending_seconds": 0.0,
        "undeliverable": 0,
        "deliveries_per_minute": 1,
        "last_error": None,
        "mlflow": "ok",
        "durability": "durable",
    }


def test_an_ephemeral_ledger_says_so(
    open_site: OpenSite,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """On Databricks Apps a file does not survive a redeploy: the log and the status say it."""
    monkeypatch.setenv("DATABRICKS_APP_NAME", "agent")
    status = open_site().ask("GET", "/status").json()
    assert status["durability"] == "until_redeploy"
    assert "AGENT_FEEDBACK_LEDGER_URL" in caplog.text


def test_the_routes_live_where_the_setting_says(open_site: OpenSite) -> None:
    """Another prefix moves all of them."""
    site = open_site(prefix="/api/ratings")
    assert site.client.get("/api/ratings/settings").status_code == 200
    assert site.client.get("/feedback/settings").status_code == 404
    trace_id = stored_trace()
    answer = site.client.post(
        "/api/ratings",
        json={"trace_id": trace_id, "value": True},
        headers={"x-forwarded-email": ANN},
    )
    assert answer.status_code == 201


def test_another_process_delivers_what_this_one_left(open_site: OpenSite, tmp_path: Path) -> None:
    """A rating that was taken while its trace was unknown to MLflow survives a restart."""
    first = AgentFeedback(settings_in(tmp_path, wait_seconds=0.0))
    with first.turn(user_id=ANN, client_request_id="request-1") as turn:
        assert turn.trace_id is not None
        (receipt,) = first.submit(trace_id=turn.trace_id, value=True, user_id=ANN)
        first._parts.stop()
    assert receipt.status == "pending"
    site = open_site()
    trace_id = turn.trace_id
    assert eventually(lambda: held(trace_id), bool) == {"user_feedback": True}
    assert mine(site, client_request_id="request-1") == [(trace_id, "user_feedback", True)]
    first._parts.stop()
