"""What is durable and not yet in MLflow: the component asks about it until it is there."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest_asyncio
from playwright.async_api import Page, Route, expect

from tests.component.conftest import IN_BROWSER, Visitor, component
from tests.component.host import Host
from tests.component.parts import down, pressed, ready, saved, says, state, up
from tests.support.rating import held, stored_trace

pytestmark = IN_BROWSER

PENDING = "Thank you. Saved, on its way."
# Notes when each question is asked, by the page's own clock, and what is not answered yet.
NOTE_QUESTIONS = """() => {
  window.asked = [];
  window.flights = [];
  window.isHidden = false;
  Object.defineProperty(document, "hidden", { get: () => isHidden });
  const fetched = window.fetch;
  window.fetch = (url, options) => {
    const flight = fetched(url, options);
    if (String(url).includes("?") && options.method === "GET") {
      asked.push(Date.now());
      flights.push(flight.then((response) => response.clone().json()).catch(() => {}));
    }
    return flight;
  };
}"""
ANSWER = """async (element) => {
  const { readAgentStream } = await import("/feedback/agent-feedback.js");
  const response = await fetch("/responses", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ stream: true, input: [{ role: "user", content: "?" }] }),
  });
  for await (const event of readAgentStream(response)) {
    if (event.type === "done") element.setAttribute("trace-id", event.trace_id);
  }
}"""


@dataclass
class SlowMlflow:
    """Between the page and the server: as if MLflow did not have the ratings yet."""

    page: Page
    is_slow: bool = True
    questions: list[str] = field(default_factory=list)

    async def answer(self, route: Route) -> None:
        """Pass a request on, and make its answer pending."""
        is_reading = route.request.method == "GET"
        if is_reading:
            self.questions.append(route.request.url)
        response = await route.fetch()
        found: Any = await response.json()
        if self.is_slow:
            for each in found if is_reading else [found]:
                each["status"] = "pending"
        await route.fulfill(json=found, status=response.status)

    async def pass_seconds(self, seconds: int) -> None:
        """Let time pass on the page, and let its questions be answered."""
        for _ in range(seconds):
            await self.page.clock.run_for(1000)
            await self.page.evaluate("Promise.all(flights)")

    async def hide(self, is_hidden: bool) -> None:
        """Turn to another tab, or back."""
        await self.page.evaluate(
            "(is) => { isHidden = is; document.dispatchEvent(new Event('visibilitychange')); }",
            is_hidden,
        )
        await self.pass_seconds(1)

    async def asked(self) -> list[int]:
        """Return when it was asked, in seconds of the page's clock."""
        times: list[float] = await self.page.evaluate("asked")
        return [round(time / 1000) for time in times]


@pytest_asyncio.fixture(loop_scope="session")
async def mlflow(ann: Visitor) -> AsyncIterator[SlowMlflow]:
    """Open a page with three rated answers that are on their way, where time stands still."""
    ann.may_lose_network = True
    page = await ann.open("".join(component(stored_trace()) for _ in range(3)))
    slow = SlowMlflow(page)
    await page.route("**/feedback", slow.answer)
    await page.route("**/feedback?*", slow.answer)
    ratings = page.locator("agent-feedback")
    await ready(ratings.nth(2))
    await page.evaluate(NOTE_QUESTIONS)
    await page.clock.install()
    for number in range(3):
        await up(ratings.nth(number)).click()
        await says(ratings.nth(number), PENDING)
    slow.questions.clear()
    await page.evaluate("() => { asked.length = 0; }")
    yield slow


async def test_on_its_way_becomes_saved_by_itself(ann: Visitor) -> None:
    """A real answer, rated before MLflow has its trace: nobody touches the page any more."""
    page = await ann.open("<agent-feedback></agent-feedback>")
    rating = page.locator("agent-feedback")
    async with page.expect_response("**/feedback?*"):  # no reading is under way after it
        await rating.evaluate(ANSWER)
    await up(rating).click()
    await says(rating, PENDING)
    await expect(rating.get_by_role("status")).to_have_text("Thank you. Saved.", timeout=60_000)
    assert await state(rating) == "saved"
    trace_id = await rating.get_attribute("trace-id")
    assert held(str(trace_id)) == {"user_feedback": True}


async def test_it_is_asked_ever_more_rarely(mlflow: SlowMlflow) -> None:
    """The pauses grow up to a minute; three answers are one question."""
    await mlflow.pass_seconds(400)
    times = await mlflow.asked()
    pauses = [later - sooner for sooner, later in pairwise(times)]
    assert len(times) < 16
    assert all(longer >= pause - 2 for pause, longer in pairwise(pauses))
    assert pauses[0] < 6
    assert 58 <= pauses[-1] <= 64
    assert all(url.count("trace_id=") == 3 for url in mlflow.questions)


async def test_it_stops_once_everything_is_there(mlflow: SlowMlflow) -> None:
    """Saved is shown by all three, and nothing is asked any more."""
    await mlflow.pass_seconds(10)
    mlflow.is_slow = False
    await mlflow.pass_seconds(20)
    ratings = mlflow.page.locator("agent-feedback")
    for number in range(3):
        await saved(ratings.nth(number))
    before = await mlflow.asked()
    await mlflow.pass_seconds(200)
    assert await mlflow.asked() == before


async def test_nothing_is_asked_while_the_page_is_hidden(mlflow: SlowMlflow) -> None:
    """A tab in the background is quiet; turned to, it asks at once."""
    await mlflow.hide(True)
    before = await mlflow.asked()
    await mlflow.pass_seconds(200)
    assert await mlflow.asked() == before
    mlflow.is_slow = False
    await mlflow.hide(False)
    await saved(mlflow.page.locator("agent-feedback").nth(0))
    assert len(await mlflow.asked()) == len(before) + 1


async def test_nothing_is_asked_while_it_is_offline(mlflow: SlowMlflow) -> None:
    """Without a network nobody can answer; with one again, it asks at once."""
    await mlflow.page.context.set_offline(True)
    before = await mlflow.asked()
    await mlflow.pass_seconds(200)
    assert await mlflow.asked() == before
    mlflow.is_slow = False
    await mlflow.page.context.set_offline(False)
    await mlflow.pass_seconds(1)
    await saved(mlflow.page.locator("agent-feedback").nth(0))


async def test_a_newer_click_is_asked_about_soon(mlflow: SlowMlflow) -> None:
    """However rare the questions have become, a new rating starts them anew."""
    await mlflow.pass_seconds(200)
    rating = mlflow.page.locator("agent-feedback").nth(0)
    await down(rating).click()
    await says(rating, PENDING)
    before = len(await mlflow.asked())
    await mlflow.pass_seconds(4)
    assert len(await mlflow.asked()) > before
    await pressed(down(rating))


async def test_what_cannot_be_looked_up_stays_as_it_is(ann: Visitor, host: Host) -> None:
    """The server knows nothing of the answer now: the rating is shown as it was, and no error."""
    trace_id = stored_trace()
    rating = await ann.rating_of(trace_id)
    await ready(rating)
    unknown = {"status": "unknown", "trace_id": trace_id, "client_request_id": None}
    await rating.page.route("**/feedback?*", lambda route: route.fulfill(json=[unknown]))
    await up(rating).click()
    await saved(rating)
    await rating.evaluate("(element) => { const at = element.parentNode; at.append(element); }")
    await pressed(up(rating))
    await saved(rating)
    assert held(trace_id) == {"user_feedback": True}


async def test_it_is_not_asked_for_ever(mlflow: SlowMlflow) -> None:
    """After a quarter of an hour it rests, until somebody turns to the page again."""
    await mlflow.pass_seconds(1300)
    before = await mlflow.asked()
    await mlflow.pass_seconds(200)
    assert await mlflow.asked() == before
    await mlflow.hide(False)
    assert len(await mlflow.asked()) > len(before)
