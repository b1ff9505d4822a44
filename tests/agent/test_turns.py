"""Tagging: the trace says what was asked and by whom before the handler's first line."""

import asyncio
import os
import threading
from collections.abc import Callable
from typing import Any

import httpx
import mlflow
import pytest
from mlflow.tracing.trace_manager import InMemoryTraceManager

from agent_feedback import Turn
from agent_feedback.agent import live_turn
from tests.agent.hosting import TYPED, UNTYPED, Host, Hosts, request_body
from tests.support.fake_workspace import FakeWorkspace
from tests.support.waiting import until

ASKER = "agent_feedback.asker"
STATE = "agent_feedback.state"
VERIFIED = "agent_feedback.user_verified"
USER = "mlflow.trace.user"
SESSION = "mlflow.trace.session"
OURS = (ASKER, STATE, VERIFIED, USER, SESSION)


def _tags_now() -> dict[str, Any]:
    """What the active trace says at this moment, in memory."""
    trace_id = mlflow.get_active_trace_id()
    assert trace_id is not None
    with InMemoryTraceManager.get_instance().get_trace(trace_id) as trace:
        assert trace is not None
        return _ours(trace.info.trace_metadata) | {"id": trace.info.client_request_id}


def _ours(metadata: dict[str, str]) -> dict[str, Any]:
    return {key: metadata[key] for key in OURS if key in metadata}


def _handlers(seen: list[dict[str, Any]]) -> dict[str, Callable[..., Any]]:
    def function(request: Any) -> Any:
        seen.append(_tags_now())
        return [{}]

    async def coroutine(request: Any) -> Any:
        seen.append(_tags_now())
        return [{}]

    def generator(request: Any) -> Any:
        seen.append(_tags_now())
        yield {}

    async def async_generator(request: Any) -> Any:
        seen.append(_tags_now())
        yield {}

    handlers = (function, coroutine, generator, async_generator)
    return {handler.__name__: handler for handler in handlers}


@pytest.mark.parametrize("kind", ["function", "coroutine", "generator", "async_generator"])
def test_a_trace_is_tagged_before_the_first_line(hosts: Hosts, kind: str) -> None:
    """Every kind of handler finds request, user and session on the open trace."""
    seen: list[dict[str, Any]] = []
    host = hosts.start(UNTYPED, stream=_handlers(seen)[kind])
    headers = {"x-forwarded-email": "Ann@Example.com", "x-session-id": "s-1"}
    host.stream(request_body(UNTYPED), headers)
    whose = {USER: "ann@example.com", ASKER: "ann@example.com", VERIFIED: "true"}
    assert seen == [{"id": "r-1", SESSION: "s-1", STATE: "open", **whose}]
    stored = host.trace().info
    assert stored.client_request_id == "r-1"
    assert _ours(stored.request_metadata) == {SESSION: "s-1", STATE: "ok", **whose}


def _host_that_answers(hosts: Hosts, agent_type: str | None = UNTYPED, **settings: Any) -> Host:
    async def answer(request: Any, turn: Turn) -> Any:
        return {"output": [], "custom_outputs": {"user_id": turn.user_id, "asker": turn.asker}}

    return hosts.start(agent_type, invoke=answer, **settings)


WHO_ASKS: list[tuple[Any, dict[str, str], dict[str, str]]] = [
    ({}, {}, {ASKER: "anonymous"}),
    ({}, {"user_id": "bob"}, {ASKER: "anonymous", USER: "bob", VERIFIED: "false"}),
    (
        {"x-forwarded-preferred-username": "ann"},
        {"user_id": "bob"},
        {ASKER: "ann", USER: "ann", VERIFIED: "true"},
    ),
    (
        {"x-forwarded-email": "a@x.io", "x-forwarded-preferred-username": "ann"},
        {},
        {ASKER: "a@x.io", USER: "a@x.io", VERIFIED: "true"},
    ),
    ({"x-app-user-email": "mallory@x.io"}, {}, {ASKER: "anonymous"}),
    (
        {"x-forwarded-user": "ann"},
        {"conversation_id": "s-1"},
        {ASKER: "anonymous", SESSION: "s-1"},
    ),
    ([("x-forwarded-email", "a@x.io"), ("x-forwarded-email", "b@x.io")], {}, {}),
    ({"x-forwarded-email": "a" * 300}, {}, {}),
]


def test_the_asker_comes_from_believed_headers(hosts: Hosts) -> None:
    """Believed headers make the asker, a body only a name that is marked as unproven."""
    host = _host_that_answers(hosts, TYPED)
    for number, (headers, context, expected) in enumerate(WHO_ASKS):
        body = {**request_body(TYPED, f"r-{number}"), "context": context}
        response = httpx.post(f"{host.url}/invocations", json=body, headers=headers)
        assert response.json()["client_request_id"] == f"r-{number}", headers
        tags = _ours(host.trace(f"r-{number}").info.request_metadata)
        assert tags == {STATE: "ok", **expected}, headers


@pytest.mark.parametrize("agent_type", [UNTYPED, TYPED])
def test_an_invalid_request_id_is_replaced(hosts: Hosts, agent_type: str | None) -> None:
    """An invalid id is replaced, and the answer and the trace carry the same new one."""
    host = _host_that_answers(hosts, agent_type)
    answer = host.ask(request_body(agent_type, "two words")).json()
    assert len(answer["client_request_id"]) == 36
    assert host.trace().info.client_request_id == answer["client_request_id"]


def test_a_handlers_own_names_stay(hosts: Hosts) -> None:
    """A handler may call session and user what it likes; who asked stays what we wrote."""
    own = {SESSION: "its own", USER: "its own", ASKER: "mallory@x.io"}

    async def answer(request: Any) -> Any:
        mlflow.update_current_trace(metadata=own)
        return {}

    host = hosts.start(UNTYPED, invoke=answer)
    host.ask({}, {"x-session-id": "s-1", "x-forwarded-email": "ann@example.com"})
    stored = _ours(host.trace().info.request_metadata)
    assert {**own, ASKER: "ann@example.com", STATE: "ok", VERIFIED: "true"} == stored


@pytest.mark.parametrize("agent_type", [UNTYPED, TYPED])
def test_a_handlers_own_request_id_counts(hosts: Hosts, agent_type: str | None) -> None:
    """Where the caller named no request, the name in the answer is the one that can be rated by."""

    async def answer(request: Any) -> Any:
        mlflow.update_current_trace(client_request_id="own-1")
        return {"output": [], "client_request_id": "own-1"}

    async def answer_stream(request: Any) -> Any:
        yield {"type": "done", "client_request_id": "own-2"}

    host = hosts.start(agent_type, invoke=answer, stream=answer_stream)
    answers = {"own-1": host.ask({"input": []}).json(), "own-2": host.stream({"input": []})[0]}
    for own, answered in answers.items():
        assert answered["client_request_id"] == own
        rating = {"client_request_id": own, "value": True}
        rated = httpx.post(f"{host.url}/feedback", json=rating).json()
        assert rated["trace_id"] == answered["trace_id"]
        assert host.trace(own).info.trace_id == answered["trace_id"]


def test_the_callers_request_id_is_kept(hosts: Hosts) -> None:
    """What the caller named it can rate by, whatever the answer calls it."""

    async def answer(request: Any) -> Any:
        return {"client_request_id": "its-own"}

    host = hosts.start(UNTYPED, invoke=answer)
    assert host.ask({}, {"x-client-request-id": "r-1"}).json()["client_request_id"] == "its-own"
    rating = {"client_request_id": "r-1", "value": True}
    assert httpx.post(f"{host.url}/feedback", json=rating).status_code in (201, 202)
    assert host.trace().info.client_request_id == "r-1"


def test_forked_workers_name_their_turns_differently(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers that were forked from one process never write over each other's turns."""
    opened = hosts.feedback()._parts.turns
    names = []
    for pid in (1, 1, 2, 3):
        monkeypatch.setattr(os, "getpid", lambda pid=pid: pid)
        names.append(opened._new_turn_id()[:20])
    assert len(set(names[1:])) == 3


# -- a user who needs a token's look-up ---------------------------------------------------------

TOKEN = {"x-forwarded-access-token": "token-of-ann"}


@pytest.fixture
def workspace(fake_workspace: FakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> FakeWorkspace:
    """Give a FAKE workspace that knows Ann's token, as this app's own."""
    fake_workspace.users["token-of-ann"] = "Ann@example.com"
    monkeypatch.setenv("DATABRICKS_HOST", fake_workspace.url)
    return fake_workspace


@pytest.mark.parametrize("route", ["invoke", "stream"])
def test_a_token_is_looked_up_beside_the_handler(
    hosts: Hosts, workspace: FakeWorkspace, route: str
) -> None:
    """The handler runs while the workspace is asked; the user is on the trace before it ends."""
    workspace.delay_seconds = 0.1
    seen: list[Any] = []

    def answer(request: Any, turn: Turn) -> Any:
        seen.append((turn.user_id, turn.asker))
        until(workspace.look_ups, "the workspace was not asked while the handler ran")
        return {} if route == "invoke" else [{}]

    host = hosts.start(UNTYPED, **{route: answer})
    (host.ask if route == "invoke" else host.stream)({}, TOKEN)
    assert seen == [(None, None)]
    metadata = host.trace().info.request_metadata
    assert (metadata[USER], metadata[ASKER]) == ("ann@example.com", "ann@example.com")
    assert metadata[VERIFIED] == "true"


@pytest.mark.parametrize("failure", ["refused", "away"])
def test_a_failing_look_up_leaves_the_asker_unknown(
    hosts: Hosts,
    workspace: FakeWorkspace,
    failure: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The answer is unharmed, nobody is made the asker, and no token is in the log."""
    monkeypatch.setattr(live_turn, "DEADLINE_SECONDS", 0.3)
    workspace.away = failure == "away"
    host = _host_that_answers(hosts)
    token = {"x-forwarded-access-token": "secret-token"}
    answers = [host.ask({"context": {"user_id": "bob"}}, token) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    metadata = host.trace().info.request_metadata
    assert ASKER not in metadata
    assert (metadata[USER], metadata[VERIFIED]) == ("bob", "false")
    assert caplog.text.count("looking up who asks failed") == 1
    assert "secret-token" not in caplog.text


def test_a_late_look_up_reaches_the_ledger(
    hosts: Hosts,
    workspace: FakeWorkspace,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An answer does not wait long for the workspace; who asked may rate once it has answered."""
    monkeypatch.setattr(live_turn, "DEADLINE_SECONDS", 0.05)
    workspace.delay_seconds = 0.3
    host = _host_that_answers(hosts)
    trace_id = host.ask({}, TOKEN).json()["trace_id"]
    assert ASKER not in host.trace().info.request_metadata
    rating = {"trace_id": trace_id, "value": True}

    def is_taken() -> bool:
        return httpx.post(f"{host.url}/feedback", json=rating, headers=TOKEN).status_code < 300

    assert until(is_taken, "the asker stayed unknown")
    assert httpx.post(f"{host.url}/feedback", json=rating).status_code == 403
    assert "No active trace found" not in caplog.text


def test_a_client_that_leaves_before_the_look_up_may_rate(
    hosts: Hosts, workspace: FakeWorkspace
) -> None:
    """A turn that is interrupted while the workspace is asked gets its asker all the same."""
    workspace.delay_seconds = 0.2
    began = threading.Event()

    async def answer(request: Any) -> Any:
        yield {"text": "Hel"}
        began.set()
        while True:
            yield {"text": "lo"}
            await asyncio.sleep(0.01)

    host = hosts.start(UNTYPED, stream=answer)
    body = {**request_body(UNTYPED), "stream": True}
    host.leave(body, when=began.wait, headers=TOKEN)
    assert host.trace().info.request_metadata[STATE] == "interrupted"
    rating = {"client_request_id": "r-1", "value": True}

    def is_taken() -> bool:
        return httpx.post(f"{host.url}/feedback", json=rating, headers=TOKEN).status_code < 300

    assert until(is_taken, "the asker stayed unknown")
