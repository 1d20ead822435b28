"""Every view of the sample sign-in page fits, can be read, and can be used by all.

`SCREENSHOTS=DIRECTORY` keeps a picture of each."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from typing import Literal

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.pictures import PICTURE
from tests.browser.signing import PASSWORD, SignInPage, mailed_link, sign_in_site
from tests.servers import RunningServer

pytestmark = pytest.mark.browser

_CONTRASTS = """
() => {
  const parse = (text) => {
    const numbers = text.match(/[\\d.]+/g).map(Number);
    return text.startsWith("color(") ? numbers.map((c, i) => i < 3 ? c * 255 : c) : numbers;
  };
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => {
    const colour = parse(getComputedStyle(element).backgroundColor);
    return colour[3] === 0 && element.parentElement ? ground(element.parentElement) : colour;
  };
  const words = [...document.querySelectorAll("h1, h2, p, label, button, small, b, li, summary")];
  const shown = words.filter((e) => e.checkVisibility() && e.innerText.trim());
  return shown.map((element) => {
    const pair = [light(parse(getComputedStyle(element).color)), light(ground(element))];
    const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    return [Math.round(ratio * 100) / 100, element.innerText.slice(0, 40)];
  });
}
"""
_NAMELESS = """
() => [...document.querySelectorAll("input, textarea, button, progress, img")]
  .filter((e) => e.checkVisibility())
  .filter((e) => !(e.labels?.length || e.ariaLabel || e.innerText || e.hasAttribute("alt")))
  .map((e) => e.outerHTML)
"""
_SMALL = """
() => [...document.querySelectorAll("button:not(.link), .button, input:not([type=file])")]
  .filter((e) => e.checkVisibility()).map((e) => [e.getBoundingClientRect(), e.outerHTML])
  .filter(([box]) => box.height < 36 && box.height > 1).map(([, html]) => html)
"""


def looks_right(tab: SignInPage, width: int, name: str) -> None:
    """Nothing leaves the screen, all words can be read, all controls have names."""
    page = tab.page
    if folder := os.environ.get("SCREENSHOTS"):
        scheme = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
        page.screenshot(
            path=f"{folder}/{name}-{width}-{'dark' if scheme else 'light'}.png", full_page=True
        )
    assert page.evaluate("document.documentElement.scrollWidth") == width, name
    faint = [found for found in page.evaluate(_CONTRASTS) if found[0] < 4.5]
    assert not faint, name
    assert page.evaluate(_NAMELESS) == [], name
    assert page.evaluate(_SMALL) == [], name


@pytest.fixture
def address(server: RunningServer) -> Iterator[str]:
    """The sample page for the shared server."""
    with sign_in_site(server) as found:
        yield found


@pytest.mark.parametrize(("width", "colours"), [(320, "dark"), (320, "light"), (1000, "light")])
def test_every_view_fits_and_can_be_read(
    browser: Browser,
    server: RunningServer,
    address: str,
    width: int,
    colours: Literal["light", "dark"],
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=colours, reduced_motion="reduce"
    )
    tab = SignInPage(context, address)
    right: Callable[[str], None] = lambda name: looks_right(tab, width, name)  # noqa: E731
    email = f"{uuid.uuid4().hex[:12]}.with.a.long.address@example.com"
    right("sign-in")
    tab.sign_in(email)
    expect(tab.page.get_by_role("alert")).to_be_visible()
    right("wrong-password")
    tab.form("sign-in", "Sign in", email="nobody", password="x")
    right("field")
    tab.open("Forgotten password", "Forgotten your password?")
    right("forgot")
    tab.press("Back to sign-in")
    tab.open("Sign in with a link", "E-mail me a link")
    right("link")
    tab.form("link", "Send the link", email=email)
    tab.sees("Look at your mail")
    right("sent")
    tab.press("Back to sign-in")
    tab.open("Create an account", "Create an account")
    right("sign-up")
    tab.form("sign-up", "Create account", name="Ada Lovelace", email=email, password=PASSWORD)
    tab.sees("Ada Lovelace")
    right("account")
    tab.form("mfa-enable", "Set up", password=PASSWORD)
    expect(tab.page.locator("#qr")).to_be_visible()
    right("second-factor")
    picture = {"name": "me.png", "mimeType": "image/png", "buffer": PICTURE}
    tab.page.locator("#picture").set_input_files(picture)  # type: ignore[arg-type]
    tab.is_told("Your picture is saved.")
    right("picture")
    tab.press("Delete account")
    right("sure")
    tab.press("Keep it")
    tab.sign_out()
    tab.open("Forgotten password", "Forgotten your password?")
    tab.form("forgot", "Send the link", email=email)
    tab.sees("Look at your mail")
    tab.page.goto(mailed_link(server, email, "password_reset"))
    tab.sees("Choose a new password")
    right("reset")
    tab.page.evaluate("import('./entrance.js').then(({ askForCode }) => askForCode(() => {}))")
    tab.sees("One more step")
    right("code")
    context.close()
