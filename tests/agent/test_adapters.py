"""What handlers may return, for both agent types, and how it is sent."""

import json
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from mlflow.entities import TraceState
from mlflow.types.responses import (
    ResponsesAgentResponse,
    ResponsesAgentStreamEvent,
    create_text_delta,
    create_text_output_item,
)
from pydantic import BaseModel

from agent_feedback.agent.adapters.plain import PlainAdapter
from agent_feedback.agent.adapters.selection import PLAIN, RESPONSES
from agent_feedback.agent.closing_events import closing_events
from agent_feedback.model import Turn
from tests.agent.hosting import (
    DONE,
    GENERIC,
    TYPED,
    UNTYPED,
    Host,
    Hosts,
    outputs_of,
    request_body,
)

ITEM = create_text_output_item("Hello", "m1")
ITEM_DONE = {"type": "response.output_item.done", "item": ITEM}
SECRET = "password=4711"


class AnswerModel(BaseModel):
    """An untyped agent's answer."""

    text: str
    unset: str | None = None


@dataclass
class AnswerDataclass:
    """The same, as a dataclass."""

    text: str


@dataclass
class ItemDone:
    """A Responses event, as a dataclass."""

    item: dict[str, Any]
    type: str = "response.output_item.done"


@dataclass
class Response:
    """A Responses answer, as a dataclass."""

    output: list[dict[str, Any]]


Row = tuple[Any, Any]
FORMS: dict[str | None, list[Row]] = {
    UNTYPED: [
        ({"text": "Hello"}, {"text": "Hello"}),
        (AnswerModel(text="Hello"), {"text": "Hello"}),
        (AnswerDataclass("Hello"), {"text": "Hello"}),
    ],
    TYPED: [
        (ITEM_DONE, ITEM_DONE),
        (ResponsesAgentStreamEvent.model_validate(ITEM_DONE), ITEM_DONE),
        (ItemDone(ITEM), ITEM_DONE),
    ],
}
FRAMED: dict[str | None, list[Row]] = {
    UNTYPED: [
        ('data: {"text": "Hello"}\n\n', {"text": "Hello"}),
        ('data:{"text": "Hello"}', {"text": "Hello"}),
    ],
    TYPED: [(f"data: {json.dumps(ITEM_DONE)}\n\n", ITEM_DONE)],
}
RESULTS: dict[str | None, list[Row]] = {
    UNTYPED: [*FORMS[UNTYPED], ({}, {})],
    TYPED: [
        ({"output": [ITEM]}, {"output": [ITEM]}),
        ({"output": [ITEM], "mine": 1}, {"output": [ITEM], "mine": 1}),
        (
            ResponsesAgentResponse.model_validate({"output": [ITEM]}),
            {"output": [ITEM], "object": "response"},
        ),
        (Response([ITEM]), {"output": [ITEM]}),
    ],
}
REFUSED: dict[str | None, list[Any]] = {
    UNTYPED: [
        SECRET,
        None,
        {"text": {SECRET}},
        {(SECRET,): "a key that JSON has not"},
        [SECRET],
        f'data: ["{SECRET}"]\n\n',
        f"data: {SECRET}\n\n",
        AnswerDataclass,
    ],
    TYPED: [
        SECRET,
        {"text": SECRET},
        {"type": "response.output_item.done", "item": {"id": SECRET}},
        {"type": "response.output_text.delta", "delta": {SECRET}, "item_id": "m"},
        {"output": [{"id": SECRET}]},
    ],
}
REFUSED_RESULTS: dict[str | None, list[Any]] = {
    UNTYPED: [
        *REFUSED[UNTYPED],
        {"text": SECRET, "score": float("nan")},
        {"text": f"{SECRET} \ud83d"},
    ],
    TYPED: [
        *REFUSED[TYPED],
        {"output": [ITEM], "custom_outputs": {"secret": SECRET, "score": float("inf")}},
    ],
}

both_types = pytest.mark.parametrize("agent_type", [UNTYPED, TYPED])


def _host_saying(hosts: Hosts, agent_type: str | None, *answers: Any) -> Host:
    """An agent that says the n-th answer to the request ``r-n``; streamed, a list's items."""

    async def answer(request: Any, turn: Turn) -> Any:
        return answers[int(turn.client_request_id[2:])]

    async def answer_stream(request: Any, turn: Turn) -> Any:
        events = answers[int(turn.client_request_id[2:])]
        for event in events:
            yield event

    return hosts.start(agent_type, invoke=answer, stream=answer_stream)


def _stream(host: Host, agent_type: str | None, index: int = 0, **headers: str) -> list[Any]:
    """The wire's frames, in which this answer's trace id reads ``T``."""
    body = request_body(agent_type, f"r-{index}")
    answered = host.stream(body, {name.replace("_", "-"): v for name, v in headers.items()})
    trace_id = host.trace(f"r-{index}").info.trace_id
    return list(json.loads(json.dumps(answered).replace(trace_id, "T")))


def _done(index: int = 0, status: str = "ok", **members: Any) -> dict[str, Any]:
    ids = {"trace_id": "T", "client_request_id": f"r-{index}"}
    return {"type": "done", **ids, "status": status, **members}


@both_types
def test_events_of_all_forms_pass(hosts: Hosts, agent_type: str | None) -> None:
    """Dicts, models, dataclasses and framed JSON reach the client as the same plain event."""
    table = [*FORMS[agent_type], *FRAMED[agent_type]]
    host = _host_saying(hosts, agent_type, *([event] for event, _ in table))
    for index, (_, on_wire) in enumerate(table):
        assert _stream(host, agent_type, index) == [on_wire, _done(index), DONE]


@both_types
def test_results_of_all_forms_pass(hosts: Hosts, agent_type: str | None) -> None:
    """Dicts, models and dataclasses reach the client as the same plain object, with the ids."""
    table = RESULTS[agent_type]
    host = _host_saying(hosts, agent_type, *(result for result, _ in table))
    for index, (_, on_wire) in enumerate(table):
        answer = host.ask(request_body(agent_type, f"r-{index}")).json()
        ids = {"trace_id": host.trace(f"r-{index}").info.trace_id}
        metadata = {"metadata": ids} if agent_type == TYPED else {}
        assert answer == {**on_wire, **ids, "client_request_id": f"r-{index}", **metadata}


@both_types
def test_a_refused_event_takes_the_error_path(hosts: Hosts, agent_type: str | None) -> None:
    """What the server would refuse ends the stream in order, and the value is not on the wire."""
    first = FORMS[agent_type][0][0]
    table = [[first, refused, first] for refused in REFUSED[agent_type]]
    host = _host_saying(hosts, agent_type, *table)
    for index, row in enumerate(table):
        event, error, *closing = _stream(host, agent_type, index)
        assert (event, error["type"]) == (first, "error"), row
        assert closing == [_done(index, "error"), DONE], row
        assert SECRET not in str(error), row


@both_types
def test_a_refused_result_takes_the_error_path(hosts: Hosts, agent_type: str | None) -> None:
    """What the server would refuse answers 500 with the trace, and the value is not on the wire."""
    table = REFUSED_RESULTS[agent_type]
    host = _host_saying(hosts, agent_type, *table)
    for index, row in enumerate(table):
        response = host.ask(request_body(agent_type, f"r-{index}"))
        assert response.status_code == 500, row
        assert SECRET not in response.text, row
        trace = host.trace(f"r-{index}")
        assert response.json() == {"detail": GENERIC, "trace_id": trace.info.trace_id}, row
        assert trace.info.state == TraceState.ERROR, row


def test_pydantic_events_keep_what_the_server_needs(hosts: Hosts) -> None:
    """A typed error event of the handler's own passes, whose ``param`` is required and ``None``."""
    error = {"type": "error", "message": "m", "code": "c", "param": None, "sequence_number": 0}
    host = _host_saying(hosts, TYPED, [ResponsesAgentStreamEvent.model_validate(error)])
    del error["param"]  # how the server writes a model: without what is None
    assert _stream(host, TYPED) == [error, _done(), DONE]


@both_types
def test_the_handlers_own_done_is_merged(hosts: Hosts, agent_type: str | None) -> None:
    """A handler's own ``done`` comes once, at the end, with its members and its own trace id."""
    first = FORMS[agent_type][0][0]
    own: dict[str, Any] = {"type": "done", "trace_id": "mine", "usage": {"tokens": 3}}
    host = _host_saying(hosts, agent_type, [own, first])
    assert _stream(host, agent_type) == [first, {**_done(), **own}, DONE]


@pytest.mark.parametrize("form", ["dict", "model"])
def test_the_handlers_own_ids_are_kept(hosts: Hosts, form: str) -> None:
    """A typed answer that names a trace keeps its name, in the metadata as at the top."""
    answer: dict[str, Any] = {"output": [ITEM], "metadata": {"trace_id": "mine", "topic": "x"}}
    own = {"trace_id": "mine", "client_request_id": "mine"}
    is_dict = form == "dict"
    result = answer | own if is_dict else ResponsesAgentResponse.model_validate(answer)
    host = _host_saying(hosts, TYPED, result)
    response = host.ask(request_body(TYPED, "r-0")).json()
    assert response["metadata"] == {"trace_id": "mine", "topic": "x"}
    ours = {"trace_id": host.trace().info.trace_id, "client_request_id": "r-0"}
    assert {name: response[name] for name in own} == (own if is_dict else ours)


def test_an_untyped_answers_own_ids_are_kept(hosts: Hosts) -> None:
    """An untyped answer keeps its own values, and its recorded output has only those."""
    host = _host_saying(hosts, UNTYPED, {"trace_id": "mine"})
    answer = host.ask(request_body(UNTYPED, "r-0")).json()
    assert answer == {"trace_id": "mine", "client_request_id": "r-0"}
    assert outputs_of(host.trace()) == {"trace_id": "mine"}


def test_mlflows_own_trace_frame_follows_done(hosts: Hosts) -> None:
    """A client that asks MLflow for the trace id gets it where it always was, after ``done``."""
    host = _host_saying(hosts, TYPED, [ITEM_DONE])
    answered = _stream(host, TYPED, x_mlflow_return_trace_id="true")
    assert answered == [ITEM_DONE, _done(), {"trace_id": "T"}, DONE]


def test_mlflows_own_metadata_stays(hosts: Hosts) -> None:
    """A client that asks MLflow for the trace id in JSON gets it as before."""
    host = _host_saying(hosts, TYPED, {"output": [ITEM]})
    answer = host.ask(request_body(TYPED, "r-0"), {"x-mlflow-return-trace-id": "true"}).json()
    assert answer["metadata"] == {"trace_id": host.trace().info.trace_id}


def test_errors_are_shown_in_development(hosts: Hosts) -> None:
    """With ``expose_errors`` the client reads the exception, in a stream and in JSON."""

    async def answer(request: Any) -> Any:
        raise RuntimeError(SECRET)

    host = hosts.start(UNTYPED, invoke=answer, stream=answer, expose_errors=True)
    sentence = f"RuntimeError: {SECRET}"
    assert host.ask({}).json()["detail"] == sentence
    assert host.stream({})[0]["message"] == sentence


def test_a_body_that_is_no_json_is_answered_by_the_server(hosts: Hosts) -> None:
    """A request that never reaches the handler is answered as without us."""
    host = _host_saying(hosts, UNTYPED, {})
    response = httpx.post(f"{host.url}/invocations", content=b"no json")
    assert response.status_code == 400
    assert response.json().keys() == {"detail"}


@pytest.mark.parametrize(
    ("adapter", "pieces", "kept"),
    [
        (PLAIN, [], {}),
        (PLAIN, [{"text": "a"}, {"text": "b"}], {"text": "b"}),
        (PLAIN, [object()], {}),
        (RESPONSES, [], {"output": []}),
        (RESPONSES, [object()], {"output": []}),
        (RESPONSES, [ITEM_DONE], {"object": "response", "output": [ITEM]}),
        (RESPONSES, [{"output": [ITEM]}], {"output": [ITEM]}),
        (
            RESPONSES,
            [create_text_delta("Hel", "m1"), create_text_delta("lo", "m1")],
            {"object": "response", "output": [ITEM]},
        ),
    ],
)
def test_the_events_of_a_left_generator_are_kept_as_an_answer(
    adapter: PlainAdapter, pieces: list[Any], kept: Any
) -> None:
    """Whatever a left generator had yielded makes a valid answer, begun items included."""
    assert adapter.partial_answer(pieces) == kept


def test_an_empty_answer_is_a_failure() -> None:
    """A generator that ends without an answer has not answered."""
    for adapter in (PLAIN, RESPONSES):
        with pytest.raises(ValueError, match="without an answer"):
            adapter.answer_of([])


def test_done_says_null_where_there_is_no_trace() -> None:
    """Without a trace, ``done`` and ``error`` say so and do not leave it out."""
    error, done = closing_events(Turn(None, "r-1"), {}, error="sorry", sequence_number=4)
    assert (error["trace_id"], error["sequence_number"]) == (None, 4)
    assert done == _done(1, "error", trace_id=None)
