"""The tests' own parts: a fake or a guard that is wrong makes every other test worthless."""

import logging
import socket
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable

import mlflow
import pytest
import sqlalchemy
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config
from databricks.sdk.errors import DatabricksError, Unauthenticated
from mlflow.exceptions import MlflowException
from mlflow.genai.agent_server import AgentServer, get_invoke_function, invoke
from playwright.async_api import Page
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tests.support.fake_workspace import HOST_METADATA, ME, FakeWorkspace
from tests.support.loopback import is_loopback
from tests.support.mlflow_store import MlflowServer, Tracking
from tests.support.skips import Skip, listed_in, unlisted

HELLO = Starlette(routes=[Route("/", lambda request: PlainTextResponse("hello"))])


def _client_of(workspace: FakeWorkspace, token: str) -> WorkspaceClient:
    config = Config(host=workspace.url, token=token, auth_type="pat", retry_timeout_seconds=1)
    return WorkspaceClient(config=config)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost", b"localhost", None])
def test_loopback_is_recognised(host: object) -> None:
    """Every way to name this machine passes."""
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["192.0.2.1", "example.invalid", "0.0.0.1", "127.0.0.1.invalid"])
def test_other_hosts_are_recognised(host: str) -> None:
    """A host that is not this machine, or only looks like it, does not pass."""
    assert not is_loopback(host)


def test_leaving_loopback_is_refused() -> None:
    """A test that connects to another machine fails at once, with the reason."""
    with pytest.raises(ConnectionRefusedError, match="stay on loopback"):
        socket.create_connection(("192.0.2.1", 80), timeout=1)


def test_serve_runs_a_real_server(serve: Callable[..., str]) -> None:
    """An app given to `serve` answers over HTTP, and two of them do not collide."""
    for url in (serve(HELLO), serve(HELLO)):
        with urllib.request.urlopen(url) as response:
            assert response.read() == b"hello"


def test_serve_reports_a_failed_start(serve: Callable[..., str]) -> None:
    """An app whose start fails makes the test fail, and not hang."""

    async def broken(scope: object, receive: Callable[..., object], send: object) -> None:
        raise RuntimeError("no start")

    with pytest.raises(RuntimeError, match="start failed"):
        serve(broken)


def test_tracking_stores_traces_at_once(tracking: Tracking) -> None:
    """With `tracking` a trace can be rated as soon as its span has ended."""
    with mlflow.start_span("answer") as span:
        pass
    mlflow.log_feedback(trace_id=span.trace_id, name="user_feedback", value=True)
    assert [trace.info.trace_id for trace in tracking.traces()] == [span.trace_id]


def test_tracking_starts_empty(tracking: Tracking) -> None:
    """No trace of another test is in this test's experiment."""
    assert tracking.traces() == []


@pytest.mark.usefixtures("export_gap")
def test_export_gap_is_mlflows_own(tracking: Tracking) -> None:
    """With `export_gap` a trace cannot be rated right after its end, but is stored later."""
    with mlflow.start_span("answer") as span:
        pass
    with pytest.raises(MlflowException, match="not found"):
        mlflow.log_feedback(trace_id=span.trace_id, name="user_feedback", value=True)
    assert tracking.trace(span.trace_id, within_seconds=15)


def test_tracking_server_stores_traces(tracking_server: Tracking) -> None:
    """Traces reach the real tracking server over HTTP."""
    with mlflow.start_span("answer") as span:
        pass
    assert tracking_server.trace(span.trace_id).info.trace_id == span.trace_id


def test_server_keeps_its_data_across_a_restart(own_mlflow_server: MlflowServer) -> None:
    """A server that a test kills refuses calls, and has its data when it is back."""
    own_mlflow_server.start()
    experiment = mlflow.MlflowClient(own_mlflow_server.url).create_experiment("kept")
    own_mlflow_server.stop()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(own_mlflow_server.url)
    own_mlflow_server.start()
    found = mlflow.MlflowClient(own_mlflow_server.url).get_experiment(experiment)
    assert found.name == "kept"


@pytest.mark.parametrize("attempt", [1, 2])
def test_agent_registry_is_empty(attempt: int) -> None:
    """A handler that one test registered is gone in the next."""
    assert get_invoke_function() is None
    invoke()(lambda request: request)
    assert AgentServer().app.title == "Agent Server"


def test_fake_workspace_knows_its_users(fake_workspace: FakeWorkspace) -> None:
    """The real SDK resolves a token through the fake, by exactly these two requests."""
    fake_workspace.users["good"] = "ann@example.com"
    assert _client_of(fake_workspace, "good").current_user.me().user_name == "ann@example.com"
    asked = [(seen.path, seen.token) for seen in fake_workspace.requests]
    assert asked == [(HOST_METADATA, None), (ME, "good")]


def test_fake_workspace_refuses_other_tokens(fake_workspace: FakeWorkspace) -> None:
    """The real SDK reports an unknown token as unauthenticated."""
    with pytest.raises(Unauthenticated):
        _client_of(fake_workspace, "bad").current_user.me()


def test_fake_workspace_can_be_away_and_slow(fake_workspace: FakeWorkspace) -> None:
    """The real SDK sees an outage as an error, and an answer as late as the fake is told."""
    fake_workspace.users["good"] = "ann@example.com"
    client = _client_of(fake_workspace, "good")
    fake_workspace.away = True
    with pytest.raises((TimeoutError, DatabricksError)):
        client.current_user.me()
    fake_workspace.away, fake_workspace.delay_seconds = False, 0.2
    begun = time.monotonic()
    client.current_user.me()
    assert time.monotonic() - begun >= 0.2


def test_postgres_is_real(postgres_url: str) -> None:
    """The URL leads to a PostgreSQL that runs SQL."""
    engine = sqlalchemy.create_engine(postgres_url)
    with engine.connect() as connection:
        version = connection.execute(sqlalchemy.text("select version()")).scalar_one()
    engine.dispose()
    assert version.startswith("PostgreSQL")


@pytest.mark.browser
async def test_chromium_opens_a_page(page: Page, serve: Callable[..., str]) -> None:
    """A real browser shows what a served app answers."""
    await page.goto(serve(HELLO))
    assert await page.inner_text("body") == "hello"


LISTED = "# Skips\n- `tests/test_a.py::test_x`: why\n* `no printer here`: why\ntext `other`\n"


@pytest.mark.parametrize(
    ("skip", "passes"),
    [
        (Skip("tests/test_a.py::test_x", "any"), True),
        (Skip("tests/test_a.py::test_x[1-2]", "any"), True),
        (Skip("tests/test_b.py::test_y", "no printer here"), True),
        (Skip("tests/test_a.py::test_xy", "any"), False),
        (Skip("tests/test_b.py::test_y", "other"), False),
    ],
)
def test_only_listed_skips_pass(skip: Skip, passes: bool) -> None:
    """A skip passes by its test's id, whatever the parameters, or by its reason."""
    assert (unlisted([skip], listed_in(LISTED)) == []) is passes


@pytest.mark.parametrize(("listed", "exit_code"), [("", 1), ("- `no printer`: why", 0)])
def test_an_unlisted_skip_fails_the_session(
    pytester: pytest.Pytester, listed: str, exit_code: int
) -> None:
    """A session with the guard fails when a test was skipped that its list does not name."""
    list_file = pytester.path / "SKIPS.md"
    list_file.write_text(listed)
    pytester.makeconftest(
        f"""
        from pathlib import Path
        from tests.support.skips import SkipGuard
        def pytest_configure(config):
            config.pluginmanager.register(SkipGuard(Path({str(list_file)!r})))
        """
    )
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function")
    pytester.makepyfile(
        """
        import pytest
        def test_runs(): pass
        def test_printer(): pytest.skip("no printer")
        @pytest.mark.xfail
        def test_expected(): assert False
        """
    )
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    assert result.ret == exit_code
    assert ("SKIPS.md does not list it" in result.stdout.str()) is bool(exit_code)


def test_pytest_looks_through_loggers_while_others_are_made() -> None:
    """A logger that a thread makes meanwhile ends no loop over them, and is found afterwards."""
    loggers = logging.root.manager.loggerDict
    for number, _ in enumerate(loggers.values()):
        if number == 0:
            made = logging.getLogger(f"made.{uuid.uuid4()}")
    assert loggers[made.name] is made
