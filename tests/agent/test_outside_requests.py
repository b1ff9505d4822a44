"""Outside a request of the server, a registered function adds nothing: tests and evaluations."""

import asyncio
from collections.abc import Callable
from typing import Any

import mlflow
import pytest
from mlflow.genai import scorer
from mlflow.genai.agent_server import get_invoke_function, get_stream_function
from mlflow.types.responses import (
    ResponsesAgentRequest,
    ResponsesAgentResponse,
    ResponsesAgentStreamEvent,
    create_text_output_item,
)

from agent_feedback import Turn
from tests.agent.hosting import Hosts

ITEM = create_text_output_item("Hello", "m1")
ANSWER = ResponsesAgentResponse.model_validate({"output": [ITEM]})
EVENTS = [
    ResponsesAgentStreamEvent.model_validate({"type": "response.output_item.done", "item": ITEM}),
    {"type": "done", "trace_id": "own"},
    "any object",
]
REQUEST = ResponsesAgentRequest.model_validate({"input": [{"role": "user", "content": "hi"}]})


def _function(request: Any) -> Any:
    return ANSWER


async def _coroutine(request: Any) -> Any:
    return ANSWER


def _events(request: Any) -> Any:
    yield from EVENTS


async def _async_events(request: Any) -> Any:
    for event in EVENTS:
        yield event


async def _all(events: Any) -> list[Any]:
    return [event async for event in events]


@pytest.mark.parametrize("handler", [_function, _coroutine])
def test_an_answer_is_handed_on_as_it_is(hosts: Hosts, handler: Callable[..., Any]) -> None:
    """The registered function returns the very object that the handler returned."""
    hosts.feedback().invoke(handler)
    invoke = get_invoke_function()
    assert asyncio.iscoroutinefunction(invoke)
    assert asyncio.run(invoke(REQUEST)) is ANSWER


@pytest.mark.parametrize("handler", [_events, _async_events, lambda request: EVENTS])
def test_events_are_handed_on_as_they_are(hosts: Hosts, handler: Callable[..., Any]) -> None:
    """The registered stream yields the very objects that the handler yields, unchecked."""
    hosts.feedback().stream(handler)
    stream = get_stream_function()
    assert stream is not None
    handed_on = asyncio.run(_all(stream(REQUEST)))
    assert [id(event) for event in handed_on] == [id(event) for event in EVENTS]


@pytest.mark.parametrize("kind", ["function", "coroutine"])
def test_a_failure_is_handed_on_as_it_is(hosts: Hosts, kind: str) -> None:
    """An exception reaches the test that called the function, with its own text."""

    def fail(request: Any) -> Any:
        raise LookupError("no such city")

    async def fail_later(request: Any) -> Any:
        fail(request)

    hosts.feedback().invoke(fail if kind == "function" else fail_later)
    invoke = get_invoke_function()
    assert invoke is not None
    with pytest.raises(LookupError, match="no such city"):
        asyncio.run(invoke(REQUEST))


def test_the_decorated_function_is_called_as_ever(hosts: Hosts) -> None:
    """A test calls the handler by its name, as if it were not decorated."""
    feedback = hosts.feedback()

    @feedback.invoke
    def answer(request: Any) -> Any:
        return ANSWER

    @feedback.stream()
    async def answer_stream(request: Any) -> Any:
        yield EVENTS[0]

    assert answer(REQUEST) is ANSWER
    assert asyncio.run(_all(answer_stream(REQUEST))) == EVENTS[:1]


def test_a_turn_outside_is_that_of_the_active_trace(hosts: Hosts) -> None:
    """A handler with a second parameter gets a turn; it knows the trace that runs, if any."""
    seen: list[Turn] = []
    hosts.feedback().invoke(lambda request, turn: seen.append(turn))
    invoke = get_invoke_function()
    assert invoke is not None
    asyncio.run(invoke(REQUEST))
    with mlflow.start_span("evaluation") as span:
        asyncio.run(invoke(REQUEST))
    assert [turn.trace_id for turn in seen] == [None, span.trace_id]
    assert len({turn.client_request_id for turn in seen}) == 2


@pytest.mark.filterwarnings("ignore:Starting with pandas version 4.0")  # MLflow's own call
@pytest.mark.parametrize("handler", [_function, _coroutine])
def test_the_templates_evaluation_works(hosts: Hosts, handler: Callable[..., Any]) -> None:
    """What Databricks' templates do in ``evaluate_agent.py`` gives the handler's own answer."""
    hosts.feedback().invoke(handler)
    invoke = get_invoke_function()
    assert asyncio.iscoroutinefunction(invoke)

    def predict(request: dict[str, Any]) -> Any:
        return asyncio.run(invoke(ResponsesAgentRequest(**request))).model_dump()

    seen: list[Any] = []

    @scorer
    def is_the_answer(outputs: Any) -> bool:
        seen.append(outputs)
        return True

    mlflow.genai.evaluate(
        data=[{"inputs": {"request": {"input": [{"role": "user", "content": "hi"}]}}}],
        predict_fn=predict,
        scorers=[is_the_answer],
    )
    assert seen == [ANSWER.model_dump()]
    (trace,) = hosts.tracking.traces()
    assert not [key for key in trace.info.request_metadata if key.startswith("agent_feedback")]
