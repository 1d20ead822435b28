"""What a session or token reaches: the role in each organization, as it is now (51 §4, §7)."""

from __future__ import annotations

from typing import Any

import pytest

from bkend.manage.control import MEMBERS
from bkend.manage.members import new_member
from bkend.store import DeleteWhere, Equals, Update
from tests.tenants.conftest import EMAIL, Browser, Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

TABLES = "/projects/app/environments/dev/tables"
GONE = (404, "common/not-found")
FORBIDDEN = (403, "common/forbidden")


async def set_role(server: Server, account_id: str, role: str) -> None:
    for member in await server.all(MEMBERS):
        if member["accountId"] == account_id:
            change = Update(MEMBERS, member["id"], set={"role": role})
            await server.core.database.control.commit([change])


async def leave(server: Server, account_id: str) -> None:
    mine = Equals(("accountId",), account_id)
    await server.core.database.control.commit([DeleteWhere(MEMBERS, mine)])


@pytest.mark.parametrize(
    ("role", "reads", "designs", "settles"),
    [
        ("owner", True, True, True),
        ("admin", True, True, True),
        ("member", True, True, False),
        ("billing", False, False, False),
    ],
)
async def test_a_session_does_what_the_role_includes(
    server: Server, role: str, reads: bool, designs: bool, settles: bool
) -> None:
    await server.add(EMAIL, role)
    browser = await server.signed_in()
    calls: list[tuple[bool, str, str, Any]] = [
        (reads, "GET", TABLES, None),
        (designs, "POST", TABLES, {"tableName": "t"}),
        (settles, "PATCH", "/projects/app", {"name": "Ours"}),
    ]
    for allowed, method, path, body in calls:
        answer = await browser.call(method, path, body)
        assert (answer.status_code < 300) is allowed, (method, path, answer.text)
        if not allowed:
            assert (answer.status_code, answer.json()["code"]) == FORBIDDEN


async def test_who_is_no_member_sees_nothing(server: Server) -> None:
    await server.add()
    browser = await server.signed_in()
    for method, path in (("GET", TABLES), ("GET", "/projects/app"), ("PATCH", "/projects/app")):
        assert await browser.refused(method, path, {}) == GONE
    assert (await browser.ok("GET", "/session"))["memberships"] == []


async def test_a_change_of_role_acts_at_once(server: Server, ada: str) -> None:
    browser = await server.signed_in()
    await browser.ok("GET", TABLES)
    await set_role(server, ada, "billing")
    assert await browser.refused("GET", TABLES) == FORBIDDEN
    await leave(server, ada)
    assert await browser.refused("GET", TABLES) == GONE


async def test_records_are_made_in_the_name_of_the_account(server: Server, ada: str) -> None:
    browser = await server.signed_in()
    await browser.ok("POST", TABLES, {"tableName": "t"}, 201)
    assert (await browser.ok("POST", f"{TABLES}/t/records", {"a": 1}, 201))["createdBy"] == ada


async def test_projects_of_one_slug_are_told_apart_by_their_ids(server: Server, ada: str) -> None:
    other = await server.core.hierarchy.bootstrap(organization="Other", project="app")
    browser = await server.signed_in()
    mine = await browser.ok("GET", "/projects/app")
    assert await browser.refused("GET", f"/projects/{other.project_id}") == GONE
    joined = new_member(other.organization_id, ada, "member", server.clock.now_ms())
    await server.core.database.control.commit([joined])
    assert await browser.refused("GET", "/projects/app") == GONE
    for id in (mine["id"], other.project_id):
        assert (await browser.ok("GET", f"/projects/{id}"))["id"] == id
    renaming = await browser.refused("PATCH", f"/projects/{other.project_id}", {"name": "X"})
    assert renaming == FORBIDDEN


async def token_of(server: Server, browser: Browser, **fields: Any) -> dict[str, str]:
    made = await browser.ok("POST", "/account/tokens", {"name": "CI", **fields}, 201)
    return {"Authorization": f"Bearer {made['key']}"}


async def test_a_token_reaches_no_further_than_its_maker_now(server: Server, ada: str) -> None:
    token = await token_of(server, await server.signed_in())
    program = server.browser()
    for role, found in (("admin", 200), ("member", 403), ("owner", 200)):
        await set_role(server, ada, role)
        answer = await program.call("PATCH", "/projects/app", {"name": "A"}, **token)
        assert answer.status_code == found, role
    await leave(server, ada)
    assert await program.refused("GET", TABLES, **token) == GONE


async def test_a_token_of_a_disabled_account_is_none(server: Server, ada: str) -> None:
    token = await token_of(server, await server.signed_in())
    await server.set(ada, status="disabled")
    found = await server.browser().refused("GET", TABLES, **token)
    assert found == (401, "auth/unauthorized")


async def test_a_token_of_the_command_line_keeps_its_role(server: Server) -> None:
    assert server.made is not None
    token = {"Authorization": f"Bearer {server.made.management_token}"}
    answer = await server.browser().call("GET", "/session", **token)
    assert answer.json()["account"] is None
    assert answer.json()["csrf"] is None
    assert answer.json()["memberships"][0]["role"] == "owner"
    assert "set-cookie" not in answer.headers
    assert await server.browser().refused("GET", "/account", **token) == (
        401,
        "auth/unauthorized",
    )


async def test_a_token_ends_itself(server: Server, ada: str) -> None:
    token, program = await token_of(server, await server.signed_in()), server.browser()
    assert (await program.call("DELETE", "/session", **token)).json()["deleted"] is True
    assert await program.refused("GET", "/session", **token) == (401, "auth/unauthorized")


async def test_a_token_changes_no_account(server: Server, ada: str) -> None:
    token = await token_of(server, await server.signed_in())
    program = server.browser()
    assert (await program.call("GET", "/account", **token)).json()["id"] == ada
    for method, path in (
        ("PATCH", "/account"),
        ("DELETE", "/account"),
        ("PUT", "/account/password"),
        ("POST", "/account/mfa"),
        ("POST", "/account/tokens"),
        ("GET", "/account/tokens"),
        ("GET", "/account/sessions"),
        ("POST", "/device/ABCDEFGH"),
    ):
        found = await program.refused(method, path, {"name": "Eve"}, **token)
        assert found == (401, "auth/unauthorized"), (method, path)
