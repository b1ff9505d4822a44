"""docs/http.md: the answers that it shows have the members of the real ones."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from agent_feedback import AgentFeedback
from tests.conftest import Serve
from tests.support.documents import PROJECT, block
from tests.support.rating import Site, opened_site, settings_in, stored_trace

DOCUMENT = "docs/http.md"

pytestmark = pytest.mark.usefixtures("tracking")


@pytest.fixture
def site(serve: Serve, tmp_path: Path) -> Iterator[Site]:
    """Serve the feedback routes as they are without any setting."""
    with ExitStack() as open_sites:
        feedback = AgentFeedback(settings_in(tmp_path))
        yield open_sites.enter_context(opened_site(serve, feedback))


def shown(containing: str) -> dict[str, Any]:
    """Return the JSON object that the document shows."""
    found: dict[str, Any] = json.loads(block(DOCUMENT, "json", containing))
    return found


def test_the_answer_to_a_rating(site: Site) -> None:
    """It has these members, in this order, and stars come back as stars."""
    answer = site.post({"trace_id": stored_trace(), "dimension": "accuracy", "value": 4}).json()
    example = shown('"assessment_id"')
    assert list(answer) == list(example)
    for name in ("status", "name", "value", "rationale", "reasons", "revision"):
        assert answer[name] == example[name]


def test_the_settings(site: Site) -> None:
    """What the component is told has these members, and these defaults."""
    answer = site.ask("GET", "/settings").json()
    example = shown('"limits"')
    assert list(answer) == list(example)
    for name in ("dimensions", "scale", "implicit_signals", "limits"):
        assert answer[name] == example[name]
    assert set(example["reasons"]) < set(answer["reasons"])
    assert len(answer["person"]) == len(example["person"])


@pytest.mark.parametrize(
    ("body", "withdrawn_as"),
    [
        ({"rationale": "a comment alone"}, "comment"),
        ({"correction": "a better answer"}, "expected_response"),
    ],
)
def test_what_is_withdrawn_by_its_own_name(
    site: Site, body: dict[str, str], withdrawn_as: str
) -> None:
    """A comment alone and a correction are withdrawn as the document says."""
    assert f"dimension={withdrawn_as}`" in (PROJECT / DOCUMENT).read_text()
    trace_id = stored_trace()
    assert site.post({"trace_id": trace_id, **body}).status_code == 201
    assert site.delete(trace_id=trace_id, dimension=withdrawn_as).status_code == 200
    assert site.mine(trace_id=trace_id) == []


def test_each_route_has_its_row(site: Site) -> None:
    """The table of the routes has all of those in the app's OpenAPI document."""
    text = (PROJECT / DOCUMENT).read_text()
    paths: dict[str, dict[str, Any]] = site.client.get("/openapi.json").json()["paths"]
    assert len(paths) > 3
    for path, methods in paths.items():
        for method in methods:
            assert f"| `{method.upper()} {path}" in text, f"{method} {path}"


def test_each_status_has_its_row(site: Site) -> None:
    """Every refusal that the OpenAPI document names is explained."""
    text = (PROJECT / DOCUMENT).read_text()
    rows = text.partition("### Errors")[2]
    explained = {
        status
        for row in rows.splitlines()
        if row.startswith("| ")
        for status in row.split("|")[1].replace(" ", "").split(",")
    }
    paths = site.client.get("/openapi.json").json()["paths"].values()
    refusals = {
        status
        for methods in paths
        for route in methods.values()
        for status in route["responses"]
        if status.startswith(("4", "5"))
    }
    assert "429" in refusals
    assert refusals <= explained
