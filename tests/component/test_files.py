"""The component's files: what they weigh, how they are served, whether the types fit."""

import gzip
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_feedback import AgentFeedback
from tests.conftest import Serve
from tests.support.rating import Site, opened_site, settings_in

STATIC = Path(__file__).parents[2] / "agent_feedback" / "static"
SCRIPTS = sorted(STATIC.rglob("*.js"))
TYPES = (STATIC / "agent-feedback.d.ts").read_text()
MAX_BYTES = 14_500
MAX_SCRIPT = 350


def test_it_weighs_less_than_14_and_a_half_kilobytes() -> None:
    """All that a page loads, as it is served, each file gzipped for itself."""
    sizes = {path.name: len(gzip.compress(path.read_bytes(), 9)) for path in SCRIPTS}
    assert sum(sizes.values()) < MAX_BYTES, sizes


def test_it_loads_nothing_but_itself() -> None:
    """No other address, no eval, no style attribute; modules of a readable length."""
    for path in SCRIPTS:
        text = path.read_text()
        imported = re.findall(r"""from ["']([^"']+)["']""", text)
        assert all((path.parent / name).resolve() in SCRIPTS for name in imported)
        for forbidden in ("eval(", "new Function", "http:", "https:", ' style="', "@import"):
            assert forbidden not in text.replace("http://www.w3.org/2000/svg", "")
        assert len(text.splitlines()) <= MAX_SCRIPT


@pytest.fixture
def site(serve: Serve, tmp_path: Path) -> Iterator[Site]:
    """Serve the routes under another prefix, to see that the component goes along."""
    feedback = AgentFeedback(settings_in(tmp_path, prefix="/api/ratings"))
    with opened_site(serve, feedback) as opened:
        yield opened


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_every_file_is_served_and_asked_for_again(site: Site, path: Path) -> None:
    """As JavaScript in UTF-8, and "not modified" for who has it."""
    url = f"/api/ratings/{path.relative_to(STATIC).as_posix()}"
    answer = site.client.get(url)
    assert answer.status_code == 200
    assert answer.content == path.read_bytes()
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    again = site.client.get(url, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["cache-control"] == "no-cache"
    assert site.client.head(url).status_code == 200


def test_the_types_can_be_fetched_and_nothing_else_can(site: Site) -> None:
    """The declarations are text; what is no file of the component is not found."""
    types = site.client.get("/api/ratings/agent-feedback.d.ts")
    assert (types.status_code, types.text) == (200, TYPES)
    assert types.headers["content-type"].startswith("text/plain")
    for path in ("agent-feedback/none.js", "agent-feedback/..%2f..%2fplugin.py"):
        assert site.client.get(f"/api/ratings/{path}").status_code == 404


def test_the_types_name_every_label() -> None:
    """The declared label names are those that the component has, no more and no less."""
    english = (STATIC / "agent-feedback" / "appearance.js").read_text()
    block = re.search(r"ENGLISH = \{(.*?)\n\};", english, re.DOTALL)
    declared = re.search(r"type LabelName =(.*?);", TYPES, re.DOTALL)
    assert block
    assert declared
    names = set(re.findall(r"^  (\w+):", block[1], re.MULTILINE))
    lists = {"dimensions", "reasons", "errors", "goodReasons", "badReasons"}
    assert set(re.findall(r'"(\w+)"', declared[1])) == names - lists
    assert all(f"  {name}?: " in TYPES for name in lists)


def test_the_types_hold_for_a_page_in_typescript() -> None:
    """A strict compiler accepts the sample, and refuses in it what it should."""
    compiler = shutil.which("tsc")
    if compiler is None:
        pytest.skip("there is no TypeScript compiler (tsc) on this machine")
    sample = Path(__file__).with_name("types_sample.ts")
    options = "--strict --noEmit --target es2022 --module nodenext --lib es2022,dom,dom.iterable"
    done = subprocess.run(
        [compiler, *options.split(), "--types", "", str(sample)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
