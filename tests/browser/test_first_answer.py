"""What people see first: no model, no account, MLflow's own defaults."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.chat import Chat, is_rated, is_saved, thumb, trace_of
from tests.support.example_app import ExampleApp, running_example_app

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, empty_mlflow_store: Path) -> Iterator[ExampleApp]:
    """Run the example app as `make run` does: it writes its answers itself, at a reader's pace."""
    folder = tmp_path_factory.mktemp("example-app-as-it-is")
    with running_example_app(folder, empty_mlflow_store) as running:
        yield running


async def test_ask_rate_and_take_it_back(page: Page, app: ExampleApp) -> None:
    """A suggestion is asked by a click; text streams; a thumb waits for the end, lands, and goes.

    The click comes within MLflow's export gap, before the trace can be found.
    """
    chat = Chat(page, app.url)
    await chat.open()
    await expect(page.locator("#answers-by")).to_contain_text("no model is set")
    await page.get_by_role("button", name="How do I add feedback to my agent?").click()
    await expect(page.get_by_role("heading", name="What would you like")).to_be_hidden()
    turn = chat.turns.first
    answer = turn.locator(".answer")
    await expect(answer).to_contain_text("Decorate")
    await expect(thumb(turn)).to_be_disabled()
    first = await answer.inner_text()
    await expect(answer).not_to_have_text(first, use_inner_text=True)
    assert len(await answer.inner_text()) > len(first)

    trace_id = await trace_of(turn)
    await expect(turn.locator("pre")).to_contain_text("feedback.mount(server)")
    await thumb(turn).click(timeout=2_000)
    await is_rated(turn)
    await is_saved(turn)
    (assessment,) = app.feedback(trace_id, [True])
    assert assessment.name == "user_feedback"
    assert (assessment.source.source_type, assessment.source.source_id) == ("HUMAN", "anonymous")

    await thumb(turn).click()
    await expect(thumb(turn)).to_have_attribute("aria-pressed", "false")
    assert app.feedback(trace_id, []) == []


async def test_an_answer_leads_to_what_it_quotes(page: Page, app: ExampleApp) -> None:
    """The citation and the list of sources open the document, at the section that is quoted."""
    chat = Chat(page, app.url)
    turn, _ = await chat.ask("Who may rate an answer?")
    source = turn.get_by_role("region", name="Sources").get_by_role("link").first
    await expect(source).to_contain_text("Who may rate an answer?")
    await expect(turn.get_by_role("link", name="Source 1:").first).to_have_attribute(
        "href", str(await source.get_attribute("href"))
    )
    async with page.context.expect_page() as opened:
        await source.click()
    document = await opened.value
    heading = document.get_by_role("heading", name="Who may rate an answer?")
    await expect(heading).to_be_in_viewport()
    await expect(document.locator(":target")).to_have_text("Who may rate an answer?")
    await document.get_by_role("link", name="The README").first.click()
    await expect(document.get_by_role("heading", name="agent_feedback", level=1)).to_be_attached()
