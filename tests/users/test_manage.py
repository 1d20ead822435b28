"""An app's users over the management API (51 §8)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest

from bkend.auth.collections import ACCOUNTS
from bkend.auth.collections import USERS as COLLECTION
from bkend.store import DeleteWhere, Equals, Insert, Update
from tests.asgi import InProcess
from tests.http.manage.conftest import BASE, MakeTenant, Tenant, make_tenant, opened, tenant

__all__ = ["make_tenant", "opened", "tenant"]

USERS = f"{BASE}/users"
NEW = {"name": "Ada", "email": "ada@example.com"}
NOT_FOUND = (404, "user/not-found")


def references(document: Any) -> Iterator[str]:
    """Every `$ref` of an OpenAPI document."""
    if isinstance(document, dict):
        if isinstance(document.get("$ref"), str):
            yield document["$ref"]
        document = list(document.values())
    if isinstance(document, list):
        for value in document:
            yield from references(value)


@pytest.mark.parametrize("path", ["/openapi.json", "/manage/v1/openapi.json"])
async def test_references_of_the_documents_lead_somewhere(opened: InProcess, path: str) -> None:
    document = (await opened.call("GET", path)).json()
    assert "User" in document["components"]["schemas"]
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert set(references(document)) <= known


@pytest.fixture
async def ada(opened: InProcess) -> Any:
    """A user who has signed up: the answer."""
    body = orjson.dumps({**NEW, "password": "correct horse"})
    return (await opened.call("POST", "/v1/auth/email/signup", body=body)).json()


def routes(id: str) -> list[tuple[str, str, Any, str]]:
    """Every route of a user with a good body and the right that it needs."""
    return [
        ("GET", USERS, None, "user:read"),
        ("POST", USERS, {"name": "B", "email": "b@example.com"}, "user:update"),
        ("GET", f"{USERS}/{id}", None, "user:read"),
        ("PATCH", f"{USERS}/{id}", {"bio": "b"}, "user:update"),
        ("PATCH", f"{USERS}/{id}/role", {"role": "user"}, "user:update"),
        ("PUT", f"{USERS}/{id}/claim-email", {"email": "c@example.com"}, "user:update"),
        ("POST", f"{USERS}/{id}/password-reset", None, "user:update"),
        ("POST", f"{USERS}/{id}/verify-email", None, "user:update"),
        ("GET", f"{USERS}/{id}/accounts", None, "user:read"),
        ("GET", f"{USERS}/{id}/sessions", None, "user:read"),
        ("GET", f"{USERS}/{id}/events", None, "user:read"),
        ("DELETE", f"{USERS}/{id}/sessions/none", None, "user:update"),
        ("DELETE", f"{USERS}/{id}/sessions", None, "user:update"),
        ("DELETE", f"{USERS}/{id}", {"confirm": "ada@example.com"}, "user:delete"),
    ]


async def test_each_route_asks_for_its_right(
    opened: InProcess, make_tenant: MakeTenant, ada: Any
) -> None:
    id = ada["user"]["id"]
    billing, member = await make_tenant(role="billing"), await make_tenant(role="member")
    for method, path, body, right in routes(id):
        assert await Tenant(opened, None).refused(method, path, body) == (401, "auth/unauthorized")
        assert await billing.refused(method, path, body) == (403, "common/forbidden")
        if right != "user:read":
            assert await member.refused(method, path, body) == (403, "common/forbidden")
        narrow = await make_tenant(scopes=["table:*", "project:*"])
        assert await narrow.refused(method, path, body) == (403, "common/scope-insufficient")
    for method, path, body, right in routes(id):
        enough = await make_tenant(scopes=[right], role="admin")
        answer = await enough.call(method, path, body)
        assert answer.status not in (401, 403), (method, path, answer.body)
        if right == "user:read":
            assert (await member.call(method, path, body)).status in (200, 404)


async def test_users_of_apps_and_their_keys_do_not_manage(opened: InProcess, ada: Any) -> None:
    for token in (ada["accessToken"], opened.made.secret_key, opened.made.publishable_key):
        found = await Tenant(opened, token).refused("GET", USERS)
        assert found == (401, "auth/unauthorized")


async def test_unknown_users_are_not_found(tenant: Tenant) -> None:
    for method, path, body, _ in routes("none"):
        if "none" in path:
            assert await tenant.refused(method, path, body) == NOT_FOUND


async def test_a_user_is_made_changed_and_removed(tenant: Tenant, opened: InProcess) -> None:
    made = await tenant.ok("POST", USERS, NEW)
    path = f"{USERS}/{made['id']}"
    change = {"name": "Ada L.", "bio": "b", "email": "no@example.com", "emailVerified": "x"}
    changed = await tenant.ok("PATCH", path, change)
    assert (changed["name"], changed["bio"], changed["email"]) == ("Ada L.", "b", NEW["email"])
    assert changed["emailVerified"] is None
    assert (await tenant.ok("PATCH", f"{path}/role", {"role": "admin"}))["role"] == "admin"
    assert await tenant.refused("PATCH", f"{path}/role", {"role": "x"}) == (
        400,
        "user/invalid-role",
    )
    assert await tenant.refused("POST", USERS, NEW) == (409, "auth/email-already-exists")
    confirmation = (422, "common/confirmation-required")
    assert await tenant.refused("DELETE", path) == confirmation
    assert await tenant.refused("DELETE", path, {"confirm": "Ada"}) == confirmation
    gone = await tenant.ok("DELETE", path, query="confirm=ada@example.com")
    assert gone == {"deleted": True, "id": made["id"]}
    assert await tenant.refused("GET", path) == NOT_FOUND


async def test_a_ban_acts_at_once(tenant: Tenant, opened: InProcess, ada: Any) -> None:
    path = f"{USERS}/{ada['user']['id']}"
    assert (await tenant.ok("PATCH", path, {"status": "banned"}))["status"] == "banned"
    headers = [("authorization", f"Bearer {ada['accessToken']}")]
    assert (await opened.call("GET", "/v1/auth/me", headers=headers)).status == 401
    assert (await tenant.ok("GET", f"{path}/sessions"))["items"] == []


async def test_lists_are_filtered(tenant: Tenant, opened: InProcess, ada: Any) -> None:
    await tenant.ok("POST", USERS, {"name": "Bob", "email": "bob@example.com", "role": "admin"})
    await tenant.ok("PATCH", f"{USERS}/{ada['user']['id']}", {"status": "banned"})

    store = (await opened.core.environment("app", "dev")).users._store
    acme = {"userId": ada["user"]["id"], "type": "oauth", "provider": "acme"}
    acme |= {"providerAccountId": "1", "email": None, "connectedAt": ada["user"]["createdAt"]}
    await store.commit([Insert(ACCOUNTS, "a1", acme, 0, 0)])

    async def names(query: str) -> list[str]:
        found = await tenant.ok("GET", USERS, query=query)
        assert found["pagination"]["total"] == len(found["items"])
        return [item["name"] for item in found["items"]]

    for query, expected in (
        ("sortBy=name&sortDirection=asc", ["Ada", "Bob"]),
        ("search=BOB", ["Bob"]),
        ("search=ada@&searchType=email", ["Ada"]),
        ("role=admin", ["Bob"]),
        ("status=banned", ["Ada"]),
        ("status=active", ["Bob"]),
        ("verified=true", []),
        ("verified=false&role=user", ["Ada"]),
        ("provider=email&sortBy=name", ["Bob", "Ada"]),
        ("provider=google", []),
        ("provider=acme", ["Ada"]),
        ("role=&status=&provider=&search=bo", ["Bob"]),
    ):
        assert await names(query) == expected, query
    for query in (
        "status=x",
        "provider=x",
        "provider=A_b",
        "verified=x",
        "limit=0",
        "sortBy=passwordHash",
    ):
        assert await tenant.refused("GET", USERS, query=query) == (400, "common/invalid-parameters")


async def test_sessions_are_listed_and_ended(tenant: Tenant, opened: InProcess, ada: Any) -> None:
    sign_in = orjson.dumps({"email": NEW["email"], "password": "correct horse"})
    again = (await opened.call("POST", "/v1/auth/email/signin", body=sign_in)).json()
    path = f"{USERS}/{ada['user']['id']}/sessions"

    async def is_live(token: str) -> bool:
        headers = [("authorization", f"Bearer {token}")]
        return (await opened.call("GET", "/v1/auth/me", headers=headers)).status == 200

    listed = await tenant.ok("GET", path)
    assert listed["pagination"]["total"] == 2
    assert "refreshDigest" not in str(listed)
    assert not any(item["current"] for item in listed["items"])
    ended = listed["items"][0]["id"]
    assert (await tenant.ok("DELETE", f"{path}/{ended}")) == {"deleted": True, "id": ended}
    assert await tenant.refused("DELETE", f"{path}/{ended}") == (404, "common/not-found")
    tokens = (ada["accessToken"], again["accessToken"])
    assert sorted([await is_live(token) for token in tokens]) == [False, True]
    assert await tenant.ok("DELETE", path) == {"deleted": True, "count": 1}
    assert not any([await is_live(token) for token in tokens])


async def test_a_session_of_another_is_not_ended(
    tenant: Tenant, opened: InProcess, ada: Any
) -> None:
    bob = await tenant.ok("POST", USERS, {"name": "Bob", "email": "bob@example.com"})
    [session] = (await tenant.ok("GET", f"{USERS}/{ada['user']['id']}/sessions"))["items"]
    found = await tenant.refused("DELETE", f"{USERS}/{bob['id']}/sessions/{session['id']}")
    assert found == (404, "common/not-found")
    headers = [("authorization", f"Bearer {ada['accessToken']}")]
    assert (await opened.call("GET", "/v1/auth/me", headers=headers)).status == 200


async def test_accounts_are_shown(tenant: Tenant, ada: Any) -> None:
    path = f"{USERS}/{ada['user']['id']}"
    listed = await tenant.ok("GET", f"{path}/accounts")
    assert [item["providerAccountId"] for item in listed["items"]] == [NEW["email"]]
    assert (await tenant.ok("GET", path))["accounts"] == listed["items"]


async def test_an_imported_user_gets_an_address_once(tenant: Tenant, opened: InProcess) -> None:
    services = await opened.core.environment("app", "dev")
    made = await tenant.ok("POST", USERS, NEW)
    store = services.users.records._store
    imported = Update(COLLECTION, made["id"], set={"email": None}, unset=("emailKey",))
    await store.commit([imported, DeleteWhere(ACCOUNTS, Equals(("userId",), made["id"]))])
    await tenant.ok("POST", USERS, {"name": "Bob", "email": "bob@example.com"})
    path = f"{USERS}/{made['id']}/claim-email"
    assert await tenant.refused("PUT", path, {"email": "x"}) == (400, "auth/invalid-email")
    taken = await tenant.refused("PUT", path, {"email": "bob@example.com"})
    assert taken == (409, "auth/email-already-exists")
    claimed = await tenant.ok("PUT", path, {"email": "Ada@Example.com"})
    assert claimed["email"] == "ada@example.com"
    again = await tenant.refused("PUT", path, {"email": "other@example.com"})
    assert again == (400, "common/invalid-parameters")


async def mails(tenant: Tenant) -> list[Any]:
    found: list[Any] = (await tenant.ok("GET", f"{BASE}/outbox"))["items"]
    return found


async def test_a_tenant_has_links_mailed_to_a_user(tenant: Tenant, opened: InProcess) -> None:
    made = await tenant.ok("POST", USERS, NEW)
    path = f"{USERS}/{made['id']}"
    await opened.call(
        "PATCH",
        f"/v1/users/{made['id']}/preferences",
        body=orjson.dumps({"locale": "ko-KR"}),
        key=opened.made.secret_key,
    )
    for route, template in (
        ("password-reset", "password_reset"),
        ("verify-email", "email_verification"),
    ):
        answer = await tenant.ok("POST", f"{path}/{route}")
        assert answer["email"] == NEW["email"]
        [newest, *_] = await mails(tenant)
        assert (newest["template"], newest["to"]) == (template, NEW["email"])
        assert any("\uac00" <= letter <= "\ud7a3" for letter in newest["subject"]), "not Korean"
    for _ in range(7):  # the limit of 10 §5 guards mailboxes against strangers
        await tenant.ok("POST", f"{path}/password-reset")


async def test_the_mailed_links_work(tenant: Tenant, opened: InProcess) -> None:
    made = await tenant.ok("POST", USERS, NEW)
    path = f"{USERS}/{made['id']}"
    await tenant.ok("POST", f"{path}/password-reset")
    [mail] = await mails(tenant)
    [link] = [one for one in mail["links"] if "token=" in one]
    token = parse_qs(urlsplit(link).query)["token"][0]
    body = {"email": NEW["email"], "token": token, "newPassword": "correct horse"}
    done = await opened.call(
        "POST", "/v1/auth/password/reset/confirm", body=orjson.dumps(body), headers=()
    )
    assert done.status == 200, done.body
    assert (await tenant.ok("GET", path))["emailVerified"] is not None
    found = await tenant.refused("POST", f"{path}/verify-email")
    assert found == (400, "auth/already-verified")


async def test_a_user_without_an_address_gets_no_mail(tenant: Tenant, opened: InProcess) -> None:
    made = await tenant.ok("POST", USERS, NEW)
    store = (await opened.core.environment("app", "dev")).users._store
    gone = Update(COLLECTION, made["id"], set={"email": None}, unset=("emailKey",))
    await store.commit([gone])
    for route in ("password-reset", "verify-email"):
        found = await tenant.refused("POST", f"{USERS}/{made['id']}/{route}")
        assert found == (400, "common/invalid-parameters")
        assert await tenant.refused("POST", f"{USERS}/none/{route}") == NOT_FOUND
    assert await mails(tenant) == []


async def test_what_was_done_with_a_user_is_listed(tenant: Tenant, ada: Any) -> None:
    id = ada["user"]["id"]
    assert (await tenant.ok("GET", f"{USERS}/{id}/events"))["pagination"]["total"] == 0
    await tenant.ok("PATCH", f"{USERS}/{id}", {"status": "banned"})
    await tenant.ok("POST", USERS, {"name": "Bob", "email": "bob@example.com"})
    found = await tenant.ok("GET", f"{USERS}/{id}/events")
    assert [(one["event"], one["target"]["id"]) for one in found["items"]] == [("user_updated", id)]
