"""What the component shows while it waits, when it is refused, and when its answer changes."""

import asyncio
from typing import Any

import pytest
from playwright.async_api import Route, expect

from tests.component.conftest import IN_BROWSER, Visitor, component
from tests.component.host import Host
from tests.component.parts import (
    again,
    comment,
    down,
    pressed,
    ready,
    saved,
    says,
    send,
    state,
    up,
)
from tests.support.rating import ANN, BOB, held, stored_trace
from tests.support.waiting import eventually

pytestmark = IN_BROWSER

HEAR = """() => {
  window.heard = [];
  for (const name of ["feedback-change", "feedback-error"]) {
    document.addEventListener(name, ({ type, detail, target }) =>
      heard.push({ type, ...detail, from: target.localName ?? "document" }));
  }
}"""


async def test_it_is_disabled_until_it_has_a_target(ann: Visitor, host: Host) -> None:
    """Without an answer there is nothing to click; with one there is, at once."""
    page = await ann.open("<agent-feedback></agent-feedback>")
    rating = page.locator("agent-feedback")
    await expect(up(rating)).to_be_disabled()
    await expect(down(rating)).to_be_disabled()
    assert await state(rating) == "disabled"
    with pytest.raises(Exception, match="nothing to rate"):
        await rating.evaluate("(element) => element.rate(true)")
    await rating.evaluate("(element, id) => element.setAttribute('trace-id', id)", stored_trace())
    await expect(up(rating)).to_be_enabled()
    assert await state(rating) == "ready"
    assert host.writes() == []


async def test_an_answer_without_a_trace_says_so(ann: Visitor) -> None:
    """The thumbs do not vanish in silence."""
    rating = await ann.rating_of(stored_trace(), "unavailable")
    await says(rating, "This answer cannot be rated.")
    await expect(up(rating)).to_be_disabled()
    await rating.evaluate("(element) => element.removeAttribute('unavailable')")
    await expect(up(rating)).to_be_enabled()
    await says(rating, "")


async def test_a_slow_server_is_not_waited_for(ann: Visitor, host: Host) -> None:
    """The thumb is pressed at once; that it is still being saved is shown when it takes long."""
    host.delay = 3.0
    rating = await ann.rating_of(stored_trace())
    await up(rating).click()
    await expect(up(rating)).to_have_attribute("aria-pressed", "true")
    assert await state(rating) == "saving"
    await says(rating, "Saving…")
    await saved(rating)
    assert await state(rating) == "saved"


async def test_a_click_is_newer_than_what_was_read_before_it(ann: Visitor, host: Host) -> None:
    """What the server read before a click, and sends after it, takes nothing of the click back."""
    host.are_readings_held = True
    rating = await ann.rating_of(stored_trace())
    await asyncio.to_thread(eventually, host.reads, bool)
    await up(rating).click()
    await saved(rating)
    host.are_readings_held = False
    await asyncio.to_thread(eventually, host.reads, lambda reads: len(reads) == 2)
    await ready(rating)
    await pressed(up(rating))
    await saved(rating)
    assert len(host.reads()) == 2


async def test_a_click_before_the_person_is_known_is_newer_too(ann: Visitor, host: Host) -> None:
    """A click before the settings are there is not lost to what was read before it."""
    asked: list[Route] = []
    settings: list[Route] = []
    await ann.context.route("**/feedback/settings", lambda route: settings.append(route))
    await ann.context.route("**/feedback?*", lambda route: asked.append(route))
    host.is_held = True
    rating = await ann.rating_of(stored_trace())
    await asyncio.to_thread(eventually, lambda: len(asked), bool)
    await down(rating).click()
    await asyncio.to_thread(eventually, host.writes, bool)
    await asked[0].fulfill(json=[])
    await asyncio.to_thread(eventually, lambda: len(asked), lambda count: count == 2)
    await settings[0].continue_()
    await expect(rating.get_by_role("button", name="Incorrect")).to_be_visible()
    async with rating.page.expect_response("**/feedback?*"):
        await asked[1].fulfill(json=[])
    await rating.page.evaluate("new Promise((done) => setTimeout(done, 100))")
    await pressed(down(rating))
    host.is_held = False
    await saved(rating)
    await pressed(down(rating))


async def test_a_rating_before_mlflow_has_the_trace_is_on_its_way(ann: Visitor, host: Host) -> None:
    """What is durable and not yet in MLflow is told apart, until it is read that MLflow has it."""
    host.are_readings_held = True
    page = await ann.open("<agent-feedback></agent-feedback>")
    rating = page.locator("agent-feedback")
    await rating.evaluate(
        """async (element) => {
          const { readAgentStream } = await import("/feedback/agent-feedback.js");
          const body = { stream: true, input: [{ role: "user", content: "?" }] };
          const response = await fetch("/responses", {
            method: "POST",
            headers: { "Content-Type": "application/json" },
            body: JSON.stringify(body),
          });
          for await (const event of readAgentStream(response)) {
            if (event.type === "done") element.setAttribute("trace-id", event.trace_id);
          }
        }"""
    )
    await up(rating).click()
    await says(rating, "Thank you. Saved, on its way.")
    assert await state(rating) == "pending"
    trace_id = await rating.get_attribute("trace-id")
    assert trace_id is not None
    await asyncio.to_thread(eventually, lambda: held(trace_id), bool)
    host.are_readings_held = False
    await saved(rating)


async def test_what_is_refused_rolls_back_with_its_reason(ann: Visitor) -> None:
    """Somebody else's answer: the thumb springs back and says why."""
    rating = await ann.rating_of(stored_trace(BOB))
    ann.may_lose_network = True
    await up(rating).click()
    await says(rating, "Not saved: Only the person who asked may rate this answer.")
    await pressed(up(rating), False)
    assert await state(rating) == "failed"
    await expect(again(rating)).to_be_visible()


async def test_try_again_says_all_of_it_again(ann: Visitor, host: Host) -> None:
    """A failed comment is not lost: it stays in its field, and "try again" sends it."""
    ann.may_lose_network = True
    trace_id = stored_trace()
    rating = await ann.rating_of(trace_id)
    await down(rating).click()
    await saved(rating)

    async def fail(route: Route) -> None:
        await route.fulfill(status=500, json={"detail": "It broke."})

    await rating.page.route("**/feedback", fail, times=1)
    await comment(rating).fill("Too short.")
    await send(rating).click()
    await says(rating, "Not saved: It broke.")
    await pressed(down(rating))
    await expect(comment(rating)).to_have_value("Too short.")
    await again(rating).click()
    await saved(rating)
    await expect(again(rating)).to_be_hidden()
    assert host.bodies()[-1] == {"trace_id": trace_id, "value": False, "rationale": "Too short."}


async def test_every_change_and_failure_is_an_event(ann: Visitor) -> None:
    """Changes and failures bubble out of the shadow, with all that a page may want to know."""
    trace_id = stored_trace(client_request_id="turn-1")
    page = await ann.open(component(trace_id) + component(stored_trace(BOB)))
    ann.may_lose_network = True
    await page.evaluate(HEAR)
    first, other = (page.locator("agent-feedback").nth(number) for number in (0, 1))
    options = {"rationale": "So.", "reasons": ["incorrect"], "correction": "No."}
    receipt = await first.evaluate("(element, options) => element.rate(false, options)", options)
    await pressed(down(first))
    await first.evaluate("(element) => element.rate(4, { dimension: 'accuracy' })")
    await first.evaluate("(element) => element.withdraw({ dimension: 'accuracy' })")
    await first.evaluate("(element) => element.withdraw()")
    assert held(trace_id) == {"expected_response": "No."}
    await up(other).click()
    await expect(again(other)).to_be_visible()
    heard: list[dict[str, Any]] = await page.evaluate("heard")
    changes, (error,) = heard[:-1], heard[-1:]
    assert changes[0] == {
        **options,
        "type": "feedback-change",
        "value": False,
        "dimension": None,
        "status": "ok",
        "traceId": trace_id,
        "clientRequestId": "turn-1",
        "assessmentId": receipt["assessmentId"],
        "from": "agent-feedback",
    }
    assert [(each["dimension"], each["value"], each["status"]) for each in changes[1:]] == [
        ("accuracy", 4, "ok"),
        ("accuracy", None, "withdrawn"),
        (None, None, "withdrawn"),
    ]
    assert changes[-1]["correction"] == "No."
    assert (error["type"], error["status"]) == ("feedback-error", 403)
    assert "Only the person who asked" in error["message"]


async def test_one_change_is_one_event(ann: Visitor) -> None:
    """Two components of one answer show the same; the one that was used tells of it."""
    trace_id = stored_trace()
    page = await ann.open(component(trace_id) + component(trace_id))
    await page.evaluate("window.used = []")
    await page.evaluate(
        """document.addEventListener("feedback-change", ({ target }) =>
          used.push([...document.querySelectorAll("agent-feedback")].indexOf(target)))"""
    )
    first, second = (page.locator("agent-feedback").nth(number) for number in (0, 1))
    await up(second).click()
    await saved(second)
    await pressed(up(first))
    await down(first).click()
    await saved(first)
    await pressed(down(second))
    assert await page.evaluate("used") == [1, 0]


async def test_a_new_target_shows_nothing_of_the_former(ann: Visitor, host: Host) -> None:
    """A late answer to the former target shows nowhere; the new one starts as it is."""
    host.delay = 1.0
    first, second = stored_trace(), stored_trace()
    rating = await ann.rating_of(first)
    await down(rating).click()
    await comment(rating).fill("About the first.")
    await rating.evaluate("(element, id) => element.setAttribute('trace-id', id)", second)
    await pressed(down(rating), False)
    await expect(comment(rating)).to_be_hidden()
    await asyncio.sleep(1.5)
    await says(rating, "")
    await pressed(down(rating), False)
    await up(rating).click()
    await expect(comment(rating)).to_have_value("")
    await saved(rating)
    assert (held(first), held(second)) == ({"user_feedback": False}, {"user_feedback": True})


async def test_it_can_be_moved_on_the_page(ann: Visitor, host: Host) -> None:
    """Taken out and put back, also while it saves, it shows what is true."""
    host.delay = 0.5
    trace_id = stored_trace()
    rating = await ann.rating_of(trace_id)
    await up(rating).click()
    await rating.evaluate("(element) => { window.kept = element; element.remove(); }")
    await rating.page.evaluate("document.querySelector('main').append(kept)")
    await pressed(up(rating))
    await rating.page.evaluate(
        "() => { kept.remove(); setTimeout(() => document.body.append(kept), 900) }"
    )
    await pressed(up(rating))
    await up(rating).click()
    await says(rating, "Rating withdrawn.")
    assert held(trace_id) == {}


async def test_a_reloaded_page_shows_the_rating(ann: Visitor, host: Host) -> None:
    """Many answers are asked for at once, and each shows its own rating."""
    traces = [stored_trace() for _ in range(4)]
    page = await ann.open("".join(map(component, traces)))
    ratings = page.locator("agent-feedback")
    await up(ratings.nth(0)).click()
    await down(ratings.nth(2)).click()
    await comment(ratings.nth(2)).fill("Too long.")
    await send(ratings.nth(2)).click()
    await saved(ratings.nth(2))
    await saved(ratings.nth(0))
    host.seen.clear()
    await page.reload()
    await pressed(up(ratings.nth(0)))
    await pressed(down(ratings.nth(2)))
    for number in (1, 3):
        await pressed(up(ratings.nth(number)), False)
    (read,) = host.reads()
    assert [value for _, value in read.query] == traces
    await ratings.nth(2).get_by_role("button", name="Edit details").click()
    await expect(comment(ratings.nth(2))).to_have_value("Too long.")


async def test_more_than_the_server_takes_at_once_is_asked_in_turn(
    ann: Visitor, host: Host
) -> None:
    """A hundred targets make one request; an id that is none spoils nobody else's answer."""
    trace_id = stored_trace(client_request_id="turn-2")
    await ann.open("".join(component(f"tr-{number:032x}") for number in range(101)))
    for _ in range(50):
        if len(host.reads()) == 2:
            break
        await asyncio.sleep(0.1)
    assert sorted(len(read.query) for read in host.reads()) == [1, 100]

    rating = await ann.rating_of(trace_id)
    await up(rating).click()
    await saved(rating)
    ann.may_lose_network = True
    by_request = '<agent-feedback client-request-id="turn-2"></agent-feedback>'
    page = await ann.open(component("none") + by_request + component(trace_id))
    await pressed(up(page.locator("agent-feedback").nth(2)))
    await pressed(up(page.locator("agent-feedback").nth(1)))
    await pressed(up(page.locator("agent-feedback").nth(0)), False)


async def test_signals_are_reported_under_their_own_names(ann: Visitor, host: Host) -> None:
    """Copying is no thumb; what the settings do not take is not sent."""
    trace_id = stored_trace()
    rating = await ann.rating_of(trace_id)
    assert await rating.evaluate("(element) => element.signal('copy')") is True
    assert await rating.evaluate("(element) => element.signal('regenerate')") is False
    assert host.bodies() == [{"trace_id": trace_id, "signal": "copy"}]
    assert held(trace_id) == {"implicit_copy": True}
    await says(rating, "")
    await pressed(up(rating), False)
    await up(rating).click()
    await saved(rating)
    assert held(trace_id) == {"implicit_copy": True, "user_feedback": True}


async def test_nobody_sees_anothers_rating(ann: Visitor, visit: Any) -> None:
    """The same page in another person's browser shows nothing of it."""
    trace_id = stored_trace(ANN)
    rating = await ann.rating_of(trace_id)
    await up(rating).click()
    await saved(rating)
    bob = await visit(BOB)
    others = await bob.rating_of(trace_id)
    await asyncio.sleep(0.5)
    await pressed(up(others), False)
