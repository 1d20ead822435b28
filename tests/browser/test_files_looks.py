"""Every view of the sample page for files fits, can be read, and can be used by all."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.filing import FilesPage, files_site
from tests.browser.looks import looks_right
from tests.browser.photos import photo
from tests.managing import untouched
from tests.servers import RunningServer

pytestmark = pytest.mark.browser


@pytest.fixture
def address(server: RunningServer) -> Iterator[str]:
    """The sample page for an environment where nobody has been before."""
    with untouched(server) as place, files_site(place) as found:
        yield found


@pytest.mark.parametrize(("width", "colours"), [(320, "dark"), (320, "light"), (1200, "light")])
def test_every_view_fits_and_can_be_read(
    browser: Browser,
    address: str,
    tmp_path: Path,
    width: int,
    colours: Literal["light", "dark"],
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=colours, reduced_motion="reduce"
    )
    tab = FilesPage(context, address)
    page = tab.page

    def right(name: str) -> None:
        looks_right(page, width, f"files-{name}")

    right("entrance")
    tab.enter(f"{uuid.uuid4().hex[:12]}.with.a.long.address@example.com")
    right("empty")
    long = "a-very-long-name-without-any-place-to-break-it-" * 3
    for number, name in enumerate(["leaf.png", "evening at the lake.png", f"{long}.png"]):
        tab.choose({"name": name, "mimeType": "image/png", "buffer": photo(number)})
        tab.has(name)
    tab.choose({"name": "notes.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4"})
    tab.has("notes.pdf")
    page.get_by_label("Who sees leaf.png").select_option("public")
    tab.is_told("leaf.png: everybody can see it now.")
    for name in ("leaf.png", "evening at the lake.png"):
        tab.shows_picture(name)
    (film := tmp_path / f"{long}.mp4").write_bytes(b"film" * 5_000_000)
    tab.hold_parts_after(1)
    tab.choose(film)
    tab.stands_at(film.name, "41 %")
    tab.choose({"name": "empty.txt", "mimeType": "text/plain", "buffer": b""})
    expect(tab.upload("empty.txt").get_by_role("alert")).to_have_text("This file is empty.")
    right("uploading")
    tab.press("Pause")
    tab.stands_at(film.name, "Paused")
    page.reload()
    tab.stands_at(film.name, "Interrupted at 41 %")
    for name in ("leaf.png", "evening at the lake.png"):
        tab.shows_picture(name)
    right("interrupted")
    tab.press("Show leaf.png")
    expect(page.locator("#preview")).to_be_visible()
    tab.loads(page.locator("#preview-body img"))
    right("preview")
    tab.press("Close")
    tab.press("Show notes.pdf")
    right("preview-tile")
    tab.press("Close")
    tab.press("Delete leaf.png")
    right("sure")
    tab.is_sound()
    context.close()
