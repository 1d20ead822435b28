"""Accounts and organizations of the whole server, for server admins (51 §3.1, §3.2, §4, §8)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import pytest_asyncio

from bkend.manage.control import MEMBERS
from bkend.store import DeleteWhere, Equals
from tests.http.manage.company import BROWSER, Caller, Company

ORG = "/organizations/default"
LAST = (409, "account/last-server-admin")
NOBODY = (401, "auth/unauthorized")
INVALID = (400, "common/invalid-parameters")
GONE = (404, "common/not-found")


@pytest_asyncio.fixture
async def root(firm: Company) -> Caller:
    """A server admin who is a member of nothing."""
    return await firm.person("root", isServerAdmin=True)


def of(person: Caller) -> str:
    return f"/system/accounts/{person.account_id}"


# -- accounts ---------------------------------------------------------------------------------


async def test_accounts_are_listed(firm: Company, root: Caller) -> None:
    found = await root.ok("GET", "/system/accounts", query="sortBy=name&sortDirection=asc&limit=2")
    assert [one["name"] for one in found["items"]] == ["Admin", "Billing"]
    assert found["pagination"]["total"] == 5
    [owner] = await root.items("/system/accounts", "search=OWNER@people")
    assert owner["organizations"] == [
        {
            "organizationId": firm.organization,
            "name": "Default",
            "slug": "default",
            "role": "owner",
        }
    ]
    assert "passwordHash" not in owner
    assert await root.ok("GET", of(firm.people["owner"])) == owner
    [admin] = await root.items("/system/accounts", "isServerAdmin=true")
    assert (admin["email"], admin["organizations"]) == (root.email, [])
    assert await root.items("/system/accounts", "status=Disabled") == []
    assert len(await root.items("/system/accounts", "status=active")) == 5
    for query in ("status=gone", "sortBy=passwordHash", "isServerAdmin=perhaps"):
        assert await root.refused("GET", "/system/accounts", query=query) == INVALID
    assert await root.refused("GET", "/system/accounts/none") == GONE


async def test_a_disabled_account_is_out_at_once(firm: Company, root: Caller) -> None:
    admin, core = firm.people["admin"], firm.opened.core
    options: dict[str, Any] = {"organization_id": firm.organization}
    made = await core.keys.create(type="bearer", name="ci", created_by=admin.account_id, **options)
    token = firm.holder(made["key"])
    await token.ok("GET", ORG)
    shown = await root.ok("PATCH", of(admin), {"status": "disabled"})
    assert shown["status"] == "disabled"
    for caller in (admin, token):
        assert await caller.refused("GET", ORG) == NOBODY
    header = {"Authorization": f"Bearer {made['key']}"}
    call = firm.opened.call
    metrics = await call("GET", "/metrics", headers=[*header.items()], key="", peer="203.0.113.9")
    assert metrics.status == 404
    [listed] = await root.items("/system/accounts", "status=disabled")
    assert listed["id"] == admin.account_id
    await root.ok("PATCH", of(admin), {"status": "active"})
    assert await admin.refused("GET", ORG) == NOBODY  # its sessions are gone for good
    await token.ok("GET", ORG)
    session = await core.tenants.parts.sessions.open(admin.account_id, BROWSER, [])
    again = Caller(firm.opened, {"Cookie": f"bkend_session={session.cookie}"})
    await again.ok("GET", ORG)


async def test_links_of_a_disabled_account_are_void(firm: Company, root: Caller) -> None:
    admin, tenants = firm.people["admin"], firm.opened.core.tenants
    account = await tenants.accounts.get(admin.account_id)
    assert account is not None
    token = await tenants.parts.links.issue("magic", admin.email, account)
    await root.ok("PATCH", of(admin), {"status": "disabled"})
    await root.ok("PATCH", of(admin), {"status": "active"})
    visitor = Caller(firm.opened, {"Host": "bkend.test"})
    refused = await visitor.refused("POST", "/session/magic-link/confirm", {"token": token})
    assert refused == (400, "account/invalid-link")


async def test_the_last_server_admin_stays_one(firm: Company, root: Caller) -> None:
    for body in ({"status": "disabled"}, {"isServerAdmin": False}):
        assert await root.refused("PATCH", of(root), body) == LAST
    other = await firm.person("other", isServerAdmin=True)
    await root.ok("PATCH", of(other), {"status": "disabled"})
    assert await root.refused("PATCH", of(root), {"isServerAdmin": False}) == LAST
    await root.ok("PATCH", of(other), {"status": "active"})
    await root.ok("PATCH", of(root), {"isServerAdmin": False})
    assert await root.refused("GET", "/system/info") == (403, "common/forbidden")


async def test_two_server_admins_cannot_remove_each_other(firm: Company, root: Caller) -> None:
    other = await firm.person("other", isServerAdmin=True)
    answers = await asyncio.gather(
        root.call("PATCH", of(other), {"isServerAdmin": False}),
        other.call("PATCH", of(root), {"isServerAdmin": False}),
    )
    assert sorted(answer.status for answer in answers)[0] == 200
    assert [answer.status for answer in answers].count(200) == 1


async def test_somebody_else_is_made_a_server_admin(firm: Company, root: Caller) -> None:
    owner = firm.people["owner"]
    shown = await root.ok("PATCH", of(owner), {"isServerAdmin": True})
    assert shown["isServerAdmin"] is True
    await owner.ok("GET", "/system/info")


@pytest.mark.parametrize(
    "body",
    [{"status": "gone"}, {"status": None}, {"isServerAdmin": "yes"}, {"isServerAdmin": None}],
    ids=str,
)
async def test_malformed_changes(firm: Company, root: Caller, body: Any) -> None:
    assert await root.refused("PATCH", of(firm.people["owner"]), body) == INVALID
    assert await root.refused("PATCH", "/system/accounts/none", {"status": "active"}) == GONE


async def test_nothing_else_of_an_account_is_changed(firm: Company, root: Caller) -> None:
    owner = firm.people["owner"]
    before = await root.ok("GET", of(owner))
    more = {"email": "x@example.com", "passwordHash": "x", "mfaEnabled": True, "id": "x"}
    assert await root.ok("PATCH", of(owner), more) == before


# -- organizations ----------------------------------------------------------------------------


async def test_organizations_are_listed(firm: Company, root: Caller) -> None:
    await firm.people["owner"].ok("POST", "/organizations", {"name": "Second"})
    found = await root.items("/system/organizations", "sortBy=name&sortDirection=asc")
    assert [(one["slug"], one["role"]) for one in found] == [("default", None), ("second", None)]
    [one] = await root.items("/system/organizations", "search=sec&status=active")
    assert (one["memberCount"], one["ownerId"]) == (1, firm.people["owner"].account_id)
    assert await root.ok("GET", "/system/organizations/second") == one
    assert await root.refused("GET", ORG) == GONE  # what it holds is not theirs to see
    assert await root.refused("GET", "/system/organizations", query="status=odd") == INVALID


async def test_an_organization_is_suspended_and_restored(firm: Company, root: Caller) -> None:
    owner, key = firm.people["owner"], firm.opened.made.publishable_key or ""
    assert (await firm.data("GET", "data/x", key)).status == 404
    shown = await root.ok("PATCH", f"/system{ORG}", {"status": "suspended"})
    assert shown["status"] == "suspended"
    answer = await firm.data("GET", "data/x", key)
    assert (answer.status, answer.json()["code"]) == (403, "environment/not-active")
    refused = await owner.refused("PATCH", "/projects/app", {"name": "x"})
    assert refused == (403, "organization/suspended")
    await root.ok("PATCH", f"/system{ORG}", {"status": "active"})
    await owner.ok("PATCH", "/projects/app", {"name": "x"})
    await owner.ok("DELETE", ORG, {"confirm": "Default"})
    [trashed] = await root.items("/system/organizations", "status=deleted")
    assert trashed["deletedAt"]
    restored = await root.ok("PATCH", f"/system{ORG}", {"status": "active"})
    assert (restored["status"], restored["deletedAt"]) == ("active", None)
    assert (await owner.ok("GET", ORG))["role"] == "owner"
    events = [one["event"] for one in await owner.items(f"{ORG}/activities")]
    assert events.count("organization_updated") == 3
    for body in ({"status": "deleted"}, {"status": None}, {}):
        assert await root.refused("PATCH", f"/system{ORG}", body) == INVALID
    assert await root.refused("PATCH", "/system/organizations/none", {"status": "active"}) == GONE


async def test_nobody_joins_a_suspended_organization(firm: Company, root: Caller) -> None:
    guest = await firm.person("guest")
    body = {"email": guest.email, "name": "G"}
    made = await firm.people["owner"].ok("POST", f"{ORG}/invitations", body)
    accept = f"/invitations/{str(made['acceptUrl']).rpartition('/')[2]}/accept"
    await root.ok("PATCH", f"/system{ORG}", {"status": "suspended"})
    assert await guest.refused("POST", accept) == (403, "organization/suspended")
    await root.ok("PATCH", f"/system{ORG}", {"status": "active"})
    await guest.ok("POST", accept)


async def test_an_organization_without_an_owner_is_taken_over(firm: Company, root: Caller) -> None:
    adopt = f"/system{ORG}/owner"
    assert await root.refused("POST", adopt) == (409, "member/last-owner")
    owner = firm.people["owner"]
    mine = Equals(("accountId",), owner.account_id)
    await firm.opened.core.database.control.commit([DeleteWhere(MEMBERS, mine)])
    shown = await root.ok("POST", adopt)
    assert (shown["ownerId"], shown["role"]) == (root.account_id, "owner")
    assert (await root.ok("GET", ORG))["role"] == "owner"
    [told, *_] = await root.items(f"{ORG}/activities")
    assert told["event"] == "organization_ownership_transferred"
    assert (told["actor"]["id"], told["ip"]) == (root.account_id, "127.0.0.1")
    assert await root.refused("POST", adopt) == (409, "member/last-owner")


async def test_a_member_takes_it_over_too(firm: Company) -> None:
    member = firm.people["member"]
    root = await firm.person("root", "member", isServerAdmin=True)
    of_owner = Equals(("role",), "owner")
    await firm.opened.core.database.control.commit([DeleteWhere(MEMBERS, of_owner)])
    await root.ok("POST", f"/system{ORG}/owner")
    assert (await root.ok("GET", ORG))["memberCount"] == 4
    assert (await member.ok("GET", ORG))["ownerId"] == root.account_id


async def test_of_two_server_admins_one_takes_it_over(firm: Company, root: Caller) -> None:
    other = await firm.person("other", isServerAdmin=True)
    of_owner = Equals(("role",), "owner")
    await firm.opened.core.database.control.commit([DeleteWhere(MEMBERS, of_owner)])
    answers = await asyncio.gather(
        root.call("POST", f"/system{ORG}/owner"), other.call("POST", f"/system{ORG}/owner")
    )
    assert sorted(answer.status for answer in answers) == [200, 409]


async def test_what_is_in_the_trash_is_not_taken_over(firm: Company, root: Caller) -> None:
    await firm.people["owner"].ok("DELETE", ORG, {"confirm": "Default"})
    of_owner = Equals(("role",), "owner")
    await firm.opened.core.database.control.commit([DeleteWhere(MEMBERS, of_owner)])
    assert await root.refused("POST", f"/system{ORG}/owner") == GONE
    assert await root.refused("POST", "/system/organizations/none/owner") == GONE
