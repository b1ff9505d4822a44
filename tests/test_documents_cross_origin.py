"""docs/cross-origin.md: its server and its page, on two origins, in a real browser."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from playwright.async_api import Page, expect

from tests.support.adopter import running_adopter
from tests.support.documents import block, commands
from tests.support.serving import serving

DOCUMENT = "docs/cross-origin.md"
CHAT, AGENT = "https://chat.example.com", "https://my-agent.example.com"


@dataclass(frozen=True)
class Sites:
    """Where the documented agent is, and two origins that serve the documented page."""

    agent: str
    allowed: str
    other: str


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory, empty_mlflow_store: Path) -> Iterator[Sites]:
    """Serve the page at an allowed origin and at one that is not, and the agent elsewhere."""
    folder = tmp_path_factory.mktemp("two-sites")
    html: list[str] = []
    site = FastAPI()
    site.add_api_route("/", lambda: HTMLResponse(html[0]))
    (start,) = (command.line for command in commands(DOCUMENT))
    with serving(site) as other:
        allowed = other.replace("127.0.0.1", "localhost")
        with running_adopter(
            folder, empty_mlflow_store, server=DOCUMENT, start=start.replace(CHAT, allowed)
        ) as adopter:
            agent = f"http://{adopter.address}"
            html.append(block(DOCUMENT, "html", "<!doctype").replace(AGENT, agent))
            yield Sites(agent, allowed, other)


@pytest.mark.browser
async def test_a_page_elsewhere_asks_and_rates(sites: Sites, page: Page) -> None:
    """The answer is shown, rated and taken back from the allowed origin."""
    await page.goto(sites.allowed)
    await page.get_by_role("button", name="Ask").click()
    await expect(page.locator("#answer")).to_have_text("You said: Hello ")
    rating = page.locator("agent-feedback")
    thumb = rating.get_by_role("button", name="Good answer")
    await thumb.click()
    await expect(rating.get_by_role("status")).to_contain_text("Saved")
    trace_id = await rating.get_attribute("trace-id")
    assert ratings_of(sites, trace_id) == {"user_feedback": True}
    await thumb.click()
    await expect(thumb).to_have_attribute("aria-pressed", "false")
    await expect(rating.get_by_role("status")).to_contain_text("withdrawn")
    assert ratings_of(sites, trace_id) == {}


def ratings_of(sites: Sites, trace_id: str | None) -> dict[str, object]:
    """What the agent's server has of an answer's ratings, by name."""
    answer = httpx.get(f"{sites.agent}/feedback", params={"trace_id": trace_id or ""})
    return {rating["name"]: rating["value"] for rating in answer.json()}


@pytest.mark.browser
async def test_a_page_of_another_origin_can_do_neither(sites: Sites, page: Page) -> None:
    """Its question and its component are refused by the browser."""
    await page.goto(sites.other)
    ask = """async (url) => {
        try { return (await fetch(url, {method: "POST", body: "{}",
            headers: {"Content-Type": "application/json"}})).status;
        } catch { return "blocked"; }
    }"""
    for path in ("/invocations", "/feedback"):
        assert await page.evaluate(ask, sites.agent + path) == "blocked"
    assert await page.evaluate("customElements.get('agent-feedback')") is None


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_the_feedback_routes_answer_preflights_for_themselves(sites: Sites, method: str) -> None:
    """The host's own list of methods, which knows only POST, is not asked about ratings."""
    headers = {"origin": sites.allowed, "access-control-request-method": method}
    path = "/feedback/a-1" if method == "PATCH" else "/feedback"
    answer = httpx.options(sites.agent + path, headers=headers)
    assert answer.status_code == 200
    assert method in answer.headers["access-control-allow-methods"]
    asked = httpx.options(f"{sites.agent}/invocations", headers=headers)
    assert (asked.status_code == 200) is (method == "POST")
