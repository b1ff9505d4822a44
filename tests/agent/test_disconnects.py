"""Clients that disconnect midway, however the server learns of it, and background tasks."""

import asyncio
import sys
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, suppress
from typing import Any

import httpx
import mlflow
import pytest
from fastapi.responses import StreamingResponse
from mlflow.genai.agent_server import AgentServer, get_stream_function
from mlflow.types.responses import create_text_delta, create_text_output_item
from starlette.requests import ClientDisconnect
from starlette.types import Message

from tests.agent.asgi import living, request_stream
from tests.agent.hosting import (
    AGENT_TYPES,
    DONE,
    GENERIC,
    STATE,
    TYPED,
    UNTYPED,
    Hosts,
    exceptions_of,
    outputs_of,
    request_body,
    spans_by_name,
)
from tests.agent.scripted import KINDS, SECRET, Script
from tests.support.waiting import until


class ClientGone:
    """A client that takes some frames and is gone, which its server tells in its own way."""

    def __init__(self, after: int) -> None:
        self.frames = 0
        self._after = after

    async def send(self, message: Message) -> None:
        """Fail, as servers of the newer specification do."""
        if message.get("body"):
            self.frames += 1
            if self.frames > self._after:
                raise OSError("the client is gone")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("agent_type", AGENT_TYPES, ids=["untyped", "typed"])
async def test_a_send_that_fails(hosts: Hosts, agent_type: str | None, kind: str) -> None:
    """Where ``send`` raises instead, the trace keeps the events so far, as interrupted."""
    script = Script(agent_type, "ok")
    app = hosts.app(agent_type, stream=script.handler("stream", kind))
    async with living(app):
        with pytest.raises(ClientDisconnect):
            await request_stream(app, request_body(agent_type), ClientGone(after=1).send)
        await asyncio.to_thread(script.cleaned_up.wait, 5)
        host = hosts.at("http://unserved")
        trace = await asyncio.to_thread(host.trace)
    assert script.cleaned_up.is_set()
    assert trace.info.request_metadata[STATE] == "interrupted"
    assert "Hel" in str(outputs_of(trace))
    assert trace.info.client_request_id == "r-1"
    child = spans_by_name(trace)["child"]
    assert (child.parent_id, child.end_time_ns is None) == (trace.data.spans[0].span_id, False)


@pytest.mark.parametrize("kind", ["generator", "async_generator"])
def test_a_reader_that_stops_reading_and_leaves(hosts: Hosts, kind: str) -> None:
    """A client that is slower than the stream holds it back; when it leaves, the turn ends."""
    stream = TooMuch()
    host = hosts.start(UNTYPED, stream=getattr(stream, kind))
    body = {**request_body(UNTYPED), "stream": True}
    host.leave(body, when=stream.is_held_back)
    assert stream.cleaned_up.wait(60)
    trace = host.trace()
    assert trace.info.request_metadata[STATE] == "interrupted"
    assert stream.sent < 1_000


class TooMuch:
    """A stream larger than the network takes from a client that does not read; it never waits."""

    def __init__(self) -> None:
        self.sent = 0
        self.cleaned_up = threading.Event()

    def is_held_back(self) -> bool:
        """Wait until nothing more is taken."""
        before = -1
        while before != self.sent or not self.sent:
            before = self.sent
            time.sleep(0.2)
        return True

    def generator(self, request: Any) -> Iterator[Any]:
        try:
            while self.sent < 1_000:
                self.sent += 1
                yield {"text": "x" * 100_000}
        finally:
            self.cleaned_up.set()

    async def async_generator(self, request: Any) -> AsyncIterator[Any]:
        try:
            while self.sent < 1_000:
                self.sent += 1
                yield {"text": "x" * 100_000}
        finally:
            self.cleaned_up.set()


@pytest.mark.parametrize("route", ["invoke", "stream"])
def test_leaving_behind_the_chat_proxy(hosts: Hosts, route: str) -> None:
    """The chat proxy's middleware in between hides nothing: cancelled, kept, marked."""
    script = Script(TYPED, "disconnect")
    server = AgentServer("ResponsesAgent", enable_chat_proxy=True)
    settings: dict[str, Any] = {route: script.handler(route, "async_generator")}
    host = hosts.start(server=server, **settings)
    body = {**request_body(TYPED), "stream": route == "stream"}
    host.leave(body, when=script.started.wait)
    assert script.cleaned_up.wait(60)
    trace = host.trace()
    assert trace.info.request_metadata[STATE] == "interrupted"
    assert outputs_of(trace)["output"][0]["content"][0]["text"] == "Hello"


def test_leaving_a_handler_that_cleans_up_badly(hosts: Hosts) -> None:
    """An exception out of a cancelled handler's own cleaning up is on the trace, and harms none."""
    began = threading.Event()

    async def answer(request: Any) -> AsyncIterator[Any]:
        try:
            yield {"text": "Hel"}
            began.set()
            await asyncio.sleep(10)
        finally:
            raise LookupError("cannot clean up")

    host = hosts.start(UNTYPED, stream=answer)
    host.leave({**request_body(UNTYPED), "stream": True}, when=began.wait)
    trace = host.trace()
    assert trace.info.request_metadata[STATE] == "error"
    assert "cannot clean up" in exceptions_of(trace.data.spans[0])
    assert host.get("/health").status_code == 200


async def test_a_closed_handler_that_cleans_up_badly(
    hosts: Hosts, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception out of the cleaning up of a stream that is closed makes it no failed stream."""
    cleaned_up = asyncio.Event()

    async def answer(request: Any) -> AsyncIterator[Any]:
        try:
            yield {"text": "Hel"}
            yield {"text": "lo"}
        finally:
            cleaned_up.set()
            raise LookupError("cannot clean up")

    app = hosts.app(UNTYPED, stream=answer)
    async with living(app):
        with pytest.raises(ClientDisconnect):
            await request_stream(app, request_body(UNTYPED), ClientGone(after=1).send)
        await asyncio.wait_for(cleaned_up.wait(), 60)
        trace = await asyncio.to_thread(hosts.at("http://unserved").trace)
    assert trace.info.request_metadata[STATE] == "interrupted"
    assert "stream failed" not in caplog.text


async def _leak(request: Any) -> Any:
    """Do what libraries do that cancel a task of theirs and forget to say why."""
    inner = asyncio.ensure_future(asyncio.sleep(10))
    asyncio.get_running_loop().call_soon(inner.cancel)
    await inner


async def _leak_midway(request: Any) -> AsyncIterator[Any]:
    yield {"text": "Hel"}
    await _leak(request)


@pytest.mark.xfail(sys.version_info < (3, 11), reason="Python 3.10 cannot tell who cancelled")
def test_a_handlers_own_cancellation_is_a_failure(hosts: Hosts) -> None:
    """A cancellation that no client and no server asked for takes the error path."""
    host = hosts.start(UNTYPED, invoke=_leak, stream=_leak_midway)
    answer = host.ask(request_body(UNTYPED, "a-1"))
    assert (answer.status_code, answer.json()["detail"]) == (500, GENERIC)
    assert host.trace("a-1").info.request_metadata[STATE] == "error"
    event, error, done, end = host.stream(request_body(UNTYPED, "s-1"))
    assert (event, error["type"], done["status"], end) == ({"text": "Hel"}, "error", "error", DONE)
    trace = host.trace("s-1")
    assert trace.info.request_metadata[STATE] == "error"
    assert outputs_of(trace) == [event]


class _Enough(BaseException):
    """What ends a process, such as KeyboardInterrupt, and is no failure of a handler's."""


@pytest.mark.parametrize("route", ["invoke", "stream"])
def test_no_end_leaves_a_turn_open(hosts: Hosts, route: str) -> None:
    """Whatever a handler ends by, its turn is over: ratings of it do not wait for it for ever."""

    async def answer(request: Any) -> Any:
        raise _Enough

    feedback = hosts.feedback()
    handler: dict[str, Any] = {route: answer}
    host = hosts.start(UNTYPED, feedback=feedback, **handler)
    with suppress(httpx.RemoteProtocolError):
        (host.stream if route == "stream" else host.ask)(request_body(UNTYPED))
    trace = host.trace()
    assert trace.info.request_metadata[STATE] == "interrupted"
    assert not feedback._parts.turns.is_open(trace.info.trace_id)


async def _break_off(request: Any) -> AsyncIterator[Any]:
    """Close an inner stream early, whose own cleaning up fails."""
    async with aclosing(_ends_badly()) as events:
        async for event in events:
            yield event
            break


async def _ends_badly() -> AsyncGenerator[Any, None]:
    try:
        yield {"text": "Hel"}
    finally:
        raise LookupError(SECRET)


def test_an_inner_streams_end_is_not_the_clients(hosts: Hosts) -> None:
    """A failure out of a stream that the handler itself closed takes the error path."""
    host = hosts.start(UNTYPED, stream=_break_off)
    event, error, done, end = host.stream(request_body(UNTYPED))
    assert (event, error["message"]) == ({"text": "Hel"}, GENERIC)
    assert (done["status"], end) == ("error", DONE)
    trace = host.trace()
    assert trace.info.request_metadata[STATE] == "error"
    assert SECRET in exceptions_of(trace.data.spans[0])


def test_a_client_that_reads_everything_is_no_disconnect(hosts: Hosts) -> None:
    """Closing the connection after the last byte is no interruption, whoever is first."""
    script = Script(UNTYPED, "ok")
    host = hosts.start(UNTYPED, invoke=script.coroutine, stream=script.async_generator)
    for number in range(10):
        host.stream(request_body(UNTYPED, f"s-{number}"), {"connection": "close"})
        host.ask(request_body(UNTYPED, f"a-{number}"), {"connection": "close"})
    until(lambda: len(hosts.tracking.traces()) == 20, "not every trace was stored")
    host.trace("a-9")
    states = {trace.info.request_metadata[STATE] for trace in hosts.tracking.traces()}
    assert states == {"ok"}


# -- handlers that run in the background of a request, as in LongRunningAgentServer ----------------


class BackgroundServer(AgentServer):
    """Runs the handler in a task of its own; the request only reads what the task has made."""

    def __init__(self) -> None:
        super().__init__("ResponsesAgent")
        self.made: list[dict[str, Any]] = []
        self.ended = threading.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def _handle_stream_request(
        self, request: Any, return_trace_id: bool
    ) -> StreamingResponse:
        task = asyncio.create_task(self._work(request))
        self._tasks.add(task)
        return StreamingResponse(self._read(task), media_type="text/event-stream")

    async def _work(self, request: Any) -> None:
        function = get_stream_function()
        assert function is not None
        try:
            with mlflow.start_span("background"):
                async for event in function(request):
                    event = self.validator.validate_and_convert_result(event, stream=True)
                    self.made.append(event)
        finally:
            self.ended.set()

    async def _read(self, task: asyncio.Task[None]) -> AsyncGenerator[str, None]:
        read = 0
        while not (task.done() and read == len(self.made)):
            for event in self.made[read:]:
                read += 1
                yield f"data: {event}\n\n"
            await asyncio.sleep(0.01)


class InTheBackground:
    """Handlers that go on once their reader has gone."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.reader_is_gone = threading.Event()
        self._last = create_text_output_item("Hello", "m1")

    def generator(self, request: Any) -> Iterator[Any]:
        with mlflow.start_span("early"):  # its end stores the open trace
            yield create_text_delta("Hel", "m1")
        self.started.set()
        assert self.reader_is_gone.wait(60)
        with mlflow.start_span("child"):
            yield {"type": "response.output_item.done", "item": self._last}

    async def async_generator(self, request: Any) -> AsyncIterator[Any]:
        with mlflow.start_span("early"):  # its end stores the open trace
            yield create_text_delta("Hel", "m1")
        self.started.set()
        assert await asyncio.to_thread(self.reader_is_gone.wait, 10)
        with mlflow.start_span("child"):
            yield {"type": "response.output_item.done", "item": self._last}


@pytest.mark.parametrize("kind", ["generator", "async_generator"])
def test_a_background_handler_outlives_its_reader(hosts: Hosts, kind: str) -> None:
    """A reader that leaves does not end the handler, whose turn is ``ok`` when it is done."""
    handlers, server = InTheBackground(), BackgroundServer()
    host = hosts.start(server=server, stream=getattr(handlers, kind))
    host.leave({**request_body(TYPED), "stream": True}, when=handlers.started.wait)
    rating = {"client_request_id": "r-1", "value": True}
    assert httpx.post(f"{host.url}/feedback", json=rating).status_code == 202
    time.sleep(0.5)  # a delivery that did not wait for the turn would be done by now
    handlers.reader_is_gone.set()
    assert server.ended.wait(60)
    kinds = [event["type"] for event in server.made]
    assert kinds == ["response.output_text.delta", "response.output_item.done", "done"]
    assert server.made[-1]["status"] == "ok"
    until(lambda: host.trace().info.assessments, "the rating did not land")
    trace = host.trace()
    assert trace.info.request_metadata[STATE] == "ok"
    assert spans_by_name(trace)["child"].parent_id == trace.data.spans[0].span_id
    assert len(trace.info.assessments) == 1
