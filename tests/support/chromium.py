"""The Chromium of this machine, driven by Playwright's own Python package."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright

# Debian's two builds of it. The one that has no window costs less than half of the other's work.
_BUILDS = (Path("/usr/bin/chromium-headless-shell"), Path("/usr/bin/chromium"))
EXECUTABLE = next((build for build in _BUILDS if build.exists()), _BUILDS[-1])
_MISSING = f"there is no {_BUILDS[0]} and no {_BUILDS[1]} on this machine"

# Tests run as root in a container (no sandbox, no GPU), and nothing may leave loopback:
# the others turn off what Chromium asks the outside for by itself.
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@asynccontextmanager
async def running_chromium() -> AsyncIterator[Browser]:
    """Run a headless Chromium with an empty profile until the end of the block."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=str(EXECUTABLE), args=list(_FLAGS)
        )
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def chromium_or_skip() -> AsyncIterator[Browser]:
    """Run a headless Chromium for tests, which are skipped where there is none."""
    if not EXECUTABLE.exists():
        pytest.skip(_MISSING)
    async with running_chromium() as browser:
        yield browser
