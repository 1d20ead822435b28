"""Who may make an account (50 §4)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bkend.tenants.collections import TENANT_ACCOUNTS
from tests.tenants.conftest import ACCOUNT, EMAIL, PASSWORD, Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATH = "/session/signup"
BODY = {"name": "Bob Babbage", "email": "Bob@Example.com", "password": PASSWORD}
CLOSED = (403, "auth/signup-disabled")


async def test_an_open_server_takes_everybody(server: Server) -> None:
    server.let("open")
    browser = server.browser()
    account = await browser.ok("POST", PATH, BODY, 201)
    assert account.keys() == ACCOUNT
    assert (account["email"], account["name"]) == ("bob@example.com", "Bob Babbage")
    assert (account["isServerAdmin"], account["emailVerifiedAt"]) == (False, None)
    assert (await browser.ok("GET", "/session"))["memberships"] == []
    body = {"token": await server.mailed_token()}
    await server.browser().ok("POST", "/session/verify-email", body)


@pytest.mark.parametrize("mode", ["invite", "closed"])
@pytest.mark.parametrize("email", [EMAIL, "nobody@example.com"])
@pytest.mark.parametrize("token", [None, "inv", "other"])
async def test_others_come_by_invitation_alone(
    server: Server, ada: str, mode: str, email: str, token: str | None
) -> None:
    server.let(mode, "bob@example.com")
    body = {**BODY, "email": email, "invitationToken": token}
    assert await server.browser().refused("POST", PATH, body) == CLOSED
    for bad in (None, "other", ""):
        found = await server.browser("198.51.100.3").refused(
            "POST", PATH, {**BODY, "invitationToken": bad}
        )
        assert found == CLOSED
    await server.browser().ok("POST", PATH, {**BODY, "invitationToken": "inv"}, 201)


async def test_of_many_at_once_one_gets_the_address(server: Server) -> None:
    server.let("open")
    browsers = [server.browser(f"198.51.100.{n}") for n in range(1, 9)]
    answers = await asyncio.gather(*(browser.call("POST", PATH, BODY) for browser in browsers))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    assert len(await server.all(TENANT_ACCOUNTS)) == 1


async def test_nobody_makes_themselves_an_admin(server: Server) -> None:
    server.let("open")
    more: dict[str, Any] = {
        "isServerAdmin": True,
        "emailVerifiedAt": "2020-01-01T00:00:00.000Z",
        "mfaEnabled": True,
        "status": "disabled",
        "id": "mine",
    }
    account = await server.browser().ok("POST", PATH, {**BODY, **more}, 201)
    assert {name: account[name] == value for name, value in more.items()} == dict.fromkeys(
        more, False
    )


async def test_ten_sign_ups_an_hour_from_one_address(server: Server) -> None:
    server.let("open")
    for n in range(10):
        await server.browser().ok("POST", PATH, {**BODY, "email": f"b{n}@example.com"}, 201)
    found = await server.browser().refused("POST", PATH, {**BODY, "email": "b@example.com"})
    assert found == (429, "common/rate-limited")
    await server.browser("198.51.100.9").ok("POST", PATH, {**BODY, "email": "b@example.com"}, 201)


async def test_a_common_password_is_refused(server: Server) -> None:
    server.let("open")
    for password in ("password12", "1234567890", "PASSWORD12"):
        answer = await server.browser().call("POST", PATH, {**BODY, "password": password})
        assert answer.status_code == 400
        [detail] = answer.json()["error"]["details"]
        assert (detail["field"], detail["rule"]) == ("password", "common")


async def test_only_a_verified_account_makes_organizations_where_mail_is_sent(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.let("open")
    browser = server.browser()
    await browser.ok("POST", PATH, BODY, 201)
    token = await server.mailed_token()
    body = {"name": "Mine"}
    monkeypatch.setattr(type(server.core.tenants.mail), "captures", False)
    found = await browser.refused("POST", "/organizations", body)
    assert found == (403, "auth/email-not-verified")
    await browser.ok("POST", "/session/verify-email", {"token": token})
    await browser.ok("POST", "/organizations", body, 201)
    assert [one["role"] for one in (await browser.ok("GET", "/session"))["memberships"]] == [
        "owner"
    ]
