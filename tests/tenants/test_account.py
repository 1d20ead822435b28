"""One's own account: profile, password, tokens, the end (51 §8)."""

from __future__ import annotations

from typing import Any

import pytest

from bkend.manage.control import ACTIVITIES, KEYS, MEMBERS, ORGANIZATIONS
from bkend.manage.members import new_member
from bkend.store import Delete, Update
from bkend.tenants.collections import TENANT_ACCOUNTS, TENANT_LINKS, TENANT_SESSIONS
from tests.tenants.conftest import ACCOUNT, EMAIL, PASSWORD, Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

NEW = "five red foxes"
INVALID = (400, "common/invalid-parameters")
WRONG = (401, "auth/invalid-password")
NOBODY = (401, "auth/unauthorized")
GONE = (404, "common/not-found")


async def test_a_profile_is_changed_part_by_part(server: Server, ada: str) -> None:
    browser = await server.signed_in()
    body = {"name": " Countess ", "theme": "dark", "avatarUrl": "https://a.example/x.png"}
    changed = await browser.ok("PATCH", "/account", body)
    assert (changed["name"], changed["theme"], changed["locale"]) == ("Countess", "dark", "en")
    changed = await browser.ok("PATCH", "/account", {"locale": "ko", "avatarUrl": None})
    assert (changed["name"], changed["locale"], changed["avatarUrl"]) == ("Countess", "ko", None)
    assert await browser.ok("GET", "/account") == changed
    assert changed.keys() == ACCOUNT


@pytest.mark.parametrize(
    "body",
    [
        {"name": "A"},
        {"name": "A" * 51},
        {"name": None},
        {"name": 5},
        {"name": "a\nb"},
        {"theme": "pink"},
        {"theme": None},
        {"locale": "de"},
        {"avatarUrl": "javascript:alert(1)"},
        {"avatarUrl": "https://"},
        {"avatarUrl": "https://[x"},
        {"avatarUrl": "https://a.example/" + "x" * 2048},
        {"avatarUrl": {"$ne": None}},
    ],
    ids=str,
)
async def test_what_a_profile_cannot_hold(server: Server, ada: str, body: Any) -> None:
    browser = await server.signed_in()
    answer = await browser.call("PATCH", "/account", body)
    assert (answer.status_code, answer.json()["code"]) == INVALID
    assert [detail["field"] for detail in answer.json()["error"]["details"]] == list(body)


async def test_nobody_gives_themselves_more(server: Server) -> None:
    await server.add(emailVerifiedAt=None)
    browser = await server.signed_in()
    before = await browser.ok("GET", "/account")
    more = {
        "isServerAdmin": True,
        "email": "root@example.com",
        "emailVerifiedAt": "2020-01-01T00:00:00.000Z",
        "status": "disabled",
        "mfaEnabled": True,
        "providers": ["google"],
        "passwordHash": "x",
        "id": "x",
    }
    after = await browser.ok("PATCH", "/account", more)
    assert {**after, "updatedAt": None} == {**before, "updatedAt": None}
    await server.browser().log_in()


async def test_a_new_password_ends_every_other_session(server: Server, ada: str) -> None:
    browser, other = await server.signed_in(), await server.signed_in()
    body = {"currentPassword": PASSWORD, "newPassword": NEW}
    assert await browser.ok("PUT", "/account/password", body) == {"changed": True}
    await browser.ok("GET", "/session")
    assert await other.refused("GET", "/session") == NOBODY
    await server.browser().log_in(password=NEW)


@pytest.mark.parametrize(
    ("current", "new", "found"),
    [
        ("wrong horses", NEW, WRONG),
        (None, NEW, WRONG),
        ("", NEW, WRONG),
        (PASSWORD, "short", INVALID),
        (PASSWORD, "password12", INVALID),
        (PASSWORD, PASSWORD, INVALID),
    ],
)
async def test_passwords_that_are_not_changed(
    server: Server, ada: str, current: str | None, new: str, found: tuple[int, str]
) -> None:
    browser, other = await server.signed_in(), await server.signed_in()
    body = {"currentPassword": current, "newPassword": new}
    assert await browser.refused("PUT", "/account/password", body) == found
    await other.ok("GET", "/session")
    await server.browser().log_in()


async def test_an_account_without_a_password_sets_one(server: Server) -> None:
    await server.add(passwordHash=None, providers=["magic_link"])
    await server.browser().ok("POST", "/session/magic-link", {"email": EMAIL}, 202)
    browser, body = server.browser(), {"token": await server.mailed_token()}
    await browser.ok("POST", "/session/magic-link/confirm", body)
    await browser.ok("PUT", "/account/password", {"newPassword": NEW})
    account = await server.browser().log_in(password=NEW)
    assert account["providers"] == ["magic_link", "password"]


async def test_wrong_passwords_are_counted_here_too(server: Server, ada: str) -> None:
    browser = await server.signed_in()
    body = {"currentPassword": "wrong horses", "newPassword": NEW}
    for _ in range(5):
        assert await browser.refused("PUT", "/account/password", body) == WRONG
    for method, path in (("PUT", "/account/password"), ("POST", "/account/mfa")):
        right = {"currentPassword": PASSWORD, "newPassword": NEW}
        assert await browser.refused(method, path, right) == (429, "common/rate-limited")


# -- tokens ---------------------------------------------------------------------------------------


async def test_a_token_is_shown_whole_once(server: Server, ada: str) -> None:
    browser = await server.signed_in()
    body = {"name": "CI", "scopes": ["table:read", "*:read"], "expiresAt": "2030-01-01T00:00:00Z"}
    made = await browser.ok("POST", "/account/tokens", body, 201)
    assert made["key"].startswith("bt_")
    assert (made["createdBy"], made["createdByName"]) == (ada, "Ada")
    assert (made["organizationId"], made["type"]) == (server.organization, "bearer")
    assert made["expiresAt"] == "2030-01-01T00:00:00.000Z"
    assert not made.keys() & {"hash", "value"}
    listed = await browser.ok("GET", "/account/tokens")
    assert listed["items"] == [{name: v for name, v in made.items() if name != "key"}]
    assert made["key"] not in str(await server.all(KEYS))
    bearer = {"Authorization": f"Bearer {made['key']}"}
    path = "/projects/app/environments/dev/tables"
    program = server.browser()
    assert (await program.call("GET", path, **bearer)).status_code == 200
    found = await program.refused("POST", path, {"tableName": "t"}, **bearer)
    assert found == (403, "common/scope-insufficient")
    assert (await browser.ok("DELETE", f"/account/tokens/{made['id']}"))["deleted"] is True
    assert await program.refused("GET", path, **bearer) == NOBODY
    assert await browser.refused("DELETE", f"/account/tokens/{made['id']}") == GONE


@pytest.mark.parametrize(
    "body",
    [
        {"name": ""},
        {"name": "x" * 101},
        {"name": "T", "scopes": ["everything"]},
        {"name": "T", "scopes": ["table:fly"]},
        {"name": "T", "scopes": ["table:read"] * 101},
        {"name": "T", "scopes": "table:read"},
        {"name": "T", "expiresAt": "soon"},
        {"name": "T", "expiresAt": "2020-01-01T00:00:00Z"},
        {"name": "T", "projectIds": ["none"]},
        {"name": {"$ne": None}},
    ],
    ids=str,
)
async def test_tokens_that_are_not_made(server: Server, ada: str, body: Any) -> None:
    browser = await server.signed_in()
    assert await browser.refused("POST", "/account/tokens", body) == INVALID
    assert (await browser.ok("GET", "/account/tokens"))["items"] == []


async def test_a_token_for_some_projects_sees_no_others(server: Server, ada: str) -> None:
    other = await server.core.hierarchy.bootstrap(project="other")
    browser = await server.signed_in()
    body = {"name": "T", "projectIds": [other.project_id]}
    made = await browser.ok("POST", "/account/tokens", body, 201)
    bearer = {"Authorization": f"Bearer {made['key']}"}
    assert (await server.browser().call("GET", "/projects/other", **bearer)).status_code == 200
    assert await server.browser().refused("GET", "/projects/app", **bearer) == GONE


async def test_the_organization_of_a_token(server: Server, ada: str) -> None:
    browser = await server.signed_in()
    other = await server.core.hierarchy.bootstrap(organization="Other", project="other")
    body = {"name": "T", "organizationId": other.organization_id}
    assert await browser.refused("POST", "/account/tokens", body) == GONE
    joined = new_member(other.organization_id, ada, "billing", server.clock.now_ms())
    await server.core.database.control.commit([joined])
    assert await browser.refused("POST", "/account/tokens", body) == (403, "common/forbidden")
    assert await browser.refused("POST", "/account/tokens", {"name": "T"}) == INVALID
    body["organizationId"] = server.organization
    await browser.ok("POST", "/account/tokens", body, 201)


async def test_tokens_of_others_are_not_there(server: Server, ada: str) -> None:
    await server.add("bob@example.com", "member")
    browser, bob = await server.signed_in(), await server.signed_in("bob@example.com")
    made = await browser.ok("POST", "/account/tokens", {"name": "T"}, 201)
    assert (await bob.ok("GET", "/account/tokens"))["items"] == []
    assert await bob.refused("DELETE", f"/account/tokens/{made['id']}") == GONE
    keys = [key["id"] for key in await server.all(KEYS) if key["type"] != "bearer"]
    for id in keys:
        assert await browser.refused("DELETE", f"/account/tokens/{id}") == GONE


# -- the end --------------------------------------------------------------------------------------


async def test_an_account_goes_with_all_that_is_its_own(server: Server, ada: str) -> None:
    bob_id = await server.add("bob@example.com", "member")
    bob = await server.signed_in("bob@example.com")
    made = await bob.ok("POST", "/account/tokens", {"name": "T"}, 201)
    await bob.ok("POST", "/session/magic-link", {"email": "bob@example.com"}, 202)
    for wrong in (None, {"confirm": "Bob", "password": PASSWORD}, {"password": PASSWORD}):
        found = await bob.refused("DELETE", "/account", wrong)
        assert found == (422, "common/confirmation-required")
    body = {"confirm": "bob@example.com", "password": "wrong horses"}
    assert await bob.refused("DELETE", "/account", body) == WRONG
    body["password"] = PASSWORD
    assert await bob.ok("DELETE", "/account", body) == {"deleted": True, "id": bob_id}
    assert bob.cookie is None
    assert [account["id"] for account in await server.all(TENANT_ACCOUNTS)] == [ada]
    assert [member["accountId"] for member in await server.all(MEMBERS)] == [ada]
    assert await server.all(TENANT_SESSIONS) == []
    assert await server.all(TENANT_LINKS) == []
    bearer = {"Authorization": f"Bearer {made['key']}"}
    assert await server.browser().refused("GET", "/session", **bearer) == NOBODY


async def test_an_owner_stays(server: Server) -> None:
    await server.add(EMAIL, "owner")
    browser = await server.signed_in()
    body = {"confirm": EMAIL, "password": PASSWORD}
    found = await browser.refused("DELETE", "/account", body)
    assert found == (409, "account/owns-organizations")
    await browser.ok("GET", "/session")


async def test_what_is_in_the_trash_keeps_nobody(server: Server) -> None:
    await server.add("root@example.com", isServerAdmin=True)
    await server.add(EMAIL, "owner")
    browser, root = await server.signed_in(), await server.signed_in("root@example.com")
    body = {"confirm": EMAIL, "password": PASSWORD}
    await browser.ok("DELETE", "/organizations/default", {"confirm": "Default"})
    second = await browser.ok("POST", "/organizations", {"name": "Second"}, 201)
    found = await browser.refused("DELETE", "/account", body)
    assert found == (409, "account/owns-organizations")
    await browser.ok("DELETE", f"/organizations/{second['id']}", {"confirm": "Second"})
    await browser.ok("DELETE", "/account", body)
    path = "/system/organizations/default"
    shown = await root.ok("PATCH", path, {"status": "active"})
    assert shown["ownerId"] is None
    await root.ok("POST", f"{path}/owner")


async def test_what_comes_out_of_the_trash_meanwhile_keeps_its_owner(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    await server.add(EMAIL, "owner")
    browser, store = await server.signed_in(), server.core.database.control
    await browser.ok("DELETE", "/organizations/default", {"confirm": "Default"})
    restored = Update(ORGANIZATIONS, server.organization, set={"status": "active"})
    commit = store.commit

    async def restoring(operations: Any) -> Any:
        if any(isinstance(one, Delete) for one in operations):
            await commit([restored])
        return await commit(operations)

    monkeypatch.setattr(store, "commit", restoring)
    body = {"confirm": EMAIL, "password": PASSWORD}
    found = await browser.refused("DELETE", "/account", body)
    assert found == (409, "account/owns-organizations")


async def test_the_last_server_admin_stays(server: Server) -> None:
    await server.add(isServerAdmin=True)
    browser, body = await server.signed_in(), {"confirm": EMAIL, "password": PASSWORD}
    found = await browser.refused("DELETE", "/account", body)
    assert found == (409, "account/last-server-admin")
    await server.add("bob@example.com", isServerAdmin=True)
    await browser.ok("DELETE", "/account", body)


async def test_tokens_stand_in_the_audit_log(server: Server, ada: str) -> None:
    browser = await server.signed_in()
    made = await browser.ok("POST", "/account/tokens", {"name": "CI"}, 201)
    await browser.ok("DELETE", f"/account/tokens/{made['id']}")
    told = await server.all(ACTIVITIES)
    assert [(one["event"], one["target"]["id"]) for one in told[:2]] == [
        ("access_token_deleted", made["id"]),
        ("access_token_created", made["id"]),
    ]
    assert told[0]["actor"] == {"type": "tenant", "id": ada, "name": "Ada"}
    assert (told[0]["organizationId"], told[0]["ip"]) == (server.organization, "203.0.113.7")
    assert made["key"] not in str(told)
