"""What a person does on the sample page for files, and what they see."""

from __future__ import annotations

import hashlib
import re
import time
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from playwright.sync_api import (
    BrowserContext,
    ConsoleMessage,
    Error,
    Locator,
    Page,
    Request,
    Route,
    expect,
)

from tests.browser.sites import example_site
from tests.servers import RunningServer

PASSWORD = "correct horse"
PART = 8 * 1024 * 1024


def files_site(server: RunningServer, bytes_at: str = "") -> AbstractContextManager[str]:
    """The address of the sample page, set up for a server, on an origin of its own."""
    return example_site("files", {"API": server.url, "KEY": server.key}, bytes_at)


def part_of(url: str) -> int:
    """The number of the part that a signed address is for; 0 of a whole file."""
    return int(parse_qs(urlsplit(url).query).get("partNumber", ["0"])[0])


class FilesPage:
    """The sample page in one tab."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.page: Page = context.new_page()
        self.errors: list[str] = []
        self.puts: list[int] = []
        """The parts that were sent, as often as they were."""
        self._held: list[Route] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._hear)
        self.page.on("request", self._watch)
        self.page.goto(address)

    def _hear(self, message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text or "unsafe header" in message.text:
            self.errors.append(message.text)

    def _watch(self, request: Request) -> None:
        if request.method == "PUT":
            self.puts.append(part_of(request.url))
            if {"authorization", "x-api-key"} & request.headers.keys():
                self.errors.append(f"a secret went to {request.url}")

    # -- the network ------------------------------------------------------------------------

    def hold_parts_after(self, number: int) -> None:
        """From now on the bytes of later parts stay on their way."""

        def hold(route: Route) -> None:
            if part_of(route.request.url) > number:
                self._held.append(route)
            else:
                route.continue_()

        self.page.route(re.compile("partNumber="), hold)

    def cut_off(self) -> None:
        """The connections of what is on its way break, and nothing is held any more."""
        while self._held:
            with suppress(Error):  # those that the page gave up itself are gone
                self._held.pop().abort("connectionreset")
        self.page.unroute_all(behavior="ignoreErrors")

    def break_part(self, number: int, times: int) -> None:
        """The connection breaks so often while the part is sent."""
        left = times

        def cut(route: Route) -> None:
            nonlocal left
            if part_of(route.request.url) != number or left == 0:
                route.continue_()
                return
            left -= 1
            route.abort("connectionreset")

        self.page.route(re.compile("partNumber="), cut)

    # -- the person -------------------------------------------------------------------------

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def enter(self, email: str, button: str = "Create an account") -> None:
        self.page.get_by_label("E-mail").fill(email)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.press(button)
        self.sees("Your files")

    def choose(self, *files: Path | dict[str, Any]) -> None:
        self.page.locator("#picker").set_input_files(list(files))  # type: ignore[arg-type]

    def upload(self, name: str) -> Locator:
        """The row of a file that is on its way."""
        return self.page.locator("#uploads li", has_text=name)

    def card(self, name: str) -> Locator:
        """A file that is there."""
        return self.page.locator("#gallery li", has_text=name)

    def sees(self, heading: str) -> None:
        expect(self.page.get_by_role("heading", level=1, name=heading, exact=True)).to_be_visible()

    def stands_at(self, name: str, state: str) -> None:
        expect(self.upload(name).locator(".state")).to_contain_text(state, timeout=60_000)

    def has(self, name: str) -> None:
        """The file has arrived, which may take some time."""
        expect(self.card(name)).to_have_count(1, timeout=120_000)
        expect(self.upload(name)).to_have_count(0)

    def is_told(self, text: str) -> None:
        expect(self.page.get_by_role("status")).to_have_text(text)

    def is_warned(self, text: str) -> None:
        expect(self.page.locator("#alert")).to_have_text(text)

    def shows_picture(self, name: str) -> None:
        """The thumbnail is loaded, from wherever."""
        self.loads(self.card(name).locator("img"))

    def loads(self, pictures: Locator) -> None:
        """One of the pictures is there; the page's policy bars wait_for_function from polling."""
        loaded = "(images) => images.some((image) => image.complete && image.naturalWidth > 0)"
        deadline = time.monotonic() + 30
        while not pictures.evaluate_all(loaded):
            assert time.monotonic() < deadline, "no picture"
            self.page.wait_for_timeout(50)

    def calls(self, script: str) -> Any:
        """What the page's own client answers."""
        return self.page.evaluate(f"import('./client.js').then(({{ client }}) => {script})")

    def digest(self, name: str) -> str:
        """SHA-256 of the bytes that the server hands out for a file."""
        found = self.calls(
            f"client.files.list({{ search: '{name}' }})"
            ".then(({ items }) => client.files.url(items[0].id))"
        )
        return hashlib.sha256(httpx.get(found, timeout=60, verify=False).content).hexdigest()

    def is_sound(self) -> None:
        """No mistake of the page's."""
        assert self.errors == []
