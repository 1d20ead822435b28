"""Every view of the sample sign-in page fits, can be read, and can be used by all."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Literal

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.looks import looks_right
from tests.browser.pictures import PICTURE
from tests.browser.signing import PASSWORD, SignInPage, sign_in_site
from tests.managing import mailed_link
from tests.servers import RunningServer

pytestmark = pytest.mark.browser


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
    right: Callable[[str], None] = lambda name: looks_right(tab.page, width, name)  # noqa: E731
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
