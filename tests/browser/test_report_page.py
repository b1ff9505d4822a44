"""The report's page, in a browser: for everybody, on every screen, and on paper."""

from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, ViewportSize

from agent_feedback.insight.content.report_values import Report
from agent_feedback.insight.formats.html import as_html
from tests.insight import sample_reports

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

DESK: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
REPORTS = {
    "sample": sample_reports.sample_report(),
    "empty": sample_reports.empty_report(),
    "nothing": sample_reports.empty_report(0),
    "thin": sample_reports.thin_report(),
    "large": sample_reports.large_report(),
    "hostile": sample_reports.hostile_report(),
    "unencodable": sample_reports.unencodable_report(),
    "few people": sample_reports.few_people_report(),
}


async def opened(page: Page, report: Report, folder: Path) -> None:
    """Open a report as somebody does who got it by mail: from a file."""
    file = folder / "report.html"
    file.write_text(as_html(report, min_count=30), encoding="utf-8")
    await page.goto(file.as_uri())


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", sorted(REPORTS.keys() - {"large"}))  # more of the same
async def test_axe_finds_nothing(
    page: Page, tmp_path: Path, name: str, scheme: Literal["light", "dark"]
) -> None:
    """No rule of axe-core is broken, light or dark, wide or small; the policy forbids nothing."""
    await page.emulate_media(color_scheme=scheme)
    for size in (DESK, PHONE):
        await page.set_viewport_size(size)
        await opened(page, REPORTS[name], tmp_path)
        found = await Axe().run(page, options={"rules": {"target-size": {"enabled": True}}})
        assert [
            (each["id"], each["nodes"][0]["html"]) for each in found.response["violations"]
        ] == []


@pytest.mark.parametrize("width", [320, 390, 700, 1280])
@pytest.mark.parametrize("name", REPORTS)
async def test_the_page_never_scrolls_sideways(
    page: Page, tmp_path: Path, name: str, width: int
) -> None:
    """Tables do, within themselves, and charts shrink; a chart's letters stay readable."""
    await page.set_viewport_size({"width": width, "height": 844})
    await opened(page, REPORTS[name], tmp_path)
    root = "document.documentElement"
    assert await page.evaluate(f"{root}.scrollWidth - {root}.clientWidth") <= 0
    heights = await page.evaluate(
        """[...document.querySelectorAll("svg.chart text")].filter((text) => text.checkVisibility())
          .map((text) => text.getBoundingClientRect().height)"""
    )
    assert min(heights, default=99) >= 10


async def test_charts_follow_light_and_dark(page: Page, tmp_path: Path) -> None:
    """The line of the trend has the accent of the scheme, and paper is always light."""
    await opened(page, REPORTS["sample"], tmp_path)
    accent = """getComputedStyle(
        document.querySelector(".wide svg [style*='--accent']")).getPropertyValue("stroke")"""
    paper = "getComputedStyle(document.body).backgroundColor"
    seen = []
    for media, scheme in (("screen", "light"), ("screen", "dark"), ("print", "dark")):
        await page.emulate_media(media=media, color_scheme=scheme)  # type: ignore[arg-type]
        seen.append((await page.evaluate(accent), await page.evaluate(paper)))
    light, dark, printed = seen
    assert light != dark
    assert printed == light


async def test_it_asks_nobody_for_anything(page: Page, tmp_path: Path) -> None:
    """The file is all that is read."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await opened(page, REPORTS["sample"], tmp_path)
    await page.wait_for_load_state("networkidle")
    assert asked == [(tmp_path / "report.html").as_uri()]


async def test_all_of_it_is_on_paper(page: Page, tmp_path: Path) -> None:
    """What scrolls on a screen is printed whole: the last day of ninety, the last group."""
    await page.set_viewport_size({"width": 680, "height": 1_000})
    await page.emulate_media(media="print")
    await opened(page, REPORTS["large"], tmp_path)
    hidden = await page.evaluate(
        """[...document.querySelectorAll(".scroll")].filter((box) =>
          box.scrollHeight > box.clientHeight + 1 || getComputedStyle(box).overflowX !== "visible"
          ).length"""
    )
    assert hidden == 0
    wide = await page.evaluate(
        """[...document.querySelectorAll("table")]
          .filter((table) => table.getBoundingClientRect().right > innerWidth)
          .map((table) => table.textContent.slice(0, 80))"""
    )
    assert wide == []
    pdf = await page.pdf(prefer_css_page_size=True)
    assert pdf.startswith(b"%PDF")
