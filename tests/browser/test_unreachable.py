"""A sample page whose server is away says so, instead of showing nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.sites import example_site
from tests.directories import Preparing
from tests.servers import RunningServer, free_port

pytestmark = pytest.mark.browser


@pytest.fixture
def away(tmp_path: Path, prepare: Preparing) -> Iterator[RunningServer]:
    """A server that is not there yet."""
    server = prepare(tmp_path)
    yield server
    server.stop()


def test_the_pages_say_so_and_try_again(context: BrowserContext, away: RunningServer) -> None:
    config = {"API": away.url, "KEY": away.key, "PROVIDERS": {}}
    with example_site("sign-in", config) as sign_in, example_site("files", config) as files:
        pages = [context.new_page(), context.new_page()]
        errors: list[str] = []
        for page, address in zip(pages, (sign_in, files), strict=True):
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.goto(address)
            alert = page.locator("#alert")
            expect(alert).to_contain_text(f"The server at {away.url} cannot be reached.")
            expect(page.locator("h1:visible")).to_have_count(0)
            assert errors == []
        away.start()
        for page in pages:
            alert = page.locator("#alert")
            alert.get_by_role("button", name="Try again").click()
            expect(page.get_by_role("heading", level=1, name="Sign in")).to_be_visible()
            expect(alert).to_be_hidden()


def test_the_page_of_posts_says_what_is_missing(
    context: BrowserContext, site: str, server: RunningServer
) -> None:
    page = context.new_page()
    error = page.get_by_role("alert")
    nobody = f"http://127.0.0.1:{free_port()}"
    page.goto(f"{site}?api={nobody}&key=pk_x")
    expect(error).to_have_text(f"{nobody} cannot be reached.")
    for query in ("", f"?api={server.url}", "?key=pk_x"):
        page.goto(f"{site}{query}")
        expect(error).to_contain_text("Open this page with ?api=")
