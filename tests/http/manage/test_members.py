"""Members and invitations over `/manage/v1` (51 §3.3, §4)."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from bkend.mail.collections import OUTBOX
from bkend.store import Find
from tests.http.manage.company import BROWSER, Caller, Company

ORG = "/organizations/default"
NEW = {"email": "new@people.example", "name": "New", "role": "member"}


async def member_of(firm: Company, name: str) -> str:
    found = await firm.people["owner"].items(f"{ORG}/members", f"search={name}@")
    return str(found[0]["id"])


async def test_the_list_of_members(firm: Company) -> None:
    billing = firm.people["billing"]
    page = await billing.ok("GET", f"{ORG}/members")
    assert page["pagination"]["total"] == 4
    first = page["items"][0]
    assert (first["role"], first["email"], first["isYou"]) == (
        "owner",
        "owner@people.example",
        False,
    )
    assert first["status"] == "active"
    assert [one["role"] for one in page["items"] if one["isYou"]] == ["billing"]
    assert [one["role"] for one in await billing.items(f"{ORG}/members", "role=admin")] == ["admin"]
    assert [one["name"] for one in await billing.items(f"{ORG}/members", "search=MEMB")] == [
        "Member"
    ]
    by_account = await billing.ok("GET", f"{ORG}/members/{billing.account_id}")
    assert by_account["isYou"] is True


@pytest.mark.parametrize(
    ("caller", "target", "role", "found"),
    [
        ("owner", "member", "admin", 200),
        ("owner", "admin", "billing", 200),
        ("owner", "owner", "member", (409, "member/last-owner")),
        ("owner", "member", "owner", (409, "member/last-owner")),
        ("owner", "member", "king", (400, "common/invalid-parameters")),
        ("admin", "member", "billing", 200),
        ("admin", "billing", "member", 200),
        ("admin", "member", "admin", (403, "member/role-not-allowed")),
        ("admin", "admin", "member", (403, "member/role-not-allowed")),
        ("admin", "owner", "member", (403, "member/role-not-allowed")),
        ("admin", "member", "owner", (403, "member/role-not-allowed")),
        ("member", "billing", "member", (403, "common/forbidden")),
        ("billing", "member", "billing", (403, "common/forbidden")),
    ],
    ids=str,
)
async def test_who_changes_whose_role(
    firm: Company, caller: str, target: str, role: str, found: Any
) -> None:
    path = f"{ORG}/members/{await member_of(firm, target)}"
    answer = await firm.people[caller].call("PATCH", path, {"role": role})
    if found == 200:
        assert answer.json()["role"] == role
    else:
        assert (answer.status, answer.json()["code"]) == found


@pytest.mark.parametrize(
    ("caller", "target", "found"),
    [
        ("owner", "admin", 200),
        ("owner", "owner", (409, "member/last-owner")),
        ("admin", "billing", 200),
        ("admin", "admin", (403, "member/role-not-allowed")),
        ("admin", "owner", (403, "member/role-not-allowed")),
        ("member", "billing", (403, "common/forbidden")),
    ],
    ids=str,
)
async def test_who_removes_whom(firm: Company, caller: str, target: str, found: Any) -> None:
    path = f"{ORG}/members/{await member_of(firm, target)}"
    body = {"confirm": f"{target}@people.example"}
    answer = await firm.people[caller].call("DELETE", path, body)
    if found == 200:
        assert answer.json()["deleted"] is True
        assert await firm.people[target].refused("GET", ORG) == (404, "common/not-found")
    else:
        assert (answer.status, answer.json()["code"]) == found


async def test_a_removed_members_tokens_end(firm: Company) -> None:
    member, core = firm.people["member"], firm.opened.core
    made = await core.keys.create(
        type="bearer", name="ci", organization_id=firm.organization, created_by=member.account_id
    )
    token = firm.holder(made["key"])
    assert (await token.ok("GET", ORG))["role"] == "member"
    path = f"{ORG}/members/{await member_of(firm, 'member')}"
    refused = await firm.people["owner"].refused("DELETE", path, {"confirm": "yes"})
    assert refused == (422, "common/confirmation-required")
    await firm.people["owner"].ok("DELETE", path, {"confirm": member.email})
    assert await token.refused("GET", ORG) == (401, "auth/unauthorized")


async def test_members_of_others_are_not_there(firm: Company) -> None:
    ada = await firm.person("ada")
    other = await ada.ok("POST", "/organizations", {"name": "Other"})
    [own] = await ada.items(f"/organizations/{other['id']}/members")
    for method, body in (("GET", None), ("PATCH", {"role": "member"}), ("DELETE", None)):
        refused = await firm.people["owner"].refused(method, f"{ORG}/members/{own['id']}", body)
        assert refused == (404, "common/not-found")


# -- invitations ------------------------------------------------------------------------------


async def invite(firm: Company, **body: Any) -> Any:
    return await firm.people["owner"].ok("POST", f"{ORG}/invitations", {**NEW, **body})


def token_of(invitation: Any) -> str:
    return str(invitation["acceptUrl"]).rpartition("/")[2]


async def mails(firm: Company) -> list[Any]:
    page = await firm.opened.core.database.control.find(Find(OUTBOX))
    found: list[Any] = orjson.loads(page.items)
    return found


async def newcomer(firm: Company, name: str = "new") -> Caller:
    return await firm.person(name)


async def test_an_invitation_is_accepted(firm: Company) -> None:
    made = await invite(firm)
    assert (made["status"], made["inviterName"], made["role"]) == ("pending", "Owner", "member")
    [mail] = await mails(firm)
    assert mail["to"] == NEW["email"]
    assert made["acceptUrl"] in mail["text"]
    path = f"/invitations/{token_of(made)}"
    anybody = Caller(firm.opened, {})
    assert await anybody.ok("GET", path) == {
        "organizationName": "Default",
        "email": NEW["email"],
        "name": "New",
        "role": "member",
        "status": "pending",
        "expiresAt": made["expiresAt"],
        "inviterName": "Owner",
    }
    assert await anybody.refused("POST", f"{path}/accept") == (401, "auth/unauthorized")
    wrong = await firm.person("wrong")
    refused = await wrong.refused("POST", f"{path}/accept")
    assert refused == (403, "invitation/email-mismatch")
    new = await newcomer(firm)
    joined = await new.ok("POST", f"{path}/accept")
    assert (joined["organizationId"], joined["role"]) == (firm.organization, "member")
    assert (await new.ok("GET", ORG))["role"] == "member"
    assert await new.refused("POST", f"{path}/accept") == (404, "common/not-found")
    assert (await anybody.ok("GET", path))["status"] == "accepted"
    refused = await firm.people["owner"].refused("POST", f"{ORG}/invitations", NEW)
    assert refused == (409, "invitation/already-member")
    refused = await firm.people["owner"].refused("POST", f"{ORG}/invitations/{made['id']}/resend")
    assert refused == (409, "invitation/already-member")


async def test_an_invitation_is_declined(firm: Company) -> None:
    made, new = await invite(firm), await newcomer(firm)
    assert await new.ok("POST", f"/invitations/{token_of(made)}/decline") == {"declined": True}
    refused = await new.refused("POST", f"/invitations/{token_of(made)}/accept")
    assert refused == (404, "common/not-found")
    [shown] = await firm.people["owner"].items(f"{ORG}/invitations", "status=rejected")
    assert (shown["id"], shown["acceptUrl"]) == (made["id"], None)
    assert (await invite(firm))["status"] == "pending"


async def test_one_pending_invitation_an_address(firm: Company) -> None:
    owner = firm.people["owner"]
    made = await invite(firm)
    for email in (NEW["email"], " NEW@People.Example "):
        refused = await owner.refused("POST", f"{ORG}/invitations", {**NEW, "email": email})
        assert refused == (409, "invitation/already-pending")
    firm.clock.advance(7 * 24 * 3600)
    assert (await owner.ok("GET", f"{ORG}/invitations/{made['id']}"))["status"] == "expired"
    again = await invite(firm)
    assert again["id"] != made["id"]


async def test_a_repeated_invitation_voids_the_first_link(firm: Company) -> None:
    owner, made = firm.people["owner"], await invite(firm)
    new = await newcomer(firm)
    firm.clock.advance(8 * 24 * 3600)
    refused = await new.refused("POST", f"/invitations/{token_of(made)}/accept")
    assert refused == (410, "invitation/expired")
    again = await owner.ok("POST", f"{ORG}/invitations/{made['id']}/resend")
    assert again["acceptUrl"] != made["acceptUrl"]
    refused = await new.refused("POST", f"/invitations/{token_of(made)}/accept")
    assert refused == (404, "common/not-found")
    await owner.ok("DELETE", f"{ORG}/invitations/{made['id']}")
    refused = await new.refused("POST", f"/invitations/{token_of(again)}/accept")
    assert refused == (404, "common/not-found")
    assert await owner.refused("DELETE", f"{ORG}/invitations/{made['id']}") == (
        404,
        "common/not-found",
    )
    once_more = await owner.ok("POST", f"{ORG}/invitations/{made['id']}/resend")
    await new.ok("POST", f"/invitations/{token_of(once_more)}/accept")


@pytest.mark.parametrize(
    ("caller", "role", "found"),
    [
        ("owner", "admin", 201),
        ("owner", "billing", 201),
        ("admin", "member", 201),
        ("admin", "admin", (403, "member/role-not-allowed")),
        ("admin", "billing", (403, "member/role-not-allowed")),
        ("owner", "owner", (400, "common/invalid-parameters")),
        ("member", "member", (403, "common/forbidden")),
        ("billing", "member", (403, "common/forbidden")),
    ],
    ids=str,
)
async def test_who_invites_whom(firm: Company, caller: str, role: str, found: Any) -> None:
    answer = await firm.people[caller].call("POST", f"{ORG}/invitations", {**NEW, "role": role})
    if found == 201:
        assert answer.status == 201
    else:
        assert (answer.status, answer.json()["code"]) == found


@pytest.mark.parametrize(
    "body",
    [
        {"email": "nobody"},
        {"email": None},
        {"email": {"$ne": 1}},
        {"name": ""},
        {"name": None},
        {"role": "king"},
    ],
    ids=str,
)
async def test_malformed_invitations(firm: Company, body: Any) -> None:
    refused = await firm.people["owner"].refused("POST", f"{ORG}/invitations", {**NEW, **body})
    assert refused == (400, "common/invalid-parameters")


async def test_links_are_for_owner_and_admin(firm: Company) -> None:
    made = await invite(firm)
    for name in ("owner", "admin"):
        [one] = await firm.people[name].items(f"{ORG}/invitations")
        assert one["acceptUrl"] == made["acceptUrl"]
    for name in ("member", "billing"):
        [one] = await firm.people[name].items(f"{ORG}/invitations")
        assert "acceptUrl" not in one
    control = firm.opened.core.database.control
    stored = await control.get("organization_invitations", made["id"])
    assert stored is not None
    assert token_of(made).encode() not in stored


async def test_the_invited_may_make_an_account_where_nobody_else_may(firm: Company) -> None:
    made = await invite(firm)
    invited = firm.opened.core.invitations.records
    assert await invited.awaits(NEW["email"], None)
    assert await invited.awaits(NEW["email"], token_of(made))
    assert not await invited.awaits("other@people.example", token_of(made))
    assert not await invited.awaits("other@people.example", None)
    assert not await invited.awaits(NEW["email"], "x")


async def test_sign_ins_of_the_members(firm: Company) -> None:
    owner, core = firm.people["owner"], firm.opened.core
    events = core.tenants.parts.events
    stranger = await firm.person("stranger")
    for caller in (owner, stranger):
        said = events.entry(caller.account_id, caller.email, "password", "failed", BROWSER, "x")
        await core.database.control.commit([said])
    [found] = await firm.people["admin"].items(f"{ORG}/login-events")
    assert (found["email"], found["status"], found["ip"]) == (owner.email, "failed", "203.0.113.7")
    assert await firm.people["member"].refused("GET", f"{ORG}/login-events") == (
        403,
        "common/forbidden",
    )


async def test_a_deleted_organization_waits_for_nobody(firm: Company) -> None:
    made, invited = await invite(firm), firm.opened.core.invitations.records
    await firm.people["owner"].ok("DELETE", ORG, {"confirm": "Default"})
    assert not await invited.awaits(NEW["email"], None)
    assert not await invited.awaits(NEW["email"], token_of(made))
    anybody = Caller(firm.opened, {})
    assert await anybody.refused("GET", f"/invitations/{token_of(made)}") == (
        404,
        "common/not-found",
    )
