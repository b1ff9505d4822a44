"""Chats: several turns, new ones, earlier ones, other tabs, other people."""

import pytest
from playwright.async_api import BrowserContext, Locator, Page, expect

from tests.browser.chat import Chat, is_rated, rate, thumb
from tests.support.example_app import ExampleApp
from tests.support.fake_model import FakeModel

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


def earlier_chats(page: Page) -> Locator:
    """The panel with the list of earlier chats."""
    return page.get_by_role("dialog", name="Earlier chats")


def session_of(app: ExampleApp, trace_id: str) -> str:
    """The session that a trace belongs to."""
    return str(app.trace(trace_id).info.trace_metadata["mlflow.trace.session"])


async def test_the_chat_and_its_ratings_survive_a_reload(chat: Chat, app: ExampleApp) -> None:
    """Questions, answers, sources and thumbs are there again, and the session goes on."""
    first, first_trace = await chat.ask("How do I add feedback?")
    await rate(first, "Good answer")
    second, _ = await chat.ask("And on Databricks?")
    await rate(second, "Bad answer")
    third, _ = await chat.ask("Why?")
    sources = await first.get_by_role("region", name="Sources").inner_text()

    await chat.reload()
    await expect(chat.turns).to_have_count(3)
    await expect(first.locator(".question")).to_have_text("How do I add feedback?")
    await expect(first.locator(".answer")).to_have_text("Two lines1.")
    await expect(first.get_by_role("region", name="Sources")).to_have_text(
        sources, use_inner_text=True
    )
    await is_rated(first, "Good answer")
    await is_rated(second, "Bad answer")
    await expect(thumb(third)).to_be_enabled()
    await expect(thumb(third)).to_have_attribute("aria-pressed", "false")

    _, fourth_trace = await chat.ask("And then?")
    assert session_of(app, fourth_trace) == session_of(app, first_trace)


async def test_the_agent_knows_the_conversation_before_the_reload(
    chat: Chat, model: FakeModel
) -> None:
    """A follow-up after a reload brings the turns before it to the model."""
    await chat.ask("What is a ledger?")
    await chat.reload()
    await chat.ask("Why is that so?")
    messages = [message["content"] for message in model.requests[-1]["messages"][1:-1]]
    assert messages == ["What is a ledger?", "Two lines [1]."]


async def test_a_new_chat_is_empty_and_the_old_one_can_be_opened(
    chat: Chat, app: ExampleApp
) -> None:
    """A new chat is a session of its own; the list, Back and a reload lead to the old one."""
    turn, old_trace = await chat.ask("Old question?")
    await rate(turn)
    await chat.button("New chat").click()
    await expect(chat.turns).to_have_count(0)
    await expect(chat.page.get_by_role("heading", name="What would you like")).to_be_visible()
    await expect(chat.page.get_by_label("Your question")).to_be_focused()
    _, new_trace = await chat.ask("New question?")
    assert session_of(app, old_trace) != session_of(app, new_trace)

    await chat.button("History").click()
    panel = earlier_chats(chat.page)
    entries = panel.locator(".chat")
    await expect(entries).to_contain_text(["New question?", "Old question?"])
    await expect(entries.first).to_have_attribute("aria-current", "true")
    await entries.last.click()
    await expect(panel).to_be_hidden()
    await expect(chat.turns.locator(".question")).to_have_text(["Old question?"])
    await is_rated(chat.turns.first)
    await chat.page.go_back()
    await expect(chat.turns.locator(".question")).to_have_text(["New question?"])
    await chat.page.go_forward()
    await chat.reload()
    await expect(chat.turns.locator(".question")).to_have_text(["Old question?"])


async def test_chats_can_be_deleted(chat: Chat) -> None:
    """One by one, or all after a second thought; the one that is shown leaves the page."""
    for question in ("One?", "Two?", "Three?"):
        await chat.ask(question)
        if question != "Three?":
            await chat.button("New chat").click()
    await chat.button("History").click()
    panel = earlier_chats(chat.page)
    await panel.get_by_role("button", name="Delete “Two?”").click()
    await expect(panel.locator(".chat")).to_contain_text(["Three?", "One?"])
    await expect(chat.turns).to_have_count(1)
    await panel.get_by_role("button", name="Delete “Three?”").click()
    await expect(chat.turns).to_have_count(0)
    await panel.get_by_role("button", name="Delete all").click()
    await panel.get_by_role("button", name="Really delete all?").click()
    await expect(panel.get_by_text("There are none yet.")).to_be_visible()
    await expect(panel.get_by_role("button", name="Close")).to_be_focused()
    await chat.reload()
    await chat.button("History").click()
    await expect(panel.locator(".chat")).to_have_count(0)


async def test_a_chat_that_is_deleted_while_it_runs_stays_deleted(
    chat: Chat, model: FakeModel
) -> None:
    """The answer that was running ends with its chat and does not bring it back."""
    model.hesitates_after = 1
    await chat.begin("How?")
    await expect(chat.turns.locator(".answer")).to_contain_text("Two")
    await chat.button("History").click()
    panel = earlier_chats(chat.page)
    await panel.get_by_role("button", name="Delete “How?”").click()
    await expect(panel.get_by_text("There are none yet.")).to_be_visible()
    await panel.get_by_role("button", name="Close").click()
    await chat.ready()
    model.go_on.set()
    await chat.ask("Another?")
    await chat.button("History").click()
    await expect(panel.locator(".chat")).to_contain_text(["Another?"])


async def test_a_new_chat_ends_the_answer_that_runs(chat: Chat, model: FakeModel) -> None:
    """The answer that still streams does not reach the new chat; the old one has it as stopped."""
    model.hesitates_after = 1
    await chat.begin("Old question?")
    await expect(chat.turns.locator(".answer")).to_contain_text("Two")
    await chat.button("New chat").click()
    await expect(chat.button("Send")).to_be_visible()
    model.go_on.set()
    turn, _ = await chat.ask("New question?")
    await expect(chat.turns).to_have_count(1)
    await expect(turn.locator(".answer")).to_have_text("Two lines1.")
    await chat.page.go_back()
    await chat.page.go_back()
    await expect(chat.turns.first).to_contain_text("You stopped this answer.")


async def test_two_tabs_show_one_chat(
    chat: Chat, context: BrowserContext, app: ExampleApp, model: FakeModel
) -> None:
    """What one tab asks appears in the other, as running while it runs; neither loses a turn."""
    await chat.ask("First?")
    other = Chat(await context.new_page(), app.url)
    await other.page.goto(chat.page.url)
    await other.ready()
    await expect(other.turns).to_have_count(1)

    model.hesitates_after = 1
    await chat.begin("Second?")
    copy = other.turns.nth(1)
    await expect(copy.locator(".question")).to_have_text("Second?")
    await expect(thumb(copy)).to_be_disabled()
    await other.reload()
    await expect(copy.locator(".question")).to_have_text("Second?")
    await expect(copy.locator(".note")).to_be_hidden()
    model.go_on.set()
    await expect(copy.locator(".answer")).to_have_text("Two lines1.")
    await expect(copy.locator(".note")).to_be_hidden()

    _, third_trace = await other.ask("Third?")
    await expect(chat.turns.locator(".question")).to_have_text(["First?", "Second?", "Third?"])
    await rate(chat.turns.nth(2))
    app.feedback(third_trace, [True])
    await other.reload()
    await expect(other.turns).to_have_count(3)
    await is_rated(other.turns.nth(2))


async def test_an_answer_whose_tab_was_closed_is_interrupted_in_the_other(
    chat: Chat, context: BrowserContext, app: ExampleApp, model: FakeModel
) -> None:
    """A tab that is closed in the middle of an answer leaves it to the other tab to say so."""
    model.hesitates_after = 2
    await chat.begin("How?")
    await expect(chat.turns.locator(".answer")).to_contain_text("Two lines")
    other = Chat(await context.new_page(), app.url)
    await other.page.goto(chat.page.url)
    await expect(other.turns.first).to_be_visible()
    await chat.page.close()
    await expect(other.turns.first.locator(".note")).to_contain_text("interrupted")
    await expect(other.turns.first.locator(".answer")).to_contain_text("Two lines")


async def test_stars_are_a_choice_that_stays(chat: Chat, app: ExampleApp) -> None:
    """Detailed ratings bring stars to every answer, also after a reload, until they are left."""
    turn, trace_id = await chat.ask("How?")
    stars = turn.get_by_role("radio")
    await expect(stars).to_have_count(0)
    await chat.button("Stars").click()
    await expect(chat.button("Stars")).to_have_attribute("aria-pressed", "true")
    accuracy = turn.get_by_role("radiogroup", name="Accuracy")
    await accuracy.get_by_role("radio").nth(3).check()
    given = app.feedback(trace_id, [0.8])
    assert [(each.name, each.value) for each in given] == [("user_accuracy", 0.8)]

    await chat.reload()
    await expect(accuracy.get_by_role("radio").nth(3)).to_be_checked()
    second, _ = await chat.ask("Why?")
    await expect(second.get_by_role("radiogroup", name="Accuracy")).to_be_visible()
    await chat.button("Stars").click()
    await expect(stars).to_have_count(0)


async def test_someone_else_does_not_see_the_chats(
    chat: Chat, context: BrowserContext, app: ExampleApp
) -> None:
    """Chats are kept for each person: who signs in next on the same browser finds none of them."""
    await context.set_extra_http_headers({"x-forwarded-email": "ann@example.com"})
    await chat.ask("Ann's question?")
    await context.set_extra_http_headers({"x-forwarded-email": "ben@example.com"})
    await chat.reload()
    await expect(chat.turns).to_have_count(0)
    await chat.button("History").click()
    await expect(earlier_chats(chat.page).locator(".chat")).to_have_count(0)
    await context.set_extra_http_headers({"x-forwarded-email": "ann@example.com"})
    await chat.reload()
    await chat.button("History").click()
    await expect(earlier_chats(chat.page).locator(".chat")).to_contain_text(["Ann's question?"])
