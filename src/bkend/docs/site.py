"""The routes of the documentation: pages made from Markdown, and the pictures in them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from bkend.docs.library import (
    MEDIA_TYPES,
    SECTIONS,
    Source,
    docs_directory,
    find_files,
    page_name,
    parse_source,
    section_of,
)
from bkend.docs.render import Heading, render_body
from bkend.http.base import base_url, img_url

EXAMPLE_BASE = "http://127.0.0.1:8000"
"""The address the pages use in examples; a reader sees the one of the server that is asked."""

_HERE = Path(__file__).resolve().parent
_STYLE = (_HERE / "page.css").read_text("utf-8")
_SCRIPT = (_HERE / "page.js").read_text("utf-8")


def _hash_source(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


_PAGE_HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src {_hash_source(_STYLE)}; "
        f"script-src {_hash_source(_SCRIPT)}; img-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
_ASSET_HEADERS = {
    # A drawing opened by itself is a document: it may style itself and do nothing else.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True)
class NavigationEntry:
    section: str
    name: str
    title: str


class Site:
    """The pages and pictures of one docs folder, rendered on first use and kept."""

    def __init__(self, folder: Path) -> None:
        self.files = find_files(folder)
        self.pages = {page_name(file): file for file in self.files if file.endswith(".md")}
        self._navigation: tuple[NavigationEntry, ...] = ()
        self._rendered: dict[str, str] = {}

    def navigation(self) -> tuple[NavigationEntry, ...]:
        """The pages of the side bar, in its order."""
        if not self._navigation:
            ranked = []
            for name, file in self.pages.items():
                source = self._source(name)
                if source.order is not None:
                    section = section_of(file)
                    rank = (list(SECTIONS).index(section), source.order, name)
                    ranked.append((rank, NavigationEntry(section, name, source.title)))
            self._navigation = tuple(entry for _, entry in sorted(ranked, key=lambda item: item[0]))
        return self._navigation

    def page(self, name: str) -> str:
        """The HTML of a page of this folder, with `EXAMPLE_BASE` in its examples."""
        if name not in self._rendered:
            source = self._source(name)
            body = render_body(source.markdown, self.pages[name])
            self._rendered[name] = _document(
                title=source.title,
                description=source.description,
                body=body.html + self._neighbours(name),
                navigation=self._side_bar(name),
                contents=_contents(body.headings),
            )
        return self._rendered[name]

    def missing_page(self) -> str:
        """The HTML of the answer for an unknown address."""
        return _document(
            title="Page not found",
            description="",
            body='<h1>Page not found</h1><p>There is no such page. Start at the <a href="/docs/">'
            "first page</a>, or pick one from the list.</p>",
            navigation=self._side_bar(None),
            contents="",
        )

    def _source(self, name: str) -> Source:
        return parse_source(self.files[self.pages[name]].read_text("utf-8"))

    def _side_bar(self, current: str | None) -> str:
        parts = []
        for section, title in SECTIONS.items():
            entries = [entry for entry in self.navigation() if entry.section == section]
            if entries:
                parts.append(f"<h2>{escape(title)}</h2>" if title else "")
                items = "".join(_navigation_item(entry, current) for entry in entries)
                parts.append(f"<ul>{items}</ul>")
        return "".join(parts)

    def _neighbours(self, name: str) -> str:
        entries = self.navigation()
        names = [entry.name for entry in entries]
        if name not in names:
            return ""
        at = names.index(name)
        links = []
        if at > 0:
            links.append(_neighbour(entries[at - 1], "prev", "← Previous"))
        if at + 1 < len(entries):
            links.append(_neighbour(entries[at + 1], "next", "Next →"))
        return f'<nav class="neighbours" aria-label="Neighbours">{"".join(links)}</nav>'


def site_routes(site: Site) -> list[BaseRoute]:
    """The routes that serve `site`; anything else below ``/docs/`` is a 404 page."""

    def show_index(request: Request) -> Response:
        return HTMLResponse(_with_addresses(site.page(""), request), headers=_PAGE_HEADERS)

    def show(request: Request) -> Response:
        path: str = request.path_params["path"].removesuffix("/")
        if path in site.pages:
            page = _with_addresses(site.page(path), request)
            return HTMLResponse(page, headers=_PAGE_HEADERS)
        if path in site.files:
            return _file(site.files[path], request)
        return HTMLResponse(site.missing_page(), status_code=404, headers=_PAGE_HEADERS)

    def add_slash(_: Request) -> Response:
        return RedirectResponse("/docs/", status_code=308)

    return [
        Route("/docs", add_slash, methods=["GET"], include_in_schema=False),
        Route("/docs/", show_index, methods=["GET"], include_in_schema=False),
        Route("/docs/{path:path}", show, methods=["GET"], include_in_schema=False),
    ]


def _file(path: Path, request: Request) -> Response:
    content = path.read_bytes()
    if path.suffix == ".md":
        content = _with_addresses(content.decode(), request).encode()
    return Response(content, media_type=MEDIA_TYPES[path.suffix], headers=_ASSET_HEADERS)


def _with_addresses(text: str, request: Request) -> str:
    images = text.replace(f"{EXAMPLE_BASE}/img/", f"{escape(img_url(request))}/")
    return images.replace(EXAMPLE_BASE, escape(base_url(request)))


def _navigation_item(entry: NavigationEntry, current: str | None) -> str:
    mark = ' aria-current="page"' if entry.name == current else ""
    return f'<li><a href="/docs/{entry.name}"{mark}>{escape(entry.title)}</a></li>'


def _neighbour(entry: NavigationEntry, relation: str, label: str) -> str:
    return (
        f'<a rel="{relation}" href="/docs/{entry.name}"><span>{label}</span>'
        f"{escape(entry.title)}</a>"
    )


def _contents(headings: Sequence[Heading]) -> str:
    items = [
        f'<li class="level-{heading.level}"><a href="#{escape(heading.anchor)}">'
        f"{escape(heading.text)}</a></li>"
        for heading in headings
        if heading.level in (2, 3)
    ]
    if len(items) < 3:
        return ""
    return f'<nav aria-label="On this page"><h2>On this page</h2><ul>{"".join(items)}</ul></nav>'


def _document(*, title: str, description: str, body: str, navigation: str, contents: str) -> str:
    summary = f'<meta name="description" content="{escape(description)}">' if description else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><title>{escape(title)} · bkend</title>'
        f'{summary}<link rel="icon" href="/docs/icon.svg" type="image/svg+xml">'
        f"<style>{_STYLE}</style></head><body>"
        '<a class="skip" href="#content">Skip to the text</a>'
        '<header><a class="brand" href="/docs/"><img src="/docs/icon.svg" alt="" width="24" '
        'height="24">bkend</a><label for="menu">Menu</label></header>'
        '<input type="checkbox" id="menu" aria-label="Show the list of pages">'
        f'<nav class="pages" aria-label="Pages">{navigation}</nav>'
        f'<main id="content">{body}</main><aside>{contents}</aside>'
        f"<script>{_SCRIPT}</script></body></html>"
    )


routes: list[BaseRoute] = site_routes(Site(docs_directory()))
