"""The hosted pages of mailed links in a real browser: no script, one form, its policy kept."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, expect

from bkend.core import Core
from tests.auth.links.mails import Letter, letters
from tests.backdoor import beside
from tests.conftest import StartServer
from tests.servers import RunningServer

pytestmark = pytest.mark.browser


def newest_letter(server: RunningServer, category: str) -> Letter:
    """The last mail of the environment `dev`."""

    async def work(core: Core) -> Letter:
        place = await core.hierarchy.environment("app", "dev")
        await core.environments.get(place["id"])
        return (await letters(await core.database.environment(place["id"]), category))[-1]

    with ThreadPoolExecutor(1) as apart:  # the browser keeps this thread's event loop busy
        return apart.submit(beside, server, work).result()


def complaints(context: BrowserContext) -> list[str]:
    """What the browser writes to its console from now on, violations of the policy included."""
    found: list[str] = []
    context.on("console", lambda message: found.append(message.text))
    return found


def test_a_forgotten_password_is_replaced_without_the_app(
    context: BrowserContext, start_server: StartServer
) -> None:
    server = start_server()
    server.sign_up("ada@example.com", password="correct horse")
    with server.client() as client:
        client.post("/v1/auth/password/reset/request", json={"email": "ada@example.com"})
    link = newest_letter(server, "password_reset").link
    assert link.startswith(f"{server.url}/auth/reset-password?")
    said = complaints(context)
    page = context.new_page()
    page.goto(link)
    page.get_by_label("New password").fill("first horse")
    page.get_by_label("Once more").fill("other horse")
    page.get_by_role("button", name="Save password").click()
    expect(page.get_by_role("alert")).to_have_text("The two passwords differ.")
    page.get_by_label("New password").fill("another good horse")
    page.get_by_label("Once more").fill("another good horse")
    page.get_by_role("button", name="Save password").click()
    expect(page.get_by_role("heading")).to_have_text("Your password was changed")
    assert "token" not in page.url
    assert not [text for text in said if "Content Security Policy" in text]
    body: dict[str, Any] = {"email": "ada@example.com", "password": "another good horse"}
    with server.client() as client:
        assert client.post("/v1/auth/email/signin", json=body).status_code == 200


def test_an_invitation_is_accepted_without_the_app(
    context: BrowserContext, start_server: StartServer
) -> None:
    server = start_server()
    body = {
        "resourceType": "organization",
        "resourceId": "acme",
        "resourceName": "Acme",
        "resourceRole": "member",
        "email": "bob@example.com",
        "name": "Bob",
    }
    with server.client(server.secret) as client:
        assert client.post("/v1/auth/invitations", json=body).status_code == 201
    said = complaints(context)
    page = context.new_page()
    page.goto(newest_letter(server, "invitation").link)
    page.get_by_role("button", name="Accept").click()
    expect(page.get_by_role("heading")).to_have_text("Welcome to Acme")
    assert not [text for text in said if "Content Security Policy" in text]
