"""Decorators: what they take, what they leave alone, what they refuse."""

import asyncio
import functools
import inspect
import re
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from mlflow.genai.agent_server import AgentServer, get_invoke_function, get_stream_function
from starlette.applications import Starlette
from typing_extensions import assert_type

from agent_feedback import AgentFeedback, Turn
from agent_feedback.errors import ConfigurationError
from tests.agent.hosting import DONE, TYPED, UNTYPED, Hosts, request_body


@pytest.fixture
def feedback(hosts: Hosts) -> AgentFeedback:
    """Give a plugin with nothing decorated."""
    return hosts.feedback()


def function(request: Any) -> Any:
    """A synchronous function."""
    return {"text": "Hello"}


async def coroutine(request: Any) -> Any:
    """An asynchronous function."""
    return {"text": "Hello"}


def generator(request: Any) -> Generator[Any, None, None]:
    """A synchronous generator."""
    yield {"text": "Hello"}


async def async_generator(request: Any) -> AsyncGenerator[Any, None]:
    """An asynchronous generator."""
    yield {"text": "Hello"}


class Agent:
    """Handlers that are methods, or the object itself."""

    def __init__(self, text: str = "Hello") -> None:
        self.text = text

    async def answer(self, request: Any) -> Any:
        return {"text": self.text}

    def events(self, request: Any, turn: Turn) -> Iterator[Any]:
        yield {"text": self.text, "asked_as": turn.client_request_id}


class AsyncAnswerer(Agent):
    async def __call__(self, request: Any) -> Any:
        return {"text": self.text}


class EventsMaker(Agent):
    async def __call__(self, request: Any) -> AsyncGenerator[Any, None]:
        yield {"text": self.text}


class PlainAnswerer(Agent):
    def __call__(self, request: Any) -> Any:
        return {"text": self.text}


def greet(text: str, request: Any) -> Any:
    """A function with something to be filled in beforehand."""
    return {"text": text}


async def greet_in_events(text: str, request: Any, turn: Turn) -> AsyncGenerator[Any, None]:
    """The same in events, with the turn."""
    yield {"text": text, "asked_as": turn.client_request_id}


@pytest.mark.parametrize("handler", [function, coroutine, generator, async_generator])
@pytest.mark.parametrize("route", ["invoke", "stream"])
@pytest.mark.parametrize("called", [False, True], ids=["bare", "called"])
def test_a_decorator_returns_the_very_function(
    feedback: AgentFeedback, handler: Callable[..., Any], route: str, called: bool
) -> None:
    """Bare or called, a decorator returns the very function, and registers another with MLflow."""
    decorate = getattr(feedback, route)
    assert (decorate()(handler) if called else decorate(handler)) is handler
    registered: Any = get_invoke_function() if route == "invoke" else get_stream_function()
    assert registered is not handler
    assert registered.__name__ == handler.__name__
    assert list(inspect.signature(registered).parameters) == ["request"]


def test_a_decorator_keeps_the_handlers_types(feedback: AgentFeedback) -> None:
    """A type checker sees the handler as it was written: mypy, which checks this file, and us."""

    @feedback.invoke
    def answer(request: dict[str, int]) -> list[str]:
        return [*request]

    @feedback.stream()
    def answer_stream(request: str, turn: Turn) -> Iterator[int]:
        yield len(request)

    assert assert_type(answer({"a": 1}), list[str]) == ["a"]
    turn = Turn(None, "r-1")
    assert list(assert_type(answer_stream("abc", turn), Iterator[int])) == [3]


@pytest.mark.parametrize(
    "handler",
    [
        Agent().answer,
        AsyncAnswerer(),
        PlainAnswerer(),
        functools.partial(greet, "Hello"),
        functools.partial(Agent().answer),
    ],
)
def test_whatever_is_called_with_a_request_answers(
    hosts: Hosts, handler: Callable[..., Any]
) -> None:
    """Bound methods, callable objects and partials answer like functions."""
    host = hosts.start(UNTYPED, invoke=handler)
    assert host.ask({}).json()["text"] == "Hello"
    assert host.trace().data.spans[0].name != ""


@pytest.mark.parametrize(
    ("handler", "takes_turn"),
    [
        (Agent().events, True),
        (EventsMaker(), False),
        (functools.partial(greet_in_events, "Hello"), True),
        (lambda request: [{"text": "Hello"}], False),
        (lambda request: iter([{"text": "Hello"}]), False),
        (lambda request: async_generator(request), False),
        (functools.partial(async_generator), False),
    ],
)
def test_whatever_makes_events_streams(
    hosts: Hosts, handler: Callable[..., Any], takes_turn: bool
) -> None:
    """Methods, objects, partials, and functions that return any iterable stream their events."""
    host = hosts.start(UNTYPED, stream=handler)
    expected = {"text": "Hello", "asked_as": "r-1"} if takes_turn else {"text": "Hello"}
    first, done, end = host.stream(request_body(UNTYPED))
    assert (first, done["status"], end) == (expected, "ok", DONE)


def test_a_stream_of_nothing_iterable_fails_in_order(hosts: Hosts) -> None:
    """A stream handler that returns one object instead of events takes the error path."""
    values: list[Any] = [{"text": "Hello"}, "Hello", None, 5]
    host = hosts.start(UNTYPED, stream=lambda request: values[request["index"]])
    for index in range(len(values)):
        error, done, end = host.stream({"index": index})
        assert (error["type"], done["status"], end) == ("error", "error", DONE)


@pytest.mark.parametrize("agent_type", [UNTYPED, TYPED])
def test_a_second_parameter_receives_the_turn(hosts: Hosts, agent_type: str | None) -> None:
    """Whatever it is called, a second parameter is the turn, as trace and answer have it."""
    seen: list[Turn] = []

    async def answer(request: Any, whatever: Turn) -> Any:
        seen.append(whatever)
        return {"output": []}

    host = hosts.start(agent_type, invoke=answer)
    headers = {"x-forwarded-email": "Ann@Example.com", "x-session-id": "s-1"}
    trace_id = host.ask(request_body(agent_type), headers).json()["trace_id"]
    (turn,) = seen
    assert (turn.trace_id, turn.client_request_id) == (trace_id, "r-1")
    assert (turn.session_id, turn.user_id) == ("s-1", "ann@example.com")


def _three(request: Any, turn: Any, more: Any) -> None: ...
def _none() -> None: ...
def _keyword_only(request: Any, *, tone: str) -> None: ...
def _only_keywords(*, request: Any) -> None: ...


@pytest.mark.parametrize("handler", [_three, _none, _keyword_only, _only_keywords])
@pytest.mark.parametrize("route", ["invoke", "stream"])
def test_other_parameters_are_refused(
    feedback: AgentFeedback, route: str, handler: Callable[..., Any]
) -> None:
    """A function that no request can call is refused when it is decorated, and not registered."""
    with pytest.raises(ConfigurationError, match=r"takes \(request\) or \(request, turn\)"):
        getattr(feedback, route)(handler)
    assert get_invoke_function() is get_stream_function() is None


def test_defaults_are_the_handlers_own(hosts: Hosts) -> None:
    """Keyword-only parameters with defaults, and ``*args``, do not get in the way."""

    async def answer(request: Any, *, tone: str = "kind") -> Any:
        return {"text": tone}

    def answer_stream(*args: Any) -> Any:
        return [{"text": len(args)}]

    host = hosts.start(UNTYPED, invoke=answer, stream=answer_stream)
    assert host.ask({}).json()["text"] == "kind"
    assert host.stream({})[0] == {"text": 1}


@pytest.mark.parametrize("route", ["invoke", "stream"])
def test_misused_decorators_say_how_to_fix_it(hosts: Hosts, route: str) -> None:
    """A second handler, of this plugin or another one, and a non-callable are refused."""
    first = hosts.feedback()
    getattr(first, route)(coroutine)
    for feedback in (first, hosts.feedback()):
        with pytest.raises(ConfigurationError, match=f"decorate only one function with {route}"):
            getattr(feedback, route)(function)
    with pytest.raises(ConfigurationError, match="decorate the handler function itself, not a str"):
        getattr(first, route)("answer")


@pytest.mark.parametrize("target", [APIRouter(), Starlette(), object(), None])
def test_mount_refuses_other_things(feedback: AgentFeedback, target: Any) -> None:
    """A router or another framework's app is refused, with the reason."""
    feedback.invoke(coroutine)
    with pytest.raises(ConfigurationError, match="AgentServer or a FastAPI app"):
        feedback.mount(target)


def test_an_app_is_mounted_on_once(feedback: AgentFeedback) -> None:
    """A second mount, which would treat every answer twice, is refused; another app is fine."""
    feedback.invoke(coroutine)
    app = FastAPI()
    feedback.mount(app)
    with pytest.raises(ConfigurationError, match="mount it once"):
        feedback.mount(app)
    feedback.mount(FastAPI())


def test_mount_is_too_late_after_the_start(feedback: AgentFeedback) -> None:
    """An app that already answers is refused."""
    app = FastAPI()
    asyncio.run(app({"type": "websocket", "path": "/"}, _nothing, _swallow))
    feedback.invoke(coroutine)
    with pytest.raises(ConfigurationError, match="before the app has started"):
        feedback.mount(app)


async def _nothing() -> Any:
    return {"type": "websocket.connect"}


async def _swallow(message: Any) -> None: ...


def test_misuse_is_one_sentence(feedback: AgentFeedback) -> None:
    """A refusal is one line that ends in a full stop: it is read in a traceback's last line."""
    for misuse in (
        lambda: feedback.invoke(_three),
        lambda: feedback.mount(AgentServer()),
        lambda: feedback.stream("answer"),  # type: ignore[call-overload]
    ):
        with pytest.raises(ConfigurationError) as refused:
            misuse()
        assert re.fullmatch(r"[^\n]+\.", str(refused.value))
