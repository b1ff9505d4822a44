"""Makes the documentation's pictures from the running app: `python -m tests.support.pictures`."""

import asyncio
import tempfile
from pathlib import Path

from playwright.async_api import expect

from tests.support.chromium import running_chromium
from tests.support.example_app import PROJECT, running_example_app
from tests.support.mlflow_store import create_empty_store

CHAT = PROJECT / "docs" / "images" / "chat.png"
_QUESTION = "How do I add feedback to my agent?"


async def take_chat(url: str, path: Path) -> None:
    """Ask, wait for the answer, rate it, and take the picture."""
    async with running_chromium() as browser:
        page = await browser.new_page(
            viewport={"width": 960, "height": 810}, device_scale_factor=1.5, bypass_csp=True
        )
        await page.goto(url)
        await page.get_by_label("Your question").fill(_QUESTION)
        await page.keyboard.press("Enter")
        up = page.get_by_role("button", name="Good answer")
        await expect(up).to_be_enabled(timeout=30_000)
        await up.click()
        await expect(page.get_by_role("status")).to_contain_text("Saved")
        await page.mouse.move(0, 0)
        path.parent.mkdir(parents=True, exist_ok=True)
        # A picture needs no room for a scrollbar.
        await page.add_style_tag(content="html { scrollbar-gutter: auto; scrollbar-width: none; }")
        await page.screenshot(path=path)


def main() -> None:
    """Run the app in an empty folder and take each picture."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = create_empty_store(folder / "empty.db")
        with running_example_app(folder / "app", store) as app:
            asyncio.run(take_chat(app.url, CHAT))


if __name__ == "__main__":
    main()
