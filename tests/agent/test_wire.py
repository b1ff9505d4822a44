"""The wire: headers, pings, compression, and other people's routes."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from mlflow.genai.agent_server import AgentServer
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse, StreamingResponse
from starlette.types import Message

from agent_feedback.agent.wire import answer, ping, sse
from agent_feedback.agent.wire.request_context import RequestContext
from tests.agent.asgi import living, request_stream
from tests.agent.hosting import (
    DONE,
    TYPED,
    UNTYPED,
    Host,
    Hosts,
    frames,
    request_body,
)

PING = ": ping\n\n"
LONG = "Hello " * 2_000
EVENTS = b'data: {"text": "data: [DONE]"}\n\ndata: {"text": "x"}\n\n'
STREAM = EVENTS + b"data: [DONE]\n\n"


async def _answer(request: Any) -> Any:
    return {"text": LONG}


async def _stream(request: Any) -> AsyncIterator[Any]:
    yield {"text": LONG}


async def _slow_stream(request: Any) -> AsyncIterator[Any]:
    yield {"text": "Hel"}
    await asyncio.sleep(0.5)
    yield {"text": "lo"}


async def _steady_stream(request: Any) -> AsyncIterator[Any]:
    for _ in range(100):
        await asyncio.sleep(0.02)
        yield {"text": "Hel"}


def _raw(
    host: Host, agent_type: str | None = UNTYPED, path: str = "/invocations"
) -> httpx.Response:
    body = request_body(agent_type) | {"stream": True}
    return httpx.post(f"{host.url}{path}", json=body, timeout=30)


@pytest.mark.parametrize("path", ["/invocations", "/responses"])
def test_proxies_are_told_not_to_hold_a_stream_back(hosts: Hosts, path: str) -> None:
    """A stream on either agent route has the headers that keep buffers and caches off."""
    host = hosts.start(TYPED, stream=lambda request: [])
    response = _raw(host, TYPED, path)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["x-accel-buffering"] == "no"
    assert response.headers.get_list("cache-control") == ["no-cache"]
    assert [frame if frame == DONE else frame["type"] for frame in frames(response.text)] == [
        "done",
        DONE,
    ]


def test_a_silent_stream_is_kept_alive(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    """A comment comes in a long silence, between frames, and no event is lost or changed."""
    monkeypatch.setattr(ping, "_PING_SECONDS", 0.1)
    host = hosts.start(UNTYPED, stream=_slow_stream)
    text = _raw(host).text
    before, _, after = text.partition('{"text": "lo"}')
    assert PING in before
    assert PING not in after
    assert frames(text)[:2] == [{"text": "Hel"}, {"text": "lo"}]


def test_a_stream_that_speaks_is_not_pinged(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that is never silent for that long gets no comment, however long it is."""
    # Shorter than the stream, and far more than any pause of it on a busy machine.
    monkeypatch.setattr(ping, "_PING_SECONDS", 1.8)
    host = hosts.start(UNTYPED, stream=_steady_stream)
    assert PING not in _raw(host).text


async def test_a_ping_never_comes_inside_a_frame(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a frame or a ping is on its way, nothing else is sent: not even to a slow client."""
    monkeypatch.setattr(ping, "_PING_SECONDS", 0.05)
    sending: list[Message] = []
    sent: list[bytes] = []

    async def slow_send(message: Message) -> None:
        assert sending == []
        sending.append(message)
        await asyncio.sleep(0.2 if message["type"] == "http.response.body" else 0)
        sent.append(message.get("body", b""))
        sending.clear()

    app = hosts.app(UNTYPED, stream=_slow_stream)
    async with living(app):
        await request_stream(app, request_body(UNTYPED), slow_send)
    assert PING.encode() in sent
    *events, done, end = frames(b"".join(sent).decode())
    assert (events, done["type"], end) == ([{"text": "Hel"}, {"text": "lo"}], "done", DONE)


# -- what is not ours -----------------------------------------------------------------------------


async def _own_events() -> AsyncIterator[str]:
    yield "event: mine\ndata: 1\n\n"
    await asyncio.sleep(0.3)
    yield "data: 2\n\n"


def _add_own_routes(server: AgentServer) -> None:
    @server.app.post("/mine")
    async def mine() -> StreamingResponse:
        return StreamingResponse(_own_events(), media_type="text/event-stream")

    @server.app.post("/mine/invocations")
    async def similar() -> JSONResponse:
        return JSONResponse({"mine": True})


@pytest.mark.parametrize("when", ["before_mount", "after_mount"])
def test_other_routes_are_untouched(
    hosts: Hosts, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An app's own streams get no header and no ping, and its JSON no member of ours."""
    monkeypatch.setattr(ping, "_PING_SECONDS", 0.05)
    host = hosts.start(UNTYPED, invoke=_answer, **{when: _add_own_routes})
    response = httpx.post(f"{host.url}/mine")
    assert response.text == "event: mine\ndata: 1\n\ndata: 2\n\n"
    assert not {"x-accel-buffering", "cache-control"} & set(response.headers)
    assert httpx.post(f"{host.url}/mine/invocations").json() == {"mine": True}
    assert host.get("/health").json() == {"status": "healthy"}


@pytest.mark.parametrize(
    ("when", "agent_type"), [("before_mount", TYPED), ("after_mount", UNTYPED)]
)
def test_compression_does_not_get_in_the_way(
    hosts: Hosts, when: str, agent_type: str | None
) -> None:
    """Behind or before a compressing middleware, answers, errors and streams are complete."""

    async def answer(request: Any) -> Any:
        return {"output": [], "custom_outputs": {"text": LONG}}

    async def fail(request: Any) -> Any:
        raise RuntimeError

    def compress(server: AgentServer) -> None:
        server.app.add_middleware(GZipMiddleware, minimum_size=1)

    settings: Any = {when: compress}
    host = hosts.start(agent_type, invoke=answer, stream=fail, **settings)
    response = host.ask(request_body(agent_type), {"accept-encoding": "gzip"})
    assert response.json()["client_request_id"] == "r-1"
    assert response.json()["custom_outputs"] == {"text": LONG}
    if when == "after_mount":
        assert response.headers["content-encoding"] == "gzip"
    _, done, end = host.stream(request_body(agent_type), {"accept-encoding": "gzip"})
    assert (done["status"], end) == ("error", DONE)


def test_a_compressed_failure_carries_its_trace(hosts: Hosts) -> None:
    """A failed answer in JSON is completed too, where it will be compressed."""

    async def fail(request: Any) -> Any:
        raise RuntimeError

    def compress(server: AgentServer) -> None:
        server.app.add_middleware(GZipMiddleware, minimum_size=1)

    host = hosts.start(UNTYPED, invoke=fail, before_mount=compress)
    response = host.ask({}, {"accept-encoding": "gzip"})
    assert response.json()["trace_id"] == host.trace().info.trace_id


@pytest.mark.parametrize(
    ("body", "members", "expected"),
    [
        (b"{}", {"a": 1}, b'{"a": 1}'),
        (b" { }\n", {"a": 1}, b'{"a": 1}'),
        (b'{"b": 2}', {"a": 1}, b'{"b": 2,"a": 1}'),
        (b'{"b": 2 }\n', {"a": None}, b'{"b": 2,"a": null}'),
        (b'{"b": {}}', {"a": "x", "c": 3}, b'{"b": {},"a": "x", "c": 3}'),
        (b"[1]", {"a": 1}, b"[1]"),
        (b"", {"a": 1}, b""),
    ],
)
def test_members_are_added_to_an_object(
    body: bytes, members: dict[str, Any], expected: bytes
) -> None:
    """Members are added to any JSON object, and nothing is done to what is none."""
    assert answer.with_members(body, members) == expected


@pytest.mark.parametrize("cut", range(1, len(STREAM)))
async def test_closing_events_come_before_done_wherever_a_stream_is_cut(cut: int) -> None:
    """A middleware may pass a stream on in other pieces than events."""
    sent: list[bytes] = []

    async def send(message: Message) -> None:
        sent.append(message.get("body", b""))

    context = RequestContext([])
    out = answer.Answer(context, send)
    headers = [(b"content-type", b"text/event-stream")]
    await out.send({"type": "http.response.start", "status": 200, "headers": headers})
    context.close_stream_with([{"type": "done"}])
    for piece in (STREAM[:cut], STREAM[cut:]):
        await out.send({"type": "http.response.body", "body": piece, "more_body": True})
    await out.send({"type": "http.response.body", "body": b"", "more_body": False})
    out.close()
    assert b"".join(sent) == EVENTS + sse.frame({"type": "done"}) + b"data: [DONE]\n\n"


def test_a_long_question_arrives_whole(hosts: Hosts) -> None:
    """A body that comes in many pieces reaches the handler, and its answer is completed."""

    async def measure(request: Any) -> Any:
        return {"length": len(request["question"])}

    host = hosts.start(UNTYPED, invoke=measure)
    answer = host.ask({"question": "x" * 2_000_000}).json()
    assert (answer["length"], "trace_id" in answer) == (2_000_000, True)


def test_many_frames_arrive_in_order(hosts: Hosts) -> None:
    """A long stream is passed on whole, through the fast path and its end."""

    async def count(request: Any) -> AsyncIterator[Any]:
        for number in range(2_000):
            yield {"number": number}

    host = hosts.start(UNTYPED, stream=count)
    answered = host.stream({})
    assert [event["number"] for event in answered[:-2]] == list(range(2_000))
    assert (answered[-2]["status"], answered[-1]) == ("ok", DONE)
