"""For everybody: keyboard, screen reader, colours, direction, motion, small screens."""

from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Locator, Page, expect

from tests.component.conftest import IN_BROWSER, Visitor, component
from tests.component.parts import (
    again,
    chip,
    chosen,
    comment,
    correction,
    down,
    pressed,
    saved,
    says,
    send,
    stars,
    up,
)
from tests.support.rating import BOB, held, stored_trace

pytestmark = IN_BROWSER

EVERYTHING = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


async def violations(page: Page) -> list[str]:
    """Let axe-core check the page; target size is a rule that it leaves out by itself."""
    options = EVERYTHING | {
        "rules": {"target-size": {"enabled": True}, "region": {"enabled": True}}
    }
    found = (await Axe().run(page, options=options)).response["violations"]
    return [f"{each['id']}: {[node['html'] for node in each['nodes']]}" for each in found]


async def focused(rating: Locator) -> Any:
    """Return the name, or text, of what has the focus inside the component."""
    return await rating.evaluate(
        "({ shadowRoot: { activeElement: at } }) => at && (at.ariaLabel || at.textContent.trim())"
    )


async def in_every_state(ann: Visitor) -> Page:
    """Open a page on which components are in all their states at once."""
    ann.may_lose_network = True
    page = await ann.open(
        "<h1>Answers</h1><agent-feedback></agent-feedback>"
        '<agent-feedback unavailable trace-id="tr-1"></agent-feedback>'
        + component(stored_trace())
        + component(stored_trace(), 'mode="detailed"')
        + component(stored_trace(BOB))
        + component(stored_trace())
        + component(stored_trace())
        + component(stored_trace())
        + component(stored_trace())
    )
    ratings = page.locator("agent-feedback")
    good, detailed, failed, waiting, closed, kept, drafted = (
        ratings.nth(number) for number in range(2, 9)
    )
    await up(good).click()
    await chip(good, "Correct").click()
    await down(detailed).click()
    await chip(detailed, "Incorrect").click()
    await stars(detailed, "Accuracy").nth(3).click()
    await up(failed).click()
    await up(closed).click()
    await comment(closed).fill("Nice.")
    await send(closed).click()
    await down(kept).click()
    await correction(kept).fill("Better so. " * 200)
    await send(kept).click()
    await down(drafted).click()
    await comment(drafted).fill("Not sent.")
    for rating in (good, detailed, closed, kept, drafted):
        await saved(rating)
    await down(kept).click()
    await says(kept, "Rating withdrawn. Your correction stays.")
    await expect(again(failed)).to_be_visible()
    await ann.context.set_offline(True)
    await down(waiting).click()
    await expect(again(waiting)).to_be_visible()
    await ann.context.set_offline(False)
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing(visit: Any, scheme: str) -> None:
    """No rule of WCAG 2.2 AA that a machine can check is broken, in any state."""
    ann: Visitor = await visit(color_scheme=scheme, reduced_motion="reduce")
    page = await in_every_state(ann)
    assert await violations(page) == []


async def test_axe_would_find_something(ann: Visitor) -> None:
    """The check sees inside the component: a grey on white of our own making is found."""
    page = await ann.open(component(stored_trace(), "unavailable"))
    await page.evaluate(
        "document.documentElement.style.setProperty('--agent-feedback-muted-color', '#bbb')"
    )
    assert any("color-contrast" in each for each in await violations(page))


async def say_all_by_keyboard(rating: Locator) -> None:
    """Rate, choose a reason, write both texts and send them; the focus ends where it goes on."""
    press = rating.page.keyboard.press
    await expect(up(rating)).to_be_enabled()
    await press("Tab")
    await press("Tab")
    assert await focused(rating) == "Bad answer"
    await press("Enter")
    await saved(rating)
    assert await focused(rating) == "Bad answer"
    await press("Tab")
    await press("Tab")
    assert await focused(rating) == "Incorrect"
    await press("Space")
    await pressed(chip(rating, "Incorrect"))
    for _ in range(5):
        await press("Tab")
    await expect(comment(rating)).to_be_focused()
    await rating.page.keyboard.type("Too short.")
    await press("Tab")
    await rating.page.keyboard.type("Longer.")
    await press("Control+Enter")
    await expect(correction(rating)).to_be_hidden()
    assert await focused(rating) == "Edit details"
    await saved(rating)


async def test_keyboard_only(ann: Visitor) -> None:
    """From the first Tab to the correction: no mouse, and the focus is never lost."""
    trace_id = stored_trace()
    rating = await ann.rating_of(trace_id)
    await say_all_by_keyboard(rating)
    assert held(trace_id) == {"user_feedback": False, "expected_response": "Longer."}
    press = rating.page.keyboard.press
    await press("Enter")
    await expect(correction(rating)).to_be_visible()
    assert await focused(rating) == "Close"
    await press("Tab")
    await press("Escape")
    await expect(correction(rating)).to_be_hidden()
    assert await focused(rating) == "Edit details"
    await press("Shift+Tab")
    await press("Space")
    await says(rating, "Rating withdrawn. Your correction stays.")
    assert await focused(rating) == "Bad answer"
    await press("Tab")
    assert await focused(rating) == "Withdraw the correction"
    await press("Enter")
    await says(rating, "Rating withdrawn.")
    assert await focused(rating) == "Good answer"


async def test_the_focus_moves_on_when_its_element_goes(ann: Visitor) -> None:
    """Withdrawn by the page, or tried again: who was in there goes on where they can."""
    rating = await ann.rating_of(stored_trace())
    await down(rating).click()
    await saved(rating)
    await comment(rating).focus()
    await rating.evaluate("(element) => element.withdraw()")
    await expect(up(rating)).to_be_focused()
    ann.may_lose_network = True
    await rating.page.route("**/feedback", lambda route: route.fulfill(status=500), times=1)
    await up(rating).click()
    await again(rating).focus()
    await rating.page.keyboard.press("Enter")
    await saved(rating)
    assert await focused(rating) is not None


async def test_what_a_screen_reader_hears(ann: Visitor) -> None:
    """Groups, names and states are there, and one polite live region that is never taken out."""
    rating = await ann.rating_of(stored_trace(), 'mode="detailed"')
    await down(rating).click()
    await saved(rating)
    group = rating.get_by_role("group", name="Rate this answer")
    await expect(group).to_have_attribute("lang", "en")
    await expect(group.get_by_role("group", name="What was wrong?")).to_be_visible()
    await expect(group.get_by_role("radiogroup", name="Accuracy")).to_be_visible()
    await expect(group.get_by_role("status")).to_have_count(1)
    more = rating.get_by_role("button", name="Close")
    await expect(more).to_have_attribute("aria-expanded", "true")
    await more.click()
    await expect(rating.get_by_role("button", name="Add details")).to_have_attribute(
        "aria-expanded", "false"
    )


async def test_targets_are_large_enough_on_a_phone(visit: Any) -> None:
    """360 pixels wide: nothing is cut off, and whatever is to be touched is 24 pixels or more."""
    phone: Visitor = await visit(
        viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True
    )
    rating = await phone.rating_of(stored_trace(), 'mode="detailed"')
    await down(rating).tap()
    await stars(rating, "Accuracy").nth(2).tap()
    await saved(rating)
    targets = rating.locator("button:visible, input:visible, textarea:visible")
    assert await targets.count() > 15
    for target in await targets.all():
        box = await target.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 24
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert await rating.page.evaluate(overflow) <= 0


async def test_right_to_left(ann: Visitor) -> None:
    """In an Arabic page it begins at the right, and the left arrow adds a star."""
    page = await ann.open(component(stored_trace(), 'mode="detailed"'), attributes=' dir="rtl"')
    rating = page.locator("agent-feedback")
    boxes = [await each.bounding_box() for each in (up(rating), down(rating))]
    assert boxes[0] is not None
    assert boxes[1] is not None
    assert boxes[0]["x"] > boxes[1]["x"] > 640
    await stars(rating, "Accuracy").nth(1).click()
    await page.keyboard.press("ArrowLeft")
    await chosen(rating, "Accuracy", 3)
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("ArrowRight")
    await chosen(rating, "Accuracy", 1)
    await saved(rating)


@pytest.mark.parametrize("wish", ["reduce", "no-preference"])
async def test_motion_is_for_those_who_want_it(visit: Any, wish: str) -> None:
    """With reduced motion nothing moves at all."""
    ann: Visitor = await visit(reduced_motion=wish)
    rating = await ann.rating_of(stored_trace())
    await up(rating).click()
    moving = await rating.evaluate(
        """({ shadowRoot }) => [...shadowRoot.querySelectorAll("*")].map(getComputedStyle)
          .filter((style) => style.animationName !== "none" || style.transitionDuration !== "0s")
          .length"""
    )
    assert (moving > 0) is (wish == "no-preference")


async def test_pages_can_style_it(ann: Visitor) -> None:
    """Custom properties and parts reach inside; colours follow the page's own scheme."""
    rating = await ann.rating_of(stored_trace())
    await rating.evaluate(
        """(element) => {
          const sheet = new CSSStyleSheet();
          sheet.replaceSync(`
            agent-feedback { --agent-feedback-accent-color: rgb(200, 0, 100); }
            agent-feedback::part(thumb) { border-radius: 50%; }
            .dark { color-scheme: dark; background: #111; color: #eee; }`);
          document.adoptedStyleSheets.push(sheet);
        }"""
    )
    await up(rating).click()
    await saved(rating)
    style = "(node) => { const s = getComputedStyle(node); return [s.color, s.borderRadius]; }"
    assert await up(rating).evaluate(style) == ["rgb(200, 0, 100)", "50%"]
    await rating.evaluate("(element) => element.parentElement.classList.add('dark')")
    label = rating.locator(".status")
    assert await label.evaluate("(node) => getComputedStyle(node).colorScheme") == "dark"
