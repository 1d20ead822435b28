"""The documentation site: what it serves, what it refuses, and that nothing in it leads nowhere."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urljoin, urlsplit

import pytest
import pytest_asyncio
from httpx import ASGITransport, AsyncClient
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from bkend.docs import routes
from bkend.docs.library import docs_directory, find_files, page_name, parse_source
from bkend.docs.render import link_target, render_body
from bkend.docs.site import EXAMPLE_BASE, Site, site_routes

FILES = find_files(docs_directory())
PAGES = sorted(page_name(file) for file in FILES if file.endswith(".md"))


@dataclass
class Parsed(HTMLParser):
    """What the tests ask of a page: its links, pictures, anchors and headings."""

    links: list[str] = field(default_factory=list)
    images: list[tuple[str, str | None]] = field(default_factory=list)
    anchors: list[str] = field(default_factory=list)
    first_headings: int = 0

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if identifier := attributes.get("id"):
            self.anchors.append(identifier)
        if tag == "a":
            self.links.append(attributes.get("href") or "")
        if tag == "img":
            self.images.append((attributes.get("src") or "", attributes.get("alt")))
        self.first_headings += tag == "h1"


def parsed(html: str) -> Parsed:
    page = Parsed()
    page.feed(html)
    return page


def client_of(
    site_routes: list[BaseRoute], public_url: str | None = None, img_url: str | None = None
) -> AsyncClient:
    app = Starlette(routes=site_routes)
    settings = SimpleNamespace(public_url=public_url, img_url=img_url, host="127.0.0.1", port=8000)
    app.state.core = SimpleNamespace(settings=settings)
    return AsyncClient(transport=ASGITransport(app), base_url="http://docs.test")


@pytest_asyncio.fixture
async def client() -> AsyncIterator[AsyncClient]:
    async with client_of(routes) as client:
        yield client


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "index.md").write_text("# Start\n")
    (tmp_path / "outside.md").write_text("# Outside\n")
    return docs


@pytest.mark.parametrize("name", PAGES)
async def test_page_renders(client: AsyncClient, name: str) -> None:
    answer = await client.get(f"/docs/{name}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert parsed(answer.text).first_headings == 1


@pytest.mark.parametrize("name", [name for name in PAGES if not name.startswith("decisions/")])
async def test_side_bar_shows_where_one_is(client: AsyncClient, name: str) -> None:
    page = (await client.get(f"/docs/{name}")).text
    assert page.count('aria-current="page"') == 1
    assert f'<a href="/docs/{name}" aria-current="page">' in page


async def test_page_without_a_place_is_not_in_the_side_bar(folder: Path) -> None:
    (folder / "listed.md").write_text("---\ntitle: Listed\norder: 1\n---\n# Listed\n")
    (folder / "note.md").write_text("# Note\n")
    async with client_of(site_routes(Site(folder))) as client:
        page = (await client.get("/docs/note")).text
    assert "/docs/listed" in page
    assert "/docs/note" not in page


@pytest.mark.parametrize("name", PAGES)
async def test_page_is_strict_about_what_it_may_load(client: AsyncClient, name: str) -> None:
    answer = await client.get(f"/docs/{name}")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert " style=" not in answer.text
    assert not re.search(r"<[^>]+\son\w+=", answer.text)


@pytest.mark.parametrize("name", PAGES)
async def test_links_lead_somewhere(client: AsyncClient, name: str) -> None:
    page = parsed((await client.get(f"/docs/{name}")).text)
    for link in page.links:
        target = urlsplit(urljoin(f"/docs/{name}", link))
        if target.scheme:
            continue
        answer = await client.get(target.path)
        assert answer.status_code == 200, f"{name} links to {link}"
        if target.fragment:
            assert target.fragment in parsed(answer.text).anchors, f"{name} links to {link}"


@pytest.mark.parametrize("name", PAGES)
async def test_anchors_are_unique(client: AsyncClient, name: str) -> None:
    anchors = parsed((await client.get(f"/docs/{name}")).text).anchors
    assert len(anchors) == len(set(anchors))


@pytest.mark.parametrize("name", PAGES)
async def test_pictures_are_there_and_described(client: AsyncClient, name: str) -> None:
    for source, description in parsed((await client.get(f"/docs/{name}")).text).images:
        answer = await client.get(source)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("image/")
        assert description is not None


@pytest.mark.parametrize("file", [file for file in FILES if file.endswith(".svg")])
async def test_drawing_can_do_nothing(client: AsyncClient, file: str) -> None:
    answer = await client.get(f"/docs/{file}")
    assert answer.headers["content-type"] == "image/svg+xml"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "<script" not in answer.text


def test_readme_links_lead_to_files() -> None:
    root = docs_directory().parent
    for readme in ("README.md", "CONTRIBUTING.md"):
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", (root / readme).read_text("utf-8")):
            assert urlsplit(target).scheme or (root / target).exists(), f"{readme}: {target}"


@pytest.mark.parametrize(
    "path",
    [
        "..%2Fpyproject.toml",
        "%2e%2e/pyproject.toml",
        "%2e%2e%2fpyproject.toml",
        "guides/%2e%2e/%2e%2e/pyproject.toml",
        "guides/%2e%2e/index",
        "/etc/passwd",
        "%2Fetc%2Fpasswd",
        "..%5Cpyproject.toml",
        "guides/integrate%00.md",
        "guides",
        "nothing-here",
    ],
)
async def test_unknown_address_is_a_404_page(client: AsyncClient, path: str) -> None:
    answer = await client.get(f"/docs/{path}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "Page not found" in answer.text


async def test_file_outside_the_folder_is_not_served(folder: Path) -> None:
    (folder / "link.md").symlink_to(folder.parent / "outside.md")
    (folder / "notes.txt").write_text("not a page")
    async with client_of(site_routes(Site(folder))) as client:
        assert (await client.get("/docs/")).status_code == 200
        for path in ("link", "link.md", "notes.txt", "%2e%2e/outside", "%2e%2e/outside.md"):
            assert (await client.get(f"/docs/{path}")).status_code == 404


async def test_examples_name_the_server_that_is_asked(client: AsyncClient) -> None:
    answer = await client.get("/docs/guides/integrate", headers={"host": "api.example.com:8443"})
    assert "http://api.example.com:8443/bkend.js" in answer.text
    assert EXAMPLE_BASE not in answer.text


async def test_examples_name_the_configured_address() -> None:
    async with client_of(routes, public_url="https://api.example.com/b") as client:
        answer = await client.get("/docs/guides/integrate")
    assert "https://api.example.com/b/bkend.js" in answer.text


async def test_examples_name_the_address_of_images(client: AsyncClient) -> None:
    for page in ("/docs/guides/images", "/docs/guides/images.md"):
        shown = await client.get(page, headers={"host": "api.example.com"})
        assert "http://api.example.com/img/fit-in/640x0/" in shown.text
        async with client_of(routes, img_url="https://img.example.com") as elsewhere:
            configured = await elsewhere.get(page)
        assert "https://img.example.com/fit-in/640x0/" in configured.text


@pytest.mark.parametrize("host", ['"><script>alert(1)</script>', "a b", "", "x/../y", "a@b"])
async def test_host_that_is_none_is_not_shown(client: AsyncClient, host: str) -> None:
    answer = await client.get("/docs/guides/integrate", headers={"host": host})
    assert f"{EXAMPLE_BASE}/bkend.js" in answer.text


async def test_page_is_there_as_markdown(client: AsyncClient) -> None:
    answer = await client.get("/docs/guides/data.md")
    assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
    assert "\n# Data\n" in answer.text


async def test_slash_at_the_end_is_tolerated(client: AsyncClient) -> None:
    assert (await client.get("/docs")).headers["location"] == "/docs/"
    with_slash = await client.get("/docs/guides/data/")
    assert with_slash.text == (await client.get("/docs/guides/data")).text


async def test_writing_methods_are_refused(client: AsyncClient) -> None:
    assert (await client.post("/docs/")).status_code == 405
    assert (await client.head("/docs/")).status_code == 200


def test_raw_html_is_shown_as_text() -> None:
    body = render_body("<script>alert(1)</script> [x](javascript:alert(1))", "index.md")
    assert "<script" not in body.html
    assert "<a" not in body.html


def test_wide_table_scrolls_in_its_own_box() -> None:
    html = render_body("| a |\n|---|\n| `<table>` |\n", "index.md").html
    assert html.count('<div class="table" tabindex="0"><table>') == 1
    assert html.count("</table></div>") == 1


def test_equal_headings_get_different_anchors() -> None:
    headings = render_body("## Same `x`\n\n## Same x\n\n## A & B: c\n", "index.md").headings
    assert [heading.anchor for heading in headings] == ["same-x", "same-x-1", "a--b-c"]


@pytest.mark.parametrize(
    ("href", "target"),
    [
        ("auth.md#refresh", "/docs/guides/auth#refresh"),
        ("../index.md", "/docs/"),
        ("../reference/cli.md", "/docs/reference/cli"),
        ("flow.svg", "/docs/guides/flow.svg"),
        ("#here", "#here"),
        ("/console/", "/console/"),
        ("https://example.com/a.md", "https://example.com/a.md"),
    ],
)
def test_links_between_files_become_links_between_pages(href: str, target: str) -> None:
    assert link_target(href, "guides/data.md") == target


def test_front_matter_is_optional() -> None:
    source = parse_source("# A decision\n\ntext\n")
    assert (source.title, source.order) == ("A decision", None)
    source = parse_source("---\ntitle: T: t\ndescription: D\norder: 5\n---\n# H\n")
    assert (source.title, source.description, source.order) == ("T: t", "D", 5)
    assert source.markdown == "# H\n"
