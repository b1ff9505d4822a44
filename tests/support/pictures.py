"""Makes the documentation's pictures from the running app: `make pictures`."""

import asyncio
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.async_api import Browser, Page, ViewportSize, expect

from tests.support.chromium import running_chromium
from tests.support.example_app import PROJECT, running_example_app
from tests.support.mlflow_store import create_empty_store

IMAGES = PROJECT / "docs" / "images"

_QUESTION = "What happens to a rating while MLflow is away?"
_FOLLOW_UP = "Can I undo it?"
_PATIENCE_MS = 60_000


@dataclass(frozen=True)
class Picture:
    """One view of the chat."""

    scheme: Literal["light", "dark"]
    size: ViewportSize
    detailed: bool = False


PICTURES: Mapping[str, Picture] = {
    "chat.png": Picture("light", {"width": 960, "height": 1070}),
    "chat-dark.png": Picture("dark", {"width": 960, "height": 1070}),
    "chat-phone.png": Picture("light", {"width": 390, "height": 844}, detailed=True),
}


async def take(browser: Browser, url: str, picture: Picture, path: Path) -> None:
    """Ask twice, rate both answers, and take the picture."""
    context = await browser.new_context(
        viewport=picture.size,
        color_scheme=picture.scheme,
        device_scale_factor=1.5,
        # The one thing that is not as people see it: see `_hide_scrollbar`.
        bypass_csp=True,
    )
    page = await context.new_page()
    await page.goto(url)
    await _ask(page, _QUESTION)
    await page.get_by_role("button", name="Good answer").click()
    await page.get_by_role("button", name="Close", exact=True).click()
    await _ask(page, _FOLLOW_UP)
    turn = page.get_by_role("article").last
    await turn.get_by_role("button", name="Bad answer").click()
    await turn.get_by_role("button", name="Incomplete").click()
    await turn.get_by_label("Comment").fill("How would a program do it?")
    if picture.detailed:
        await page.get_by_role("button", name="Stars", exact=True).click()
        await turn.get_by_role("radio").nth(3).check()
    await expect(turn.get_by_role("status")).to_contain_text("Saved")
    # Not the field that was filled last: nobody is typing.
    await page.get_by_label("Your question").focus()
    await _hide_scrollbar(page)
    await page.mouse.move(0, 0)
    await page.screenshot(path=path)
    await context.close()


async def _ask(page: Page, question: str) -> None:
    before = await page.locator("agent-feedback[trace-id]").count()
    await page.get_by_label("Your question").fill(question)
    await page.keyboard.press("Enter")
    await expect(page.locator("agent-feedback[trace-id]")).to_have_count(before + 1)


async def _hide_scrollbar(page: Page) -> None:
    """A picture needs no room for a scrollbar."""
    await page.add_style_tag(content="html { scrollbar-gutter: auto; scrollbar-width: none; }")


async def take_all(url: str) -> None:
    """Take each picture with a browser that has never seen the app."""
    expect.set_options(timeout=_PATIENCE_MS)
    IMAGES.mkdir(parents=True, exist_ok=True)
    async with running_chromium() as browser:
        for name, picture in PICTURES.items():
            await take(browser, url, picture, IMAGES / name)


def main() -> None:
    """Run the app in an empty folder and take each picture."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = create_empty_store(folder / "empty.db")
        # Fast: nobody watches.
        with running_example_app(folder / "app", store, AGENT_APP_WORDS_PER_SECOND="0") as app:
            asyncio.run(take_all(app.url))


if __name__ == "__main__":
    main()
