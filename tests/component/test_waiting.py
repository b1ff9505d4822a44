"""Clicks that cannot be sent now: kept, sent once and in order, and never in another's name."""

import asyncio
from typing import Any

import pytest
from playwright.async_api import Page, Route, expect

from tests.component.conftest import IN_BROWSER, Visitor, component
from tests.component.host import Host
from tests.component.parts import (
    again,
    chosen,
    comment,
    correction,
    down,
    pressed,
    ready,
    saved,
    says,
    send,
    stars,
    state,
    up,
)
from tests.support.rating import ANN, BOB, held, stored_trace

pytestmark = IN_BROWSER

WAITING = "Not sent yet: kept here until the server can be reached."
# What a page on plain HTTP finds: no locks.
WITHOUT_LOCKS = "delete Navigator.prototype.locks"


async def kept(page: Page) -> int:
    """Count the clicks that wait in this browser."""
    count: int = await page.evaluate("Object.keys(localStorage).length")
    return count


async def test_an_offline_click_waits_and_is_sent(ann: Visitor, host: Host) -> None:
    """It stays pressed, says that it waits, and goes out when the page is online again."""
    ann.may_lose_network = True
    trace_id = stored_trace()
    rating = await ann.rating_of(trace_id)
    await ready(rating)
    await ann.context.set_offline(True)
    await up(rating).click()
    await says(rating, WAITING)
    await pressed(up(rating))
    assert await state(rating) == "waiting"
    assert host.writes() == []
    await ann.context.set_offline(False)
    await saved(rating)
    assert host.bodies() == [{"trace_id": trace_id, "value": True}]
    assert held(trace_id) == {"user_feedback": True}
    assert await kept(rating.page) == 0


async def test_what_waits_goes_out_in_order_and_once(ann: Visitor, host: Host) -> None:
    """Answers are sent in the order of the clicks; of one answer's clicks the last one counts."""
    ann.may_lose_network = True
    first, second = stored_trace(), stored_trace()
    page = await ann.open(component(second, 'mode="detailed"') + component(first))
    later, sooner = (page.locator("agent-feedback").nth(number) for number in (0, 1))
    await ready(sooner)
    await ann.context.set_offline(True)
    await up(sooner).click()
    await down(later).click()
    await comment(later).fill("No.")
    await correction(later).fill("Yes.")
    await send(later).click()
    await stars(later, "Accuracy").nth(1).click()
    await says(later, WAITING)
    await ann.context.set_offline(False)
    await saved(later)
    await saved(sooner)
    body = {"trace_id": second, "value": False, "rationale": "No.", "correction": "Yes."}
    assert host.bodies() == [
        {"trace_id": first, "value": True},
        body,
        {"trace_id": second, "dimension": "accuracy", "value": 2},
    ]
    assert held(first) == {"user_feedback": True}
    assert held(second) == {
        "user_feedback": False,
        "expected_response": "Yes.",
        "user_accuracy": 0.4,
    }


async def test_a_click_survives_a_reload(ann: Visitor, host: Host) -> None:
    """The server is away, the page is loaded again: the click is still shown, and sent later."""
    ann.may_lose_network = True
    trace_id = stored_trace()
    rating = await ann.rating_of(trace_id)
    await ready(rating)
    away = "**/feedback"
    await ann.context.route(away, lambda route: route.abort())
    await down(rating).click()
    await says(rating, WAITING)
    await rating.page.reload()
    await pressed(down(rating))
    await says(rating, WAITING)
    await ann.context.unroute(away)
    await again(rating).click()
    await saved(rating)
    assert held(trace_id) == {"user_feedback": False}


@pytest.mark.parametrize("answer", [503, 429, 502, "login"])
async def test_a_server_that_cannot_now_is_asked_again(
    ann: Visitor, host: Host, answer: int | str
) -> None:
    """Busy, restarting, or a login page in its place: the click is kept and sent by itself."""
    ann.may_lose_network = True
    trace_id = stored_trace()
    rating = await ann.rating_of(trace_id)
    await ready(rating)

    async def refuse(route: Route) -> None:
        if answer == "login":
            await route.fulfill(status=200, content_type="text/html", body="<h1>Sign in</h1>")
        else:
            headers = {"Retry-After": "1"}
            await route.fulfill(status=int(answer), json={"detail": "Not now."}, headers=headers)

    await rating.page.route("**/feedback", refuse, times=1)
    await up(rating).click()
    await says(rating, WAITING)
    await saved(rating)
    assert held(trace_id) == {"user_feedback": True}


async def test_someone_elses_click_is_dropped(ann: Visitor, host: Host) -> None:
    """What Ann clicked is not sent by Bob, who reads why; nor later, by anybody."""
    ann.may_lose_network = True
    trace_id = stored_trace("anonymous")
    rating = await ann.rating_of(trace_id)
    await ready(rating)
    await ann.context.set_offline(True)
    await up(rating).click()
    await says(rating, WAITING)
    await ann.sign_in(BOB)
    await ann.context.set_offline(False)
    await says(rating, "Not sent: someone else is signed in now.")
    await pressed(up(rating), False)
    assert await kept(rating.page) == 0
    await ann.sign_in(ANN)
    await rating.page.reload()
    await ready(rating)
    assert host.writes() == []


async def test_someone_elses_click_is_dropped_after_a_reload(ann: Visitor, host: Host) -> None:
    """The same where Bob opens a page of his own: neither shown as his, nor sent."""
    ann.may_lose_network = True
    trace_id = stored_trace("anonymous")
    rating = await ann.rating_of(trace_id)
    await ready(rating)
    await ann.context.route("**/feedback", lambda route: route.abort())
    await up(rating).click()
    await says(rating, WAITING)
    await ann.context.unroute("**/feedback")
    await ann.sign_in(BOB)
    await rating.page.reload()
    await says(rating, "Not sent: someone else is signed in now.")
    await pressed(up(rating), False)
    assert host.writes() == []


async def test_the_key_in_the_browser_names_nobody(ann: Visitor) -> None:
    """What waits in the browser says whose it is without saying who that is."""
    ann.may_lose_network = True
    rating = await ann.rating_of(stored_trace())
    await ready(rating)
    await ann.context.set_offline(True)
    await up(rating).click()
    await says(rating, WAITING)
    (entry,) = await rating.page.evaluate("Object.values(localStorage).map(JSON.parse)")
    assert len(entry["person"]) == 32
    assert "ann" not in str(entry)


async def test_without_a_known_person_nothing_waits(ann: Visitor, host: Host) -> None:
    """A page that never learnt who is signed in says that the click was not saved."""
    ann.may_lose_network = True
    await ann.context.route("**/feedback/settings", lambda route: route.abort())
    rating = await ann.rating_of(stored_trace())
    await ready(rating)
    await ann.context.set_offline(True)
    await up(rating).click()
    await says(rating, "Not saved: the server was not reached.")
    await pressed(up(rating), False)
    await ann.context.set_offline(False)
    await again(rating).click()
    await saved(rating)


@pytest.mark.parametrize("script", ["", WITHOUT_LOCKS], ids=["locks", "lease"])
async def test_two_tabs_send_a_click_once_and_the_later_one_wins(
    ann: Visitor, host: Host, script: str
) -> None:
    """Both tabs wake up at once; each click goes out once, and both end up showing the last."""
    ann.may_lose_network = True
    await ann.context.add_init_script(script)
    trace_id, other = stored_trace(), stored_trace()
    body = component(trace_id) + component(other)
    first, second = await ann.open(body), await ann.open(body)
    one, two = (page.locator("agent-feedback").nth(0) for page in (first, second))
    alone = first.locator("agent-feedback").nth(1)
    await ready(one)
    await ready(two)
    host.delay = 0.3
    await ann.context.set_offline(True)
    await up(alone).click()
    await up(one).click()
    await pressed(up(two))
    await down(two).click()
    await pressed(down(one))
    await ann.context.set_offline(False)
    for rating in (one, two):
        await expect(rating.get_by_role("status")).not_to_have_text(WAITING, timeout=15_000)
        await pressed(down(rating))
    for _ in range(100):
        if await kept(first) == 0:
            break
        await asyncio.sleep(0.1)
    await asyncio.sleep(1.0)
    sent = sorted(host.bodies(), key=str)
    assert sent == sorted(
        [{"trace_id": other, "value": True}, {"trace_id": trace_id, "value": False}], key=str
    )
    assert (held(trace_id), held(other)) == ({"user_feedback": False}, {"user_feedback": True})


@pytest.mark.parametrize("script", ["", WITHOUT_LOCKS], ids=["locks", "lease"])
async def test_two_tabs_take_turns(ann: Visitor, host: Host, script: str) -> None:
    """A click in the other tab waits for the one under way, and replaces it everywhere."""
    await ann.context.add_init_script(script)
    trace_id = stored_trace()
    one, two = await ann.rating_of(trace_id), await ann.rating_of(trace_id)
    await ready(one)
    await ready(two)
    host.is_held = True
    await up(one).click()
    await says(one, "Saving…")
    await down(two).click()
    await says(two, "Saving…")
    assert [body["value"] for body in host.bodies()] == [True]
    host.is_held = False
    # Whichever tab comes to it first sends it: a slow one finds its click sent by the other.
    await expect(two.get_by_role("status")).not_to_have_text("Saving…", timeout=15_000)
    await pressed(down(two))
    await pressed(down(one))
    assert [body["value"] for body in host.bodies()] == [True, False]
    assert held(trace_id) == {"user_feedback": False}


async def test_a_browser_without_storage_rates_all_the_same(visit: Any, host: Host) -> None:
    """Where nothing can be stored, a click waits as long as its page lives."""
    ann: Visitor = await visit()
    ann.may_lose_network = True
    await ann.context.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new Error('no'); } })"
    )
    trace_id = stored_trace()
    rating = await ann.rating_of(trace_id)
    await ready(rating)
    await ann.context.set_offline(True)
    await up(rating).click()
    await says(rating, WAITING)
    await ann.context.set_offline(False)
    await saved(rating)
    assert held(trace_id) == {"user_feedback": True}


async def test_stars_wait_too(ann: Visitor, host: Host) -> None:
    """A rating in stars is kept like a thumb, also when it is withdrawn meanwhile."""
    ann.may_lose_network = True
    trace_id = stored_trace()
    rating = await ann.rating_of(trace_id, 'mode="detailed"')
    await ready(rating)
    await stars(rating, "Relevance").nth(2).click()
    await saved(rating)
    await ann.context.set_offline(True)
    await stars(rating, "Relevance").nth(2).click()
    await says(rating, WAITING)
    await ann.context.set_offline(False)
    await says(rating, "Rating withdrawn.")
    await chosen(rating, "Relevance", None)
    assert held(trace_id) == {}
