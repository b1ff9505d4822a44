"""The component's parts, found as a person finds them: by role and name."""

from typing import Any

from playwright.async_api import Locator, expect


def up(rating: Locator) -> Locator:
    """Return the thumb for a good answer."""
    return rating.get_by_role("button", name="Good answer")


def down(rating: Locator) -> Locator:
    """Return the thumb for a bad answer."""
    return rating.get_by_role("button", name="Bad answer")


def comment(rating: Locator) -> Locator:
    """Return the field for a comment."""
    return rating.get_by_label("Comment")


def correction(rating: Locator) -> Locator:
    """Return the field for what the answer should have said."""
    return rating.get_by_label("What should it have said?")


def chip(rating: Locator, reason: str) -> Locator:
    """Return a reason's chip."""
    return rating.get_by_role("button", name=reason, exact=True)


def send(rating: Locator) -> Locator:
    """Return the button that sends what was written."""
    return rating.get_by_role("button", name="Send")


def more(rating: Locator) -> Locator:
    """Return the button that opens and closes the form."""
    return rating.locator(".more")


def discard(rating: Locator) -> Locator:
    """Return the button that discards what is typed."""
    return rating.get_by_role("button", name="Discard draft")


def undo(rating: Locator) -> Locator:
    """Return the button that brings back what was discarded."""
    return rating.get_by_role("button", name="Undo")


def withdraw_correction(rating: Locator) -> Locator:
    """Return the button that withdraws the correction that stands by itself."""
    return rating.get_by_role("button", name="Withdraw the correction")


def again(rating: Locator) -> Locator:
    """Return the button that tries again."""
    return rating.get_by_role("button", name="Try again")


def stars(rating: Locator, dimension: str) -> Locator:
    """Return the radios of a dimension."""
    return rating.get_by_role("radiogroup", name=dimension).get_by_role("radio")


async def ready(rating: Locator) -> None:
    """Wait until the component knows whom it belongs to and which ratings there are."""
    await expect(rating).to_be_attached()
    await rating.page.wait_for_load_state("networkidle")


async def says(rating: Locator, text: str) -> None:
    """Wait until the component's status says this."""
    await expect(rating.get_by_role("status")).to_have_text(text, timeout=15_000)


async def saved(rating: Locator) -> None:
    """Wait until everything is saved."""
    await says(rating, "Thank you. Saved.")


async def pressed(button: Locator, is_pressed: bool = True) -> None:
    """Wait until a button is pressed, or is not."""
    value = str(is_pressed).lower()
    await expect(button).to_have_attribute("aria-pressed", value, timeout=15_000)


async def state(rating: Locator) -> Any:
    """Return the component's state."""
    return await rating.evaluate("(element) => element.state")


async def chosen(rating: Locator, dimension: str, number: int | None) -> None:
    """Wait until a dimension has so many stars."""
    radios = stars(rating, dimension)
    if number is None:
        await expect(radios.and_(rating.locator(":checked"))).to_have_count(0)
    else:
        await expect(radios.nth(number - 1)).to_be_checked()
