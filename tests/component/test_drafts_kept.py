"""Whose a draft is and what may change it: other tabs, other people, another name, an undo."""

from playwright.async_api import Locator, Route, expect

from tests.component.conftest import IN_BROWSER, Visitor
from tests.component.host import Host
from tests.component.parts import comment, discard, down, more, ready, saved, says, undo, up
from tests.support.rating import BOB, stored_trace

pytestmark = IN_BROWSER


async def test_another_tab_does_not_delete_a_draft(ann: Visitor) -> None:
    """A click in a tab where nothing was typed leaves what was typed in the other one."""
    trace_id = stored_trace()
    first = await ann.rating_of(trace_id)
    await ready(first)
    await down(first).click()
    await saved(first)
    second = await ann.rating_of(trace_id)
    await expect(more(second)).to_have_text("Add details")
    await comment(first).fill("Typed in the first tab.")
    await up(second).click()
    await saved(second)
    await first.page.reload()
    await expect(more(first)).to_have_text("Continue your draft")


async def test_a_component_that_is_shown_anew_asks_whose_the_draft_is(ann: Visitor) -> None:
    """Bob signs in without a reload: an answer that is shown again shows nothing of Ann's."""
    trace_id = stored_trace("anonymous")
    rating = await ann.rating_of(trace_id)
    await ready(rating)
    await down(rating).click()
    await saved(rating)
    await comment(rating).fill("Ann's own words.")
    await rating.evaluate("(element) => element.removeAttribute('trace-id')")
    await ann.sign_in(BOB)
    await rating.evaluate("(element, id) => element.setAttribute('trace-id', id)", trace_id)
    await ready(rating)
    await down(rating).click()
    await saved(rating)
    await expect(comment(rating)).to_have_value("")


async def test_undo_is_gone_once_the_other_thumb_took_the_comment(ann: Visitor) -> None:
    """The saved comment that the other thumb brought along is not lost to an older undo."""
    rating = await ann.rating_of(stored_trace())
    await ready(rating)
    await down(rating).click()
    await comment(rating).fill("Saved.")
    await rating.get_by_role("button", name="Send").click()
    await saved(rating)
    await more(rating).click()
    await comment(rating).fill("First.")
    await discard(rating).click()
    await up(rating).click()
    await expect(comment(rating)).to_have_value("Saved.")
    await expect(undo(rating)).to_be_hidden()


BECOMES = """(element, names) => {
    for (const [name, value] of Object.entries(names)) element.setAttribute(name, value);
}"""


async def typed_by_request_id(ann: Visitor, client_request_id: str) -> Locator:
    """Show an answer by its request's id, rate it, and type a comment that is not sent."""
    page = await ann.open(
        f'<agent-feedback client-request-id="{client_request_id}"></agent-feedback>'
    )
    rating = page.locator("agent-feedback")
    await ready(rating)
    await down(rating).click()
    await saved(rating)
    await comment(rating).fill("Too short.")
    return rating


async def test_a_draft_goes_along_to_the_trace_id(ann: Visitor) -> None:
    """The same answer gets its other name, and what was typed is still there."""
    trace_id = stored_trace(client_request_id="turn-1")
    rating = await typed_by_request_id(ann, "turn-1")
    await rating.evaluate(BECOMES, {"trace-id": trace_id})
    await expect(more(rating)).to_have_text("Continue your draft")
    await more(rating).click()
    await expect(comment(rating)).to_have_value("Too short.")


async def test_a_draft_goes_to_no_other_answer(ann: Visitor) -> None:
    """A page that goes on to another request and its trace takes nothing along."""
    stored_trace(client_request_id="turn-1")
    other = stored_trace(client_request_id="turn-2")
    rating = await typed_by_request_id(ann, "turn-1")
    await rating.evaluate(BECOMES, {"trace-id": other, "client-request-id": "turn-2"})
    await ready(rating)
    await down(rating).click()
    await saved(rating)
    await expect(comment(rating)).to_have_value("")


async def test_a_server_that_names_its_time_is_not_asked_before(ann: Visitor, host: Host) -> None:
    """The first refusal's Retry-After replaces the usual pause."""
    ann.may_lose_network = True
    rating = await ann.rating_of(stored_trace())
    await ready(rating)
    asked = []

    async def refuse(route: Route) -> None:
        asked.append(route)
        await route.fulfill(status=503, json={}, headers={"Retry-After": "60"})

    await rating.page.route("**/feedback", refuse)
    await rating.page.clock.install()
    await up(rating).click()
    await says(rating, "Not sent yet: kept here until the server can be reached.")
    await rating.page.clock.run_for(50_000)
    assert len(asked) == 1
