"""Letting a program in by a code (51 §7)."""

from __future__ import annotations

import asyncio

import pytest

from bkend.manage.control import KEYS
from bkend.manage.members import new_member
from bkend.tenants.collections import DEVICE_CODES
from tests.tenants.conftest import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

PENDING = (400, "device/authorization-pending")
EXPIRED = (400, "device/expired")
GONE = (404, "common/not-found")
MINUTE = 60


async def test_a_program_gets_a_token_once_a_person_agrees(server: Server, ada: str) -> None:
    program, browser = server.browser(), await server.signed_in()
    begun = await program.ok("POST", "/device/authorize", {"name": "bkend on laptop"}, 201)
    assert begun["verificationUri"].endswith("/console/device")
    assert begun["verificationUriComplete"].endswith(f"?code={begun['userCode']}")
    assert (begun["expiresIn"], begun["interval"]) == (600, 5)
    asking = {"deviceCode": begun["deviceCode"]}
    assert begun["deviceCode"] not in str(await server.all(DEVICE_CODES))
    assert await program.refused("POST", "/device/token", asking) == PENDING
    assert await program.refused("POST", "/device/token", asking) == (400, "device/slow-down")
    shown = await browser.ok("GET", f"/device/{begun['userCode'].lower()}")
    assert (shown["name"], shown["ip"]) == ("bkend on laptop", "203.0.113.7")
    assert not shown.keys() & {"id", "deviceCode", "accountId"}
    approved = await browser.ok("POST", f"/device/{begun['userCode']}", {})
    assert approved == {"approved": True, "organizationId": server.organization}
    token = await program.ok("POST", "/device/token", asking)
    assert (token["name"], token["createdBy"]) == ("bkend on laptop", ada)
    assert token["expiresAt"]
    bearer = {"Authorization": f"Bearer {token['key']}"}
    assert (await program.call("GET", "/session", **bearer)).json()["account"]["id"] == ada
    assert await program.refused("POST", "/device/token", asking) == EXPIRED
    listed = await browser.ok("GET", "/account/tokens")
    assert [item["id"] for item in listed["items"]] == [token["id"]]


async def test_the_token_is_given_once_at_the_same_moment(server: Server, ada: str) -> None:
    program, browser = server.browser(), await server.signed_in()
    begun = await program.ok("POST", "/device/authorize", None, 201)
    await browser.ok("POST", f"/device/{begun['userCode']}")
    body = {"deviceCode": begun["deviceCode"]}
    answers = await asyncio.gather(*(program.call("POST", "/device/token", body) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7
    assert len([key for key in await server.all(KEYS) if key["createdBy"] == ada]) == 1


async def test_a_person_says_no(server: Server, ada: str) -> None:
    program, browser = server.browser(), await server.signed_in()
    begun = await program.ok("POST", "/device/authorize", {}, 201)
    await browser.ok("DELETE", f"/device/{begun['userCode']}")
    body = {"deviceCode": begun["deviceCode"]}
    assert await program.refused("POST", "/device/token", body) == (403, "device/denied")
    assert await program.refused("POST", "/device/token", body) == EXPIRED
    assert await browser.refused("POST", f"/device/{begun['userCode']}") == GONE


async def test_a_code_ends_after_ten_minutes(server: Server, ada: str) -> None:
    program, browser = server.browser(), await server.signed_in()
    begun = await program.ok("POST", "/device/authorize", {}, 201)
    server.clock.advance(10 * MINUTE)
    for method in ("GET", "POST", "DELETE"):
        assert await browser.refused(method, f"/device/{begun['userCode']}") == GONE
    body = {"deviceCode": begun["deviceCode"]}
    assert await program.refused("POST", "/device/token", body) == EXPIRED
    await server.core.tenants.sweep()
    assert await server.all(DEVICE_CODES) == []


async def test_the_code_for_people_fetches_nothing(server: Server, ada: str) -> None:
    program = server.browser()
    begun = await program.ok("POST", "/device/authorize", {}, 201)
    for code in (begun["userCode"], begun["userCode"].replace("-", ""), "", "x" * 300):
        found = await program.refused("POST", "/device/token", {"deviceCode": code})
        assert found == EXPIRED


async def test_without_a_session_nobody_looks_or_agrees(server: Server, ada: str) -> None:
    program = server.browser()
    begun = await program.ok("POST", "/device/authorize", {}, 201)
    for method in ("GET", "POST", "DELETE"):
        found = await program.refused(method, f"/device/{begun['userCode']}")
        assert found == (401, "auth/unauthorized")


async def test_members_of_several_organizations_choose(server: Server, ada: str) -> None:
    other = await server.core.hierarchy.bootstrap(organization="Other", project="other")
    joined = new_member(other.organization_id, ada, "member", server.clock.now_ms())
    await server.core.database.control.commit([joined])
    program, browser = server.browser(), await server.signed_in()
    begun = await program.ok("POST", "/device/authorize", {}, 201)
    path = f"/device/{begun['userCode']}"
    assert await browser.refused("POST", path) == (400, "common/invalid-parameters")
    assert await browser.refused("POST", path, {"organizationId": "org_none"}) == GONE
    chosen = {"organizationId": other.organization_id}
    assert (await browser.ok("POST", path, chosen))["organizationId"] == other.organization_id


async def test_one_address_begins_thirty_times_in_ten_minutes(server: Server) -> None:
    for _ in range(30):
        await server.browser().ok("POST", "/device/authorize", {}, 201)
    found = await server.browser().refused("POST", "/device/authorize", {})
    assert found == (429, "common/rate-limited")


async def test_a_disabled_account_lets_nobody_in(server: Server, ada: str) -> None:
    program, browser = server.browser(), await server.signed_in()
    begun = await program.ok("POST", "/device/authorize", {}, 201)
    await browser.ok("POST", f"/device/{begun['userCode']}")
    await server.set(ada, status="disabled")
    body = {"deviceCode": begun["deviceCode"]}
    assert await program.refused("POST", "/device/token", body) == (403, "device/denied")
