"""All documents: their links lead somewhere, their tables are complete, their blocks are run."""

import re
from collections import Counter
from dataclasses import fields

import pytest

from agent_feedback import Settings
from examples.agent_app.passages import anchor_of
from tests.support.documents import PROJECT, blocks

DOCUMENTS = sorted(
    path.relative_to(PROJECT).as_posix()
    for path in (*PROJECT.glob("*.md"), *PROJECT.glob("docs/**/*.md"))
)
_FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|srcset)=\"([^\"]+)\"")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)

# How many blocks of which language are run, and by which tests. Blocks without a language are what
# a reader types on a machine of their own, or pictures made of letters.
RUN: dict[str, dict[str, int] | None] = {
    "README.md": {"console": 7, "python": 2, "html": 1},  # test_documents_readme
    "docs/databricks-apps.md": {"python": 1, "yaml": 2},  # test_documents_databricks
    "docs/cross-origin.md": {"console": 1, "python": 1, "html": 1},  # test_documents_cross_origin
    "docs/http.md": {"json": 2},  # test_documents_http
    "docs/operate.md": {"console": 2, "python": 7},  # test_documents_operate
    "docs/python.md": {"python": 4},  # test_documents_python
    "docs/report.md": {"console": 2, "python": 1},  # test_documents_report
    "docs/questions.md": None,  # short forms of the README's
    "docs/widget.md": None,  # counted in tests/component/test_documented
}


def prose_of(document: str) -> str:
    """Return a document without its blocks."""
    return _FENCED.sub("", (PROJECT / document).read_text(encoding="utf-8"))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    """Each file that a document links to is there, and so is each heading."""
    for groups in _LINK.findall(prose_of(document)):
        target = groups[0] or groups[1]
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (PROJECT / document).parent / name if name else PROJECT / document
        assert path.is_file(), f"{document} links to {target}"
        if anchor:
            text = _FENCED.sub("", path.read_text(encoding="utf-8"))
            headings = map(anchor_of, _HEADING.findall(text))
            assert anchor in headings, f"{document} links to {target}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_no_block_is_left_out(document: str) -> None:
    """A document has the blocks that tests run, counted by language: a new one needs a test."""
    counted = Counter(each.language for each in blocks(document) if each.language)
    expected = RUN.get(document, {})
    if expected is not None:
        assert counted == expected


@pytest.mark.parametrize("document", DOCUMENTS)
def test_no_placeholder_is_left(document: str) -> None:
    """What a document is filled in with stands there: no ``{{…}}`` has been forgotten."""
    assert "{{" not in (PROJECT / document).read_text(encoding="utf-8")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_make_target_exists(document: str) -> None:
    """Whoever types what a document says after `make` gets it."""
    targets = set(re.findall(r"^([\w-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    text = (PROJECT / document).read_text(encoding="utf-8")
    named = re.findall(r"(?:`|^)(?:[A-Z]+=\S+ )?make ([\w-]+)", text, re.MULTILINE)
    assert set(named) <= targets


def test_every_setting_has_its_row() -> None:
    """The README's table has each field of `Settings`, with the default that it has."""
    table = (PROJECT / "README.md").read_text().partition("## Configure")[2].partition("\n## ")[0]
    rows: dict[str, str | None] = {}
    for row in re.findall(r"^\| (`.+?`) \| (.+?) \|", table, re.MULTILINE):
        names, defaults = (re.findall(r"`([^`]+)`", cell) for cell in row)
        rows |= dict(zip(names, [*defaults, *([None] * len(names))], strict=False))
    chosen = Settings()
    assert list(rows) == [field.name for field in fields(Settings)]
    for name, default in rows.items():
        assert default == shown(getattr(chosen, name)), name


def shown(value: object) -> str | None:
    """How the table writes a default."""
    if value in ((), None):
        return None
    if isinstance(value, tuple):
        return ", ".join(value)
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
