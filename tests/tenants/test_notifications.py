"""The console's bell (50 §1)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.tenants.conftest import EMAIL, Browser, Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

BOB = "bob@example.com"
PATH = "/notifications"


async def bell(browser: Browser) -> tuple[list[dict[str, Any]], int]:
    found = await browser.ok("GET", PATH)
    return found["items"], found["unreadCount"]


async def invite(server: Server, browser: Browser, email: str = BOB) -> Any:
    body = {"email": email, "name": "Bob", "role": "member"}
    return await browser.ok("POST", f"/organizations/{server.organization}/invitations", body, 201)


async def test_an_invitation_and_its_answer_ring(server: Server, ada: str) -> None:
    await server.add(BOB, name="Bob")
    owner, guest = await server.signed_in(), await server.signed_in(BOB)
    assert await bell(owner) == ([], 0)
    made = await invite(server, owner)
    [one], unread = await bell(guest)
    assert (one["type"], one["id"], one["isRead"], unread) == ("invitation", made["id"], False, 1)
    assert one["message"] == "Ada invites you to Default"
    assert one["link"] == made["acceptUrl"]
    server.clock.advance(1)
    assert await guest.ok("POST", f"{PATH}/read") == {"read": True}
    [one], unread = await bell(guest)
    assert (one["isRead"], unread) == (True, 0)
    token = made["acceptUrl"].rpartition("/")[2]
    await guest.ok("POST", f"/invitations/{token}/accept")
    assert await bell(guest) == ([], 0)
    [one], unread = await bell(owner)
    assert (one["type"], one["message"], unread) == ("member_joined", "Bob has joined", 1)
    server.clock.advance(31 * 86_400)
    assert await bell(await server.signed_in()) == ([], 0)


async def test_an_address_nobody_has_verified_is_told_nothing(server: Server, ada: str) -> None:
    await server.add(BOB, emailVerifiedAt=None)
    await invite(server, await server.signed_in())
    assert await bell(await server.signed_in(BOB)) == ([], 0)


async def test_members_are_not_told_who_joins(server: Server, ada: str) -> None:
    await server.add("member@example.com", "member")
    await server.add(BOB)
    made = await invite(server, await server.signed_in())
    token = made["acceptUrl"].rpartition("/")[2]
    await (await server.signed_in(BOB)).ok("POST", f"/invitations/{token}/accept")
    assert await bell(await server.signed_in("member@example.com")) == ([], 0)
    assert len((await bell(await server.signed_in(EMAIL)))[0]) == 1
