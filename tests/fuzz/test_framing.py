"""The ids that are added to an agent's answer, whatever the answer is."""

import asyncio
import json
from contextvars import ContextVar
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from agent_feedback.agent.adapters.selection import PLAIN
from agent_feedback.agent.wire.middleware import AgentRoutesMiddleware
from agent_feedback.agent.wire.request_context import CurrentRequest, RequestContext
from tests.fuzz.texts import any_text, json_of, long_text

values = json_of(st.sampled_from(["type", "done", "trace_id"])).filter(
    lambda value: "NaN" not in json.dumps(value) and "Infinity" not in json.dumps(value)
)
objects = st.dictionaries(any_text, values, max_size=4)
members = st.dictionaries(
    st.sampled_from(["trace_id", "client_request_id"]), st.one_of(st.none(), any_text)
)
cuts = st.lists(st.integers(min_value=0), max_size=4)


@given(objects)
def test_a_framed_event_is_unwrapped(event: dict[str, Any]) -> None:
    """A string that is one SSE frame of an object means that object."""
    for frame in (f"data: {json.dumps(event)}\n\n", f"data:{json.dumps(event)}"):
        assert PLAIN.event(frame) == event


@given(st.one_of(any_text, long_text, any_text.map("data: {}".format)))
def test_any_other_string_is_refused_as_the_server_would(text: str) -> None:
    """A string that is no frame raises what the wrapper expects, and nothing else."""
    try:
        event = PLAIN.event(text)
    except (ValueError, TypeError):
        return
    assert isinstance(event, dict)
    assert event == json.loads(text.strip().removeprefix("data:"))


@given(st.lists(objects, min_size=1, max_size=3))
def test_closing_events_are_one_frame_each(events: list[dict[str, Any]]) -> None:
    """Whatever an event says, it cannot end its frame early, begin another, or name an event."""
    context = RequestContext([])
    context.close_stream_with(events)
    text = context.closing_frames.decode()
    assert text.endswith("\n\n")
    frames = text.removesuffix("\n\n").split("\n\n")
    assert all(len(frame.splitlines()) == 1 for frame in frames)
    assert [json.loads(frame.removeprefix("data: ")) for frame in frames] == events


def _answered(body: bytes, places: list[int], added: dict[str, Any]) -> list[Message]:
    """What reaches the client of a server that answers with ``body`` in pieces."""
    current: CurrentRequest = ContextVar("fuzzed", default=None)
    sent: list[Message] = []
    ends = sorted({place % (len(body) + 1) for place in places} | {len(body)})
    pieces = [body[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]

    async def server(scope: Scope, receive: Receive, send: Send) -> None:
        context = current.get()
        assert context is not None
        context.add_to_json(added)
        length = str(len(body)).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", length)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for number, piece in enumerate(pieces, 1):
            more = number < len(pieces)
            await send({"type": "http.response.body", "body": piece, "more_body": more})

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {"type": "http", "method": "POST", "path": "/invocations", "headers": []}
    asyncio.run(AgentRoutesMiddleware(server, current=current)(scope, receive, send))
    return sent


@given(objects, members, cuts, st.sampled_from(["", " ", "\n", "\r\n\t"]), st.booleans())
def test_members_are_added_to_any_object(
    answer: dict[str, Any], added: dict[str, Any], places: list[int], space: str, compact: bool
) -> None:
    """The client gets the server's object with our members, and as many bytes as it was told."""
    answer = {name: value for name, value in answer.items() if name not in added}
    text = json.dumps(answer, separators=(",", ":") if compact else None, ensure_ascii=compact)
    body = f"{space}{text}{space}".encode("utf-8", "surrogatepass")
    start, *rest = _answered(body, places, added)
    received = b"".join(message["body"] for message in rest)
    length = dict(start["headers"])[b"content-length"]
    assert int(length) == len(received)
    assert json.loads(received.decode("utf-8", "surrogatepass")) == {**answer, **added}


@given(values.filter(lambda value: not isinstance(value, dict)), members, cuts)
def test_what_is_no_object_is_left_alone(
    answer: Any, added: dict[str, Any], places: list[int]
) -> None:
    """A list, a number or a text has no members: it goes out as it came."""
    body = json.dumps(answer).encode()
    received = b"".join(m["body"] for m in _answered(body, places, added)[1:])
    assert json.loads(received) == answer
