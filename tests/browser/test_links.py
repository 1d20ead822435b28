"""The hosted pages of mailed links in a real browser: no script, one form, its policy kept."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.managing import mailed_link
from tests.servers import RunningServer

pytestmark = pytest.mark.browser


@pytest.fixture
def email() -> str:
    """An address that nobody has."""
    return f"{uuid.uuid4().hex[:12]}@example.com"


def complaints(context: BrowserContext) -> list[str]:
    """What the browser writes to its console from now on, violations of the policy included."""
    found: list[str] = []
    context.on("console", lambda message: found.append(message.text))
    return found


def test_a_forgotten_password_is_replaced_without_the_app(
    context: BrowserContext, server: RunningServer, email: str
) -> None:
    server.sign_up(email, password="correct horse")
    with server.client() as client:
        client.post("/v1/auth/password/reset/request", json={"email": email})
    link = mailed_link(server, email, "password_reset")
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
    body: dict[str, Any] = {"email": email, "password": "another good horse"}
    with server.client() as client:
        assert client.post("/v1/auth/email/signin", json=body).status_code == 200


def test_an_invitation_is_accepted_without_the_app(
    context: BrowserContext, server: RunningServer, email: str
) -> None:
    body = {
        "resourceType": "organization",
        "resourceId": "acme",
        "resourceName": "Acme",
        "resourceRole": "member",
        "email": email,
        "name": "Bob",
    }
    with server.client(server.secret) as client:
        assert client.post("/v1/auth/invitations", json=body).status_code == 201
    said = complaints(context)
    page = context.new_page()
    page.goto(mailed_link(server, email, "invitation"))
    page.get_by_role("button", name="Accept").click()
    expect(page.get_by_role("heading")).to_have_text("Welcome to Acme")
    assert not [text for text in said if "Content Security Policy" in text]
