"""Apps to attack: one served application for each set of settings, kept for a module."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from mlflow.genai.agent_server import AgentServer
from mlflow.genai.agent_server import server as agent_server

from agent_feedback import AgentFeedback
from agent_feedback.service import targets
from tests.security.attacked_app import APPLICATION, AttackedApp
from tests.support.fake_workspace import FakeWorkspace, running_fake_workspace
from tests.support.mlflow_store import Tracking, tracking_at
from tests.support.rating import settings_in
from tests.support.serving import serving

OpenApp = Callable[..., AttackedApp]


@pytest.fixture(scope="module")
def store(empty_mlflow_store: Path) -> Iterator[Tracking]:
    """Set MLflow up on SQLite for a module; traces are stored at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_ENABLE_ASYNC_TRACE_LOGGING", "false")
        # So answers need not be "pending": what an attack left is known once it was answered.
        patch.setattr(targets, "_EXPORT_GAP_MS", 0)
        with tracking_at(f"sqlite:///{empty_mlflow_store}") as prepared:
            yield prepared


@pytest.fixture(scope="module")
def workspace() -> Iterator[FakeWorkspace]:
    """Serve a FAKE Databricks workspace for a module."""
    with running_fake_workspace() as running:
        yield running


@pytest.fixture
def databricks_apps(workspace: FakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> FakeWorkspace:
    """Run as on Databricks Apps, with the app's own credentials set."""
    monkeypatch.setenv("DATABRICKS_APP_NAME", "agent")
    monkeypatch.setenv("DATABRICKS_HOST", workspace.url)
    monkeypatch.setenv("DATABRICKS_CLIENT_ID", APPLICATION)
    monkeypatch.setenv("DATABRICKS_CLIENT_SECRET", "app-secret")
    return workspace


@pytest.fixture(scope="module")
def open_app(store: Tracking, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenApp]:
    """Give a function that opens an app with these settings, or returns the one there is."""
    opened: dict[str, AttackedApp] = {}
    with contextlib.ExitStack() as running:

        def open_(on: str = "", **chosen: Any) -> AttackedApp:
            key = f"{on} {sorted(chosen.items())!r}"
            if key not in opened:
                folder = tmp_path_factory.mktemp("app")
                opened[key] = running.enter_context(_opened(folder, store, chosen))
            opened[key].activate()
            return opened[key]

        yield open_


@contextlib.contextmanager
def _opened(folder: Path, store: Tracking, chosen: dict[str, Any]) -> Iterator[AttackedApp]:
    defaults = {"writes_per_minute": 10_000, "unknown_wait_seconds": 0.0}
    feedback = AgentFeedback(settings_in(folder, **defaults | chosen))
    agent_server._invoke_function = None

    @feedback.invoke
    def answer(request: dict[str, Any]) -> dict[str, Any]:
        if "fail" in request:
            raise LookupError(request["fail"])
        return {"answer": "16 KiB"}

    registered = agent_server._invoke_function
    server = AgentServer()
    feedback.mount(server)
    with serving(server.app) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield AttackedApp(url, feedback, store, client, registered)
