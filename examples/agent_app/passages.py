"""The project's documentation as passages: what stands under one heading of one document."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Neither the change log, which mentions everything, nor the documents for contributors.
DOCUMENTS = ("README.md", "docs/**/*.md")

_HEADING = re.compile(r"(#{1,6})\s+(.+?)\s*#*\s*")
_FENCE = re.compile(r"\s*(```|~~~)")
_MARKUP = re.compile(r"[`*]")
_ALSO_ASKED = re.compile(r"<!-- also asked: (.*?)-->", re.DOTALL)
_PICTURE_OR_COMMENT = re.compile(
    r"!\[[^\]]*\]\([^)]*\)|<!--.*?-->|</?(?:img|picture|source)\b[^>]*>", re.DOTALL
)


@dataclass(frozen=True)
class Passage:
    """One section of a Markdown document.

    `source` is the document's path below the root, `headings` the trail from the document's title
    down to the section's own heading, `text` the Markdown below it. `also_asked` are other ways to
    ask what the heading asks: what a comment below it names, `<!-- also asked: one? | two? -->`.
    """

    source: str
    headings: tuple[str, ...]
    text: str
    also_asked: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """How a reader would name the passage."""
        return f"{self.headings[-1]} ({self.source})" if self.headings else self.source

    @property
    def page(self) -> str:
        """Where this app shows the passage."""
        anchor = f"#{anchor_of(self.headings[-1])}" if self.headings else ""
        return f"/sources/{self.source}{anchor}"


def anchor_of(heading: str) -> str:
    """How GitHub names a heading: "Who may rate?" is `who-may-rate`."""
    return re.sub(r"[^\w\- ]", "", _MARKUP.sub("", heading).lower()).replace(" ", "-")


def load_passages(root: Path) -> list[Passage]:
    """All passages of the documents below `root`, in a fixed order."""
    return [
        passage
        for path in document_paths(root)
        for passage in split_markdown(
            path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")
        )
    ]


def document_paths(root: Path) -> list[Path]:
    """The documents below `root` that the agent knows and that the page may show."""
    return [path for pattern in DOCUMENTS for path in sorted(root.glob(pattern)) if path.is_file()]


def without_pictures(markdown: str) -> str:
    """The Markdown without what is not for reading: pictures and comments."""
    return _PICTURE_OR_COMMENT.sub("", markdown)


def split_markdown(source: str, markdown: str) -> list[Passage]:
    """Cuts a document at its headings; a heading without text of its own makes no passage."""
    return [
        Passage(source, headings, text, _also_asked(written))
        for headings, lines in _sections(markdown)
        if (text := without_pictures(written := "\n".join(lines)).strip())
    ]


def _also_asked(markdown: str) -> tuple[str, ...]:
    comments = _ALSO_ASKED.findall(markdown)
    return tuple(asked.strip() for comment in comments for asked in comment.split("|"))


def _sections(markdown: str) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    trail: list[tuple[int, str]] = []
    lines: list[str] = []
    in_code = False
    for line in markdown.splitlines():
        # A comment of a shell example starts with `#` as well.
        in_code ^= _FENCE.match(line) is not None
        heading = None if in_code else _HEADING.fullmatch(line)
        if heading is None:
            lines.append(line)
            continue
        yield tuple(name for _, name in trail), lines
        level = len(heading[1])
        trail = [
            *(outer for outer in trail if outer[0] < level),
            (level, _MARKUP.sub("", heading[2])),
        ]
        lines = []
    yield tuple(name for _, name in trail), lines
