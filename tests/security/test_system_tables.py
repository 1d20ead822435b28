"""The server's own tables through the data API (21 §10, §12 item 15; attack row 14)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from bkend.store import Update
from tests.rooms import Room, room

pytestmark = pytest.mark.asyncio(loop_scope="module")

USER = (
    *("id", "email", "name", "role", "nickname", "image", "emailVerified", "mobile", "gender"),
    *("bio", "socialLinks", "onboardingStatus", "mfaEnabled", "slug", "isPublic", "status"),
    *("createdAt", "updatedAt"),
)
ACCOUNT = (
    *("id", "userId", "type", "provider", "providerAccountId", "email", "connectedAt"),
    *("createdBy", "createdAt", "updatedAt"),
)
SESSION = (
    *("id", "userId", "userAgent", "ipAddress", "deviceInfo", "lastActivityAt", "expiresAt"),
    *("createdBy", "createdAt", "updatedAt"),
)
SHOWN = {"users": set(USER), "accounts": set(ACCOUNT), "sessions": set(SESSION)}
SECRETS = {
    "users": ("passwordHash", "emailKey", "passwordChangedAt", "mfaSecret", "nothing"),
    "accounts": ("accessToken", "refreshToken"),
    "sessions": ("refreshDigest", "previousDigest", "generation", "rotatedAt", "refreshes"),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Room]:
    async with room(tmp_path_factory.mktemp("system")) as found:
        store = await found.store()
        hidden = {"mfaSecret": "JBSWY3DP", "deletedAt": None}
        await store.commit([Update("users", found.ids["owner"], set=hidden)])
        yield found


@pytest.mark.parametrize("who", ["admin", "secret", "secret with user"])
@pytest.mark.parametrize("table", SHOWN)
async def test_admins_list_and_read_without_any_secret(place: Room, table: str, who: str) -> None:
    page = await place.ok(who, "GET", f"/v1/data/{table}", limit=100)
    assert page["pagination"]["total"] == len(page["items"]) >= 6
    for item in page["items"]:
        assert item.keys() == SHOWN[table]
        assert await place.ok(who, "GET", f"/v1/data/{table}/{item['id']}") == item
    answer = await place.call(who, "GET", f"/v1/data/{table}", limit=100)
    for secret in (b"argon2", b"passwordHash", b"Digest", b"JBSWY3DP", b"emailKey"):
        assert secret not in answer.body


@pytest.mark.parametrize("table", SHOWN)
async def test_select_shows_no_secret(place: Room, table: str) -> None:
    names = ",".join((*SECRETS[table], "id"))
    page = await place.ok("secret", "GET", f"/v1/data/{table}", select=names)
    allowed = {"id", "createdBy", "createdAt", "updatedAt"} & SHOWN[table]
    for item in page["items"]:
        assert item.keys() == allowed
        path = f"/v1/data/{table}/{item['id']}"
        assert (await place.ok("secret", "GET", path, select=names)).keys() == allowed


def probes(field: str) -> list[dict[str, Any]]:
    return [
        {"andFilters": {field: {"$gte": ""}}},
        {"andFilters": {field: None}},
        {"andFilters": {f"{field}.x": 1}},
        {"andFilters": {field: {"$exists": True}}},
        {"andFilters": {field: {"$nin": []}}},
        {"orFilters": {field: "x", "name": "owner"}},
        {"orFilters": [{"name": "owner"}, {"name": "x", field: {"$in": ["x"]}}]},
        {"sortBy": field},
        {"sortBy": f"{field}.x"},
        {"sort": f"createdAt:asc,-{field}"},
    ]


@pytest.mark.parametrize("table", SHOWN)
async def test_what_is_not_shown_cannot_be_asked_for(place: Room, table: str) -> None:
    for field in SECRETS[table]:
        for query in probes(field):
            refused = await place.refused("secret", "GET", f"/v1/data/{table}", **query)
            assert refused == (403, "data/permission-denied"), query


async def test_filters_and_sorts_work_on_what_is_shown(place: Room) -> None:
    async def names(**query: Any) -> list[str]:
        page = await place.ok("secret", "GET", "/v1/data/users", **query)
        return [item["name"] for item in page["items"]]

    assert await names(andFilters={"role": "editor"}) == ["editor"]
    assert await names(andFilters={"email": "owner@people.example"}) == ["owner"]
    assert await names(orFilters={"name": "owner", "role": "admin"}) == ["admin", "owner"]
    assert await names(sortBy="name", sortDirection="asc", limit=2) == ["admin", "author"]
    assert await names(andFilters={"createdAt": {"$lt": "2001-01-01"}}) == []
    assert await names(andFilters={"_id": place.ids["other"]}) == ["other"]
    sessions = await place.ok(
        "secret",
        "GET",
        "/v1/data/sessions",
        andFilters={"userId": place.ids["owner"], "expiresAt": {"$gt": "2001-01-01"}},
    )
    assert sessions["pagination"]["total"] == 1


async def test_a_deleted_user_is_not_there(place: Room) -> None:
    await place.sign_up("gone")
    path = f"/v1/data/users/{place.ids['gone']}"
    await place.ok("secret", "GET", path)
    store = await place.store()
    deleted = {"deletedAt": "2026-01-01T00:00:00.000Z"}
    await store.commit([Update("users", place.ids["gone"], set=deleted)])
    assert await place.refused("secret", "GET", path) == (404, "data/not-found")
    queries: list[dict[str, Any]] = [
        {},
        {"andFilters": {"name": "gone"}},
        {"orFilters": {"name": "gone"}},
    ]
    for query in queries:
        page = await place.ok("secret", "GET", "/v1/data/users", **query)
        assert "gone" not in {item["name"] for item in page["items"]}


async def test_files_are_an_empty_table_until_there_are_some(place: Room) -> None:
    page = await place.ok("secret", "GET", "/v1/data/files", page=2, limit=5)
    assert page["items"] == []
    assert page["pagination"]["page"] == 2
    assert page["pagination"]["total"] == 0
    assert await place.refused("secret", "GET", "/v1/data/files/x") == (404, "data/not-found")
    assert (await place.refused("secret", "GET", "/v1/data/files", page=0))[0] == 400


@pytest.mark.parametrize("who", ["anonymous", "guest", "owner", "editor", "admin", "secret"])
async def test_nobody_writes_through_the_data_api(place: Room, who: str) -> None:
    id = place.ids["owner"]
    before = await place.ok("secret", "GET", f"/v1/data/users/{id}")
    for method, path, body in (
        ("POST", "users", {"email": "x@x.example", "role": "admin"}),
        ("POST", "users", [{}]),
        ("POST", "sessions", b"{nope"),
        ("PATCH", f"users/{id}", {"role": "admin"}),
        ("DELETE", f"users/{id}", None),
        ("DELETE", "accounts/none", None),
        ("POST", "files", {}),
    ):
        refused = await place.refused(who, method, f"/v1/data/{path}", body)
        assert refused == (403, "data/system-table-access")
    assert await place.ok("secret", "GET", f"/v1/data/users/{id}") == before


@pytest.mark.parametrize("who", ["anonymous", "guest", "owner", "editor"])
async def test_others_do_not_learn_what_there_is(place: Room, who: str) -> None:
    paths = ("users", f"users/{place.ids['owner']}", "users/none", "_users", "_nothing", "_x/y")
    for path in (*paths, "files", "files/none", "sessions"):
        refused = await place.refused(who, "GET", f"/v1/data/{path}")
        assert refused == (403, "data/system-table-access")


async def test_inner_collections_are_no_tables(place: Room) -> None:
    for name in ("tables", "table_versions", "buckets", "auth_settings"):
        refused = await place.refused("secret", "GET", f"/v1/data/{name}")
        assert refused == (404, "data/table-not-found")
    for name in ("_join", "_users"):
        refused = await place.refused("secret", "GET", f"/v1/data/{name}")
        assert refused == (404, "data/table-not-found")
