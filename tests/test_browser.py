"""The chat page and the rating component, by hand: a real Chromium, the real app, real MLflow."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import Feedback
from playwright.async_api import ConsoleMessage, Error, Locator, Page, Route, expect

from tests.support.example_app import ExampleApp, running_example_app
from tests.support.fake_model import FakeModel, running_fake_model

pytestmark = pytest.mark.browser

QUESTION = "What happens to a rating when MLflow is away?"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, empty_mlflow_store: Path) -> Iterator[ExampleApp]:
    """Run the example app, which writes its answers itself at a reader's pace."""
    folder = tmp_path_factory.mktemp("example-app")
    with running_example_app(folder, empty_mlflow_store) as running:
        yield running


@pytest.fixture(scope="module")
def fake_model() -> Iterator[FakeModel]:
    """Serve a FAKE language model."""
    with running_fake_model() as model:
        yield model


@pytest.fixture(scope="module")
def app_with_model(
    tmp_path_factory: pytest.TempPathFactory, empty_mlflow_store: Path, fake_model: FakeModel
) -> Iterator[ExampleApp]:
    """Run the example app with the fake model as its writer."""
    folder = tmp_path_factory.mktemp("example-app-with-model")
    address = f"{fake_model.url}/v1"
    with running_example_app(folder, empty_mlflow_store, OPENAI_BASE_URL=address) as running:
        yield running


@pytest.fixture
async def clean_page(page: Page) -> AsyncIterator[Page]:
    """Give an empty page on which nothing may go wrong: no error, no breach of the policy."""
    problems: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            problems.append(message.text)

    def fail(error: Error) -> None:
        problems.append(str(error))

    page.on("console", hear)
    page.on("pageerror", fail)
    yield page
    assert problems == []


async def ask(page: Page, app: ExampleApp, question: str) -> Locator:
    """Type a question and return its turn, which may still be streaming."""
    if not page.url.startswith(app.url):
        await page.goto(app.url)
    before = await page.locator(".turn").count()
    await page.get_by_label("Your question").fill(question)
    await page.keyboard.press("Enter")
    turn = page.locator(".turn").nth(before)
    await expect(turn).to_be_visible()
    return turn


async def finished(turn: Locator) -> str:
    """Wait for the turn's `done` and return its trace id."""
    rating = turn.locator("agent-feedback[trace-id]")
    await expect(rating).to_be_attached(timeout=20_000)
    trace_id = await rating.get_attribute("trace-id")
    assert trace_id is not None
    return trace_id


def thumb(turn: Locator, label: str) -> Locator:
    """Return the turn's thumb: "Good answer" or "Bad answer"."""
    return turn.get_by_role("button", name=label)


def stored(app: ExampleApp, trace_id: str, value: bool) -> Feedback:
    """Return the trace's only assessment once MLflow has it with this value."""
    (assessment,) = app.feedback(trace_id, [value])
    assert assessment.value is value
    return assessment


async def test_a_thumb_within_a_second_lands_and_can_be_withdrawn(
    clean_page: Page, app: ExampleApp
) -> None:
    """The text streams, thumbs wait for `done`, a click lands on the trace, another undoes it."""
    turn = await ask(clean_page, app, QUESTION)
    up = thumb(turn, "Good answer")
    await expect(up).to_be_disabled()
    answer = turn.locator(".answer")
    await expect(answer).to_contain_text("From")
    first = await answer.inner_text()
    await expect(answer).not_to_have_text(first, use_inner_text=True)
    assert len(await answer.inner_text()) > len(first)

    trace_id = await finished(turn)
    await up.click(timeout=1_000)
    await expect(up).to_have_attribute("aria-pressed", "true")
    await expect(turn.get_by_role("status")).to_contain_text("Saved")
    assessment = stored(app, trace_id, True)
    assert assessment.name == "user_feedback"
    assert (assessment.source.source_type, assessment.source.source_id) == ("HUMAN", "anonymous")

    await up.click()
    await expect(turn.get_by_role("status")).to_have_text("Rating withdrawn.")
    await expect(up).to_have_attribute("aria-pressed", "false")
    assert app.feedback(trace_id, []) == []


async def test_a_change_of_mind_changes_the_rating_in_place(
    clean_page: Page, app: ExampleApp
) -> None:
    """A comment joins its thumb; the other thumb replaces both, in the same assessment."""
    turn = await ask(clean_page, app, QUESTION)
    trace_id = await finished(turn)
    await thumb(turn, "Bad answer").click()
    await turn.get_by_label("Comment").fill("Too short.")
    await turn.get_by_role("button", name="Send").click()
    await expect(turn.get_by_label("Comment")).to_be_hidden()
    await expect(turn.get_by_role("status")).to_contain_text("Saved")
    bad = stored(app, trace_id, False)
    assert bad.rationale == "Too short."

    await thumb(turn, "Good answer").click()
    await expect(thumb(turn, "Bad answer")).to_have_attribute("aria-pressed", "false")
    await expect(turn.get_by_role("status")).to_contain_text("Saved")
    good = stored(app, trace_id, True)
    # A cleared rationale reads back as "" from an SQLite store and as None over HTTP.
    assert not good.rationale
    assert good.assessment_id == bad.assessment_id


async def test_a_stopped_answer_can_be_rated(clean_page: Page, app: ExampleApp) -> None:
    """Stop ends the stream and keeps what was said; the thumb needs no trace id."""
    turn = await ask(clean_page, app, QUESTION)
    await expect(turn.locator(".answer")).to_contain_text("From")
    await clean_page.get_by_role("button", name="Stop").click()
    await expect(turn).to_contain_text("You stopped this answer.")
    async with clean_page.expect_response(f"{app.url}/feedback") as answered:
        await thumb(turn, "Bad answer").click()
    saved = await (await answered.value).json()
    stored(app, saved["trace_id"], False)


async def test_turns_of_one_session(clean_page: Page, app: ExampleApp) -> None:
    """A follow-up uses the session, its rating goes to its own trace, a new chat starts afresh."""
    first = await ask(clean_page, app, QUESTION)
    first_trace = await finished(first)
    second = await ask(clean_page, app, "Why is that so?")
    second_trace = await finished(second)
    await expect(second.get_by_role("link")).not_to_have_count(0)
    await thumb(second, "Good answer").click()
    await expect(second.get_by_role("status")).to_contain_text("Saved")
    stored(app, second_trace, True)
    assert app.trace(first_trace).info.assessments == []
    sessions = {
        app.trace(trace_id).info.trace_metadata["mlflow.trace.session"]
        for trace_id in (first_trace, second_trace)
    }
    assert len(sessions) == 1

    await clean_page.get_by_role("button", name="New chat").click()
    await expect(clean_page.locator(".turn")).to_have_count(0)
    third = await finished(await ask(clean_page, app, "Why is that so?"))
    assert app.trace(third).info.trace_metadata["mlflow.trace.session"] not in sessions


async def test_a_failed_answer_says_so_and_can_be_rated(
    clean_page: Page, app_with_model: ExampleApp, fake_model: FakeModel
) -> None:
    """The person sees that the answer failed, nothing of the reason, and can rate even that."""
    fake_model.refuses = True
    try:
        turn = await ask(clean_page, app_with_model, QUESTION)
        trace_id = await finished(turn)
    finally:
        fake_model.refuses = False
    await expect(turn.get_by_role("alert")).to_contain_text("This answer failed.")
    assert "sk-secret" not in await turn.inner_text()
    await thumb(turn, "Bad answer").click()
    await expect(turn.get_by_role("status")).to_contain_text("Saved")
    stored(app_with_model, trace_id, False)


async def test_markup_in_an_answer_is_text(
    clean_page: Page, app_with_model: ExampleApp, fake_model: FakeModel
) -> None:
    """What a model says is shown as it is and never becomes part of the page."""
    fake_model.tokens[:] = ['<img src="/x"', ' onerror="alert(1)">', " **bold** `code`"]
    turn = await ask(clean_page, app_with_model, QUESTION)
    await finished(turn)
    await expect(turn.locator(".answer")).to_contain_text('<img src="/x" onerror="alert(1)">')
    await expect(turn.locator("strong")).to_have_text("bold")
    await expect(turn.locator(".answer img")).to_have_count(0)


async def test_what_was_not_saved_says_so_and_tries_again(page: Page, app: ExampleApp) -> None:
    """A refused click rolls back with the reason; "try again" sends it once more."""
    refused = 0

    async def refuse_once(route: Route) -> None:
        nonlocal refused
        if refused:
            await route.continue_()
        else:
            refused += 1
            await route.fulfill(status=503, json={"detail": "The ledger cannot be written."})

    await page.route("**/feedback", refuse_once)
    turn = await ask(page, app, QUESTION)
    trace_id = await finished(turn)
    await thumb(turn, "Good answer").click()
    await expect(turn.get_by_role("status")).to_have_text(
        "Not saved: The ledger cannot be written."
    )
    await expect(thumb(turn, "Good answer")).to_have_attribute("aria-pressed", "false")
    await turn.get_by_role("button", name="Try again").click()
    await expect(turn.get_by_role("status")).to_contain_text("Saved")
    await expect(turn.get_by_role("button", name="Try again")).to_be_hidden()
    stored(app, trace_id, True)


async def test_the_component_speaks_in_events_and_starts_afresh(
    clean_page: Page, app: ExampleApp
) -> None:
    """A page hears of each change; a new target inherits nothing from the one before."""
    trace_id = await finished(await ask(clean_page, app, QUESTION))
    heard = await clean_page.evaluate(
        """async (traceId) => {
          const element = document.createElement("agent-feedback");
          const heard = [];
          document.addEventListener("feedback-change", (event) => heard.push(event.detail.status));
          document.body.append(element);
          const isDisabled = () => element.shadowRoot.querySelector(".up").disabled;
          const states = [isDisabled()];
          element.setAttribute("trace-id", traceId);
          states.push(isDisabled());
          await element.rate(true, "Nice.");
          element.setAttribute("trace-id", "tr-0");
          states.push(element.shadowRoot.querySelector("[aria-pressed=true]") !== null);
          element.setAttribute("trace-id", traceId);
          await element.withdraw();
          return { heard, states };
        }""",
        trace_id,
    )
    assert heard["states"] == [True, False, False]
    assert heard["heard"][0] in ("ok", "pending")
    assert heard["heard"][1:] == ["withdrawn"]


STREAM = (
    b": ping\r\n\r\n"
    b'data: {"type": "a", "text": "\xc3\xa9"}\r\n\r\n'
    b'data: {"type":\ndata: "b"}\n\n'
    b'event: ignored\nid: 7\ndata:{"type": "c"}\r\r'
    b'data: [DONE]\n\ndata: {"type": "never"}\n\n'
)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1_000])
async def test_streams_are_read_wherever_they_are_cut(
    clean_page: Page, app: ExampleApp, size: int
) -> None:
    """Events come out whole with any line ending and any cut, comments skipped, until [DONE]."""
    await clean_page.goto(app.url)
    chunks = [list(STREAM[start : start + size]) for start in range(0, len(STREAM), size)]
    events: list[dict[str, Any]] = await clean_page.evaluate(
        """async (chunks) => {
          const { readAgentStream } = await import("/feedback/agent-feedback.js");
          const body = new ReadableStream({
            start(controller) {
              for (const chunk of chunks) controller.enqueue(new Uint8Array(chunk));
              controller.close();
            },
          });
          const events = [];
          for await (const event of readAgentStream(new Response(body))) events.push(event);
          return events;
        }""",
        chunks,
    )
    assert events == [{"type": "a", "text": "é"}, {"type": "b"}, {"type": "c"}]


async def test_it_fits_a_phone(clean_page: Page, app: ExampleApp) -> None:
    """On a phone's width nothing has to be scrolled sideways, and thumbs are big enough to hit."""
    await clean_page.set_viewport_size({"width": 360, "height": 640})
    turn = await ask(clean_page, app, "How do I add feedback to my agent?")
    await finished(turn)
    await thumb(turn, "Good answer").click()
    overflow = await clean_page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert overflow <= 0
    box = await thumb(turn, "Bad answer").bounding_box()
    assert box is not None
    assert min(box["width"], box["height"]) >= 24


def test_the_component_stays_small() -> None:
    """What every page loads is less than 12 KB, as it is, uncompressed."""
    component = Path(__file__).parents[1] / "agent_feedback" / "static" / "agent-feedback.js"
    assert component.stat().st_size < 12_000
