"""Where tracing makes no trace, answers are complete, and have no trace id."""

from collections.abc import Iterator

import httpx
import mlflow
import pytest

from tests.agent.hosting import AGENT_TYPES, DONE, Hosts, request_body
from tests.agent.scripted import KINDS, Script

NO_TRACE = "tracing made no trace"


@pytest.fixture(params=["off", "sampled out"])
def no_traces(
    request: pytest.FixtureRequest, hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Turn tracing off, or let it sample nothing."""
    if request.param == "off":
        mlflow.tracing.disable()
        yield request.param
        mlflow.tracing.enable()
    else:
        monkeypatch.setenv("MLFLOW_TRACE_SAMPLING_RATIO", "0")
        mlflow.tracing.reset()
        yield request.param


@pytest.mark.usefixtures("no_traces")
@pytest.mark.parametrize(("kind", "agent_type"), [*zip(KINDS, 2 * AGENT_TYPES, strict=True)])
def test_answers_are_unharmed(
    hosts: Hosts, agent_type: str | None, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The answer and the stream are whole, say ``null`` for the trace, and one line is logged."""
    script = Script(agent_type, "ok")
    host = hosts.start(
        agent_type, invoke=script.handler("invoke", kind), stream=script.handler("stream", kind)
    )
    for _ in range(2):
        answer = host.ask(request_body(agent_type)).json()
        assert (answer["trace_id"], answer["client_request_id"]) == (None, "r-1")
        assert "metadata" not in answer
        ids = {"trace_id": None, "client_request_id": "r-1"}
        done = {"type": "done", **ids, "status": "ok"}
        assert host.stream(request_body(agent_type)) == [*script.pieces, done, DONE]
    assert caplog.text.count(NO_TRACE) == 1
    assert "Traceback" not in caplog.text
    assert hosts.tracking.traces() == []


@pytest.mark.usefixtures("no_traces")
@pytest.mark.parametrize("agent_type", AGENT_TYPES, ids=["untyped", "typed"])
def test_failures_take_the_error_path(hosts: Hosts, agent_type: str | None) -> None:
    """A failing handler is answered as with a trace, with ``null`` for its id."""
    script = Script(agent_type, "error")
    host = hosts.start(agent_type, invoke=script.coroutine, stream=script.generator)
    response = host.ask(request_body(agent_type))
    assert (response.status_code, response.json()["trace_id"]) == (500, None)
    _, error, done, end = host.stream(request_body(agent_type))
    assert (error["trace_id"], done["trace_id"]) == (None, None)
    assert (error["type"], done["status"], end) == ("error", "error", DONE)


@pytest.mark.usefixtures("no_traces")
def test_such_an_answer_cannot_be_rated(hosts: Hosts) -> None:
    """A rating of an answer without a trace is refused, and not lost in silence."""
    host = hosts.start(None, invoke=Script(None, "ok").coroutine)
    host.ask(request_body(None))
    rating = {"client_request_id": "r-1", "value": True}
    response = httpx.post(f"{host.url}/feedback", json=rating)
    assert (response.status_code, "no trace" in response.json()["detail"]) == (422, True)
