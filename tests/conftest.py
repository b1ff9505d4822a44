"""The parts that tests share. Each is the real thing on loopback, unless its name says fake."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from starlette.types import ASGIApp

# Before MLflow is imported: it reads this once, and reports its use over the network.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

import mlflow
from mlflow.genai.agent_server import server as agent_server
from playwright.async_api import Browser, Page

from agent_feedback.ledger import database
from agent_feedback.web import reachability
from tests.support.chromium import chromium_or_skip
from tests.support.fake_workspace import FakeWorkspace, running_fake_workspace
from tests.support.loggers import let_threads_make_loggers
from tests.support.loopback import refuse_other_hosts
from tests.support.mlflow_store import MlflowServer, Tracking, create_empty_store, tracking_at
from tests.support.postgres import own_postgres
from tests.support.serving import serving
from tests.support.skips import SkipGuard

Serve = Callable[[ASGIApp], str]


def pytest_configure(config: pytest.Config) -> None:
    """Keep the tests on this machine and, in CI, let none be skipped in silence."""
    refuse_other_hosts()
    let_threads_make_loggers()
    if os.environ.get("CI"):
        config.pluginmanager.register(SkipGuard(Path(__file__).with_name("SKIPS.md")))


@pytest.fixture(autouse=True)
def clean_agent_registry() -> Iterator[None]:
    """Empty the agent server's registry, which is one per process, around every test."""
    agent_server._invoke_function = agent_server._stream_function = None
    yield
    agent_server._invoke_function = agent_server._stream_function = None


@pytest.fixture(autouse=True)
def no_inherited_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the developer's own AGENT_FEEDBACK_* and DATABRICKS_* variables from every test."""
    for name in list(os.environ):
        if name.startswith(("AGENT_FEEDBACK_", "DATABRICKS_")):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for a busy machine where an app would say "try again"; that has tests of its own."""
    monkeypatch.setattr(database, "_PATIENCE_SECONDS", 60.0)
    monkeypatch.setattr(reachability, "_PATIENCE_SECONDS", 60.0)


@pytest.fixture(scope="session")
def empty_mlflow_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an SQLite file that has MLflow's tables and nothing in them, to be copied."""
    mine = tmp_path_factory.mktemp("mlflow-store") / "empty.db"
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return create_empty_store(mine)
    # Making it takes seconds, also of the other workers, who need the same.
    everybodys = tmp_path_factory.getbasetemp().with_name("empty-mlflow-store.db")
    with everybodys.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not everybodys.exists():
            create_empty_store(everybodys)
    shutil.copy(everybodys, mine)
    return mine


@pytest.fixture
def tracking(empty_mlflow_store: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tracking]:
    """Set MLflow up on SQLite with an experiment of this test's own; traces are stored at once."""
    # MLflow's own default stores a trace about 5 s after its end: see `export_gap`.
    monkeypatch.setenv("MLFLOW_ENABLE_ASYNC_TRACE_LOGGING", "false")
    with tracking_at(f"sqlite:///{empty_mlflow_store}") as prepared:
        yield prepared


@pytest.fixture
def export_gap(tracking: Tracking, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `tracking` store traces as MLflow does by default: about 5 s after their end."""
    monkeypatch.delenv("MLFLOW_ENABLE_ASYNC_TRACE_LOGGING")
    mlflow.tracing.reset()


@pytest.fixture(scope="session")
def mlflow_server(
    tmp_path_factory: pytest.TempPathFactory, empty_mlflow_store: Path
) -> Iterator[MlflowServer]:
    """Run one real `mlflow server` for the whole session; leave it running."""
    server = MlflowServer(tmp_path_factory.mktemp("mlflow-server"), empty_mlflow_store)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_mlflow_server(tmp_path: Path, empty_mlflow_store: Path) -> Iterator[MlflowServer]:
    """Give an `mlflow server` of this test's own, not yet started, to take away and bring back."""
    server = MlflowServer(tmp_path, empty_mlflow_store)
    yield server
    server.stop()


@pytest.fixture
def tracking_server(
    mlflow_server: MlflowServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Tracking]:
    """Set MLflow up as `tracking` does, over HTTP against the session's `mlflow server`."""
    monkeypatch.setenv("MLFLOW_ENABLE_ASYNC_TRACE_LOGGING", "false")
    with tracking_at(mlflow_server.url) as prepared:
        yield prepared


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Give a function that serves an ASGI app under a real uvicorn and returns its base URL."""
    with contextlib.ExitStack() as running:
        yield lambda app: running.enter_context(serving(app))


@pytest.fixture
def fake_workspace() -> Iterator[FakeWorkspace]:
    """Serve a FAKE Databricks workspace that knows no token yet."""
    with running_fake_workspace() as workspace:
        yield workspace


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Run a real PostgreSQL on a Unix socket and give its SQLAlchemy URL."""
    with own_postgres() as postgres:
        postgres.start()
        yield postgres.url


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Run a real headless Chromium; the test is skipped where there is none."""
    async with chromium_or_skip() as running:
        yield running


@pytest.fixture
async def page(browser: Browser) -> Page:
    """Open an empty page in a Chromium with an empty profile."""
    return await browser.new_page()
