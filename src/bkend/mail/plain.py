"""The plain text part of a mail, taken from its HTML, and the links in it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_UNSEEN = frozenset({"head", "style", "script", "title", "template"})
_BLOCKS = frozenset(
    {"p", "div", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "blockquote", "hr"}
)
_LINES = frozenset({"br", "li", "tr"})
_VOID = frozenset({"br", "hr", "img", "input", "meta", "link", "wbr", "col", "area", "source"})
_SKIP = ("data-plain", "skip")


def to_text(html: str) -> str:
    """What a reader without HTML sees: paragraphs, and the address after each link's words."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.text()


def links_of(html: str) -> list[str]:
    """The addresses the mail's links lead to, each once, in order."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return list(dict.fromkeys(reader.links))


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[str] = []
        self._parts: list[str] = []
        self._hidden: list[str] = []
        self._anchors: list[tuple[str, int]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._hidden or tag in _UNSEEN or _SKIP in attrs:
            if tag not in _VOID:
                self._hidden.append(tag)
            return
        if tag in _BLOCKS:
            self._parts.append("\n\n")
        elif tag in _LINES:
            self._parts.append("\n")
        if tag == "li":
            self._parts.append("- ")
        elif tag in ("td", "th"):
            self._parts.append(" ")
        elif tag == "a":
            href = (dict(attrs).get("href") or "").strip()
            if href and not href.startswith(("#", "mailto:")):
                self.links.append(href)
            self._anchors.append((href, len(self._parts)))

    def handle_endtag(self, tag: str) -> None:
        if self._hidden:
            if tag in self._hidden:
                while self._hidden.pop() != tag:
                    pass
            return
        if tag == "a" and self._anchors:
            self._end_link(*self._anchors.pop())
        elif tag in _BLOCKS:
            self._parts.append("\n\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self._parts.append(re.sub(r"\s+", " ", data))

    def _end_link(self, href: str, start: int) -> None:
        words = "".join(self._parts[start:]).strip()
        if not href or href.startswith("#") or words in (href, href.removeprefix("mailto:")):
            return
        self._parts.append(f":\n{href}" if words else href)

    def text(self) -> str:
        """Lines without spaces at their ends, at most one empty line between paragraphs."""
        lines = [line.strip() for line in "".join(self._parts).split("\n")]
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"
