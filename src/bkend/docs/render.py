"""Markdown to the HTML of a page's body."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bkend.docs.library import page_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it.token import Token


@dataclass(frozen=True)
class Heading:
    level: int
    anchor: str
    text: str


@dataclass(frozen=True)
class Body:
    html: str
    headings: tuple[Heading, ...]


def render_body(markdown: str, file: str) -> Body:
    """Render the Markdown of `file` (its path below the docs folder)."""
    from markdown_it import MarkdownIt  # 60 ms to import, and a server may never show a page

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(markdown)
    _resolve_links(tokens, file)
    _align_by_class(tokens)
    headings = _set_anchors(tokens)
    html = parser.renderer.render(tokens, parser.options, {})
    # A wide table scrolls in its own box. Raw HTML is off: these tags are tables and nothing else.
    html = html.replace("<table>", '<div class="table" tabindex="0"><table>')
    html = html.replace("</table>", "</table></div>")
    return Body(html=html, headings=headings)


def link_target(href: str, file: str) -> str:
    """Turn a link between files of the docs folder into one between pages; leave others alone."""
    parts = urlsplit(href)
    if parts.scheme or parts.netloc or not parts.path or parts.path.startswith("/"):
        return href
    target = posixpath.normpath(posixpath.join(posixpath.dirname(file), parts.path))
    if target.endswith(".md"):
        target = page_name(target)
    return f"/docs/{target}" + (f"#{parts.fragment}" if parts.fragment else "")


def _resolve_links(tokens: Sequence[Token], file: str) -> None:
    attributes = {"link_open": "href", "image": "src"}
    for token in tokens:
        for child in token.children or ():
            if child.type in attributes:
                name = attributes[child.type]
                child.attrSet(name, link_target(str(child.attrGet(name)), file))


def _align_by_class(tokens: Sequence[Token]) -> None:
    """Columns are aligned by a class: the page's policy forbids inline styles."""
    for token in tokens:
        if "style" in token.attrs:
            token.attrSet("class", str(token.attrs.pop("style")).replace("text-align:", "align-"))


def _set_anchors(tokens: Sequence[Token]) -> tuple[Heading, ...]:
    taken: dict[str, int] = {}
    headings = []
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            text = "".join(child.content for child in inline.children or ())
            heading = Heading(int(opening.tag[1]), _anchor(text, taken), text)
            opening.attrSet("id", heading.anchor)
            headings.append(heading)
    return tuple(headings)


def _anchor(text: str, taken: dict[str, int]) -> str:
    """The fragment of a heading, as code hosts build it, so that one link works in both places."""
    normal = unicodedata.normalize("NFC", text).lower()
    slug = re.sub(r"[^\w\- ]", "", normal).replace(" ", "-")
    count = taken.get(slug, 0)
    taken[slug] = count + 1
    return f"{slug}-{count}" if count else slug
