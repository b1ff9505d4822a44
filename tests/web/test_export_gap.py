"""The seconds in which MLflow does not know a trace yet, and those in which it is not there."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import mlflow
import pytest
from mlflow.genai.agent_server import AgentServer

from agent_feedback import AgentFeedback
from agent_feedback.mlflow_client import bounded_store
from agent_feedback.service import targets
from tests.conftest import Serve
from tests.support.mlflow_store import MlflowServer, Tracking
from tests.support.rating import (
    ANN,
    Site,
    assessments_of,
    held,
    opened_site,
    settings_in,
    stored_trace,
)
from tests.support.waiting import eventually

# MLflow's default takes five to six seconds; twice that on a busy machine.
LANDS_WITHIN = 15.0


@pytest.fixture
def wait_seconds() -> float:
    """Wait for MLflow longer than the client waits: an answer that comes did not wait."""
    return 60.0


@pytest.fixture
def agent(serve: Serve, tmp_path: Path, wait_seconds: float) -> Iterator[Site]:
    """Serve a real streaming agent, whose slow answers take a second."""
    feedback = AgentFeedback(settings_in(tmp_path, wait_seconds=wait_seconds))

    @feedback.stream
    async def answer(request: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        yield {"text": "To"}
        await asyncio.sleep(request["seconds"])
        yield {"text": "morrow"}

    server = AgentServer()
    feedback.mount(server)
    with opened_site(serve, feedback, server.app) as site:
        yield site


def ask(site: Site, client_request_id: str, *, seconds: float = 0.0) -> Iterator[dict[str, Any]]:
    """Ask the agent, as Ann; yields the stream's events as they come."""
    body = {"stream": True, "seconds": seconds, "client_request_id": client_request_id}
    headers = {"x-forwarded-email": ANN}
    with site.client.stream("POST", "/invocations", json=body, headers=headers) as stream:
        for line in stream.iter_lines():
            if line.startswith("data: {"):
                yield json.loads(line.removeprefix("data: "))


def done_with(site: Site, client_request_id: str) -> str:
    """Ask, and return the trace that the stream's last event names."""
    *_, done = ask(site, client_request_id)
    assert (done["type"], done["client_request_id"]) == ("done", client_request_id)
    return str(done["trace_id"])


def timely(answer: httpx.Response) -> dict[str, Any]:
    """Check that an answer did not wait and says that the rating is on its way."""
    assert answer.status_code == 202, answer.text
    body: dict[str, Any] = answer.json()
    assert body["status"] == "pending"
    return body


def is_stored(trace_id: str) -> bool:
    """Say whether MLflow has the trace."""
    return mlflow.get_trace(trace_id, silent=True) is not None


def test_ratings_in_the_first_second_land_by_themselves(
    agent: Site, tracking_server: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given, changed or withdrawn inside the gap, by trace or request: 202, then as sent, once."""
    # The gap is as long as the test needs it, and not MLflow's five seconds.
    monkeypatch.setattr(targets, "_EXPORT_GAP_MS", 600_000)
    monkeypatch.delenv("MLFLOW_ENABLE_ASYNC_TRACE_LOGGING")
    monkeypatch.setenv("MLFLOW_ASYNC_TRACE_LOGGING_MAX_INTERVAL_MILLIS", "600000")
    mlflow.tracing.reset()
    # Not five: with its fifth span MLflow exports at once.
    changed, gone, again, by_request = (done_with(agent, f"request-{n}") for n in range(4))
    assert not is_stored(changed)
    for trace_id in (changed, gone, again):
        timely(agent.post({"trace_id": trace_id, "value": True, "correction": "Today"}))
    timely(agent.post({"client_request_id": "request-3", "value": False}))
    first = {each["name"]: each for each in agent.mine(trace_id=changed)}["user_feedback"]
    body = timely(agent.post({"trace_id": changed, "value": False, "rationale": "no"}))
    assert (body["assessment_id"], body["revision"]) == (first["assessment_id"], 2)
    timely(agent.patch(body["assessment_id"], {"rationale": "never"}, trace_id=changed))
    timely(agent.delete(trace_id=gone))
    timely(agent.delete(trace_id=again))
    timely(agent.post({"trace_id": again, "value": False}))
    assert agent.ask("GET", "/status").json()["pending"] == 7
    assert not is_stored(by_request)

    mlflow.flush_trace_async_logging()
    assert eventually(lambda: is_stored(by_request), bool, within=LANDS_WITHIN)
    wanted = {
        changed: {"user_feedback": False, "expected_response": "Today"},
        gone: {"expected_response": "Today"},
        again: {"user_feedback": False, "expected_response": "Today"},
        by_request: {"user_feedback": False},
    }
    landed = eventually(lambda: {each: held(each) for each in wanted}, wanted.__eq__)
    assert landed == wanted
    (only,) = (each for each in assessments_of(changed) if each.name == "user_feedback")
    assert (only.assessment_id, only.rationale) == (first["assessment_id"], "never")
    assert (only.source.source_type, only.source.source_id) == ("HUMAN", ANN)
    status = eventually(lambda: agent.ask("GET", "/status").json(), lambda s: s["pending"] == 0)
    assert status["pending"] == status["undeliverable"] == 0
    assert {each["status"] for each in agent.mine(trace_id=list(wanted))} == {"ok"}
    assert agent.post({"trace_id": changed, "value": True}).status_code == 200


@pytest.mark.usefixtures("tracking")
def test_an_answer_can_be_rated_while_it_streams(agent: Site) -> None:
    """A rating by the request's own id waits until its turn is over, and then lands."""
    events = ask(agent, "request-1", seconds=1.0)
    assert next(events) == {"text": "To"}
    body = timely(agent.post({"client_request_id": "request-1", "value": False}))
    assert agent.mine(client_request_id="request-1")[0]["status"] == "pending"
    *_, done = events
    assert (done["status"], done["trace_id"]) == ("ok", body["trace_id"])
    landed = eventually(lambda: held(body["trace_id"]), bool, within=LANDS_WITHIN)
    assert landed == {"user_feedback": False}
    trace = mlflow.get_trace(body["trace_id"])
    assert trace is not None
    assert trace.info.client_request_id == "request-1"


@pytest.mark.parametrize("wait_seconds", [1.0])
def test_a_server_that_hangs_loses_nothing(
    agent: Site,
    tracking_server: Tracking,
    mlflow_server: MlflowServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While MLflow takes calls and answers none, known answers are rated all the same."""
    monkeypatch.setattr(bounded_store, "ATTEMPT_SECONDS", 1.5)
    known = done_with(agent, "request-1")
    unknown = stored_trace()
    assert agent.post({"trace_id": known, "value": True}).status_code in (201, 202)
    eventually(lambda: held(known), bool)
    mlflow_server.freeze()
    try:
        answer = agent.post({"trace_id": known, "value": False})
        assert (answer.status_code, answer.json()["status"]) == (202, "pending")
        refused = agent.post({"trace_id": unknown, "value": False})
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) >= 1
        away = eventually(lambda: agent.ask("GET", "/status").json(), _is_away, within=60)
        assert _is_away(away)
        assert away["pending"] == 1
        assert agent.post({"trace_id": known, "value": True}).status_code == 202
        assert [each["value"] for each in agent.mine(trace_id=known)] == [True]
        agent.post({"trace_id": known, "value": False})
    finally:
        mlflow_server.thaw()
    wanted = {"user_feedback": False}
    assert eventually(lambda: held(known), wanted.__eq__) == wanted
    assert eventually(lambda: agent.ask("GET", "/status").json()["pending"], (0).__eq__) == 0


def _is_away(status: dict[str, Any]) -> bool:
    return bool(status["mlflow"] == "away")
