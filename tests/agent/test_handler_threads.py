"""Synchronous handlers run in threads, and see there what they would see on the event loop."""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from functools import partial
from typing import Any

import mlflow
import pytest
from fastapi import Request
from mlflow.genai.agent_server import AgentServer, get_request_headers

from agent_feedback.agent import handler_threads
from agent_feedback.agent.handler_threads import HandlerThreads
from tests.agent.hosting import DONE, TYPED, UNTYPED, Hosts, request_body, spans_by_name

USER = ContextVar("user", default="nobody")


class Gauge:
    """Counts how many are inside at the same time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self.most = 0

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            self.most = max(self.most, self._inside)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1


def _ask_at_once(ask: Any, times: int) -> list[Any]:
    with ThreadPoolExecutor(times) as clients:
        return list(clients.map(lambda _: ask(), range(times)))


def test_functions_do_not_wait_for_each_other(hosts: Hosts) -> None:
    """Sixteen requests of a synchronous function run at the same time."""
    together, gauge = threading.Barrier(16), Gauge()

    def answer(request: Any) -> Any:
        with gauge:
            together.wait(60)
            return {}

    host = hosts.start(UNTYPED, invoke=answer)
    answers = _ask_at_once(lambda: host.ask({}), 16)
    assert [answer.status_code for answer in answers] == [200] * 16
    assert gauge.most == 16


def test_generators_do_not_wait_for_each_other(hosts: Hosts) -> None:
    """Sixteen streams of a synchronous generator run at the same time, and the server answers."""
    together, gauge, released = threading.Barrier(17), Gauge(), threading.Event()

    def answer(request: Any) -> Iterator[Any]:
        with gauge:
            yield {"text": "Hel"}
            together.wait(60)
            assert released.wait(60)
            yield {"text": "lo"}

    host = hosts.start(UNTYPED, stream=answer)

    def release_when_all_run() -> None:
        together.wait(60)
        assert host.get("/health").status_code == 200
        released.set()

    watcher = threading.Thread(target=release_when_all_run)
    watcher.start()
    answers = _ask_at_once(lambda: host.stream({}), 16)
    watcher.join()
    assert [answer[-1] for answer in answers] == [DONE] * 16
    assert gauge.most == 16


@pytest.mark.parametrize("kind", ["function", "generator"])
def test_a_thread_sees_the_request(hosts: Hosts, kind: str) -> None:
    """The active span, MLflow's request headers and the app's own variables are in the thread."""
    seen: list[Any] = []

    def answer(request: Any, turn: Any) -> Any:
        span = mlflow.get_current_active_span()
        assert span is not None
        seen.append((span.trace_id == turn.trace_id, get_request_headers()["x-mine"], USER.get()))
        seen.append(threading.current_thread() is threading.main_thread())
        return {}

    def answer_in_steps(request: Any, turn: Any) -> Iterator[Any]:
        for _ in range(2):
            yield answer(request, turn)

    def set_user(server: AgentServer) -> None:
        @server.app.middleware("http")
        async def with_user(request: Request, call_next: Any) -> Any:
            USER.set("ann")
            return await call_next(request)

    handler = answer if kind == "function" else answer_in_steps
    route = "invoke" if kind == "function" else "stream"
    host = hosts.start(UNTYPED, before_mount=set_user, **{route: handler})
    (host.ask if kind == "function" else host.stream)({}, {"x-mine": "yes"})
    steps = 1 if kind == "function" else 2
    assert seen == [(True, "yes", "ann"), False] * steps


def test_a_generator_keeps_its_thread_and_its_variables(hosts: Hosts) -> None:
    """All steps of a generator run in one thread, and what one step sets the next one sees."""
    threads: set[int] = set()
    users: list[str] = []

    def answer(request: Any) -> Iterator[Any]:
        for number in range(40):  # more than is produced ahead of the client
            threads.add(threading.get_ident())
            users.append(USER.get())
            USER.set(f"user {number}")
            yield {"number": number}

    host = hosts.start(UNTYPED, stream=answer)
    answered = host.stream({})
    assert [event["number"] for event in answered[:-2]] == list(range(40))
    assert len(threads) == 1
    assert users == ["nobody", *(f"user {number}" for number in range(39))]
    assert USER.get() == "nobody"


def test_spans_open_across_yields_nest(hosts: Hosts, caplog: pytest.LogCaptureFixture) -> None:
    """Spans held open across a generator's ``yield``s have the right parents and close quietly."""

    def answer(request: Any) -> Iterator[Any]:
        with mlflow.start_span("outer"):
            yield {"text": "a"}
            with mlflow.start_span("inner"):
                yield {"text": "b"}
                with mlflow.start_span("innermost"):
                    pass
                yield {"text": "c"}
            with mlflow.start_span("second"):
                yield {"text": "d"}
        with mlflow.start_span("after"):
            yield {"text": "e"}

    host = hosts.start(UNTYPED, stream=answer)
    host.stream(request_body(UNTYPED))
    trace = host.trace()
    spans = spans_by_name(trace)
    root = trace.data.spans[0].name
    parents = {"outer": root, "inner": "outer", "innermost": "inner", "second": "outer"}
    for child, parent in {**parents, "after": root}.items():
        assert spans[child].parent_id == spans[parent].span_id, child
        assert spans[child].end_time_ns is not None
    assert "different Context" not in caplog.text


def test_a_left_generators_spans_close(hosts: Hosts, caplog: pytest.LogCaptureFixture) -> None:
    """A generator that is closed in the middle of nested spans closes them, in its own context."""
    began = threading.Event()

    def answer(request: Any) -> Iterator[Any]:
        with mlflow.start_span("outer"), mlflow.start_span("inner"):
            while True:
                yield {"text": "a"}
                began.set()
                time.sleep(0.01)

    host = hosts.start(UNTYPED, stream=answer)
    host.leave({"stream": True}, when=began.wait)
    spans = spans_by_name(host.trace())
    assert spans["inner"].parent_id == spans["outer"].span_id
    assert None not in [span.end_time_ns for span in spans.values()]
    assert "different Context" not in caplog.text


# -- the threads themselves, without a server ---------------------------------------------------


async def test_a_slow_reader_holds_the_thread_back() -> None:
    """The thread runs a bounded number of items ahead of its reader, and loses none."""
    produced: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(100):
            produced.append(number)
            yield number

    read = []
    async for number in HandlerThreads().iterate(numbers):
        read.append(number)
        if number < 40:
            await asyncio.sleep(0.001)
            assert len(produced) - len(read) <= handler_threads._AHEAD + 1
    assert read == list(range(100))


def _one_event_again_and_again(request: Any) -> Iterator[Any]:
    event: dict[str, Any] = {"type": "text", "number": 0}
    pages: dict[str, Any] = {"type": "pages", "read": []}
    for number in range(40):
        event["number"] = number
        yield event
        pages["read"].append(number)
        yield pages


@pytest.mark.parametrize("agent_type", [UNTYPED, TYPED])
def test_a_generator_may_change_an_object_that_it_has_yielded(
    hosts: Hosts, agent_type: str | None
) -> None:
    """Each event is sent as it was when it was yielded, though the thread has gone on since."""
    host = hosts.start(agent_type, stream=_one_event_again_and_again)
    *events, _, _ = host.stream(request_body(agent_type))
    assert [event["number"] for event in events[::2]] == list(range(40))
    assert [event["read"] for event in events[1::2]] == [list(range(n + 1)) for n in range(40)]


async def test_what_cannot_be_copied_is_handed_on() -> None:
    """An item that refuses to be copied reaches the reader as it is."""
    lock = threading.Lock()
    assert [item async for item in HandlerThreads().iterate(lambda: [lock])] == [lock]


async def test_without_running_ahead_it_is_step_by_step() -> None:
    """The thread makes an item when it is asked for it, hands over itself, and can be closed."""
    made: list[list[int]] = []

    def lists() -> Iterator[list[int]]:
        for number in range(50):
            made.append([number])
            yield made[-1]

    events = HandlerThreads().iterate(lists, ahead=False)
    for number in range(10):
        assert await anext(events) is made[number]
        await asyncio.sleep(0.002)
        assert len(made) == number + 1
    await asyncio.wait_for(events.aclose(), 60)
    assert len(made) == 10
    assert [item[0] async for item in HandlerThreads().iterate(lists, ahead=False)] == [*range(50)]


async def test_closing_waits_for_the_thread() -> None:
    """Once the events are closed, the generator's ``finally`` has run and its thread is free."""
    ended: list[bool] = []

    def numbers() -> Iterator[int]:
        try:
            while True:
                time.sleep(0.01)
                yield 1
        finally:
            ended.append(True)

    events = HandlerThreads().iterate(numbers)
    assert await anext(events) == 1
    await events.aclose()
    assert ended == [True]


def _endless(ended: threading.Event) -> Iterator[int]:
    try:
        while True:
            yield 1
    finally:
        ended.set()


async def test_closing_frees_a_thread_that_waits_for_its_reader() -> None:
    """A generator that is far ahead and blocked is closed too."""
    ended = threading.Event()
    events = HandlerThreads().iterate(partial(_endless, ended))
    await anext(events)
    await asyncio.sleep(0.05)
    await asyncio.wait_for(events.aclose(), 60)
    assert ended.is_set()


@pytest.mark.parametrize("ahead", [True, False])
def test_a_closed_loop_keeps_no_thread(ahead: bool) -> None:
    """A loop that is closed over an unfinished stream leaves no thread behind it."""
    ended = threading.Event()

    async def begin() -> AsyncGenerator[int, None]:
        events = HandlerThreads().iterate(partial(_endless, ended), ahead=ahead)
        assert await anext(events) == 1
        return events

    loop = asyncio.new_event_loop()
    unfinished = loop.run_until_complete(begin())
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.close()
    assert ended.wait(60)
    del unfinished


async def test_a_failure_comes_after_the_events_before_it() -> None:
    """An exception in the thread reaches the reader once it has read everything before it."""

    def numbers() -> Iterator[int]:
        yield 1
        yield 2
        raise LookupError("no more")

    events = HandlerThreads().iterate(numbers)
    assert [await anext(events), await anext(events)] == [1, 2]
    with pytest.raises(LookupError, match="no more"):
        await anext(events)


@pytest.mark.parametrize("ending", [StopIteration("a value"), KeyError("k")])
async def test_a_functions_failure_reaches_its_caller(ending: Exception) -> None:
    """Whatever a function raises fails its call, also what asyncio will not carry."""

    def fail() -> None:
        raise ending

    with pytest.raises((KeyError, RuntimeError)):
        await HandlerThreads().call(fail)
