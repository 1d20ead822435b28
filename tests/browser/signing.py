"""What a person does on the sample sign-in page, and what they see."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, expect

from tests.browser.sites import example_site
from tests.servers import RunningServer

PASSWORD = "correct horse"


def sign_in_site(server: RunningServer) -> AbstractContextManager[str]:
    """The address of the sample page, set up for a server, on an origin of its own."""
    config = {"API": server.url, "KEY": server.key, "PROVIDERS": {"acme": "Acme"}}
    return example_site("sign-in", config)


class SignInPage:
    """The sample page in one tab."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.page: Page = context.new_page()
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._hear)
        self.page.goto(address)

    def _hear(self, message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            self.errors.append(message.text)

    def open(self, view: str, button: str) -> None:
        """Go to another view of the entrance."""
        self.page.get_by_role("button", name=button).click()
        self.sees(view)

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def form(self, id: str, button: str, **fields: str) -> None:
        """Fill in the fields of a form by their names, and send it."""
        form = self.page.locator(f"form#{id}")
        for name, value in fields.items():
            form.locator(f"[name={name}]").fill(value)
        form.get_by_role("button", name=button, exact=True).click()

    def sign_up(self, email: str, name: str = "Ada Lovelace") -> None:
        self.open("Create an account", "Create an account")
        self.form("sign-up", "Create account", name=name, email=email, password=PASSWORD)
        self.sees(name)

    def sign_in(self, email: str, password: str = PASSWORD) -> None:
        self.form("sign-in", "Sign in", email=email, password=password)

    def sign_out(self) -> None:
        self.press("Sign out")
        self.sees("Sign in")

    def sees(self, heading: str) -> None:
        expect(self.page.get_by_role("heading", level=1, name=heading, exact=True)).to_be_visible()

    def is_told(self, text: str) -> None:
        expect(self.page.get_by_role("status")).to_have_text(text)

    def is_warned(self, text: str) -> None:
        expect(self.page.get_by_role("alert")).to_have_text(text)

    def calls(self, script: str) -> Any:
        """What the page's own client answers."""
        return self.page.evaluate(f"import('./client.js').then(({{ client }}) => {script})")

    def is_sound(self) -> None:
        """No mistake of the page's, and nothing left in the address."""
        assert self.errors == []
        assert "?" not in self.page.url
