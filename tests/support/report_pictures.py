"""Makes the documentation's pictures of the report, from three weeks of realistic ratings."""

import asyncio
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import mlflow
from playwright.async_api import Browser, ViewportSize

from agent_feedback.insight import report
from tests.insight.mlflow_rows import store_traces
from tests.insight.realistic import realistic_traces
from tests.support.chromium import running_chromium
from tests.support.example_app import PROJECT
from tests.support.mlflow_store import create_empty_store

IMAGES = PROJECT / "docs" / "images"

_UNTIL = 1_772_409_600_000
_UNTIL_ISO = "2026-03-02T00:00:00Z"
_SIZE: ViewportSize = {"width": 1120, "height": 1560}
PICTURES: Mapping[str, Literal["light", "dark"]] = {
    "report.png": "light",
    "report-dark.png": "dark",
}


def page_of(folder: Path) -> str:
    """Store the ratings in a folder and return the report's page."""
    store = create_empty_store(folder / "mlflow.db")
    mlflow.set_tracking_uri(f"sqlite:///{store}")
    experiment = mlflow.create_experiment("support-agent", artifact_location=str(folder))
    store_traces(f"sqlite:///{store}", experiment, realistic_traces(_UNTIL))
    made = report(
        experiments=["support-agent"],
        since="10d",
        until=_UNTIL_ISO,
        by="version",
        compare="version=m-1..m-2",
    )
    return made.to_html()


async def take(browser: Browser, html: str, scheme: Literal["light", "dark"], path: Path) -> None:
    """Take the picture of the page's beginning."""
    context = await browser.new_context(
        viewport=_SIZE, color_scheme=scheme, device_scale_factor=1.5
    )
    page = await context.new_page()
    await page.set_content(html)
    await page.screenshot(path=path)
    await context.close()


async def take_all(html: str) -> None:
    """Take each picture."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    async with running_chromium() as browser:
        for name, scheme in PICTURES.items():
            await take(browser, html, scheme, IMAGES / name)


def main() -> None:
    """Make the report in an empty folder and take each picture."""
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(take_all(page_of(Path(name))))


if __name__ == "__main__":
    main()
