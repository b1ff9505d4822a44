"""What is typed and not sent: it outlives all but its sending, and only its person sees it."""

from typing import Any

import pytest
from playwright.async_api import Locator, Route, expect

from tests.component.conftest import IN_BROWSER, Visitor, component
from tests.component.host import Host
from tests.component.parts import (
    comment,
    correction,
    discard,
    down,
    more,
    pressed,
    ready,
    saved,
    says,
    send,
    undo,
    up,
)
from tests.support.rating import ANN, BOB, held, stored_trace

pytestmark = IN_BROWSER

NO_STORAGE = (
    "Object.defineProperty(window, 'localStorage', { get() { throw new Error('no'); } })",
    "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); };"
    "Object.defineProperty(window, 'localStorage', { value: new Proxy({}, {"
    " set() { throw new DOMException('full', 'QuotaExceededError'); } }) })",
)


async def typed(ann: Visitor, trace_id: str) -> Locator:
    """Rate an answer as bad, and type two texts without sending them."""
    rating = await ann.rating_of(trace_id)
    await ready(rating)
    await down(rating).click()
    await saved(rating)
    await comment(rating).fill("Too short.")
    await correction(rating).fill("Longer.")
    return rating


async def drafts(rating: Locator) -> list[Any]:
    """Return what lies in the browser's storage: nothing but drafts."""
    found: list[Any] = await rating.page.evaluate(
        "Object.values(localStorage).map(JSON.parse).flatMap(Object.values)"
    )
    return found


async def test_a_draft_survives_closing_and_a_reload(ann: Visitor) -> None:
    """It says that there is one, and is there again; sent, it is nowhere but on the trace."""
    trace_id = stored_trace()
    rating = await typed(ann, trace_id)
    await more(rating).click()
    await expect(more(rating)).to_have_text("Continue your draft")
    await rating.page.reload()
    await expect(more(rating)).to_have_text("Continue your draft")
    await more(rating).click()
    await expect(comment(rating)).to_have_value("Too short.")
    await expect(correction(rating)).to_have_value("Longer.")
    assert held(trace_id) == {"user_feedback": False}
    await send(rating).click()
    await saved(rating)
    await expect(more(rating)).to_have_text("Edit details")
    assert held(trace_id) == {"user_feedback": False, "expected_response": "Longer."}
    assert await drafts(rating) == []


async def test_a_draft_survives_the_other_thumb_and_a_withdrawal(ann: Visitor) -> None:
    """The comment goes along to the other thumb; the correction waits for its own."""
    trace_id = stored_trace()
    rating = await typed(ann, trace_id)
    await up(rating).click()
    await expect(comment(rating)).to_have_value("Too short.")
    await expect(correction(rating)).to_be_hidden()
    await send(rating).click()
    await saved(rating)
    assert held(trace_id) == {"user_feedback": True}
    await expect(more(rating)).to_have_text("Edit details")
    await up(rating).click()
    await says(rating, "Rating withdrawn.")
    await rating.page.reload()
    await ready(rating)
    await down(rating).click()
    await expect(comment(rating)).to_have_value("Too short.")
    await expect(correction(rating)).to_have_value("Longer.")


async def test_a_draft_is_discarded_with_an_undo(ann: Visitor) -> None:
    """One button throws it away and brings it back; thrown away, it is in no storage."""
    rating = await typed(ann, stored_trace())
    await discard(rating).focus()
    await rating.page.keyboard.press("Enter")
    await expect(comment(rating)).to_have_value("")
    assert await drafts(rating) == []
    await expect(undo(rating)).to_be_focused()
    await rating.page.keyboard.press("Enter")
    await expect(comment(rating)).to_have_value("Too short.")
    await expect(correction(rating)).to_have_value("Longer.")
    await discard(rating).click()
    await rating.page.reload()
    await expect(more(rating)).to_have_text("Add details")


async def test_another_answer_has_another_draft(ann: Visitor) -> None:
    """A target that is set anew starts empty, and the former one finds its own again."""
    first, second = stored_trace(), stored_trace()
    rating = await typed(ann, first)
    for trace_id, text in ((second, ""), (first, "Too short.")):
        await rating.evaluate("(element, id) => element.setAttribute('trace-id', id)", trace_id)
        await ready(rating)
        if text:
            await more(rating).click()
        else:
            await down(rating).click()
        await expect(comment(rating)).to_have_value(text)


async def test_nobody_sees_anothers_draft(ann: Visitor) -> None:
    """Bob at the same browser finds nothing of Ann's, and she finds it where she left it."""
    trace_id = stored_trace("anonymous")
    rating = await typed(ann, trace_id)
    await ann.sign_in(BOB)
    await rating.page.reload()
    await ready(rating)
    await down(rating).click()
    await saved(rating)
    await expect(comment(rating)).to_have_value("")
    await expect(more(rating)).to_have_text("Close")
    await ann.sign_in(ANN)
    await rating.page.reload()
    await expect(more(rating)).to_have_text("Continue your draft")


async def test_a_page_that_learns_of_another_person_hides_the_draft(
    ann: Visitor, host: Host
) -> None:
    """Without a reload, too: neither the text nor its undo stays for whoever signs in next, who
    is told what was not sent also after their own ratings have been read."""
    ann.may_lose_network = True
    trace_id, other = stored_trace("anonymous"), stored_trace("anonymous")
    page = await ann.open(component(trace_id) + component(other))
    rating, second = (page.locator("agent-feedback").nth(number) for number in (0, 1))
    for each in (rating, second):
        await ready(each)
        await down(each).click()
        await saved(each)
        await comment(each).fill("Ann's own words.")
    await discard(second).click()
    await ann.context.set_offline(True)
    await up(rating).click()
    await expect(rating.get_by_role("status")).to_contain_text("Not sent yet")
    await ann.sign_in(BOB)
    host.are_readings_held = True
    await ann.context.set_offline(False)
    await says(rating, "Not sent: someone else is signed in now.")
    await pressed(down(rating), True)
    host.are_readings_held = False
    await pressed(down(rating), False)
    await says(rating, "Not sent: someone else is signed in now.")
    for each in (rating, second):
        await down(each).click()
        await expect(comment(each)).to_have_value("")
        await expect(undo(each)).to_be_hidden()


async def test_a_draft_typed_before_the_person_is_known_is_kept(ann: Visitor, host: Host) -> None:
    """A slow server takes nothing of what was typed meanwhile, nor of an older draft."""
    trace_id = stored_trace()
    rating = await typed(ann, trace_id)
    waiting: list[Route] = []
    await rating.page.route("**/feedback/settings", lambda route: waiting.append(route))
    await rating.page.reload()
    await more(rating).click()
    await comment(rating).fill("Typed early.")
    (route,) = waiting
    await route.continue_()
    await expect(correction(rating)).to_have_value("Longer.")
    await expect(comment(rating)).to_have_value("Typed early.")
    (kept,) = await drafts(rating)
    assert (kept["rationale"], kept["correction"]) == ("Typed early.", "Longer.")


async def test_a_draft_overwrites_no_newer_rating(ann: Visitor, host: Host) -> None:
    """Only what was typed is sent: what another device sent of the other field stays."""
    trace_id = stored_trace()
    rating = await ann.rating_of(trace_id)
    await ready(rating)
    await down(rating).click()
    await saved(rating)
    await comment(rating).fill("Too short.")
    other = {"trace_id": trace_id, "value": False, "correction": "Other."}
    await rating.page.request.post(f"{host.url}/feedback", data=other)
    await rating.page.reload()
    await more(rating).click()
    await expect(correction(rating)).to_have_value("Other.")
    await send(rating).click()
    await saved(rating)
    assert held(trace_id) == {"user_feedback": False, "expected_response": "Other."}


@pytest.mark.parametrize("script", NO_STORAGE, ids=["forbidden", "full"])
async def test_a_browser_without_storage_keeps_the_draft_as_long_as_the_page(
    ann: Visitor, script: str
) -> None:
    """Nothing breaks where nothing can be stored."""
    await ann.context.add_init_script(script)
    trace_id = stored_trace()
    rating = await typed(ann, trace_id)
    await more(rating).click()
    await more(rating).click()
    await expect(comment(rating)).to_have_value("Too short.")
    await send(rating).click()
    await saved(rating)
    assert held(trace_id) == {"user_feedback": False, "expected_response": "Longer."}


async def test_only_the_newest_drafts_are_kept(ann: Visitor) -> None:
    """Storage does not fill up with what was left lying: the twenty newest stay."""
    traces = [stored_trace() for _ in range(22)]
    page = await ann.open("".join(map(component, traces)))
    ratings = page.locator("agent-feedback")
    await ready(ratings.nth(21))
    for number in range(22):
        await down(ratings.nth(number)).click()
        await saved(ratings.nth(number))
        await comment(ratings.nth(number)).fill(f"No. {number}")
    await comment(ratings.nth(2)).fill("No. 2, newer")
    texts = [each["rationale"] for each in await drafts(ratings.nth(0))]
    assert texts == [*(f"No. {number}" for number in range(3, 22)), "No. 2, newer"]


async def test_a_storage_that_others_wrote_to_breaks_nothing(ann: Visitor) -> None:
    """What is no JSON in there is no draft."""
    rating = await typed(ann, stored_trace())
    await rating.page.evaluate(
        "Object.keys(localStorage).forEach((key) => localStorage[key] = '{')"
    )
    await rating.page.reload()
    await expect(more(rating)).to_have_text("Add details")
    await more(rating).click()
    await comment(rating).fill("Again.")
    assert await drafts(rating) == [{"rationale": "Again."}]


async def test_a_draft_names_nobody(ann: Visitor) -> None:
    """Whose it is stands there as the opaque key."""
    rating = await typed(ann, stored_trace())
    found = await rating.page.evaluate("JSON.stringify(localStorage)")
    assert "ann" not in found.lower()
