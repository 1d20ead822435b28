"""The plain text part of a mail, taken from its HTML, and the links in it.

The HTML is what people wrote, so it is read leniently, and in linear time whatever it is: the
standard library's parser takes minutes over 100 KB of `<p<p<p`.
"""

from __future__ import annotations

import html as entities
import re

_UNSEEN = frozenset({"head", "style", "script", "title", "template"})
_BLOCKS = frozenset(
    {"p", "div", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "blockquote", "hr"}
)
_LINES = frozenset({"br", "li", "tr"})
_VOID = frozenset({"br", "hr", "img", "input", "meta", "link", "wbr", "col", "area", "source"})
_MOST_PARTS = 50
"""Of a link's words, that are compared with its address: links may be nested, by mistake."""
# None of these looks past the next "<": that keeps the whole linear.
_TAG = re.compile(
    r"""<(/?)([A-Za-z][A-Za-z0-9]{0,20})((?:[^<>"']|"[^"<]*"|'[^'<]*')*)>"""
    r"""|<(/?)([A-Za-z][A-Za-z0-9]{0,20})([^<>]*)>"""
    r"""|<[!?/][^<>]*>"""
)
_ATTRIBUTE = re.compile(
    r"""\s(href|data-plain)\s{0,8}=\s{0,8}("[^"]*"|'[^']*'|[^\s"'>]+)""", re.IGNORECASE
)
_SPACE = re.compile(r"\s+")


def to_text(html: str) -> str:
    """What a reader without HTML sees: paragraphs, and the address after each link's words.

    An element with `data-plain="skip"` is left out.
    """
    return _Reader(html).text()


def links_of(html: str) -> list[str]:
    """The addresses the mail's links lead to, each once, in order."""
    return list(dict.fromkeys(_Reader(html).links))


class _Reader:
    def __init__(self, html: str) -> None:
        self.links: list[str] = []
        self._parts: list[str] = []
        self._anchors: list[tuple[str, int]] = []
        self._hidden = ""
        self._depth = 0
        self._read(html)

    def _read(self, html: str) -> None:
        place = 0
        while (start := html.find("<", place)) >= 0:
            self._add(html[place:start])
            if html.startswith("<!--", start):
                end = html.find("-->", start + 4)
                if end < 0:
                    return
                place = end + 3
            elif tag := _TAG.match(html, start):
                if name := tag[2] or tag[5]:
                    attributes = tag[3] or tag[6] or ""
                    self._tag(name.lower(), bool(tag[1] or tag[4]), attributes)
                place = tag.end()
            else:
                self._add("<")
                place = start + 1
        self._add(html[place:])

    def _tag(self, name: str, closing: bool, attributes: str) -> None:
        if self._hidden:
            if name == self._hidden:
                self._depth += -1 if closing else 1
                self._hidden = name if self._depth else ""
        elif closing:
            self._end(name)
        else:
            self._start(name, attributes)

    def _start(self, name: str, attributes: str) -> None:
        given = {m[1].lower(): m[2].strip("\"'") for m in _ATTRIBUTE.finditer(attributes)}
        if name in _UNSEEN or given.get("data-plain") == "skip":
            if name not in _VOID:
                self._hidden, self._depth = name, 1
        elif name in _BLOCKS:
            self._parts.append("\n\n")
        elif name in _LINES:
            self._parts.append("\n- " if name == "li" else "\n")
        elif name in ("td", "th"):
            self._parts.append(" ")
        elif name == "a":
            href = entities.unescape(given.get("href", "")).strip()
            if href and not href.startswith(("#", "mailto:")):
                self.links.append(href)
            self._anchors.append((href, len(self._parts)))

    def _end(self, name: str) -> None:
        if name in _BLOCKS:
            self._parts.append("\n\n")
        elif name == "a" and self._anchors:
            href, start = self._anchors.pop()
            words = "".join(self._parts[start : start + _MOST_PARTS]).strip()
            if href and not href.startswith("#") and words not in (href, href[len("mailto:") :]):
                self._parts.append(f":\n{href}" if words else href)

    def _add(self, data: str) -> None:
        if data and not self._hidden:
            self._parts.append(_SPACE.sub(" ", entities.unescape(data)))

    def text(self) -> str:
        """Lines without spaces at their ends, at most one empty line between paragraphs."""
        lines = [line.strip() for line in "".join(self._parts).split("\n")]
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"
