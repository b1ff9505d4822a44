"""One Chromium for a module, and apps that all modules of a worker share."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Error, Page, expect

from tests.browser.chat import Chat
from tests.support.chromium import chromium_or_skip
from tests.support.example_app import ExampleApp, running_example_app
from tests.support.fake_model import FakeModel, running_fake_model
from tests.support.mlflow_store import MlflowServer

# A loaded machine is slow, which is no failure: what never comes fails a little later.
PATIENCE_MS = 20_000

# Traces are stored as soon as they end: MLflow's own 5 s are for the tests that are about them.
AT_ONCE = {"MLFLOW_ENABLE_ASYNC_TRACE_LOGGING": "false"}


@pytest.fixture(scope="session")
def session_model() -> Iterator[FakeModel]:
    """Serve a FAKE language model to all apps of the session."""
    with running_fake_model() as model:
        yield model


@pytest.fixture
def model(session_model: FakeModel) -> FakeModel:
    """Give the fake model, as it is at first."""
    fresh = FakeModel()
    session_model.tokens = fresh.tokens
    session_model.requests.clear()
    session_model.refuses = False
    session_model.hesitates_after = None
    session_model.go_on.clear()
    return session_model


@pytest.fixture(scope="session")
def app(
    tmp_path_factory: pytest.TempPathFactory, empty_mlflow_store: Path, session_model: FakeModel
) -> Iterator[ExampleApp]:
    """Run the example app, the fake model as its writer."""
    folder = tmp_path_factory.mktemp("example-app")
    variables = AT_ONCE | {"OPENAI_BASE_URL": f"{session_model.url}/v1"}
    with running_example_app(folder, empty_mlflow_store, **variables) as running:
        yield running


@pytest.fixture(scope="module")
def own_server(
    tmp_path_factory: pytest.TempPathFactory, empty_mlflow_store: Path
) -> Iterator[MlflowServer]:
    """Run an `mlflow server` that a module's tests may take away and bring back."""
    server = MlflowServer(tmp_path_factory.mktemp("mlflow-server"), empty_mlflow_store)
    server.start()
    yield server
    server.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Run a real headless Chromium; the tests are skipped where there is none."""
    async with chromium_or_skip() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """Give a browser that has never seen the page: nothing is kept in it."""
    fresh = await browser.new_context(locale="en-GB", timezone_id="UTC")
    fresh.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    yield fresh
    await fresh.close()


@pytest_asyncio.fixture(loop_scope="module")
async def problems(context: BrowserContext) -> AsyncIterator[list[str]]:
    """Collect what goes wrong on any page of the browser: errors, breaches of the policy.

    There must be nothing at the end: a test that provokes a problem takes it off the list.
    """
    problems: list[str] = []

    def note_message(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            problems.append(message.text)

    def note_error(error: Error) -> None:
        problems.append(str(error))

    def listen(page: Page) -> None:
        page.on("console", note_message)
        page.on("pageerror", note_error)

    context.on("page", listen)
    yield problems
    assert problems == []


@pytest_asyncio.fixture(loop_scope="module")
async def page(context: BrowserContext, problems: list[str]) -> Page:
    """Open an empty page."""
    return await context.new_page()


@pytest.fixture
def chat(page: Page, app: ExampleApp, model: FakeModel) -> Chat:
    """Give the chat page of the app, not yet opened."""
    return Chat(page, app.url)
