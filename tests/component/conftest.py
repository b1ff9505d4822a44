"""One Chromium for all of the component's tests, an app for each file, a visitor for each test."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from shutil import copy
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Error, Locator, Page

from tests.component.host import Host, running_host
from tests.support.chromium import chromium_or_skip
from tests.support.mlflow_store import tracking_at
from tests.support.rating import ANN

NETWORK_ERROR = "Failed to load resource"

IN_BROWSER = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
"""The marks of a file whose tests drive the one browser, on the loop that it lives on."""


@pytest.fixture(autouse=True)
def clean_agent_registry() -> None:
    """Leave the registry alone: the agent of a whole file is in it."""


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Run a real headless Chromium; the test is skipped where there is none."""
    async with chromium_or_skip() as running:
        yield running


@pytest.fixture(scope="module")
def file_host(tmp_path_factory: pytest.TempPathFactory, empty_mlflow_store: Path) -> Iterator[Host]:
    """Serve the app that the tests of one file share; MLflow stores traces at once."""
    folder = tmp_path_factory.mktemp("component")
    copy(empty_mlflow_store, folder / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AGENT_FEEDBACK_")]:
            patch.delenv(name)
        patch.setenv("MLFLOW_ENABLE_ASYNC_TRACE_LOGGING", "false")
        signals = ("copy", "stop")
        with (
            tracking_at(f"sqlite:///{folder}/mlflow.db"),
            running_host(folder, implicit_signals=signals) as running,
        ):
            yield running


@pytest.fixture
def host(file_host: Host) -> Host:
    """Give the app, with nothing left of the test before."""
    file_host.start_afresh()
    return file_host


@dataclass
class Visitor:
    """A person at a browser of their own, for whom nothing may go wrong unseen."""

    host: Host
    context: BrowserContext
    may_lose_network: bool = False
    problems: list[str] = field(default_factory=list)

    async def open(self, body: str, *, attributes: str = "") -> Page:
        """Open a page with this body in a new tab."""
        self.host.body, self.host.attributes = body, attributes
        page = await self.context.new_page()
        page.on("console", self._note_message)
        page.on("pageerror", self._note_error)
        await page.goto(f"{self.host.url}/page")
        return page

    async def rating_of(self, trace_id: str, attributes: str = "", inside: str = "") -> Locator:
        """Open a page with one component, and give that."""
        page = await self.open(component(trace_id, attributes, inside))
        return page.locator("agent-feedback")

    async def sign_in(self, user: str) -> None:
        """Be someone else from now on."""
        await self.context.set_extra_http_headers({"x-forwarded-email": user})

    def _note_message(self, message: ConsoleMessage) -> None:
        is_network = message.text.startswith(NETWORK_ERROR)
        if message.type in ("error", "warning") and not (is_network and self.may_lose_network):
            self.problems.append(message.text)

    def _note_error(self, error: Error) -> None:
        self.problems.append(str(error))


def component(trace_id: str, attributes: str = "", inside: str = "") -> str:
    """One component as HTML."""
    return f'<agent-feedback trace-id="{trace_id}" {attributes}>{inside}</agent-feedback>'


@pytest_asyncio.fixture(loop_scope="session")
async def visit(browser: Browser, host: Host) -> AsyncIterator[Any]:
    """Give a function that opens a browser profile: of Ann, unless it is told otherwise."""
    async with AsyncExitStack() as profiles:
        visitors: list[Visitor] = []

        async def opened(user: str | None = ANN, **options: Any) -> Visitor:
            headers = {} if user is None else {"x-forwarded-email": user}
            # Without motion there is no moment at which a colour is half of two.
            options = {"reduced_motion": "reduce"} | options
            context = await browser.new_context(extra_http_headers=headers, **options)
            profiles.push_async_callback(context.close)
            visitors.append(Visitor(host, context))
            return visitors[-1]

        yield opened
        assert [problem for visitor in visitors for problem in visitor.problems] == []


@pytest_asyncio.fixture(loop_scope="session")
async def ann(visit: Any) -> Visitor:
    """Give Ann's browser."""
    visitor: Visitor = await visit()
    return visitor
