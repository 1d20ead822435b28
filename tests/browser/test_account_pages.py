"""The plain pages of accounts in a real browser: what it sends of itself is what lets it in."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import OUTSIDE
from tests.directories import Preparing
from tests.servers import RunningServer, clean_environment

EMAIL, PASSWORD = "ada@example.com", "four brown horses"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, prepare: Preparing) -> Iterator[RunningServer]:
    server = prepare(tmp_path_factory.mktemp("accounts"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def first(browser: Browser, served: RunningServer) -> Iterator[BrowserContext]:
    """The profile in which the first account was made."""
    context = browser.new_context()
    set_up(context.new_page(), served)
    yield context
    context.close()


def set_up(page: Page, server: RunningServer) -> None:
    """Follow the link that the server printed."""
    found = re.findall(r"(/console/setup\?token=\S+)", server.log)
    page.goto(server.url + found[-1])
    page.get_by_label("Your name").fill("Ada Lovelace")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("Organization").fill("Analytical Engines")
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_role("heading")).to_have_text("This server is set up")


def test_from_the_printed_link_to_a_program_that_is_logged_in(
    first: BrowserContext, browser: Browser, served: RunningServer, tmp_path: Path
) -> None:
    [cookie] = first.cookies()
    assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"]) == (
        "bkend_session",
        True,
        "Lax",
    )
    login = subprocess.Popen(
        [sys.executable, "-m", "bkend", "login", "--server", served.url],
        env=clean_environment({"XDG_CONFIG_HOME": str(tmp_path), "HOME": str(tmp_path)}),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert login.stdout is not None
    address = login.stdout.readline().split()[-1]
    elsewhere = browser.new_context()
    other = elsewhere.new_page()
    other.goto(address)
    expect(other.get_by_role("heading")).to_have_text("Sign in")
    other.get_by_label("E-mail").fill(EMAIL)
    other.get_by_label("Password", exact=True).fill("wrong horses")
    other.get_by_role("button", name="Sign in").click()
    expect(other.get_by_role("alert")).to_have_text("The e-mail address or the password is wrong")
    other.get_by_label("Password", exact=True).fill(PASSWORD)
    other.get_by_role("button", name="Sign in").click()
    expect(other.get_by_role("heading")).to_have_text("Log a program in")
    expect(other.get_by_text(address[-9:])).to_be_visible()
    other.get_by_role("button", name="Approve").click()
    expect(other.get_by_role("heading")).to_have_text("Approved")
    printed, _ = login.communicate(timeout=60)
    assert f"as {EMAIL}" in printed
    elsewhere.close()


@pytest.mark.usefixtures("first")
def test_a_browser_that_says_little_of_itself_comes_in_too(
    context: BrowserContext, served: RunningServer
) -> None:
    """Over plain http to a name, browsers send no Sec-Fetch-Site: the origin must do."""
    page = context.new_page()
    page.goto(f"http://{OUTSIDE}:{served.port}/console/login")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/console/")
