"""The decision table of 21 §9, generated: tables with all sorts of permissions × every operation
× every kind of caller, against a statement of the rules that shares nothing with the server."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
import pytest_asyncio

from bkend.clock import SystemClock
from tests.rooms import Room, room

pytestmark = pytest.mark.asyncio(loop_scope="module")

PERMISSIONS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "nothing": {"permissions": {}},
    "guestless": {"permissions": {"guest": {}}},
    "readers": {"permissions": {"user": {"read": True}}},
    "unlisted": {"permissions": {"user": {"read": True, "list": False}}},
    "both": {"permissions": {"user": {"list": True}, "self": {"list": True, "read": True}}},
    "only_guests": {"permissions": {"guest": {"create": True, "read": True, "delete": True}}},
    "selfish": {"permissions": {"self": dict.fromkeys(["create", "read", "update"], True)}},
    "ignored_admin": {"permissions": {"admin": {"read": False}, "user": {"update": True}}},
    # the example apps of 21 §11
    "articles": {
        "permissions": {
            "user": {"create": True, "read": True, "list": True},
            "self": {"update": True, "delete": True},
            "guest": {"read": True, "list": True},
        }
    },
    "bookmarks": {
        "permissions": {
            "user": {"create": True},
            "self": {"read": True, "list": True, "delete": True},
        }
    },
    "orders": {
        "permissions": {
            "user": {"create": True},
            "self": {"read": True, "list": True, "update": True},
        }
    },
    # expressions
    "public_read": {"expressionPermissions": {"read": "public", "update": "role:*"}},
    "own_read": {"expressionPermissions": {"read": "user & self", "create": "self"}},
    "precedence": {"expressionPermissions": {"read": "guest | user & self", "delete": "self"}},
    "editors": {
        "expressionPermissions": dict.fromkeys(
            ("create", "read", "update", "delete", "list"), "role:editor | admin"
        )
    },
    "authors": {"expressionPermissions": {"update": "role:author & self | role:editor"}},
    "mixed": {
        "permissions": {"guest": {"create": True, "list": True}},
        "expressionPermissions": {"read": "self", "delete": "( user | guest ) & self"},
    },
    "list_expression": {
        "permissions": {"user": {"list": True}},
        "expressionPermissions": {"list": "role:editor"},
    },
    "admins": {"expressionPermissions": {"read": "admin", "create": "admin & public"}},
}
SYSTEM = ("users", "accounts", "sessions", "files")
TABLES = (*PERMISSIONS, "missing", "_missing", *SYSTEM)
OPERATIONS = ("create", "list", "read", "update", "delete")
ROWS = ("own", "missing")
"""The owner's row, and one that is not there."""


@dataclass(frozen=True)
class Kind:
    """What is to be known of a caller. `refusal` is what key or token come to on their own."""

    role: str = ""
    """Of the user whose token is sent; `""` without one."""
    is_owner: bool = False
    secret: bool = False
    scopes: tuple[str, ...] = ()
    foreign: bool = False
    refusal: tuple[int, str] | None = None


CALLERS: dict[str, Kind] = {
    "no key": Kind(refusal=(400, "data/invalid-header")),
    "no key with token": Kind(refusal=(400, "data/invalid-header")),
    "unknown key": Kind(refusal=(401, "auth/invalid-token")),
    "revoked key": Kind(refusal=(401, "auth/token-revoked")),
    "expired key": Kind(refusal=(401, "auth/token-expired")),
    "expired token": Kind(refusal=(401, "auth/token-expired")),
    "secret with expired token": Kind(refusal=(401, "auth/token-expired")),
    "malformed token": Kind(refusal=(401, "auth/invalid-token")),
    "ended session": Kind(refusal=(401, "auth/invalid-token")),
    "foreign token": Kind(refusal=(403, "data/project-access-denied")),
    "foreign key with token": Kind(refusal=(403, "data/project-access-denied")),
    "anonymous": Kind(),
    "owner": Kind("user", is_owner=True),
    "other": Kind("user"),
    "guest": Kind("guest"),
    "editor": Kind("editor"),
    "author": Kind("author"),
    "admin": Kind("admin"),
    "secret": Kind(secret=True),
    "secret with user": Kind("user", is_owner=True, secret=True),
    "foreign secret": Kind(secret=True, foreign=True),
    "read only": Kind(secret=True, scopes=("*:read",)),
    "list only": Kind("user", is_owner=True, scopes=("*:list",)),
    "update only": Kind("user", is_owner=True, scopes=("articles:update", "*:delete")),
    "other table": Kind(secret=True, scopes=("elsewhere:*",)),
    "this table": Kind(secret=True, scopes=("articles:*", "users:*")),
}


# -- the rules, stated once more ------------------------------------------------------------


def expected(who: str, table: str, operation: str, row: str) -> tuple[int, str]:
    """Status and code, in the order of 20 §1.3."""
    kind = CALLERS[who]
    if kind.refusal:
        return kind.refusal
    if not in_scope(kind.scopes, table, operation):
        return 403, "data/scope-insufficient"
    admin = kind.secret or kind.role == "admin"
    if table in SYSTEM and (not admin or operation not in ("list", "read")):
        return 403, "data/system-table-access"
    if table in SYSTEM:
        return (200, "") if operation == "list" else (404, "data/not-found")
    if table.startswith("_") and not admin:
        return 403, "data/system-table-access"
    if table in ("missing", "_missing") or kind.foreign:
        return 404, "data/table-not-found"
    anyhow = admin or holds(kind, table, operation, own=False)
    if operation == "create":
        granted = anyhow or (
            "create" in expressions(table) and holds(kind, table, operation, own=bool(kind.role))
        )
        return (201, "") if granted else (403, "data/permission-denied")
    on_own = bool(kind.role) and holds(kind, table, operation, own=True)
    if not anyhow and not on_own:
        return 403, "data/permission-denied"
    if operation == "list":
        return 200, ""
    if row == "missing":
        return 404, "data/not-found"
    return (200, "") if anyhow or kind.is_owner else (403, "data/permission-denied")


def in_scope(scopes: tuple[str, ...], table: str, operation: str) -> bool:
    words = {operation, "*"} | ({"read"} if operation == "list" else set())
    return not scopes or any(
        scope.split(":")[0] in (table, "*") and scope.split(":")[1] in words for scope in scopes
    )


def expressions(table: str) -> dict[str, str]:
    found: dict[str, str] = PERMISSIONS[table].get("expressionPermissions", {})
    return found


def holds(kind: Kind, table: str, operation: str, *, own: bool) -> bool:
    """Whether somebody who is no admin may, with a row that is its own or not."""
    text = expressions(table).get(operation)
    if text is None and operation == "list":
        text = expressions(table).get("read")
    if text is not None:
        return truth(kind, text, own=own)
    matrix = PERMISSIONS[table].get("permissions")
    if matrix is None:
        matrix = {
            "user": {"create": True, "read": True, "list": True},
            "guest": {"read": True, "list": True},
            "self": {"read": True, "update": True, "delete": True, "list": True},
        }
    group = "guest" if kind.role in ("", "guest") else "user"
    roles = [group] + (["self"] if own and operation != "create" else [])
    for role in roles:
        rights = matrix.get(role, {})
        if rights.get(operation, rights.get("read") if operation == "list" else None):
            return True
    return False


def truth(kind: Kind, text: str, *, own: bool) -> bool:
    """An expression is a Python one once its atoms are known."""
    custom = kind.role not in ("", "admin", "user", "guest")
    atoms = {
        "public": True,
        "guest": True,
        "user": kind.role == "user" or custom,
        "admin": False,
        "self": own,
        "role:*": custom,
        "role:editor": kind.role == "editor",
        "role:author": kind.role == "author",
    }
    source = re.sub(r"role:\*|[a-z]+(?::[a-z]+)?", lambda word: str(atoms[word[0]]), text)
    return bool(eval(source.replace("&", " and ").replace("|", " or ")))


# -- asked of the application ---------------------------------------------------------------


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Room]:
    declared = {"version": 1, "tables": PERMISSIONS}
    async with room(tmp_path_factory.mktemp("room"), orjson.dumps(declared).decode()) as found:
        await add_callers(found)
        assert found.callers.keys() >= CALLERS.keys()
        yield found


async def add_callers(found: Room) -> None:
    """The callers that are refused before the table is asked, and those with scopes."""
    publishable, token = found.callers["owner"]
    secret = found.callers["secret"][0]
    await found.opened.core.hierarchy.bootstrap(environment="foreign")
    foreign = (await found.make_key("publishable", environment="foreign"))["key"]
    await found.sign_up("foreign", key=foreign)
    await found.sign_up("ended")
    found.callers["ended session"] = found.callers["ended"]
    await found.ok("ended session", "POST", "/v1/auth/signout")
    now = SystemClock().now_ms() // 1000
    expired = found.resigned("owner", iat=now - 7200, exp=now - 3600)
    revoked = await found.make_key("secret")
    await found.opened.core.keys.revoke(revoked["id"])
    old = await found.make_key("secret", expires_at="2020-01-01")
    other_secret = await found.make_key("secret", environment="foreign")
    found.callers |= {
        "no key": ("", ""),
        "no key with token": ("", token),
        "unknown key": ("sk_" + "0" * 64, ""),
        "revoked key": (revoked["key"], ""),
        "expired key": (old["key"], token),
        "expired token": (publishable, expired),
        "secret with expired token": (secret, expired),
        "malformed token": (publishable, token + "x"),
        "foreign token": (publishable, found.tokens["foreign"]),
        "foreign key with token": (foreign, token),
        "foreign secret": (other_secret["key"], ""),
    }
    for who, kind in CALLERS.items():
        if kind.scopes:
            made = await found.make_key(
                "secret" if kind.secret else "publishable", scopes=kind.scopes
            )
            found.callers[who] = (made["key"], token if kind.role else "")


async def attempt(
    place: Room, who: str, prefix: str, table: str, operation: str, id: str
) -> tuple[int, str]:
    path = f"{prefix}/{table}" + ("" if operation in ("create", "list") else f"/{id}")
    methods = {"create": "POST", "update": "PATCH", "delete": "DELETE"}
    body = {"title": "x"} if operation in ("create", "update") else None
    answer = await place.call(who, methods.get(operation, "GET"), path, body)
    return answer.status, "" if answer.status < 400 else answer.json()["code"]


async def new_row(place: Room, table: str) -> str:
    if table not in PERMISSIONS:
        return "0" * 24
    body = {"title": "x", "createdBy": place.ids["owner"]}
    made = await place.ok("secret", "POST", f"/v1/data/{table}", body, status=201)
    return str(made["id"])


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_every_caller_gets_what_the_decision_table_says(
    place: Room, table: str, operation: str
) -> None:
    shared = await new_row(place, table)
    found: dict[tuple[str, str], tuple[int, str]] = {}
    rows = ROWS if operation in ("read", "update", "delete") else ("own",)
    for number, who in enumerate(CALLERS):
        for row in rows:
            id = "0" * 24 if row == "missing" else shared
            if operation == "delete" and row == "own":
                id = await new_row(place, table)
            prefix = "/v1" if number % 2 and table not in SYSTEM else "/v1/data"
            found[who, row] = await attempt(place, who, prefix, table, operation, id)
    assert found == {(who, row): expected(who, table, operation, row) for who, row in found}


@pytest.mark.parametrize("table", PERMISSIONS)
async def test_lists_of_own_rows_hold_nothing_else(place: Room, table: str) -> None:
    await new_row(place, table)
    creators = {**place.ids, "nobody": ""}
    for id in creators.values():
        body = {"title": "x", "createdBy": id}
        await place.ok("secret", "POST", f"/v1/data/{table}", body, status=201)
    total = (await place.ok("secret", "GET", f"/v1/data/{table}"))["pagination"]["total"]
    for who, kind in CALLERS.items():
        if expected(who, table, "list", "own")[0] != 200:
            continue
        page = await place.ok(who, "GET", f"/v1/data/{table}", limit=100)
        assert page["pagination"]["total"] == len(page["items"])
        admin = kind.secret or kind.role == "admin"
        if admin or holds(kind, table, "list", own=False):
            assert page["pagination"]["total"] == total
        else:
            mine = place.ids["owner"] if kind.is_owner else place.ids[who]
            assert {item["createdBy"] for item in page["items"]} == {mine}


@pytest.mark.parametrize("table", PERMISSIONS)
async def test_permission_comes_before_the_body(place: Room, table: str) -> None:
    id = await new_row(place, table)
    for who in CALLERS:
        for method, path, operation in (
            ("POST", f"/v1/data/{table}", "create"),
            ("PATCH", f"/v1/data/{table}/{id}", "update"),
        ):
            status, code = expected(who, table, operation, "own")
            if code == "data/permission-denied" and operation == "update":
                kind = CALLERS[who]
                by_self = kind.role and holds(kind, table, operation, own=True)
                if by_self:  # the row has to be looked at, which comes after the syntax
                    status, code = 400, "data/validation-error"
            elif status < 400:
                status, code = 400, "data/validation-error"
            assert await place.refused(who, method, path, b"{") == (status, code), (who, method)


async def test_the_refusal_of_a_scope_names_it(place: Room) -> None:
    answer = await place.call("read only", "DELETE", "/v1/data/articles/x")
    assert answer.json()["message"] == "API Key scope does not include articles:delete"
    answer = await place.call("update only", "GET", "/v1/data/orders")
    assert answer.json()["message"] == "API Key scope does not include orders:list"


async def test_a_changed_role_counts_on_the_next_request(place: Room) -> None:
    from bkend.auth.collections import USERS
    from bkend.store import Update

    store = await place.store()
    await place.sign_up("changing")
    path = "/v1/data/list_expression"
    assert (await place.refused("changing", "GET", path))[0] == 403
    await store.commit([Update(USERS, place.ids["changing"], set={"role": "editor"})])
    await place.ok("changing", "GET", path)
    await store.commit([Update(USERS, place.ids["changing"], set={"role": "author"})])
    assert (await place.refused("changing", "GET", path))[0] == 403
