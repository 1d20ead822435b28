"""The sample page for files in a real browser: what is interrupted goes on where it stopped."""

from __future__ import annotations

import hashlib
import os
import re
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.filing import PART, FilesPage, files_site
from tests.browser.pictures import PICTURE
from tests.conftest import StartServer
from tests.managing import project_settings, untouched
from tests.servers import RunningServer

pytestmark = pytest.mark.browser

MakeFile = Callable[..., Path]
FILM = 2 * PART + 2_000_000
"""Bytes of a film that goes in three parts."""


@pytest.fixture
def make_file(tmp_path: Path) -> MakeFile:
    """A file of so many random bytes; `film.bin` if nothing else is said."""

    def make(size: int, name: str = "film.bin") -> Path:
        path = tmp_path / name
        path.write_bytes(os.urandom(size))
        return path

    return make


@pytest.fixture
def address(server: RunningServer) -> Iterator[str]:
    """The sample page for the shared server."""
    with files_site(server) as found:
        yield found


@pytest.fixture
def email() -> str:
    """An address that nobody has."""
    return f"{uuid.uuid4().hex[:12]}@example.com"


@pytest.fixture
def tab(context: BrowserContext, address: str, email: str) -> FilesPage:
    """The sample page, with somebody signed in."""
    page = FilesPage(context, address)
    page.enter(email)
    return page


def stored(server: RunningServer) -> set[Path]:
    """The files in which the server keeps bytes, whole or not."""
    return {path for path in (server.data / "objects").rglob("*") if path.is_file()}


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_picture_is_uploaded_shown_opened_to_everybody_and_deleted(tab: FilesPage) -> None:
    tab.choose({"name": "leaf.png", "mimeType": "image/png", "buffer": PICTURE})
    tab.has("leaf.png")
    tab.is_told("leaf.png is uploaded.")
    tab.shows_picture("leaf.png")
    tab.card("leaf.png").get_by_label("Who sees leaf.png").select_option("public")
    tab.is_told("leaf.png: everybody can see it now.")
    tab.shows_picture("leaf.png")
    tab.page.reload()
    tab.shows_picture("leaf.png")
    picture = tab.card("leaf.png").locator("img")
    expect(picture).to_have_attribute("src", re.compile(r"/img/480x360/smart/"))
    tab.press("Show leaf.png")
    expect(tab.page.get_by_role("dialog")).to_contain_text("8 × 8")
    tab.press("Close")
    tab.press("Delete leaf.png")
    tab.press("Keep it")
    expect(tab.card("leaf.png")).to_have_count(1)
    tab.press("Delete leaf.png")
    tab.press("Delete for good")
    tab.is_told("leaf.png is deleted.")
    expect(tab.card("leaf.png")).to_have_count(0)
    assert tab.calls("client.files.list().then(({ items }) => items.length)") == 0
    tab.is_sound()


def test_a_thumbnail_that_cannot_be_made_gives_way_to_the_picture(tab: FilesPage) -> None:
    tab.page.route(re.compile("/img/"), lambda route: route.fulfill(status=400, body="{}"))
    tab.page.get_by_label("Who sees them").select_option("public")
    tab.choose({"name": "leaf.png", "mimeType": "image/png", "buffer": PICTURE})
    tab.has("leaf.png")
    tab.shows_picture("leaf.png")
    picture = tab.card("leaf.png").locator("img")
    expect(picture).to_have_attribute("src", re.compile(r"/raw/"))
    broken = {"name": "broken.png", "mimeType": "image/png", "buffer": b"no picture"}
    tab.choose(broken)
    expect(tab.card("broken.png").locator(".tile")).to_have_text("PNG")
    tab.is_sound()
    tab.calls(
        "client.auth.me().then(({ id }) => client.files.list({ ownerId: id }))"
        ".then(({ items }) => Promise.all(items.map(({ id }) => client.files.delete(id))))"
    )


def test_several_files_go_at_once_and_are_found_by_name(tab: FilesPage) -> None:
    texts = [
        {"name": f"note-{number}.txt", "mimeType": "text/plain", "buffer": b"a note"}
        for number in range(5)
    ]
    tab.choose(*texts)
    for text in texts:
        tab.has(str(text["name"]))
    tab.page.get_by_label("Search by name").fill("NOTE-3")
    tab.press("Search")
    expect(tab.page.locator("#gallery li")).to_have_count(1)
    tab.page.get_by_label("Search by name").fill("nothing like it")
    tab.press("Search")
    expect(tab.page.get_by_text("No file has such a name.")).to_be_visible()
    tab.is_sound()


def test_after_a_reload_only_the_missing_parts_are_sent(
    tab: FilesPage, make_file: MakeFile
) -> None:
    size = 5 * PART + 1  # of six parts one is sent, four are on their way, one has to wait
    film = make_file(size)
    tab.hold_parts_after(1)
    tab.choose(film)
    tab.stands_at("film.bin", "19 %")
    progress = tab.page.get_by_role("progressbar", name="Upload of film.bin")
    expect(progress).to_have_js_property("value", 19)
    tab.page.reload()
    tab.cut_off()
    tab.stands_at("film.bin", "Interrupted at 19 %. Choose the same file again to go on.")
    tab.puts.clear()
    tab.choose(film)
    tab.has("film.bin")
    assert sorted(tab.puts) == [2, 3, 4, 5, 6]
    assert tab.digest("film.bin") == digest(film)
    assert tab.calls("client.files.interrupted.list()") == []
    tab.is_sound()


def test_a_broken_connection_costs_one_part_and_no_more(
    tab: FilesPage, make_file: MakeFile
) -> None:
    film = make_file(FILM)
    tab.break_part(2, times=2)
    tab.choose(film)
    tab.has("film.bin")
    assert sorted(tab.puts) == [1, 2, 2, 2, 3]
    assert tab.digest("film.bin") == digest(film)
    tab.is_sound()


def test_an_upload_outlives_the_server(
    context: BrowserContext, start_server: StartServer, make_file: MakeFile, email: str
) -> None:
    server, film = start_server(), make_file(30_000_000)
    with files_site(server) as address:
        tab = FilesPage(context, address)
        tab.enter(email)
        tab.hold_parts_after(2)
        tab.choose(film)
        tab.stands_at("film.bin", "55 %")
        server.kill()
        tab.cut_off()
        tab.stands_at("film.bin", "Stopped at 55 %")
        row = tab.upload("film.bin")
        expect(row.get_by_role("alert")).to_have_text(
            "The server cannot be reached. Are you online?"
        )
        server.start()
        tab.puts.clear()
        row.get_by_role("button", name="Try again").click()
        tab.has("film.bin")
        assert sorted(tab.puts) == [3, 4]
        assert tab.digest("film.bin") == digest(film)
        tab.is_sound()


def test_an_upload_is_paused_and_goes_on(tab: FilesPage, make_file: MakeFile) -> None:
    film = make_file(FILM)
    tab.hold_parts_after(1)
    tab.choose(film)
    tab.stands_at("film.bin", "44 %")
    tab.press("Pause")
    tab.stands_at("film.bin", "Paused at 44 %")
    tab.cut_off()
    tab.puts.clear()
    tab.press("Continue")
    tab.has("film.bin")
    assert sorted(tab.puts) == [2, 3]
    assert tab.digest("film.bin") == digest(film)
    tab.is_sound()


@pytest.mark.parametrize("when", ["on its way", "paused", "interrupted"])
def test_a_cancelled_upload_leaves_nothing_on_the_server(
    context: BrowserContext,
    server: RunningServer,
    make_file: MakeFile,
    email: str,
    when: str,
) -> None:
    before = stored(server)
    with untouched(server) as place, files_site(place) as address:
        tab = FilesPage(context, address)
        tab.enter(email)
        tab.hold_parts_after(1)
        tab.choose(make_file(FILM))
        tab.stands_at("film.bin", "44 %")
        assert stored(server) - before
        if when == "paused":
            tab.press("Pause")
            tab.stands_at("film.bin", "Paused")
        elif when == "interrupted":
            tab.page.reload()
            tab.stands_at("film.bin", "Interrupted at 44 %")
        tab.press("Cancel film.bin")
        tab.is_told("film.bin is cancelled.")
        expect(tab.page.locator("#add-title")).to_be_focused()
        expect(tab.upload("film.bin")).to_have_count(0)
        deadline = time.monotonic() + 30  # the server may still be noticing that a part broke off
        while left := stored(server) - before:
            assert time.monotonic() < deadline, left
            time.sleep(0.05)
        assert tab.calls("client.files.list().then(({ items }) => items)") == []
        assert tab.calls("client.files.interrupted.list()") == []
        tab.is_sound()


def test_an_interrupted_upload_is_nobody_elses_business(
    tab: FilesPage, make_file: MakeFile, email: str
) -> None:
    tab.hold_parts_after(1)
    tab.choose(make_file(FILM))
    tab.stands_at("film.bin", "44 %")
    tab.press("Sign out")
    tab.is_told("You are signed out. Sign in again to go on with your uploads.")
    tab.cut_off()
    tab.enter(f"other-{email}")
    expect(tab.page.locator("#uploads li")).to_have_count(0)
    tab.press("Sign out")
    tab.enter(email, "Sign in")
    tab.stands_at("film.bin", "Interrupted at 44 %")
    tab.is_sound()


def test_the_same_file_in_two_tabs_is_two_uploads(
    tab: FilesPage, context: BrowserContext, address: str, make_file: MakeFile
) -> None:
    film = make_file(FILM)
    tab.hold_parts_after(1)
    tab.choose(film)
    tab.stands_at("film.bin", "44 %")
    other = FilesPage(context, address)
    other.sees("Your files")
    assert other.calls("client.files.interrupted.list()") == []
    expect(other.page.locator("#uploads li")).to_have_count(0)
    other.choose(film)
    other.has("film.bin")
    assert sorted(other.puts) == [1, 2, 3]
    tab.cut_off()
    tab.has("film.bin")
    assert sorted(tab.puts) == [1, 2, 2, 3, 3]
    found = tab.calls("client.files.list({ search: 'film' }).then(({ items }) => items)")
    assert [file["size"] for file in found] == [FILM] * 2
    assert tab.digest("film.bin") == digest(film)
    tab.is_sound()
    other.is_sound()


def test_refusals_are_told_in_words(
    tab: FilesPage, server: RunningServer, make_file: MakeFile
) -> None:
    with project_settings(server, storage__maxUploadBytes=1_000_000):
        tab.choose(make_file(2_000_000, "big.bin"))
        problem = tab.upload("big.bin").get_by_role("alert")
        expect(problem).to_have_text("This file is too large for this server.")
        tab.choose(make_file(0, "empty.txt"))
        problem = tab.upload("empty.txt").get_by_role("alert")
        expect(problem).to_have_text("This file is empty.")
        tab.page.locator("#visibility").evaluate(
            "(list) => { list.add(new Option('Martians', 'martians')); list.value = 'martians' }"
        )
        tab.choose(make_file(10, "odd.txt"))
        problem = tab.upload("odd.txt").get_by_role("alert")
        expect(problem).to_contain_text("visibility")
        tab.press("Cancel big.bin")
        expect(tab.upload("big.bin")).to_have_count(0)
        expect(tab.page.locator("#gallery li")).to_have_count(0)
        tab.is_sound()


def test_an_ended_session_is_told_and_the_upload_goes_on_after_signing_in(
    tab: FilesPage, server: RunningServer, make_file: MakeFile, email: str
) -> None:
    film = make_file(FILM)
    tab.hold_parts_after(1)
    tab.choose(film)
    tab.stands_at("film.bin", "44 %")
    tokens = tab.calls("client.auth.getSession()")
    with server.client(token=tokens["accessToken"]) as client:
        assert client.post("/v1/auth/signout").status_code == 200
    tab.cut_off()  # the next attempt asks for an address, which needs the session
    tab.sees("Sign in")
    expect(tab.page.locator(".note:visible")).to_contain_text("signed out")
    tab.puts.clear()
    tab.enter(email, "Sign in")
    tab.upload("film.bin").locator(".toggle").click()
    tab.has("film.bin")
    assert sorted(tab.puts) == [2, 3]
    assert tab.digest("film.bin") == digest(film)
    tab.is_sound()


def test_files_are_dropped_and_chosen_by_keyboard(tab: FilesPage) -> None:
    tab.page.locator("#drop").evaluate(
        """(zone) => {
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File(["dropped"], "dropped.txt", { type: "text/plain" }));
        const options = { dataTransfer, bubbles: true, cancelable: true };
        for (const type of ["dragenter", "dragover", "drop"]) {
          zone.dispatchEvent(new DragEvent(type, options));
        }
        }"""
    )
    tab.has("dropped.txt")
    tab.page.locator("#sign-out").focus()
    tab.page.keyboard.press("Tab")
    expect(tab.page.locator("#picker")).to_be_focused()
    with tab.page.expect_file_chooser() as chosen:
        tab.page.keyboard.press("Space")
    typed = {"name": "typed.txt", "mimeType": "text/plain", "buffer": b"typed"}
    chosen.value.set_files(typed)  # type: ignore[arg-type]
    tab.has("typed.txt")
    tab.is_sound()


def test_a_file_of_somebody_else_is_seen_and_not_changed(
    tab: FilesPage, context: BrowserContext, server: RunningServer
) -> None:
    name = f"{uuid.uuid4().hex[:8]}.txt"
    token = server.sign_up(f"{uuid.uuid4().hex}@example.com")["accessToken"]
    with server.client(token=token) as client:
        form = {"file": (name, b"from afar", "text/plain")}
        made = client.post("/v1/files/upload", files=form, data={"visibility": "protected"})
        assert made.status_code == 201, made.text
    tab.page.reload()
    expect(tab.card(name)).to_contain_text("from somebody else")
    expect(tab.card(name).locator(".own")).to_be_hidden()
    tab.press(f"Show {name}")
    expect(tab.page.locator("#preview-link")).to_have_attribute("href", re.compile("signature="))
    tab.press("Close")
    tab.is_sound()
    with server.client(token=token) as client:
        assert client.delete(f"/v1/files/{made.json()['id']}").status_code == 200
