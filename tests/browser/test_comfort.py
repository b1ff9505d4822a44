"""For everybody: small screens, keyboards, screen readers, dark mode."""

from typing import Literal

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, ViewportSize, expect

from tests.browser.chat import Chat, is_saved, rate, thumb
from tests.support.fake_model import FakeModel

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

PHONE: ViewportSize = {"width": 360, "height": 640}
LONG = (
    "Here is `a_name_that_is_longer_than_any_phone_is_wide_and_has_no_place_to_break_it`.\n\n"
    "```python\nfeedback.submit(trace_id=trace_id, value=True, user_id='ann@example.com')\n```\n\n"
    "| setting | default | meaning |\n|---|---|---|\n"
    "| `user_id_source` | `x-forwarded-email` | who |\n"
)


async def violations_of(page: Page) -> list[str]:
    """What axe-core finds on the page as it is, each rule with the first element that breaks it."""
    # WCAG 2.2's size of targets is a rule that axe leaves out by itself.
    found = await Axe().run(page, options={"rules": {"target-size": {"enabled": True}}})
    return [
        f"{violation['id']}: {violation['help']}: {violation['nodes'][0]['html']}"
        for violation in found.response["violations"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing(
    chat: Chat, model: FakeModel, scheme: Literal["light", "dark"]
) -> None:
    """No view of the page, in light or dark, wide or small, breaks a rule of axe-core."""
    page = chat.page
    await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    await chat.open()
    found = {"welcome": await violations_of(page)}
    model.tokens = [LONG]
    turn, _ = await chat.ask("How?")
    await thumb(turn, "Bad answer").click()
    model.refuses = True
    failed, _ = await chat.ask("How?")
    await rate(failed)
    found["answers"] = await violations_of(page)
    await page.set_viewport_size(PHONE)
    found["phone"] = await violations_of(page)
    await chat.button("Stars").click()
    found["detailed"] = await violations_of(page)
    await chat.button("History").click()
    found["history"] = await violations_of(page)
    await page.goto(f"{chat.url}/sources/README.md")
    found["source"] = await violations_of(page)
    assert found == {view: [] for view in found}


async def test_it_fits_a_phone(chat: Chat, model: FakeModel) -> None:
    """At 360 pixels nothing scrolls sideways but code and tables, and targets can be hit."""
    page = chat.page
    await page.set_viewport_size(PHONE)
    model.tokens = [LONG]
    turn, _ = await chat.ask("A question_with_a_name_that_is_longer_than_any_phone_is_wide?")
    await rate(turn, "Bad answer")
    await chat.button("Stars").click()
    await expect(turn.get_by_role("radiogroup").first).to_be_visible()
    root = "document.documentElement"
    assert await page.evaluate(f"{root}.scrollWidth - {root}.clientWidth") <= 0
    for control in await page.locator("button:visible, a.quiet:visible").all():
        box = await control.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 24
        assert 0 <= box["x"] <= PHONE["width"] - box["width"], await control.text_content()
    await chat.button("History").click()
    panel = await page.get_by_role("dialog").bounding_box()
    assert panel is not None
    assert panel["width"] <= PHONE["width"]


async def test_the_keyboard_is_enough(chat: Chat, model: FakeModel) -> None:
    """Ask, rate, comment, open an earlier chat and start a new one without a pointer."""
    page = chat.page
    await chat.open()
    await expect(page.get_by_label("Your question")).to_be_focused()
    await page.keyboard.type("First line")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("second line?")
    await page.keyboard.press("Enter")
    turn = chat.turns.first
    await expect(turn.locator(".question")).to_have_text("First line\nsecond line?")
    await expect(thumb(turn)).to_be_enabled()
    await reach(page, "Good answer", backwards=True)
    await page.keyboard.press("Space")
    await expect(thumb(turn)).to_have_attribute("aria-pressed", "true")

    await reach(page, "New chat", backwards=True)
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("Your question")).to_be_focused()
    await reach(page, "History", backwards=True)
    await page.keyboard.press("Enter")
    panel = page.get_by_role("dialog")
    await expect(panel).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(panel).to_be_hidden()
    await expect(chat.button("History")).to_be_focused()
    await page.keyboard.press("Enter")
    await reach(page, "First line")
    await page.keyboard.press("Enter")
    await expect(turn.locator(".question")).to_have_text("First line\nsecond line?")


async def reach(page: Page, name: str, *, backwards: bool = False) -> None:
    """Press Tab until the control whose name begins like this has the focus, and can be seen."""
    for _ in range(40):
        await page.keyboard.press("Shift+Tab" if backwards else "Tab")
        focused = await page.evaluate(
            """() => {
              let focused = document.activeElement;
              while (focused?.shadowRoot?.activeElement) focused = focused.shadowRoot.activeElement;
              const { outlineStyle, outlineWidth } = getComputedStyle(focused);
              const name = focused.getAttribute("aria-label") || focused.textContent;
              return { name: name.trim(), ring: outlineStyle !== "none" && outlineWidth !== "0px" };
            }"""
        )
        if focused["name"].startswith(name):
            assert focused["ring"], f"{name} has the focus and does not show it"
            return
    raise AssertionError(f"Tab does not reach {name!r}")


async def test_the_newest_text_stays_in_view_unless_one_reads_above(
    chat: Chat, model: FakeModel
) -> None:
    """The page follows a growing answer, and stands still for a person who has scrolled up."""
    page = chat.page
    await page.set_viewport_size(PHONE)
    model.tokens = [f"Paragraph {number}.\n\n" for number in range(60)]
    model.hesitates_after = 30
    turn = await chat.begin("How?")
    await expect(turn.get_by_text("Paragraph 29.")).to_be_in_viewport()
    await page.mouse.move(180, 300)
    await page.mouse.wheel(0, -10_000)
    await expect(turn.locator(".question")).to_be_in_viewport()
    model.go_on.set()
    await expect(turn.get_by_text("Paragraph 59.")).to_be_attached()
    await expect(thumb(turn)).to_be_enabled()
    await expect(turn.locator(".question")).to_be_in_viewport()


async def test_what_a_rating_says_covers_no_button(chat: Chat, problems: list[str]) -> None:
    """The longest that the first line of a rating says leaves the buttons beside it free."""
    turn, _ = await chat.ask("How?")
    await rate(turn, "Bad answer")
    await chat.page.context.set_offline(True)
    await thumb(turn).click()
    await turn.get_by_role("button", name="Try again").click(trial=True)
    await turn.get_by_role("button", name="Copy").click(trial=True)
    await chat.page.context.set_offline(False)
    await is_saved(turn)
    assert [each for each in problems if "ERR_INTERNET_DISCONNECTED" not in each] == []
    problems.clear()


@pytest.mark.parametrize("width", [390, 1280])
async def test_the_bar_above_reaches_the_edge_and_says_what_it_does(chat: Chat, width: int) -> None:
    """The header's line spans the window; the star has a label, and the title its whole text."""
    page = chat.page
    await page.set_viewport_size({"width": width, "height": 844})
    await chat.open()
    header = await page.get_by_role("banner").bounding_box()
    assert header is not None
    assert (header["x"], header["width"]) == (0, width)
    label = await chat.button("Stars").get_by_text("Stars").bounding_box()
    assert label is not None
    assert label["width"] > 24
    cut = "title => title.scrollWidth - title.clientWidth"
    assert await page.get_by_role("heading", level=1).locator("span").evaluate(cut) <= 0


async def test_parts_of_a_rating_stand_apart_on_a_phone(chat: Chat) -> None:
    """What a rating says keeps its distance from the thumbs, and the stars from what it says."""
    page = chat.page
    await page.set_viewport_size({"width": 390, "height": 844})
    turn, _ = await chat.ask("How?")
    await rate(turn, "Bad answer")
    await chat.button("Stars").click()
    stars = await turn.get_by_role("radiogroup").first.bounding_box()
    thumbs = await thumb(turn).bounding_box()
    status = await turn.get_by_role("status").bounding_box()
    assert stars is not None
    assert thumbs is not None
    assert status is not None
    below_status = status["y"] + status["height"]
    assert stars["y"] - below_status >= 10
    if status["y"] > thumbs["y"] + thumbs["height"]:
        assert status["y"] - thumbs["y"] - thumbs["height"] >= 8
    assert stars["y"] - thumbs["y"] - thumbs["height"] >= 10
