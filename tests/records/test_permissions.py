"""Who may do what with which rows (21 §6, §7, §9, §12 items 1 to 4 and 14)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.answers import ok, refusal
from tests.people import People
from tests.servers import RunningServer

CALLERS = ("anonymous", "guest", "owner", "other", "editor", "admin", "secret", "both")
TABLES = (
    *("articles", "defaults", "closed", "guestless", "guests", "readers", "unlisted"),
    *("shared", "makers", "admins", "notes"),
)

# For each table and operation the requesters that are let in to the owner's row. `own` after a
# list means: 200, but only rows of one's own. Who is not named gets 403 data/permission-denied.
ADMINS = {"admin", "secret", "both"}
USERS = {"owner", "other", "editor"}
EVERYBODY = {"anonymous", "guest"} | USERS | ADMINS
ALLOWED: dict[str, dict[str, set[str]]] = {
    "articles": {
        "create": USERS | ADMINS,
        "read": EVERYBODY,
        "list": EVERYBODY,
        "update": {"owner"} | ADMINS,
        "delete": {"owner"} | ADMINS,
    },
    "defaults": {
        "create": USERS | ADMINS,
        "read": EVERYBODY,
        "list": EVERYBODY,
        "update": {"owner"} | ADMINS,
        "delete": {"owner"} | ADMINS,
    },
    "guests": {
        "create": {"anonymous", "guest"} | ADMINS,
        "read": {"anonymous", "guest"} | ADMINS,
        "list": {"anonymous", "guest"} | ADMINS,
    },
    "readers": {"read": USERS | ADMINS, "list": USERS | ADMINS},
    "unlisted": {"read": USERS | ADMINS},
    "shared": {"list": USERS | ADMINS | {"guest own"}},
    "makers": {
        "read": {"owner"} | ADMINS,
        "list": {"guest own", "owner own", "other own", "editor own"} | ADMINS,
    },
    "notes": {
        "create": USERS | ADMINS,
        "read": {"owner"} | ADMINS,
        "list": {"guest own", "owner own", "other own", "editor own"} | ADMINS,
        "update": {"owner"} | ADMINS,
        "delete": {"owner"} | ADMINS,
    },
}


@pytest.fixture(scope="module")
def callers(server: RunningServer, people: People) -> Iterator[dict[str, httpx.Client]]:
    """A client of every kind of requester."""
    clients = {
        "anonymous": server.client(),
        "secret": server.client(server.secret),
        "both": people.other.client(server.secret),
        **{name: getattr(people, name).client() for name in people.__dataclass_fields__},
    }
    yield clients
    for client in clients.values():
        client.close()


@pytest.fixture(scope="module")
def rows(admin: httpx.Client, people: People) -> dict[str, dict[str, dict[str, Any]]]:
    """In every table a row of the owner, of each other user, and one of nobody."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for table in TABLES:
        found[table] = {}
        for name in (*people.__dataclass_fields__, "nobody"):
            creator = getattr(people, name).id if name != "nobody" else ""
            body = {"title": "x", "text": "x", "name": "x", "createdBy": creator}
            found[table][name] = ok(admin.post(f"/v1/data/{table}", json=body), 201)
    return found


def allowed(table: str, operation: str, caller: str) -> bool:
    default: set[str] = ADMINS
    return caller in ALLOWED.get(table, {}).get(operation, default) | ADMINS


def attempt(
    client: httpx.Client, table: str, operation: str, row: dict[str, Any]
) -> httpx.Response:
    path = f"/v1/data/{table}/{row['id']}"
    match operation:
        case "create":
            return client.post(f"/v1/data/{table}", json={"title": "x", "text": "x"})
        case "read":
            return client.get(path)
        case "update":
            return client.patch(path, json={"name": "y"})
        case _:
            return client.delete(path)


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("operation", ["create", "read", "update", "delete"])
@pytest.mark.parametrize("table", TABLES)
def test_decisions(
    callers: dict[str, httpx.Client],
    rows: dict[str, dict[str, dict[str, Any]]],
    admin: httpx.Client,
    table: str,
    operation: str,
    caller: str,
) -> None:
    row = rows[table]["owner"]
    if operation == "delete":  # a row that may go
        body = {"title": "x", "text": "x", "createdBy": row["createdBy"]}
        row = ok(admin.post(f"/v1/data/{table}", json=body), 201)
    answer = attempt(callers[caller], table, operation, row)
    if allowed(table, operation, caller):
        ok(answer, 201 if operation == "create" else 200)
        return
    refusal(answer, 403, "data/permission-denied")
    missing = attempt(callers[caller], table, operation, {"id": "0" * 24})
    if operation != "create" and own_rows_only(table, operation, caller):
        refusal(missing, 404, "data/not-found")
    else:
        refusal(missing, 403, "data/permission-denied")


def own_rows_only(table: str, operation: str, caller: str) -> bool:
    """Whether `self` is what grants the operation: then a missing row is a 404."""
    by_self = {
        "articles": {"update", "delete"},
        "defaults": {"update", "delete"},
        "makers": {"read"},
        "notes": {"read", "update", "delete"},
    }
    return caller in USERS | {"guest"} and operation in by_self.get(table, set())


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("table", TABLES)
def test_lists(
    callers: dict[str, httpx.Client],
    rows: dict[str, dict[str, dict[str, Any]]],
    table: str,
    caller: str,
) -> None:
    answer = callers[caller].get(f"/v1/data/{table}?limit=100")
    ids = {row["id"] for row in rows[table].values()}
    if f"{caller} own" in ALLOWED.get(table, {}).get("list", set()):
        items = ok(answer)["items"]
        assert {item["id"] for item in items} & ids == {rows[table][caller]["id"]}
        assert {item["createdBy"] for item in items} == {rows[table][caller]["createdBy"]}
        assert ok(answer)["pagination"]["total"] == len(items)
    elif allowed(table, "list", caller):
        assert {item["id"] for item in ok(answer)["items"]} >= ids
    else:
        refusal(answer, 403, "data/permission-denied")


def test_nobody_owns_the_rows_of_nobody(
    callers: dict[str, httpx.Client], rows: dict[str, dict[str, dict[str, Any]]]
) -> None:
    for table in ("notes", "articles"):
        path = f"/v1/data/{table}/{rows[table]['nobody']['id']}"
        for caller in ("anonymous", "guest", "owner", "editor"):
            refusal(callers[caller].patch(path, json={}), 403, "data/permission-denied")
            refusal(callers[caller].delete(path), 403, "data/permission-denied")


def test_guest_role_owns_its_rows(
    callers: dict[str, httpx.Client], rows: dict[str, dict[str, dict[str, Any]]]
) -> None:
    row = rows["notes"]["guest"]
    assert ok(callers["guest"].get(f"/v1/data/notes/{row['id']}")) == row
    ok(callers["guest"].patch(f"/v1/data/notes/{row['id']}", json={"text": "mine"}))


def test_private_notes(people: People) -> None:
    with people.owner.client() as owner, people.other.client() as other:
        mine = ok(owner.post("/v1/data/notes", json={"text": "a"}), 201)["id"]
        theirs = ok(other.post("/v1/data/notes", json={"text": "b"}), 201)["id"]
        for client, own, foreign in ((owner, mine, theirs), (other, theirs, mine)):
            ids = {item["id"] for item in ok(client.get("/v1/data/notes?limit=100"))["items"]}
            assert own in ids
            assert foreign not in ids


def test_permissions_replaced_with_only_guest_leave_users_without_rights(
    callers: dict[str, httpx.Client],
) -> None:
    for caller in ("owner", "editor"):
        refusal(callers[caller].get("/v1/data/guests"), 403, "data/permission-denied")
        refusal(callers[caller].post("/v1/data/guests", json={}), 403, "data/permission-denied")
