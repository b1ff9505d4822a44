"""What the headers allow browsers: which sites may use the routes, and that nothing is cached."""

from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from playwright.async_api import Page
from starlette.middleware.cors import CORSMiddleware

from agent_feedback import AgentFeedback
from tests.conftest import Serve
from tests.support.rating import OpenSite, Site, held, settings_in, stored_trace

pytestmark = pytest.mark.usefixtures("tracking")

CHAT = "https://chat.example.com"
OTHERS = ("https://evil.example", "https://x.chat.example.com", "http://chat.example.com", "null")


def preflight(site: Site, origin: str, method: str = "POST", path: str = "") -> httpx.Response:
    """Ask as a browser does before it sends a rating to another site."""
    headers = {
        "origin": origin,
        "access-control-request-method": method,
        "access-control-request-headers": "content-type",
    }
    return site.client.options(f"/feedback{path}", headers=headers)


def cors(answer: httpx.Response) -> dict[str, str]:
    """Pick what CORS says in an answer."""
    return {name: value for name, value in answer.headers.items() if name.startswith("access-")}


@pytest.mark.parametrize(
    ("method", "path"), [("POST", ""), ("POST", "/detailed"), ("PATCH", "/a-1"), ("DELETE", "")]
)
def test_an_allowed_site_passes_its_preflight(open_site: OpenSite, method: str, path: str) -> None:
    """It is told its own origin, never a wildcard, since credentials go along."""
    site = open_site(allowed_origins=(CHAT,), require_user=True)
    answer = preflight(site, CHAT, method, path)
    assert answer.status_code == 200
    headers = cors(answer)
    assert headers["access-control-allow-origin"] == CHAT
    assert headers["access-control-allow-credentials"] == "true"
    assert method in headers["access-control-allow-methods"]
    assert "Content-Type" in headers["access-control-allow-headers"]
    assert "*" not in "".join(headers.values())
    assert "Origin" in answer.headers["vary"]


def test_an_allowed_site_reads_its_answers(open_site: OpenSite) -> None:
    """Successes and refusals alike: its page can tell its person what happened."""
    site = open_site(allowed_origins=("https://CHAT.example.com",))
    headers = {"origin": CHAT, "sec-fetch-site": "cross-site"}
    trace_id = stored_trace()
    for body, status in (({"trace_id": trace_id, "value": True}, 201), ({}, 422)):
        answer = site.post(body, headers=headers)
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == CHAT
        assert "Origin" in answer.headers["vary"]
    assert held(trace_id) == {"user_feedback": True}


@pytest.mark.parametrize("origin", OTHERS)
def test_no_other_site_is_told_anything(open_site: OpenSite, origin: str) -> None:
    """Neither in a preflight nor in an answer, which caches are told to keep apart."""
    site = open_site(allowed_origins=(CHAT,))
    asked = preflight(site, origin)
    assert asked.status_code == 405
    read = site.ask("GET", params={"trace_id": stored_trace()}, headers={"origin": origin})
    assert read.status_code == 200
    for answer in (asked, read):
        assert cors(answer) == {}
        assert answer.headers["vary"] == "Origin"


def test_without_the_setting_no_site_is_told_anything(site: Site) -> None:
    """By default there is no CORS at all."""
    assert preflight(site, CHAT).status_code == 405
    answer = site.ask("GET", "/settings", headers={"origin": CHAT})
    assert cors(answer) == {}
    assert "vary" not in answer.headers


def test_nothing_personal_is_kept_by_caches(site: Site) -> None:
    """Answers are one person's; the script is the same for all and asks whether it is new."""
    trace_id = stored_trace()
    for answer in (
        site.ask("GET", params={"trace_id": trace_id}),
        site.post({"trace_id": trace_id, "value": True}),
        site.post({}),
    ):
        assert "no-store" in answer.headers["cache-control"]
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert site.ask("GET", "/agent-feedback.js").headers["cache-control"] == "no-cache"


def test_other_routes_are_left_alone(serve: Serve, tmp_path: Path) -> None:
    """The app's own routes and its own CORS stay what they were; ours is no wider for it."""
    app = FastAPI()
    app.add_middleware(CORSMiddleware, allow_origins=["https://other.example"])
    app.get("/feedbacks")(lambda: "mine")
    settings = settings_in(tmp_path, allowed_origins=(CHAT,))
    AgentFeedback(settings).mount(app)
    url = serve(app)
    for origin, allowed in (("https://other.example", True), (CHAT, False)):
        answer = httpx.get(f"{url}/feedbacks", headers={"origin": origin})
        assert ("access-control-allow-origin" in answer.headers) is allowed
        assert "cache-control" not in answer.headers
    answer = httpx.get(f"{url}/feedback/settings", headers={"origin": CHAT})
    assert answer.headers["access-control-allow-origin"] == CHAT


@pytest.mark.browser
@pytest.mark.parametrize("is_allowed", [True, False])
async def test_a_browser_rates_from_an_allowed_site_only(
    open_site: OpenSite, serve: Serve, page: Page, is_allowed: bool
) -> None:
    """A real Chromium on a page of another origin: only the setting lets its rating in."""
    elsewhere = serve(_blank_page())
    site = open_site(allowed_origins=(elsewhere,) if is_allowed else ())
    trace_id = stored_trace("anonymous")
    await page.goto(elsewhere)
    rate = """async ([url, trace]) => {
        try {
            const answer = await fetch(url + "/feedback", {
                method: "POST", credentials: "include",
                headers: {"Content-Type": "application/json"},
                body: JSON.stringify({trace_id: trace, value: true}),
            });
            return answer.status;
        } catch { return "blocked"; }
    }"""
    assert await page.evaluate(rate, [site.url, trace_id]) == (201 if is_allowed else "blocked")
    simple = """async ([url, trace]) => (await fetch(url + "/feedback", {
        method: "POST", mode: "no-cors", headers: {"Content-Type": "text/plain"},
        body: JSON.stringify({trace_id: trace, value: false}),
    })).type"""
    assert await page.evaluate(simple, [site.url, trace_id]) == "opaque"
    assert held(trace_id) == ({"user_feedback": True} if is_allowed else {})


def _blank_page() -> FastAPI:
    app = FastAPI()
    app.get("/")(lambda: "another site")
    return app
