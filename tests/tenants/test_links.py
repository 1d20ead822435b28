"""Links in mails: signing in, new passwords, verified addresses (51 §7, §8)."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from bkend.tenants.collections import TENANT_ACCOUNTS, TENANT_LINKS
from tests.tenants.conftest import ACCOUNT, EMAIL, PASSWORD, Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

NEW = "five red foxes"
INVALID = (400, "account/invalid-link")
EXPIRED = (400, "account/link-expired")
NOBODY = (401, "auth/unauthorized")
MINUTE, HOUR = 60, 3600
ASKING = ("/session/magic-link", "/session/password/forgot")


async def mailed(server: Server, path: str, email: str = EMAIL) -> str:
    server.clock.advance(1)  # so that the newest mail is told by its time
    assert await server.browser().ok("POST", path, {"email": email}, 202) == {"sent": True}
    return await server.mailed_token()


async def magic(server: Server, email: str = EMAIL) -> str:
    return await mailed(server, "/session/magic-link", email)


async def test_a_link_signs_in_once(server: Server, ada: str) -> None:
    token = await magic(server)
    [mail] = await server.mails()
    assert mail["to"] == EMAIL
    assert any("/console/magic?token=" in link for link in mail["links"])
    assert token not in str(await server.all(TENANT_LINKS))
    browser = server.browser()
    account = await browser.ok("POST", "/session/magic-link/confirm", {"token": token})
    assert account.keys() == ACCOUNT
    assert account["providers"] == ["password", "magic_link"]
    await browser.ok("GET", "/session")
    again = await server.browser().refused("POST", "/session/magic-link/confirm", {"token": token})
    assert again == INVALID


async def test_of_many_followers_one_comes_in(server: Server, ada: str) -> None:
    body = {"token": await magic(server)}
    confirm = "/session/magic-link/confirm"
    answers = await asyncio.gather(
        *(server.browser().call("POST", confirm, body) for _ in range(10))
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 9


async def test_a_link_ends_after_a_quarter_of_an_hour(server: Server, ada: str) -> None:
    token = await magic(server)
    server.clock.advance(15 * MINUTE)
    found = await server.browser().refused("POST", "/session/magic-link/confirm", {"token": token})
    assert found == EXPIRED


async def test_a_new_link_takes_the_place_of_the_old(server: Server, ada: str) -> None:
    old, new = await magic(server), await magic(server)
    confirm = "/session/magic-link/confirm"
    assert await server.browser().refused("POST", confirm, {"token": old}) == INVALID
    await server.browser().ok("POST", confirm, {"token": new})


@pytest.mark.parametrize("path", ASKING)
async def test_an_unknown_address_is_answered_alike_and_gets_nothing(
    server: Server, ada: str, path: str
) -> None:
    await server.add("disabled@example.com", status="disabled")

    def visible(answer: httpx.Response) -> object:
        kept = {n: v for n, v in answer.headers.items() if n != "x-request-id"}
        return answer.status_code, answer.content, kept

    answers = [
        visible(await server.browser().call("POST", path, {"email": email}))
        for email in ("nobody@example.com", "disabled@example.com", EMAIL)
    ]
    assert answers[0] == answers[1] == answers[2]
    assert [mail["to"] for mail in await server.mails()] == [EMAIL]
    assert len(await server.all(TENANT_LINKS)) == 1
    assert len(await server.all(TENANT_ACCOUNTS)) == 2


@pytest.mark.parametrize("path", ASKING)
@pytest.mark.parametrize("email", [EMAIL, "nobody@example.com"])
async def test_three_mails_an_hour_for_an_address(
    server: Server, ada: str, path: str, email: str
) -> None:
    for _ in range(3):
        await server.browser().ok("POST", path, {"email": email}, 202)
    found = await server.browser("198.51.100.1").refused("POST", path, {"email": email.upper()})
    assert found == (429, "common/rate-limited")
    server.clock.advance(HOUR)
    await server.browser().ok("POST", path, {"email": email}, 202)


async def test_a_token_of_one_kind_is_none_of_another(server: Server, ada: str) -> None:
    magic_token = await magic(server)
    reset_token = await mailed(server, "/session/password/forgot")
    browser = server.browser()
    confirm = "/session/magic-link/confirm"
    assert await browser.refused("POST", confirm, {"token": reset_token}) == INVALID
    body = {"token": magic_token, "newPassword": NEW}
    assert await browser.refused("POST", "/session/password/reset", body) == INVALID
    assert await browser.refused("POST", "/session/verify-email", body) == INVALID


async def test_an_open_server_makes_an_account_of_a_followed_link(server: Server) -> None:
    server.let("open")
    token = await magic(server, "new@example.com")
    assert await server.all(TENANT_ACCOUNTS) == []
    account = await server.browser().ok("POST", "/session/magic-link/confirm", {"token": token})
    assert (account["email"], account["hasPassword"]) == ("new@example.com", False)
    assert account["emailVerifiedAt"]
    assert account["isServerAdmin"] is False


async def test_who_is_invited_may_come_by_link(server: Server) -> None:
    server.let("closed", "new@example.com")
    token = await magic(server, "new@example.com")
    await server.browser().ok("POST", "/session/magic-link/confirm", {"token": token})
    server.let("open")
    late = await magic(server, "late@example.com")
    server.let("invite")
    found = await server.browser().refused("POST", "/session/magic-link/confirm", {"token": late})
    assert found == (403, "auth/signup-disabled")


async def test_who_made_the_account_before_its_holder_came_keeps_no_way_in(
    server: Server,
) -> None:
    thief_id = await server.add(EMAIL, "member", emailVerifiedAt=None)
    thief = await server.signed_in()
    token = await thief.ok("POST", "/account/tokens", {"name": "T"}, 201)
    holder = server.browser()
    account = await holder.ok("POST", "/session/magic-link/confirm", {"token": await magic(server)})
    assert (account["id"], account["hasPassword"]) == (thief_id, False)
    assert account["emailVerifiedAt"]
    assert await thief.refused("GET", "/session") == NOBODY
    bearer = {"Authorization": f"Bearer {token['key']}"}
    assert await server.browser().refused("GET", "/session", **bearer) == NOBODY
    found = await server.browser().refused(
        "POST", "/session/login", {"email": EMAIL, "password": PASSWORD}
    )
    assert found == (401, "auth/invalid-credentials")


# -- new passwords --------------------------------------------------------------------------------


async def test_a_forgotten_password_is_replaced_and_everybody_signed_out(
    server: Server, ada: str
) -> None:
    browser = await server.signed_in()
    token = await mailed(server, "/session/password/forgot")
    assert "/console/reset?token=" in str((await server.mails())[0]["links"])
    body = {"token": token, "newPassword": "short"}
    assert (await server.browser().refused("POST", "/session/password/reset", body))[0] == 400
    body["newPassword"] = NEW
    answer = await server.browser().call("POST", "/session/password/reset", body)
    assert answer.json() == {"reset": True}
    assert "set-cookie" not in answer.headers
    assert await browser.refused("GET", "/session") == NOBODY
    await server.browser().log_in(password=NEW)
    again = await server.browser().refused("POST", "/session/password/reset", body)
    assert again == INVALID


async def test_an_old_reset_ends_with_a_change_of_password(server: Server, ada: str) -> None:
    token = await mailed(server, "/session/password/forgot")
    browser = await server.signed_in()
    change = {"currentPassword": PASSWORD, "newPassword": NEW}
    await browser.ok("PUT", "/account/password", change)
    body = {"token": token, "newPassword": "six green geese"}
    assert await server.browser().refused("POST", "/session/password/reset", body) == INVALID


async def test_a_reset_ends_after_a_day(server: Server, ada: str) -> None:
    token = await mailed(server, "/session/password/forgot")
    server.clock.advance(24 * HOUR)
    body = {"token": token, "newPassword": NEW}
    assert await server.browser().refused("POST", "/session/password/reset", body) == EXPIRED


# -- verification ---------------------------------------------------------------------------------


async def test_a_mailed_link_verifies_the_address(server: Server) -> None:
    await server.add(EMAIL, emailVerifiedAt=None)
    browser = await server.signed_in()
    await browser.ok("POST", "/session/verify-email/resend", status=202)
    body = {"token": await server.mailed_token()}
    found = await server.browser().ok("POST", "/session/verify-email", body)
    assert found == {"verified": True, "email": EMAIL}
    assert (await browser.ok("GET", "/account"))["emailVerifiedAt"]
    assert await server.browser().refused("POST", "/session/verify-email", body) == INVALID
    again = await browser.refused("POST", "/session/verify-email/resend")
    assert again == (409, "account/already-verified")


# -- the outbox -----------------------------------------------------------------------------------


async def test_a_server_admin_reads_mails_that_were_not_sent(server: Server, ada: str) -> None:
    await server.add("bob@example.com")
    await mailed(server, "/session/password/forgot", "bob@example.com")
    browser, bob = await server.signed_in(), await server.signed_in("bob@example.com")
    path = "/system/outbox"
    found = await browser.ok("GET", path)
    [mail] = found["items"]
    assert (mail["to"], mail["template"]) == ("bob@example.com", "password_reset")
    assert await browser.ok("GET", f"{path}/{mail['id']}") == mail
    for method, where in (("GET", path), ("GET", f"{path}/{mail['id']}"), ("DELETE", path)):
        assert await bob.refused(method, where) == (403, "common/forbidden")
    assert (await browser.ok("DELETE", path))["count"] == 1
    assert await browser.refused("GET", f"{path}/{mail['id']}") == (404, "common/not-found")
