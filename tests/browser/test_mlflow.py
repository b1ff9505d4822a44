"""The way from an answer to its trace in MLflow's own pages, and what is reported by the way."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Locator, Page, Response, expect

from tests.browser.chat import Chat, rate
from tests.support.example_app import ExampleApp, running_example_app
from tests.support.fake_model import FakeModel
from tests.support.mlflow_store import MlflowServer

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="module"),
    # Two servers start for it, and MLflow's own large page is loaded.
    pytest.mark.timeout(300),
]


@pytest.fixture(scope="module")
def app(
    tmp_path_factory: pytest.TempPathFactory,
    empty_mlflow_store: Path,
    session_model: FakeModel,
    own_server: MlflowServer,
) -> Iterator[ExampleApp]:
    """Run the example app against an `mlflow server`, with every signal taken."""
    folder = tmp_path_factory.mktemp("example-app-with-server")
    with running_example_app(
        folder,
        empty_mlflow_store,
        MLFLOW_TRACKING_URI=own_server.url,
        OPENAI_BASE_URL=f"{session_model.url}/v1",
        AGENT_FEEDBACK_IMPLICIT_SIGNALS="copy,regenerate,stop",
    ) as running:
        yield running


def trace_link(turn: Locator) -> Locator:
    """The link from an answer to its trace."""
    return turn.get_by_role("link", name="Trace", exact=True)


async def show_page_again(page: Page, link: Locator, *, is_there: bool) -> None:
    """Return to the page, as from another tab, until it has found out about MLflow."""
    for _ in range(100):
        await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        if await link.is_visible() == is_there:
            return
        await asyncio.sleep(0.2)
    raise AssertionError(f"the link should {'' if is_there else 'not '}be there")


async def test_an_answer_leads_to_its_trace_while_mlflow_runs(
    chat: Chat, app: ExampleApp, model: FakeModel, browser: Browser, own_server: MlflowServer
) -> None:
    """The link opens the trace in MLflow, also for a stopped answer, and goes when MLflow does."""
    turn, trace_id = await chat.ask("What is on my trace?")
    await expect(trace_link(turn)).to_be_visible()
    address = await trace_link(turn).get_attribute("href")
    assert address is not None
    assert address.startswith(f"{own_server.url}/#/experiments/")
    app.trace(trace_id)
    async with await browser.new_context() as elsewhere:
        mlflow_page = await elsewhere.new_page()
        await mlflow_page.goto(address)
        # MLflow's pages are large: they take their time on a small machine.
        span = mlflow_page.get_by_text("write_answer").first
        await expect(span).to_be_visible(timeout=60_000)

    model.hesitates_after = 1
    stopped = await chat.begin("And of a stopped one?")
    await expect(stopped.locator(".answer")).to_contain_text("Two")
    await chat.button("Stop").click()
    await expect(trace_link(stopped)).to_be_visible()

    own_server.stop()
    await show_page_again(chat.page, trace_link(turn), is_there=False)
    own_server.start()
    await show_page_again(chat.page, trace_link(turn), is_there=True)


async def test_what_people_do_is_reported_under_its_own_name(
    chat: Chat, app: ExampleApp, model: FakeModel
) -> None:
    """Where the settings take them, copy, ask again and stop are signals, beside the thumb."""
    await chat.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    turn, trace_id = await chat.ask("How?")
    await rate(turn)
    await turn.get_by_role("button", name="Copy").click()
    model.hesitates_after = 1
    await turn.get_by_role("button", name="Ask again").click()
    again = chat.turns.nth(1)
    await expect(again.locator(".answer")).to_contain_text("Two")
    async with chat.page.expect_response(_answers_stop) as answered:
        await chat.button("Stop").click()
    stopped = await (await answered.value).json()
    given = app.feedback_named(trace_id, {"user_feedback", "implicit_copy", "implicit_regenerate"})
    assert given["user_feedback"].value is True
    assert set(app.feedback_named(stopped["trace_id"], {"implicit_stop"})) == {"implicit_stop"}


def _answers_stop(response: Response) -> bool:
    return '"signal":"stop"' in (response.request.post_data or "")
