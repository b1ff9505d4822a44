"""Mounting: on either kind of app, with any lifespan, beside whatever else the app does."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from mlflow.genai.agent_server import AgentServer

from tests.agent.asgi import living
from tests.agent.hosting import DONE, TYPED, UNTYPED, Host, Hosts, request_body
from tests.agent.scripted import Script
from tests.conftest import Serve
from tests.support.rating import value_of
from tests.support.serving import serving
from tests.support.waiting import until

ROUTES = {
    "/feedback": {"post", "get", "delete"},
    "/feedback/detailed": {"post"},
    "/feedback/settings": {"get"},
    "/feedback/status": {"get"},
    "/feedback/{assessment_id}": {"patch", "delete"},
}


def _assert_works(host: Host) -> None:
    """A stream ends with its ids, its answer is rated by them, and the rating lands."""
    *_, done, end = host.stream(request_body(TYPED))
    assert (done["status"], end) == ("ok", DONE)
    rating = {"client_request_id": "r-1", "value": False}
    assert httpx.post(f"{host.url}/feedback", json=rating).status_code in (201, 202)
    landed = until(lambda: host.trace().info.assessments, "the rating did not land")
    assert [value_of(assessment) for assessment in landed] == [False]


@pytest.mark.parametrize("enable_chat_proxy", [False, True], ids=["alone", "chat proxy"])
@pytest.mark.parametrize("prefix", ["/feedback", "/api/v1/ratings"])
def test_mounted_routes_answer(
    hosts: Hosts, enable_chat_proxy: bool, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The routes answer with and without the chat proxy, which keeps the paths of others."""
    monkeypatch.setenv("CHAT_APP_PORT", "9")  # nobody is there
    server = AgentServer("ResponsesAgent", enable_chat_proxy=enable_chat_proxy)
    script = Script(TYPED, "ok")
    host = hosts.start(server=server, stream=script.async_generator, prefix=prefix)
    assert host.get(f"{prefix}/settings").json()["scale"] == 5
    assert host.get(f"{prefix}/status").json()["pending"] == 0
    assert host.get("/api/other").status_code == (503 if enable_chat_proxy else 404)
    if prefix == "/feedback":
        _assert_works(host)


def test_a_plain_app_can_be_mounted_on(hosts: Hosts, serve: Serve) -> None:
    """An app that took over the server's routes is as good as the server."""
    feedback, script = hosts.feedback(), Script(TYPED, "ok")
    feedback.stream(script.async_generator)
    app = FastAPI()
    for route in AgentServer("ResponsesAgent").app.routes:
        app.router.routes.append(route)
    feedback.mount(app)
    _assert_works(hosts.at(serve(app)))


def test_a_server_inside_another_app_answers(hosts: Hosts, serve: Serve) -> None:
    """Under a path of another app, without lifespan messages, an agent is rated as well."""
    script = Script(TYPED, "ok")
    outer = FastAPI()
    outer.mount("/agent", hosts.app(TYPED, stream=script.generator))
    _assert_works(hosts.at(f"{serve(outer)}/agent"))


def test_the_routes_are_documented(hosts: Hosts) -> None:
    """The app's OpenAPI document holds every feedback route beside the agent's own."""
    host = hosts.start(TYPED, stream=Script(TYPED, "ok").generator)
    paths = host.get("/openapi.json").json()["paths"]
    assert {path: set(paths[path]) for path in ROUTES} == ROUTES
    assert {"/invocations", "/responses", "/health"} <= set(paths)


@pytest.mark.parametrize("when", ["before_mount", "after_mount"])
def test_the_apps_own_lifespan_is_kept(hosts: Hosts, when: str) -> None:
    """A lifespan runs whenever it was set, its state reaches requests, and feedback runs in it."""
    steps: list[str] = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, str]]:
        steps.append("started")
        yield {"mine": "yes"}
        steps.append("stopped")

    def set_lifespan(server: AgentServer) -> None:
        server.app.router.lifespan_context = lifespan

    settings: dict[str, Any] = {when: set_lifespan}
    app = hosts.app(TYPED, stream=Script(TYPED, "ok").generator, **settings)
    with serving(app) as url:
        assert steps == ["started"]
        assert hosts.at(url).get("/feedback/status").json()["pending"] == 0
    assert steps == ["started", "stopped"]


async def test_a_server_may_start_again(hosts: Hosts) -> None:
    """Feedback starts and stops with its app as often as the app does."""
    app = hosts.app(UNTYPED, invoke=Script(UNTYPED, "ok").coroutine)
    transport = httpx.ASGITransport(app)
    for _ in range(2):
        async with (
            living(app),
            httpx.AsyncClient(transport=transport, base_url="http://t") as client,
        ):
            answer = (await client.post("/invocations", json={})).json()
            rating = {"trace_id": answer["trace_id"], "value": True}
            assert (await client.post("/feedback", json=rating)).status_code in (201, 202)


@pytest.mark.parametrize(
    "ledger_url",
    [
        "postgresql+psycopg://nobody:secret-word@127.0.0.1:9/nothing",
        "sqlite:////proc/agent_feedback.db",
    ],
)
def test_a_ledger_that_cannot_be_opened_fails_the_start(
    hosts: Hosts, caplog: pytest.LogCaptureFixture, ledger_url: str
) -> None:
    """The server does not start, and says why in one sentence, without the password."""
    closed: list[bool] = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            closed.append(True)

    def set_lifespan(server: AgentServer) -> None:
        server.app.router.lifespan_context = lifespan

    with pytest.raises(RuntimeError, match="start failed"):
        hosts.start(
            UNTYPED,
            invoke=Script(UNTYPED, "ok").function,
            before_mount=set_lifespan,
            ledger_url=ledger_url,
        )
    shown = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    reason, end = shown
    assert reason.startswith("The ledger at")
    assert "check AGENT_FEEDBACK_LEDGER_URL" in reason
    assert "\n" not in reason
    assert end == "Application startup failed. Exiting."
    assert "secret-word" not in caplog.text
    assert closed == [True]
