"""Every incomplete installation is refused, or logged with the line to write."""

import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from mlflow.genai import agent_server
from mlflow.genai.agent_server import AgentServer
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from agent_feedback import AgentFeedback, ConfigurationError
from tests.agent.asgi import living
from tests.agent.hosting import UNTYPED, Hosts
from tests.agent.scripted import Script

Json = dict[str, Any]


async def answer(request: Json) -> Json:
    """Answer in one piece."""
    return {"text": "Hello"}


async def answer_in_events(request: Json) -> AsyncIterator[Json]:
    """Answer in events."""
    yield {"text": "Hello"}


def events_of_a_function(request: Json) -> Iterator[Json]:
    """Answer in events, without yielding them itself."""
    return iter([{"text": "Hello"}])


def problems(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged, but for who may name the person: every start says that here."""
    logged = [record.getMessage() for record in caplog.records if "agent_feedback: " in record.msg]
    return [sentence for sentence in logged if "USER_ID_SOURCE" not in sentence]


async def problems_at_start(app: FastAPI, caplog: pytest.LogCaptureFixture) -> list[str]:
    """What is logged while the app starts."""
    caplog.clear()
    async with living(app):
        return problems(caplog)


async def test_mounted_handlers_log_nothing_at_the_start(
    hosts: Hosts, caplog: pytest.LogCaptureFixture
) -> None:
    """Two decorated handlers, mounted, log nothing; nor does one alone."""
    both = hosts.app(UNTYPED, invoke=answer, stream=answer_in_events)
    assert await problems_at_start(both, caplog) == []
    agent_server.server._invoke_function = agent_server.server._stream_function = None
    one = hosts.app(UNTYPED, stream=events_of_a_function)
    assert await problems_at_start(one, caplog) == []


async def test_a_handler_on_mlflows_decorator_is_logged(
    hosts: Hosts, caplog: pytest.LogCaptureFixture
) -> None:
    """One decorated handler beside one of MLflow's: the log says which line to change."""
    agent_server.invoke()(answer)
    app = hosts.app(UNTYPED, stream=answer_in_events)
    (problem,) = await problems_at_start(app, caplog)
    assert "replace @invoke() by @feedback.invoke" in problem
    assert "@feedback.stream" not in problem


async def test_handlers_on_mlflows_decorators_alone_are_logged(
    hosts: Hosts, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is decorated by us: both lines are named, and when there is nothing to do."""
    agent_server.invoke()(answer)
    agent_server.stream()(answer_in_events)
    (problem,) = await problems_at_start(hosts.app(UNTYPED), caplog)
    assert "replace @invoke() by @feedback.invoke and @stream() by @feedback.stream" in problem
    assert "feedback.turn(...)" in problem


async def test_a_host_with_routes_of_its_own_may_mount(
    hosts: Hosts, caplog: pytest.LogCaptureFixture
) -> None:
    """Without any handler, a FastAPI app is mounted on, its turns are rated, and the log says
    which answers can be."""
    feedback, app = hosts.feedback(), FastAPI()

    @app.post("/chat")
    def chat() -> Json:
        with feedback.turn(client_request_id="r-1") as turn:
            return {"trace_id": turn.trace_id}

    feedback.mount(app)
    (problem,) = await problems_at_start(app, caplog)
    assert "only answers given within feedback.turn(...) can be rated" in problem
    transport = httpx.ASGITransport(app)
    async with living(app), httpx.AsyncClient(transport=transport, base_url="http://t") as client:
        trace_id = (await client.post("/chat")).json()["trace_id"]
        rated = await client.post("/feedback", json={"trace_id": trace_id, "value": True})
    assert rated.status_code in (201, 202)


async def test_handlers_that_come_after_mount_count(
    hosts: Hosts, caplog: pytest.LogCaptureFixture
) -> None:
    """What is decorated by the time of the start is what answers."""
    feedback, app = hosts.feedback(), FastAPI()
    feedback.mount(app)
    feedback.invoke(answer)
    assert await problems_at_start(app, caplog) == []


def test_a_server_without_handlers_is_refused(hosts: Hosts) -> None:
    """MLflow's server answers by decorated handlers alone: the import was forgotten."""
    with pytest.raises(ConfigurationError, match="import the module") as refused:
        hosts.feedback().mount(AgentServer())
    assert "feedback.turn(...)" in str(refused.value)


def test_two_feedback_objects_are_refused(hosts: Hosts) -> None:
    """One AgentFeedback decorates and another is mounted: refused, whichever module made them."""
    hosts.feedback().invoke(answer)
    with pytest.raises(ConfigurationError, match="another AgentFeedback object"):
        hosts.feedback().mount(AgentServer())


async def test_two_feedback_objects_are_logged_where_the_second_comes_late(
    hosts: Hosts, caplog: pytest.LogCaptureFixture
) -> None:
    """Decorated after the mount, it is logged at the start."""
    app = FastAPI()
    hosts.feedback().mount(app)
    hosts.feedback().invoke(answer)
    (problem,) = await problems_at_start(app, caplog)
    assert "another AgentFeedback object" in problem


async def test_swapped_decorators_are_logged(
    hosts: Hosts, caplog: pytest.LogCaptureFixture
) -> None:
    """The generator is where one answer is asked for, and the function where events are."""
    app = hosts.app(UNTYPED, invoke=answer_in_events, stream=answer)
    (problem,) = await problems_at_start(app, caplog)
    assert "may be swapped" in problem


@pytest.mark.parametrize("stream", [answer_in_events, events_of_a_function])
async def test_a_generator_may_answer_in_one_piece(
    hosts: Hosts, caplog: pytest.LogCaptureFixture, stream: Callable[..., Any]
) -> None:
    """Where the stream handler gives events, nothing is swapped."""
    app = hosts.app(UNTYPED, invoke=answer_in_events, stream=stream)
    assert await problems_at_start(app, caplog) == []


def test_both_decorators_on_one_function_are_refused(feedback: AgentFeedback) -> None:
    """Ours above MLflow's: the sentence says which one goes."""
    with pytest.raises(ConfigurationError, match=re.escape("MLflow's own @invoke()")):
        feedback.invoke(agent_server.invoke()(answer))


async def test_a_forgotten_mount_is_logged_with_the_first_answer(
    hosts: Hosts, caplog: pytest.LogCaptureFixture
) -> None:
    """The server answers, and the log names the line that is missing, once."""
    hosts.feedback().invoke(answer)
    transport = httpx.ASGITransport(AgentServer().app)
    async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
        for _ in range(2):
            assert (await client.post("/invocations", json={})).json() == {"text": "Hello"}
    (problem,) = problems(caplog)
    assert "feedback.mount(server)" in problem


async def test_a_missing_mount_is_not_logged_outside_a_server(
    hosts: Hosts, caplog: pytest.LogCaptureFixture
) -> None:
    """Outside a server there is nothing to mount on."""
    hosts.feedback().invoke(answer)
    assert await agent_server.get_invoke_function()({}) == {"text": "Hello"}
    assert problems(caplog) == []


# -- routes that hide ours -------------------------------------------------------------------------


def serve_files(app: FastAPI, folder: Path) -> None:
    """A built page at the root, as single-page apps are served."""
    (folder / "index.html").write_text("<p>Hello</p>")
    app.mount("/", StaticFiles(directory=folder, html=True))


def serve_one_page(app: FastAPI, folder: Path) -> None:
    """Every path is the page."""

    @app.get("/{path:path}")
    def page(path: str) -> PlainTextResponse:
        return PlainTextResponse("<p>Hello</p>")


@pytest.mark.parametrize("catch_all", [serve_files, serve_one_page])
@pytest.mark.parametrize("when", ["before_mount", "after_mount"])
async def test_a_catch_all_route_that_hides_ours_is_logged(
    hosts: Hosts,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    catch_all: Callable[[FastAPI, Path], None],
    when: str,
) -> None:
    """Added before the mount, it answers instead of us, which asking the app itself shows; added
    after it, it gets what is left, and there is nothing to say."""
    add: dict[str, Any] = {when: lambda server: catch_all(server.app, tmp_path)}
    found = await problems_at_start(hosts.app(UNTYPED, invoke=answer, **add), caplog)
    if when == "after_mount":
        assert found == []
    else:
        (sentence,) = found
        assert "another route or middleware answers GET /feedback/settings" in sentence
        assert "call feedback.mount(server) before" in sentence


class Turnstile:
    """A middleware that answers nobody: with a status, never, or by failing.

    Args:
        app: What nobody reaches.
        status: What it answers; ``None`` to fail.
    """

    def __init__(self, app: ASGIApp, status: int | None) -> None:
        self._app = app
        self._status = status

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the lifespan pass, and nothing else."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif self._status is None:
            raise RuntimeError(scope["state"])
        else:
            await PlainTextResponse("no", self._status)(scope, receive, send)


@pytest.mark.parametrize("status", [301, 400, 401, 403, 503, None])
async def test_a_middleware_that_refuses_or_fails_is_not_logged_as_a_hiding_route(
    hosts: Hosts, caplog: pytest.LogCaptureFixture, status: int | None
) -> None:
    """A middleware that lets nobody in, or fails, is no route that hides ours; the app starts."""
    app = hosts.app(UNTYPED, invoke=Script(UNTYPED, "ok").coroutine)
    app.add_middleware(Turnstile, status=status)
    assert await problems_at_start(app, caplog) == []


@pytest.fixture
def feedback(hosts: Hosts) -> AgentFeedback:
    """Make a plugin with a ledger of its own."""
    return hosts.feedback()
