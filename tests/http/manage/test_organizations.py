"""Organizations over `/manage/v1` (51 §3.2, §4, §5)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bkend.manage.control import (
    ACTIVITIES,
    ENVIRONMENTS,
    INVITATIONS,
    KEYS,
    MEMBERS,
    ORGANIZATIONS,
    PROJECTS,
)
from bkend.store import Equals, all_of
from tests.http.manage.company import Company, company

ORG = "/organizations/default"


async def test_whoever_makes_one_owns_it(firm: Company) -> None:
    ada = await firm.person("ada")
    assert await ada.items("/organizations") == []
    made = await ada.ok("POST", "/organizations", {"name": "Ada & Co."})
    assert (made["slug"], made["plan"], made["status"]) == ("ada-co", "self-hosted", "active")
    assert (made["ownerId"], made["role"]) == (ada.account_id, "owner")
    assert (made["memberCount"], made["projectCount"]) == (1, 0)
    for name in ("ada-co", made["id"]):
        assert (await ada.ok("GET", f"/organizations/{name}"))["id"] == made["id"]
    assert [one["id"] for one in await ada.items("/organizations")] == [made["id"]]
    project = await ada.ok("POST", "/projects", {"name": "Shop"})
    assert project["organizationId"] == made["id"]


async def test_slugs_are_unique_on_the_server_and_fixed(firm: Company) -> None:
    ada = await firm.person("ada")
    body = {"name": "Default", "slug": "default"}
    refused = await ada.refused("POST", "/organizations", body)
    assert refused == (409, "organization/slug-taken")
    assert (await ada.ok("POST", "/organizations", {"name": "Default"}))["slug"] == "default-2"
    owner = firm.people["owner"]
    refused = await owner.refused("PATCH", ORG, {"slug": "other"})
    assert refused == (400, "common/invalid-parameters")


@pytest.mark.parametrize(
    "body",
    [
        {"name": ""},
        {"name": "x" * 101},
        {"name": "x", "displayName": "x" * 201},
        {"name": "x", "description": "x" * 1001},
        {"name": "x", "notificationEmail": "nobody"},
        {"name": "x", "slug": "ab"},
        {"name": "x", "slug": {"$ne": None}},
    ],
    ids=str,
)
async def test_malformed_organizations(firm: Company, body: Any) -> None:
    refused = await firm.people["owner"].refused("POST", "/organizations", body)
    assert refused == (400, "common/invalid-parameters")


async def test_what_is_changed(firm: Company) -> None:
    body = {
        "name": "New",
        "displayName": "New Inc.",
        "description": "d",
        "notificationEmail": "ops@example.com",
    }
    changed = await firm.people["admin"].ok("PATCH", ORG, body)
    assert {name: changed[name] for name in body} == body
    for name in ("member", "billing"):
        refused = await firm.people[name].refused("PATCH", ORG, {"name": "x"})
        assert refused == (403, "common/forbidden")


async def test_strangers_find_nothing(firm: Company) -> None:
    stranger = await firm.person("stranger")
    for method, path, body in (
        ("GET", ORG, None),
        ("PATCH", ORG, {"name": "x"}),
        ("DELETE", ORG, {"confirm": "Default"}),
        ("GET", f"{ORG}/stats", None),
        ("GET", f"{ORG}/activities", None),
        ("GET", f"{ORG}/login-events", None),
        ("GET", f"{ORG}/members", None),
        ("GET", f"{ORG}/invitations", None),
        ("GET", f"{ORG}/access-tokens", None),
        ("POST", f"{ORG}/leave", {"confirm": "leave"}),
        ("POST", f"{ORG}/transfer", {"accountId": stranger.account_id, "confirm": "transfer"}),
        ("GET", "/projects/app", None),
        ("GET", "/projects/app/environments/dev/api-keys", None),
    ):
        assert await stranger.refused(method, path, body) == (404, "common/not-found"), path
    assert await stranger.refused("GET", "/projects", query=f"org={firm.organization}") == (
        404,
        "common/not-found",
    )


async def test_statistics(firm: Company) -> None:
    tables = "/projects/app/environments/dev/tables"
    await firm.people["owner"].ok("POST", tables, {"tableName": "t", "schema": {}})
    assert await firm.people["billing"].ok("GET", f"{ORG}/stats") == {
        "projectCount": 1,
        "memberCount": 4,
        "tableCount": 1,
        "storageBytes": 0,
        "userCount": 0,
    }


# -- the Owner --------------------------------------------------------------------------------


async def test_ownership_is_handed_on(firm: Company) -> None:
    owner, member = firm.people["owner"], firm.people["member"]
    body = {"accountId": member.account_id, "confirm": "transfer"}
    for name in ("admin", "member", "billing"):
        refused = await firm.people[name].refused("POST", f"{ORG}/transfer", body)
        assert refused == (403, "common/forbidden")
    refused = await owner.refused("POST", f"{ORG}/transfer", {**body, "confirm": "yes"})
    assert refused == (422, "common/confirmation-required")
    stranger = await firm.person("stranger")
    answers: tuple[tuple[str | None, Any], ...] = (
        (stranger.account_id, (404, "common/not-found")),
        (None, (400, "common/invalid-parameters")),
        (owner.account_id, (400, "common/invalid-parameters")),
    )
    for account, found in answers:
        wrong = {"accountId": account, "confirm": "transfer"}
        assert await owner.refused("POST", f"{ORG}/transfer", wrong) == found
    body = {"accountId": member.account_id, "confirm": "transfer"}
    shown = await owner.ok("POST", f"{ORG}/transfer", body)
    assert (shown["ownerId"], shown["role"]) == (member.account_id, "admin")
    owners = all_of(Equals(("organizationId",), firm.organization), Equals(("role",), "owner"))
    assert await firm.opened.core.database.control.count(MEMBERS, owners) == 1


async def test_leaving_ends_what_the_account_has_there(firm: Company) -> None:
    core, admin = firm.opened.core, firm.people["admin"]
    made = await core.keys.create(
        type="bearer", name="ci", organization_id=firm.organization, created_by=admin.account_id
    )
    token = firm.holder(made["key"])
    assert (await token.ok("GET", ORG))["role"] == "admin"
    refused = await admin.refused("POST", f"{ORG}/leave")
    assert refused == (422, "common/confirmation-required")
    await admin.ok("POST", f"{ORG}/leave", {"confirm": "leave"})
    assert await admin.refused("GET", ORG) == (404, "common/not-found")
    assert await token.refused("GET", ORG) == (401, "auth/unauthorized")
    refused = await firm.people["owner"].refused("POST", f"{ORG}/leave", {"confirm": "leave"})
    assert refused == (409, "member/last-owner")


# -- suspension and the end -------------------------------------------------------------------


async def test_a_suspended_organization_is_read_only_and_its_data_closed(firm: Company) -> None:
    root = await firm.person("root", isServerAdmin=True)
    owner, key = firm.people["owner"], firm.opened.made.publishable_key or ""
    assert (await firm.data("GET", "data/x", key)).status == 404
    for name in ("owner", "admin"):
        refused = await firm.people[name].refused("PATCH", ORG, {"status": "suspended"})
        assert refused == (403, "common/forbidden")
    shown = await root.ok("PATCH", ORG, {"status": "suspended"})
    assert (shown["status"], shown["role"]) == ("suspended", None)
    answer = await firm.data("GET", "data/x", key)
    assert (answer.status, answer.json()["code"]) == (403, "environment/not-active")
    assert (await owner.ok("GET", ORG))["status"] == "suspended"
    assert (await owner.ok("GET", "/projects/app"))["slug"] == "app"
    tables = "/projects/app/environments/dev/tables"
    for method, path, body in (
        ("PATCH", ORG, {"name": "x"}),
        ("POST", "/projects", {"name": "x"}),
        ("PATCH", "/projects/app", {"name": "x"}),
        ("POST", tables, {"tableName": "t", "schema": {}}),
    ):
        assert await owner.refused(method, path, body) == (403, "organization/suspended"), path
    assert await owner.items(tables) == []
    await root.ok("PATCH", ORG, {"status": "active"})
    assert (await firm.data("GET", "data/x", key)).status == 404
    assert await root.refused("GET", ORG) == (404, "common/not-found")


async def test_a_deleted_organization_can_be_brought_back(firm: Company) -> None:
    root, owner = await firm.person("root", isServerAdmin=True), firm.people["owner"]
    key = firm.opened.made.publishable_key or ""
    for name in ("admin", "member"):
        refused = await firm.people[name].refused("DELETE", ORG, {"confirm": "Default"})
        assert refused == (403, "common/forbidden")
    refused = await owner.refused("DELETE", ORG, {"confirm": "default"})
    assert refused == (422, "common/confirmation-required")
    await owner.ok("DELETE", ORG, {"confirm": "Default"})
    for path in (ORG, "/projects/app", "/projects/app/environments/dev/tables"):
        assert await owner.refused("GET", path) == (404, "common/not-found")
    assert await owner.items("/organizations") == []
    assert await owner.items("/projects") == []
    token = firm.holder(firm.opened.made.management_token or "")
    assert await token.refused("GET", "/projects/app") == (404, "common/not-found")
    answer = await firm.data("GET", "data/x", key)
    assert (answer.status, answer.json()["code"]) == (403, "environment/not-active")
    [one] = await root.items("/organizations", "all=true")
    assert one["status"] == "deleted"
    assert await owner.refused("GET", "/organizations", query="all=true") == (
        403,
        "common/forbidden",
    )
    await root.ok("PATCH", ORG, {"status": "active"})
    assert (await owner.ok("GET", ORG))["role"] == "owner"
    assert (await firm.data("GET", "data/x", key)).status == 404


async def test_the_trash_is_emptied(firm: Company) -> None:
    core, owner = firm.opened.core, firm.people["owner"]
    await owner.ok("POST", f"{ORG}/invitations", {"email": "i@x.example", "name": "I"})
    await owner.ok("DELETE", ORG, {"confirm": "Default"})
    firm.clock.advance(6 * 24 * 3600)
    await core.purging.finish()
    control = core.database.control
    assert await control.count(ORGANIZATIONS) == 1
    firm.clock.advance(2 * 24 * 3600)
    await core.purging.finish()
    for name in (ORGANIZATIONS, PROJECTS, ENVIRONMENTS, KEYS, MEMBERS, INVITATIONS, ACTIVITIES):
        assert await control.count(name) == 0, name


async def test_without_a_trash_it_goes_at_once(tmp_path: Path) -> None:
    async with company(tmp_path / "data", trash_days=0) as firm:
        await firm.people["owner"].ok("DELETE", ORG, {"confirm": "Default"})
        control = firm.opened.core.database.control
        assert await control.count(ORGANIZATIONS) == 0
        files = list((firm.opened.core.settings.data / "environments").glob("*.db"))
        assert files == []
