"""What a person does on the example page, and what they see."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import jwt
from playwright.sync_api import BrowserContext, Page, expect

from tests.servers import RunningServer


class PostsPage:
    """The example page in one tab."""

    def __init__(self, context: BrowserContext, site: str, server: RunningServer) -> None:
        self.page: Page = context.new_page()
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(f"{site}?api={server.url}&key={server.key}")
        self.page.wait_for_function("document.body.dataset.done !== undefined")

    def _settled(self, action: Callable[[], Any]) -> None:
        """Do something and wait until the page has dealt with the answer."""
        before = self.page.evaluate("Number(document.body.dataset.done)")
        action()
        self.page.wait_for_function(f"Number(document.body.dataset.done) > {before}")

    def enter(
        self, email: str, *, button: str = "Sign up", password: str = "correct horse"
    ) -> None:
        self.page.get_by_label("Name").fill("Ada")
        self.page.get_by_label("E-mail").fill(email)
        self.page.get_by_label("Password").fill(password)
        self._settled(lambda: self.page.get_by_role("button", name=button).click())

    def publish(self, title: str, slug: str = "") -> None:
        self.page.get_by_label("Title").fill(title)
        self.page.get_by_label("Slug").fill(slug)
        self._settled(lambda: self.page.get_by_role("button", name="Publish").click())

    def list(self) -> None:
        self._settled(lambda: self.page.get_by_role("button", name="List posts").click())

    def attempt(self, script: str) -> None:
        """Run a call of the client as an app would, with the page's error display."""
        self._settled(lambda: self.page.evaluate(f"attempt(() => {script})"))

    def reload(self) -> None:
        self.page.reload()
        self.page.wait_for_function("document.body.dataset.done !== undefined")

    def wait_for_expiry(self) -> None:
        """Until the stored access token is past its `exp`."""
        claims = jwt.decode(self.access_token(), options={"verify_signature": False})
        self.page.wait_for_function(f"Date.now() / 1000 > {claims['exp']} + 0.05")

    def access_token(self) -> str:
        return str(self.page.evaluate("client.auth.getSession().then((s) => s.accessToken)"))

    def shows_user(self, name: str = "Ada") -> None:
        expect(self.page.locator("#who")).to_be_visible()
        expect(self.page.locator("#name")).to_have_text(name)

    def shows_entrance(self) -> None:
        expect(self.page.locator("#enter")).to_be_visible()

    def shows_post(self, title: str) -> None:
        expect(self.page.locator("#posts li", has_text=title)).to_have_count(1)

    def shows_error(self, start: str, *words: str) -> None:
        error = self.page.locator("#error")
        expect(error).to_be_visible()
        expect(error).to_have_text(re.compile(f"^{re.escape(start)}"))
        for word in words:
            expect(error).to_contain_text(word)

    def shows_no_error(self) -> None:
        expect(self.page.locator("#error")).to_be_hidden()
        assert self.errors == []
