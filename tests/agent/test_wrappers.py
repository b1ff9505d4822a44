"""One table: every kind of handler, both routes, both agent types, every way an answer can end."""

import logging
from typing import Any

import httpx
import pytest
from mlflow.entities import SpanStatusCode, TraceState

from tests.agent.hosting import (
    AGENT_TYPES,
    DONE,
    GENERIC,
    STATE,
    TYPED,
    UNTYPED,
    Host,
    Hosts,
    exceptions_of,
    outputs_of,
    request_body,
    spans_by_name,
)
from tests.agent.scripted import KINDS, SECRET, Script
from tests.support.rating import value_of
from tests.support.waiting import until

every_kind = pytest.mark.parametrize("kind", KINDS)
every_type = pytest.mark.parametrize("agent_type", AGENT_TYPES, ids=["untyped", "typed"])


def _host(hosts: Hosts, script: Script, kind: str) -> Host:
    return hosts.start(
        TYPED if script.typed else UNTYPED,
        invoke=script.handler("invoke", kind),
        stream=script.handler("stream", kind),
    )


def _assert_recorded(host: Host, state: str, client_request_id: str = "r-1") -> Any:
    """The trace says how the turn ended, whose request it was, and holds the handler's own span."""
    trace = host.trace(client_request_id)
    assert trace.info.request_metadata[STATE] == state
    root, child = trace.data.spans[0], spans_by_name(trace)["child"]
    assert child.parent_id == root.span_id
    assert child.end_time_ns is not None
    return trace


@every_kind
@every_type
def test_answers_carry_their_ids(hosts: Hosts, agent_type: str | None, kind: str) -> None:
    """An answer is the handler's, plus the ids: as members, or as one ``done`` at the end."""
    script = Script(agent_type, "ok")
    host = _host(hosts, script, kind)
    response = host.ask(request_body(agent_type, "a-1"))
    assert response.status_code == 200
    _assert_answer(host, script, kind, response.json())
    _assert_stream(host, script, host.stream(request_body(agent_type, "s-1")))


def _assert_answer(host: Host, script: Script, kind: str, answer: Any) -> None:
    trace = _assert_recorded(host, "ok", "a-1")
    assert answer.pop("client_request_id") == "a-1"
    assert answer.pop("trace_id") == trace.info.trace_id
    if script.typed:
        assert answer.pop("metadata") == {"trace_id": trace.info.trace_id}
    expected = script.pieces[1] if "generator" in kind and not script.typed else script.whole
    assert {**answer, "object": "response"} == {**expected, "object": "response"}
    assert trace.info.state == TraceState.OK
    if not script.typed:
        assert outputs_of(trace) == expected


def _assert_stream(host: Host, script: Script, answered: list[Any]) -> None:
    trace = _assert_recorded(host, "ok", "s-1")
    ids = {"trace_id": trace.info.trace_id, "client_request_id": "s-1"}
    assert answered == [*script.pieces, {"type": "done", **ids, "status": "ok"}, DONE]
    assert trace.info.state == TraceState.OK
    if script.typed:
        assert outputs_of(trace)["output"] == script.whole["output"]
    else:
        assert outputs_of(trace) == script.pieces


@every_kind
@every_type
def test_failures_are_generic(
    hosts: Hosts, agent_type: str | None, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A handler that raises is reported in general words; the exception is on trace and in log.

    An answer is 500 with the trace's id; a stream says so, then ``done``, then the server's end.
    """
    script = Script(agent_type, "error")
    host = _host(hosts, script, kind)
    response = host.ask(request_body(agent_type, "a-1"))
    trace = _assert_recorded(host, "error", "a-1")
    assert response.status_code == 500
    assert response.json() == {"detail": GENERIC, "trace_id": trace.info.trace_id}
    _assert_error_recorded(trace, caplog)
    caplog.clear()
    answered = host.stream(request_body(agent_type, "s-1"))
    trace = _assert_recorded(host, "error", "s-1")
    assert answered == [script.pieces[0], *_closing(trace.info.trace_id), DONE]
    _assert_error_recorded(trace, caplog)
    if not script.typed:
        assert outputs_of(trace) == script.pieces[:1]


def _closing(trace_id: str) -> list[Any]:
    error = {
        "type": "error",
        "code": "agent_error",
        "message": GENERIC,
        "error": GENERIC,
        "param": None,
        "sequence_number": 1,
        "trace_id": trace_id,
    }
    ids = {"trace_id": trace_id, "client_request_id": "s-1"}
    return [error, {"type": "done", **ids, "status": "error"}]


def _assert_error_recorded(trace: Any, caplog: pytest.LogCaptureFixture) -> None:
    root = trace.data.spans[0]
    assert trace.info.state == TraceState.ERROR
    assert root.status.status_code == SpanStatusCode.ERROR
    assert SECRET in exceptions_of(root)
    shown = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert SECRET in "".join(caplog.handler.format(record) for record in shown)


@every_kind
@every_type
def test_a_stream_that_is_left_midway(hosts: Hosts, agent_type: str | None, kind: str) -> None:
    """The handler ends; the trace keeps the events so far, is interrupted, and can be rated."""
    script = Script(agent_type, "disconnect")
    host = _host(hosts, script, kind)
    with host.streaming(request_body(agent_type)) as response:
        chunks = response.iter_raw()
        next(chunks)
        assert script.started.wait(60)
        del chunks  # its end is the connection's
    assert script.cleaned_up.wait(60)
    trace = _assert_recorded(host, "interrupted")
    if script.typed:
        assert outputs_of(trace)["output"][0]["content"][0]["text"].startswith("Hello")
    else:
        assert outputs_of(trace)[0] == script.pieces[0]
    _assert_rateable(host, trace.info.trace_id)


@every_kind
@every_type
def test_an_answer_that_nobody_waits_for(hosts: Hosts, agent_type: str | None, kind: str) -> None:
    """The same for an answer in one piece; a function in a thread ends by itself, and is kept."""
    script = Script(agent_type, "disconnect")
    host = _host(hosts, script, kind)
    host.leave(request_body(agent_type), when=script.started.wait)
    script.client_is_gone.set()
    assert script.cleaned_up.wait(60)
    trace = _assert_recorded(host, "interrupted")
    outputs = str(outputs_of(trace))
    assert ("Hel" in outputs) is (kind != "coroutine")
    assert trace.info.state == TraceState.OK
    _assert_rateable(host, trace.info.trace_id)


def _assert_rateable(host: Host, trace_id: str) -> None:
    rating = {"client_request_id": "r-1", "value": True}
    answer = httpx.post(f"{host.url}/feedback", json=rating)
    assert answer.status_code in (201, 202)
    assert answer.json()["trace_id"] == trace_id
    (assessment,) = until(
        lambda: host.tracking.trace(trace_id).info.assessments, "the rating did not land"
    )
    assert (assessment.name, value_of(assessment)) == ("user_feedback", True)
