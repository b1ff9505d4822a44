"""Thumbs, and what can be added to them."""

from typing import Any

from playwright.async_api import expect

from tests.component.conftest import IN_BROWSER, Visitor
from tests.component.host import Host
from tests.component.parts import (
    chip,
    comment,
    correction,
    down,
    pressed,
    ready,
    saved,
    says,
    send,
    up,
    withdraw_correction,
)
from tests.support.rating import assessments_of, held, stored_trace
from tests.support.waiting import eventually

pytestmark = IN_BROWSER


def thumb_on(trace_id: str) -> Any:
    """Return the trace's only thumb."""
    (found,) = (each for each in assessments_of(trace_id) if each.name == "user_feedback")
    return found


async def test_a_click_lands(ann: Visitor, host: Host) -> None:
    """A thumb is shown at once, sent once, and on the trace."""
    trace_id = stored_trace()
    rating = await ann.rating_of(trace_id)
    await ready(rating)
    await up(rating).click()
    await pressed(up(rating))
    await saved(rating)
    assert host.bodies() == [{"trace_id": trace_id, "value": True}]
    assert held(trace_id) == {"user_feedback": True}


async def test_a_double_click_is_one_rating(ann: Visitor, host: Host) -> None:
    """Who double-clicks means yes, not yes and no."""
    trace_id = stored_trace()
    rating = await ann.rating_of(trace_id)
    await ready(rating)
    await up(rating).dblclick()
    await saved(rating)
    await pressed(up(rating))
    assert len(host.writes()) == 1
    assert held(trace_id) == {"user_feedback": True}


async def test_clicks_in_a_hurry_end_with_the_last(ann: Visitor, host: Host) -> None:
    """While the first click is still under way, the others wait; the last one stands, alone."""
    host.is_held = True
    trace_id = stored_trace()
    rating = await ann.rating_of(trace_id)
    await ready(rating)
    for thumb in (up, down, up, down):
        await thumb(rating).click()
    await says(rating, "Saving…")
    host.is_held = False
    await saved(rating)
    await pressed(down(rating))
    await pressed(up(rating), False)
    values = [body["value"] for body in host.bodies()]
    assert (values[0], values[-1], len(values)) == (True, False, 2)
    assert held(trace_id) == {"user_feedback": False}


async def test_a_thumb_down_can_say_all_of_it(ann: Visitor) -> None:
    """Reasons, comment and correction go with the thumb; the form closes and can be reopened."""
    trace_id = stored_trace()
    rating = await ann.rating_of(trace_id)
    await down(rating).click()
    await chip(rating, "Incorrect").click()
    await chip(rating, "Out of date").click()
    await chip(rating, "Out of date").click()
    await comment(rating).fill("It was 16.")
    await correction(rating).fill("16 KiB.")
    await send(rating).click()
    await expect(comment(rating)).to_be_hidden()
    await saved(rating)
    assert held(trace_id) == {"user_feedback": False, "expected_response": "16 KiB."}
    assert thumb_on(trace_id).rationale == "It was 16."
    assert "incorrect" in str(thumb_on(trace_id).metadata)
    assert "out of date" not in str(thumb_on(trace_id).metadata)

    await rating.get_by_role("button", name="Edit details").click()
    await expect(comment(rating)).to_have_value("It was 16.")
    await expect(correction(rating)).to_have_value("16 KiB.")
    await pressed(chip(rating, "Incorrect"))
    await correction(rating).fill("")
    await send(rating).click()
    await saved(rating)
    assert eventually(lambda: held(trace_id), lambda now: len(now) == 1) == {"user_feedback": False}
    assert thumb_on(trace_id).rationale == "It was 16."


async def test_the_reasons_offered_fit_the_thumb(ann: Visitor) -> None:
    """Nobody who liked an answer is asked what was wrong; reasons come from the settings."""
    rating = await ann.rating_of(stored_trace())
    await up(rating).click()
    await expect(rating.get_by_text("What was good?")).to_be_visible()
    await expect(chip(rating, "Easy to follow")).to_be_visible()
    await expect(chip(rating, "Incorrect")).to_be_hidden()
    await expect(correction(rating)).to_be_hidden()
    await down(rating).click()
    await expect(rating.get_by_text("What was wrong?")).to_be_visible()
    await expect(chip(rating, "Incorrect")).to_be_visible()
    await expect(chip(rating, "Easy to follow")).to_be_hidden()
    await expect(correction(rating)).to_be_visible()


async def test_the_other_thumb_keeps_nothing_of_the_first(ann: Visitor) -> None:
    """The other thumb stands without reasons, comment and correction; the texts can be resent."""
    trace_id = stored_trace()
    rating = await ann.rating_of(trace_id)
    await down(rating).click()
    await chip(rating, "Incorrect").click()
    await comment(rating).fill("No.")
    await correction(rating).fill("Yes.")
    await send(rating).click()
    await saved(rating)
    before = thumb_on(trace_id).assessment_id
    await up(rating).click()
    await expect(rating.get_by_role("button", name="Incorrect")).to_be_hidden()
    stands = {"user_feedback": True}
    assert eventually(lambda: held(trace_id), stands.__eq__) == stands
    assert not thumb_on(trace_id).rationale
    assert "incorrect" not in str(thumb_on(trace_id).metadata)
    assert thumb_on(trace_id).assessment_id == before
    await expect(comment(rating)).to_have_value("No.")
    await down(rating).click()
    await expect(correction(rating)).to_have_value("Yes.")
    await send(rating).click()
    await saved(rating)
    assert held(trace_id) == {"user_feedback": False, "expected_response": "Yes."}


async def test_another_click_withdraws_the_thumb_and_says_that_the_correction_stays(
    ann: Visitor,
) -> None:
    """As DELETE does; the page shows the text, also after a reload, and one click withdraws it."""
    trace_id = stored_trace()
    rating = await ann.rating_of(trace_id)
    await down(rating).click()
    await correction(rating).fill("Yes.")
    await send(rating).click()
    await saved(rating)
    await down(rating).click()
    await says(rating, "Rating withdrawn. Your correction stays.")
    await pressed(down(rating), False)
    await expect(rating.locator("form")).to_be_hidden()
    await expect(rating.get_by_text("Yes.", exact=True)).to_be_visible()
    assert held(trace_id) == {"expected_response": "Yes."}
    await rating.page.reload()
    await expect(rating.get_by_text("Yes.", exact=True)).to_be_visible()
    await withdraw_correction(rating).click()
    await expect(withdraw_correction(rating)).to_be_hidden()
    await expect(up(rating)).to_be_focused()
    await says(rating, "Rating withdrawn.")
    assert held(trace_id) == {}


async def test_withdrawing_twice_has_the_same_answer(ann: Visitor) -> None:
    """The second time, too, the page is told that the correction stays."""
    trace_id = stored_trace()
    rating = await ann.rating_of(trace_id)
    await rating.evaluate("(element) => element.rate(false, { correction: 'Yes.' })")
    for _ in range(2):
        gone = await rating.evaluate("(element) => element.withdraw()")
        assert (gone["status"], gone["value"], gone["correction"]) == ("withdrawn", None, "Yes.")
    both = await rating.evaluate("(element) => element.withdraw({dimension: 'expected_response'})")
    assert (both["status"], both["correction"]) == ("withdrawn", "")
    gone = await rating.evaluate("(element) => element.withdraw()")
    assert gone["correction"] == ""
    assert held(trace_id) == {}


async def test_a_correction_stays_beside_a_new_thumb(ann: Visitor, host: Host) -> None:
    """Who likes the answer after all sees the correction that stands, even before it is read."""
    trace_id = stored_trace()
    rating = await ann.rating_of(trace_id)
    await rating.evaluate("(element) => element.rate(false, { correction: 'Yes.' })")
    await rating.evaluate("(element) => element.withdraw()")
    host.are_readings_held = True
    await rating.page.reload()
    await up(rating).click()
    await saved(rating)
    host.are_readings_held = False
    await expect(withdraw_correction(rating)).to_be_visible()
    assert held(trace_id) == {"user_feedback": True, "expected_response": "Yes."}
    await withdraw_correction(rating).click()
    await saved(rating)
    assert eventually(lambda: held(trace_id), lambda now: len(now) == 1) == {"user_feedback": True}


async def test_two_answers_rated_in_reverse_order(ann: Visitor, host: Host) -> None:
    """Each rating goes to its own answer, whichever is rated first."""
    first, second = stored_trace(), stored_trace()
    host.delay = 0.3
    page = await ann.open(
        f'<agent-feedback trace-id="{first}"></agent-feedback>'
        f'<agent-feedback trace-id="{second}"></agent-feedback>'
    )
    ratings = page.locator("agent-feedback")
    await down(ratings.nth(1)).click()
    await up(ratings.nth(0)).click()
    await saved(ratings.nth(0))
    await saved(ratings.nth(1))
    assert (held(first), held(second)) == ({"user_feedback": True}, {"user_feedback": False})


async def test_a_request_id_is_a_target_too(ann: Visitor) -> None:
    """An answer without a known trace is rated, read back and withdrawn by its request."""
    trace_id = stored_trace(client_request_id="turn-7")
    page = await ann.open('<agent-feedback client-request-id="turn-7"></agent-feedback>')
    rating = page.locator("agent-feedback")
    await up(rating).click()
    await saved(rating)
    assert held(trace_id) == {"user_feedback": True}
    await page.reload()
    await pressed(up(rating))
    await up(rating).click()
    await says(rating, "Rating withdrawn.")
    assert held(trace_id) == {}
