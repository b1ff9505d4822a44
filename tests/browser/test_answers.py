"""Answers however they end: complete, stopped, failed, interrupted, cut, never begun."""

import json

import pytest
from playwright.async_api import Page, Route, expect

from tests.browser.chat import Chat, rate, thumb
from tests.support.example_app import ExampleApp
from tests.support.fake_model import FakeModel

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def rated_trace(chat: Chat, label: str) -> str:
    """Give the last turn's thumb and return the trace that the server found for it."""
    async with chat.page.expect_response(f"{chat.url}/feedback") as answered:
        await thumb(chat.turns.last, label).click()
    return str((await (await answered.value).json())["trace_id"])


@pytest.mark.parametrize("by", ["button", "key"])
async def test_a_stopped_answer_is_kept_and_can_be_rated(
    chat: Chat, app: ExampleApp, model: FakeModel, by: str
) -> None:
    """Stop ends the stream and keeps the text so far; the rating finds the interrupted trace."""
    model.hesitates_after = 1
    turn = await chat.begin("How?")
    await expect(turn.locator(".answer")).to_contain_text("Two")
    await expect(thumb(turn)).to_be_disabled()
    if by == "button":
        await chat.button("Stop").click()
    else:
        await chat.page.keyboard.press("Escape")
    await expect(turn).to_contain_text("You stopped this answer.")
    await expect(chat.page.get_by_label("Your question")).to_be_focused()
    await expect(chat.button("Send")).to_be_visible()
    trace_id = await rated_trace(chat, "Bad answer")
    app.feedback(trace_id, [False])
    trace = app.trace(trace_id)
    assert trace.info.trace_metadata["agent_feedback.state"] == "interrupted"
    assert "Two" in str(trace.data.spans[0].outputs)


async def test_a_failed_answer_says_so_and_can_be_rated(
    chat: Chat, app: ExampleApp, model: FakeModel
) -> None:
    """The person sees that the answer failed, nothing of the reason, and can rate even that."""
    model.refuses = True
    turn, trace_id = await chat.ask("How?")
    await expect(turn.locator(".note")).to_contain_text("This answer failed.")
    await expect(chat.announcements).to_contain_text("This answer failed.")
    assert "sk-secret" not in await turn.inner_text()
    await rate(turn, "Bad answer")
    app.feedback(trace_id, [False])
    assert app.trace(trace_id).info.state == "ERROR"

    model.refuses = False
    await turn.get_by_role("button", name="Ask again").click()
    await expect(chat.turns.last.locator(".answer")).to_have_text("Two lines [1].")
    await expect(chat.turns).to_have_count(2)


async def test_an_answer_that_a_reload_interrupts_can_be_rated(
    chat: Chat, app: ExampleApp, model: FakeModel
) -> None:
    """The page comes back with the text so far, shows it as interrupted, and takes a rating."""
    model.hesitates_after = 2
    turn = await chat.begin("How?")
    await expect(turn.locator(".answer")).to_contain_text("Two lines")
    await chat.reload()
    turn = chat.turns.first
    await expect(turn.locator(".question")).to_have_text("How?")
    await expect(turn.locator(".answer")).to_contain_text("Two lines")
    await expect(turn.locator(".note")).to_contain_text("interrupted")
    trace_id = await rated_trace(chat, "Bad answer")
    app.feedback(trace_id, [False])
    trace = app.trace(trace_id)
    assert trace.info.trace_metadata["agent_feedback.state"] == "interrupted"


async def test_an_answer_that_the_network_cuts_can_be_rated(chat: Chat) -> None:
    """A stream that ends without its last event was interrupted; its request's id is known."""
    event = {"type": "response.output_text.delta", "item_id": "m", "delta": "Half"}

    async def cut(route: Route) -> None:
        frame = f"data: {json.dumps(event)}\n\n"
        await route.fulfill(body=frame, content_type="text/event-stream")

    await chat.page.route("**/responses", cut)
    turn = await chat.begin("How?")
    await expect(turn.locator(".note")).to_contain_text("interrupted")
    await expect(turn.locator(".answer")).to_have_text("Half")
    rating = turn.locator("agent-feedback")
    assert await rating.get_attribute("client-request-id")
    assert await rating.get_attribute("trace-id") is None
    await expect(thumb(turn)).to_be_enabled()


async def test_a_question_that_never_arrives_is_asked_again(
    chat: Chat, problems: list[str]
) -> None:
    """Without a server there is no answer and nothing to rate; the second attempt replaces it."""
    await chat.open()
    await chat.page.route("**/responses", lambda route: route.abort())
    turn = await chat.begin("How?")
    await expect(turn.locator(".note")).to_contain_text("The agent was not reached.")
    await expect(thumb(turn)).to_be_hidden()
    await chat.page.unroute("**/responses")
    await turn.get_by_role("button", name="Ask again").click()
    await expect(chat.turns.first.locator(".answer")).to_have_text("Two lines [1].")
    await expect(chat.turns).to_have_count(1)
    assert [problem for problem in problems if "ERR_FAILED" not in problem] == []
    problems.clear()


async def test_answers_rated_in_reverse_order_keep_their_own(chat: Chat, app: ExampleApp) -> None:
    """Each rating goes to its own answer's trace, whichever is given first."""
    first, first_trace = await chat.ask("First?")
    second, second_trace = await chat.ask("Second?")
    await rate(second, "Bad answer")
    await expect(thumb(first, "Bad answer")).to_have_attribute("aria-pressed", "false")
    await rate(first, "Good answer")
    assert first_trace != second_trace
    app.feedback(first_trace, [True])
    app.feedback(second_trace, [False])
    assert [each.value for each in app.feedback(first_trace, [True])] == [True]
    assert [each.value for each in app.feedback(second_trace, [False])] == [False]


async def test_what_an_answer_says_is_text(chat: Chat, model: FakeModel) -> None:
    """Markdown shows; markup and addresses of other kinds never become part of the page."""
    model.tokens = [
        '<img src="/x"',
        ' onerror="alert(1)">\n\n',
        "**bold** `a` [one](java",
        "script:alert(1) ) ",
        "[two](javascript:alert(1)) [three](https://mlflow.org/docs)\n\n",
        "| a | b |\n|---|---|\n",
        "| c | <b>d</b> |\n\n",
        "```\n<script>x</script>",
    ]
    turn, _ = await chat.ask("How?")
    answer = turn.locator(".answer")
    await expect(answer).to_contain_text('<img src="/x" onerror="alert(1)">')
    await expect(answer.locator("img, script, b")).to_have_count(0)
    await expect(answer.locator("strong")).to_have_text("bold")
    await expect(answer.get_by_role("cell")).to_have_text(["c", "<b>d</b>"])
    await expect(answer.locator("pre")).to_have_text("<script>x</script>")
    links = await answer.get_by_role("link").evaluate_all("links => links.map((l) => l.href)")
    assert links == ["https://mlflow.org/docs"]


async def test_screen_readers_hear_an_answer_once(chat: Chat, model: FakeModel) -> None:
    """They hear that an answer has begun, then the whole of it, and none of its pieces."""
    model.tokens = [f"word{number} " for number in range(30)]
    await chat.open()
    await chat.page.evaluate(
        """() => {
          const LIVE = "[aria-live], [role=status], [role=alert], [role=log]";
          const element = ({ target }) => target.closest ? target : target.parentElement;
          window.heard = [];
          new MutationObserver((records) => {
            const live = records.map((r) => element(r).closest(LIVE)).find(Boolean);
            if (live) window.heard.push(live.textContent);
          }).observe(document.body, { childList: true, characterData: true, subtree: true });
        }"""
    )
    await chat.ask("How?")
    await expect(chat.announcements).to_contain_text("word29")
    heard = await chat.page.evaluate("window.heard")
    assert heard == ["The agent is answering.", " ".join(f"word{n}" for n in range(30))]


async def test_nothing_moves_for_those_who_ask_for_that(
    page: Page, chat: Chat, model: FakeModel
) -> None:
    """With reduced motion even the wait for the first word stands still; otherwise it breathes."""
    model.hesitates_after = 0
    turn = await chat.begin("How?")
    await expect(turn.get_by_text("Reading the documentation")).to_be_visible()
    assert await page.evaluate("document.getAnimations().length") == 1
    await page.emulate_media(reduced_motion="reduce")
    assert await page.evaluate("document.getAnimations().length") == 0
    model.go_on.set()
    await expect(turn.locator(".answer")).to_contain_text("lines")


async def test_copying_and_asking_again_are_not_reported_unasked(
    chat: Chat, app: ExampleApp
) -> None:
    """Copy copies the Markdown; with the settings as they are no signal is sent."""
    await chat.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    turn, trace_id = await chat.ask("How?")
    await turn.get_by_role("button", name="Copy").click()
    await expect(turn.get_by_role("button", name="Copied")).to_be_visible()
    assert await chat.page.evaluate("navigator.clipboard.readText()") == "Two lines [1]."
    await turn.get_by_role("button", name="Ask again").click()
    await expect(chat.turns).to_have_count(2)
    await rate(turn)
    assert [each.name for each in app.feedback(trace_id, [True])] == ["user_feedback"]


async def test_what_an_answer_offers_is_asked_by_a_click(chat: Chat, model: FakeModel) -> None:
    """A question in an answer is asked on this page; in a tab of its own it waits to be sent."""
    model.tokens = ["I do not know.\n\n- [Who may rate?](/?ask=Who%20may%20rate%3F)"]
    turn, _ = await chat.ask("How?")
    await turn.get_by_role("link", name="Who may rate?").click()
    await expect(chat.turns).to_have_count(2)
    await expect(chat.turns.last.locator(".question")).to_have_text("Who may rate?")
    await chat.page.goto(f"{chat.url}/?ask=Who%20may%20rate%3F")
    await chat.ready()
    await expect(chat.page.get_by_label("Your question")).to_have_value("Who may rate?")
    await expect(chat.turns).to_have_count(0)
