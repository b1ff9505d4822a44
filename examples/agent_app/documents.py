"""Shows the documents that answers cite as pages, down to the section that was cited."""

from __future__ import annotations

import html
from collections.abc import Collection, Sequence
from pathlib import PurePosixPath

from markdown_it import MarkdownIt
from markdown_it.token import Token

from examples.agent_app.passages import anchor_of, without_pictures

_PAGE = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>{title}</title>
  <link rel="icon" href="/static/icon.svg" type="image/svg+xml">
  <link rel="stylesheet" href="/static/base.css">
  <link rel="stylesheet" href="/static/document.css">
</head>
<body>
  <header><a href="/">Ask the documentation</a><span>{title}</span></header>
  <main>{body}</main>
</body>
</html>
"""


class DocumentPages:
    """Makes pages of Markdown; HTML in the Markdown is escaped.

    `known` are the documents that have a page: links between them lead to it, and links to
    anything else on this server become plain text.
    """

    def __init__(self, known: Collection[str]) -> None:
        self._known = frozenset(known)
        self._markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
        for kind in ("fence", "code_block"):
            self._markdown.add_render_rule(kind, _code)

    def page(self, path: str, markdown: str) -> str:
        """The document as a page, its headings named as `anchor_of` names them."""
        tokens = self._markdown.parse(without_pictures(markdown))
        for position, token in enumerate(tokens):
            if token.type == "heading_open":
                token.attrSet("id", anchor_of(tokens[position + 1].content))
            elif token.type == "table_open":
                # A wide table scrolls by itself, for which it needs the keyboard's focus.
                token.attrSet("tabindex", "0")
            elif token.children:
                token.children = self._inline(path, token.children)
        body = self._markdown.renderer.render(tokens, self._markdown.options, {})
        return _PAGE.format(title=html.escape(path), body=body)

    def _inline(self, path: str, tokens: list[Token]) -> list[Token]:
        kept: list[Token] = []
        links: list[str | None] = []
        for token in tokens:
            if token.type == "link_open":
                links.append(self._address(path, str(token.attrGet("href"))))
                if links[-1] is None:
                    continue
                token.attrSet("href", str(links[-1]))
            elif token.type == "link_close" and links.pop() is None:
                continue
            kept.append(token)
        return kept

    def _address(self, path: str, href: str) -> str | None:
        if href.startswith(("http://", "https://", "#")):
            return href
        name, _, fragment = href.partition("#")
        linked = _without_dots(PurePosixPath(path).parent / name)
        if linked not in self._known:
            return None
        return f"/sources/{linked}#{fragment}" if fragment else f"/sources/{linked}"


def _code(
    _renderer: object, tokens: Sequence[Token], position: int, _options: object, _env: object
) -> str:
    # What scrolls needs the keyboard's focus.
    return f'<pre tabindex="0"><code>{html.escape(tokens[position].content)}</code></pre>\n'


def _without_dots(path: PurePosixPath) -> str:
    parts: list[str] = []
    for part in path.parts:
        if part == ".." and parts:
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)
