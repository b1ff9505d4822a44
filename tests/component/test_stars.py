"""Stars for each dimension: a radio group whose choice can be taken back."""

from playwright.async_api import expect

from tests.component.conftest import IN_BROWSER, Visitor
from tests.component.host import Host
from tests.component.parts import chosen, pressed, saved, says, stars, up
from tests.support.rating import held, stored_trace

pytestmark = IN_BROWSER
DETAILED = 'mode="detailed"'


async def test_stars_are_shown_where_they_are_asked_for(ann: Visitor) -> None:
    """One group for each configured dimension in detailed mode, none otherwise."""
    rating = await ann.rating_of(stored_trace())
    await expect(up(rating)).to_be_enabled()
    await expect(rating.get_by_role("radiogroup")).to_have_count(0)
    await rating.evaluate("(element) => element.setAttribute('mode', 'detailed')")
    groups = rating.get_by_role("radiogroup")
    await expect(groups).to_have_count(3)
    names = [await groups.nth(number).get_attribute("aria-label") for number in range(3)]
    assert names == ["Accuracy", "Helpfulness", "Relevance"]
    await expect(stars(rating, "Accuracy")).to_have_count(5)
    await expect(stars(rating, "Accuracy").nth(3)).to_have_accessible_name("4 of 5 stars")


async def test_stars_are_saved_changed_read_back_and_withdrawn(ann: Visitor, host: Host) -> None:
    """Each dimension is a rating of its own; the same star, or the cross, takes it back."""
    trace_id = stored_trace()
    rating = await ann.rating_of(trace_id, DETAILED)
    await stars(rating, "Accuracy").nth(1).click()
    await saved(rating)
    await stars(rating, "Accuracy").nth(3).click()
    await saved(rating)
    await stars(rating, "Relevance").nth(4).click()
    await saved(rating)
    assert held(trace_id) == {"user_accuracy": 0.8, "user_relevance": 1.0}
    await rating.page.reload()
    await chosen(rating, "Accuracy", 4)
    await chosen(rating, "Relevance", 5)
    await chosen(rating, "Helpfulness", None)
    await pressed(up(rating), False)
    await stars(rating, "Accuracy").nth(3).click()
    await says(rating, "Rating withdrawn.")
    await chosen(rating, "Accuracy", None)
    clear = rating.get_by_role("button", name="Withdraw the stars: Relevance")
    await clear.click()
    await chosen(rating, "Relevance", None)
    await says(rating, "Rating withdrawn.")
    await expect(stars(rating, "Relevance").nth(4)).to_be_focused()
    assert held(trace_id) == {}
    assert [each.method for each in host.writes()] == ["POST", "POST", "POST", "DELETE", "DELETE"]


async def test_a_double_click_on_a_star_is_one_rating(ann: Visitor) -> None:
    """The second half does not take the first one back."""
    trace_id = stored_trace()
    rating = await ann.rating_of(trace_id, DETAILED)
    await stars(rating, "Helpfulness").nth(2).dblclick()
    await saved(rating)
    await chosen(rating, "Helpfulness", 3)
    assert held(trace_id) == {"user_helpfulness": 0.6}


async def test_stars_by_keyboard(ann: Visitor) -> None:
    """Arrows choose and move, space takes back, Tab goes to the next group and to the cross."""
    trace_id = stored_trace()
    rating = await ann.rating_of(trace_id, DETAILED)
    keyboard = rating.page.keyboard
    await stars(rating, "Accuracy").nth(0).focus()
    await keyboard.press("Space")
    await chosen(rating, "Accuracy", 1)
    for _ in range(3):
        await keyboard.press("ArrowRight")
    await chosen(rating, "Accuracy", 4)
    await expect(stars(rating, "Accuracy").nth(3)).to_be_focused()
    await keyboard.press("ArrowLeft")
    await chosen(rating, "Accuracy", 3)
    await saved(rating)
    assert held(trace_id) == {"user_accuracy": 0.6}
    await keyboard.press("Tab")
    clear = rating.get_by_role("button", name="Withdraw the stars: Accuracy")
    await expect(clear).to_be_focused()
    await keyboard.press("Tab")
    await expect(stars(rating, "Helpfulness").nth(0)).to_be_focused()
    await keyboard.press("Shift+Tab")
    await keyboard.press("Shift+Tab")
    await keyboard.press("Space")
    await chosen(rating, "Accuracy", None)
    await says(rating, "Rating withdrawn.")
    assert held(trace_id) == {}
