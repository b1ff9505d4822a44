"""What is refused whoever asks: from another site, too much at once, and what cannot be kept."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from agent_feedback.ledger import database
from tests.support.rating import ANN, BOB, OpenSite, Site, held, stored_trace
from tests.web.test_refusals import comes_back, refused

pytestmark = pytest.mark.usefixtures("tracking")

HERE = "app.example.com"
SITES: dict[str, tuple[dict[str, str], bool]] = {
    "no browser": ({}, True),
    "the same origin": ({"sec-fetch-site": "same-origin"}, True),
    "typed by the person": ({"sec-fetch-site": "none"}, True),
    "another app of the same domain": ({"sec-fetch-site": "same-site"}, False),
    "another site": ({"sec-fetch-site": "cross-site"}, False),
    "an unknown word": ({"sec-fetch-site": "friendly"}, False),
    "another site with our origin": (
        {"sec-fetch-site": "cross-site", "origin": f"https://{HERE}"},
        False,
    ),
    "our origin": ({"origin": f"https://{HERE}"}, True),
    "our origin in capitals": ({"origin": f"https://{HERE.upper()}"}, True),
    "another origin": ({"origin": "https://evil.example"}, False),
    "an origin that begins like ours": ({"origin": f"https://{HERE}.evil.example"}, False),
    "another port": ({"origin": f"https://{HERE}:8443"}, False),
    "a sandboxed page": ({"origin": "null"}, False),
    "an empty origin": ({"origin": ""}, False),
    "an origin that is no address": ({"origin": "https://[::1"}, False),
    "our origin with a path": ({"origin": f"https://{HERE}/x"}, False),
    "our origin as somebody's": ({"origin": f"https://{HERE}@evil.example"}, False),
    "our origin behind a proxy": (
        {"origin": "https://public.example", "x-forwarded-host": "public.example"},
        True,
    ),
    "the inner host behind a proxy": (
        {"origin": f"https://{HERE}", "x-forwarded-host": "public.example"},
        False,
    ),
    "an allowed site": (
        {"sec-fetch-site": "cross-site", "origin": "https://chat.example.com"},
        True,
    ),
    "an allowed site by http": ({"origin": "http://chat.example.com"}, False),
    "a subdomain of an allowed site": ({"origin": "https://x.chat.example.com"}, False),
}


def test_only_pages_of_this_site_may_write(open_site: OpenSite) -> None:
    """Browsers' requests from elsewhere are 403 on every write, unless the settings allow them."""
    site = open_site(allowed_origins=("https://chat.example.com",), writes_per_minute=1000)
    trace_id = stored_trace()
    for name, (headers, allowed) in SITES.items():
        headers = {"host": HERE} | headers
        posted = site.post({"trace_id": trace_id, "value": True}, headers=headers)
        deleted = site.ask("DELETE", params={"trace_id": trace_id}, headers=headers)
        assert (posted.status_code < 300, deleted.status_code < 300) == (allowed, allowed), name
        if not allowed:
            refused(posted, 403)
            refused(deleted, 403)


def test_reading_ones_own_is_no_write(site: Site) -> None:
    """A page may list ratings; what another site's page may read is the browser's matter."""
    answer = site.ask("GET", params={"session_id": "x"}, headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 200


def test_too_many_writes_are_429(open_site: OpenSite) -> None:
    """Each person has their own allowance; what is over it is told when to come back."""
    site = open_site(writes_per_minute=3)
    trace_id = stored_trace()
    for _ in range(3):
        assert site.post({"trace_id": trace_id, "value": True}).status_code < 300
    comes_back(site.post({"trace_id": trace_id, "value": False}))
    comes_back(site.delete(trace_id=trace_id))
    bobs = stored_trace(BOB)
    assert site.post({"trace_id": bobs, "value": True}, user=BOB).status_code == 201
    assert site.mine(trace_id=trace_id)[0]["value"] is True


def test_anonymous_people_are_limited_by_their_address(open_site: OpenSite) -> None:
    """Off Databricks Apps anybody can type X-Real-Ip: all of one peer share an allowance."""
    site = open_site(writes_per_minute=3)
    trace_id = stored_trace("anonymous")
    statuses = [
        site.post(
            {"trace_id": trace_id, "value": True},
            user=None,
            headers={"x-real-ip": f"203.0.113.{number}"},
        ).status_code
        for number in range(5)
    ]
    assert statuses == [201, 200, 200, 429, 429]
    assert site.post({"trace_id": stored_trace(), "value": True}, user=ANN).status_code == 201


def test_on_databricks_apps_the_platform_says_the_address(
    open_site: OpenSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There the peer is the platform's proxy, which everybody shares."""
    monkeypatch.setenv("DATABRICKS_APP_NAME", "agent")
    site = open_site(writes_per_minute=1)
    trace_id = stored_trace("anonymous")
    body = {"trace_id": trace_id, "value": True}

    def status(address: str) -> int:
        return site.post(body, user=None, headers={"x-real-ip": address}).status_code

    assert [status("203.0.113.7"), status("203.0.113.7"), status("203.0.113.8")] == [201, 429, 200]


def test_a_ledger_that_cannot_be_written_is_503(
    open_site: OpenSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never a 2xx that is not durable; once it can be written again, ratings are taken again."""
    monkeypatch.setattr(database, "_PATIENCE_SECONDS", 0.5)
    site, trace_id = open_site(), stored_trace()
    with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        comes_back(site.post({"trace_id": trace_id, "value": True}))
        comes_back(site.delete(trace_id=trace_id))
        other.execute("ROLLBACK")
    monkeypatch.undo()
    assert held(trace_id) == {}
    assert site.post({"trace_id": trace_id, "value": True}).status_code == 201


def test_a_damaged_ledger_is_503(open_site: OpenSite, tmp_path: Path) -> None:
    """Reading, writing and the status all say so, without the database's own words."""
    site, trace_id = open_site(), stored_trace()
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as other:
        other.execute("DROP TABLE agent_feedback_ratings")
    for answer in (
        site.post({"trace_id": trace_id, "value": True}),
        site.ask("GET", params={"trace_id": trace_id}),
        site.ask("GET", "/status"),
    ):
        comes_back(answer)
        assert "table" not in answer.text
