"""Tables over the management API: make, list, label, permit, describe, drop (51 §8, 40 §6.4)."""

from __future__ import annotations

from typing import Any

import pytest
from openapi_spec_validator import validate

from tests.http.manage.conftest import Tenant

SCHEMA = {
    "title": {"type": "string", "required": True},
    "email": {"type": "string", "unique": True},
}
CANONICAL = {
    "bsonType": "object",
    "required": ["title"],
    "properties": {
        "title": {"bsonType": "string"},
        "email": {"bsonType": "string", "unique": True},
    },
}


async def test_a_new_table_is_answered_whole(tenant: Tenant) -> None:
    body = {
        "tableName": "posts",
        "displayName": "Posts",
        "description": "What people write",
        "schema": SCHEMA,
        "indexes": [{"name": "by_title", "fields": {"title": 1, "createdAt": -1}}],
        "permissions": {"guest": {"read": True}},
        "unknown": "ignored",
    }
    made = await tenant.ok("POST", "", body)
    assert made["id"].startswith("tbl_")
    assert made["environment"] == "dev"
    assert made["schema"] == CANONICAL
    assert [i["name"] for i in made["indexes"] if not i["isDefault"]] == ["by_title", "uq_email"]
    shown = {
        "tableName": "posts",
        "displayName": "Posts",
        "description": "What people write",
        "status": "deployed",
        "isSystem": False,
        "permissions": {"guest": {"read": True}},
        "expressionPermissions": None,
        "columnPermissions": None,
        "rowFilters": None,
        "schemaVersion": 1,
        "indexVersion": 1,
        "documentCount": 0,
    }
    assert {name: made[name] for name in shown} == shown
    assert made["createdAt"] == made["updatedAt"]
    assert await tenant.ok("GET", "posts") == made


@pytest.mark.parametrize(
    "body",
    [
        {"schema": SCHEMA},
        {"schema": CANONICAL},
        {
            "schema": {"title": {"bsonType": "string"}, "email": SCHEMA["email"]},
            "required": ["title"],
        },
        {
            "fields": [
                {"name": "title", "type": "String", "required": True},
                {"name": "email", **SCHEMA["email"]},
            ]
        },
        {
            "schema": [{"name": "title", "type": "text"}, {"name": "email", **SCHEMA["email"]}],
            "required": ["title"],
        },
    ],
)
async def test_every_notation_of_a_schema_comes_to_the_same(tenant: Tenant, body: Any) -> None:
    assert (await tenant.ok("POST", "", {"tableName": "t", **body}))["schema"] == CANONICAL


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"tableName": "1a"}, 400, "table/invalid-name"),
        ({"tableName": ""}, 400, "table/invalid-name"),
        ({"tableName": "_x"}, 400, "table/invalid-name"),
        ({"tableName": "a" * 65}, 400, "table/invalid-name"),
        ({"tableName": "a\n"}, 400, "table/invalid-name"),
        ({"tableName": "users"}, 403, "table/reserved-name"),
        ({"tableName": "Files"}, 403, "table/reserved-name"),
        ({"tableName": "health"}, 403, "table/reserved-name"),
        ({"tableName": "held"}, 409, "table/already-exists"),
        ({"tableName": "HELD"}, 409, "table/already-exists"),
        ({"tableName": 5}, 400, "common/invalid-parameters"),
        ({"tableName": "t", "displayName": "x" * 101}, 400, "common/invalid-parameters"),
        ({"tableName": "t", "description": "x" * 1001}, 400, "common/invalid-parameters"),
        ({"tableName": "t", "schema": {"a": {"type": "binData"}}}, 400, "table/invalid-schema"),
        ({"tableName": "t", "schema": {"id": {"type": "string"}}}, 400, "table/invalid-schema"),
        ({"tableName": "t", "schema": 5}, 400, "table/invalid-schema"),
        ({"tableName": "t", "required": ["a"]}, 400, "table/invalid-schema"),
        ({"tableName": "t", "indexes": [{"name": "x"}]}, 400, "table/invalid-index"),
        ({"tableName": "t", "indexes": {}}, 400, "table/invalid-index"),
        ({"tableName": "t", "permissions": {"x": {}}}, 400, "table/invalid-permissions"),
        ({"tableName": "t", "permissions": [1]}, 400, "table/invalid-permissions"),
    ],
)
async def test_tables_that_cannot_be_made(
    tenant: Tenant, body: Any, status: int, code: str
) -> None:
    await tenant.ok("POST", "", {"tableName": "held"})
    assert await tenant.refused("POST", "", body) == (status, code)
    assert [t["tableName"] for t in (await tenant.ok("GET", ""))["items"]] == ["held"]


async def test_lists_are_paged_searched_and_sorted(tenant: Tenant) -> None:
    for name in ("banana", "apple", "cherry"):
        await tenant.ok("POST", "", {"tableName": name, "displayName": f"The {name}"})

    async def names(query: str) -> list[str]:
        found = await tenant.ok("GET", "", query=query)
        return [table["tableName"] for table in found["items"]]

    assert await names("") == ["apple", "banana", "cherry"]
    assert await names("search=AN") == ["banana"]
    assert await names("search=the+c") == ["cherry"]
    assert await names("sortBy=tableName&sortDirection=DESC") == ["cherry", "banana", "apple"]
    assert await names("limit=2&page=2") == ["cherry"]
    assert await names("limit=1000&page=9") == []
    assert await names("includeSystem=true&search=s") == ["accounts", "files", "sessions", "users"]
    page = await tenant.ok("GET", "", query="limit=2")
    assert page["pagination"] == {
        "total": 3,
        "page": 1,
        "limit": 2,
        "totalPages": 2,
        "hasNext": True,
        "hasPrev": False,
        "hasNextPage": True,
        "hasPrevPage": False,
    }


@pytest.mark.parametrize(
    "query", ["page=0", "page=x", "limit=0", "limit=-1", "limit=1.5", "sortBy=x", "sortDirection=x"]
)
async def test_lists_refuse_what_they_cannot_page(tenant: Tenant, query: str) -> None:
    assert await tenant.refused("GET", "", query=query) == (400, "common/invalid-parameters")


async def test_labels_are_changed_one_by_one_and_make_no_version(tenant: Tenant) -> None:
    await tenant.ok("POST", "", {"tableName": "t", "displayName": "A", "description": "B"})
    changed = await tenant.ok("PATCH", "t", {"displayName": "C"})
    assert (changed["displayName"], changed["description"]) == ("C", "B")
    changed = await tenant.ok("PATCH", "t", {"description": None, "tableName": "other"})
    assert (changed["displayName"], changed["description"]) == ("C", None)
    assert (changed["tableName"], changed["schemaVersion"]) == ("t", 1)
    assert await tenant.refused("PATCH", "t", {"displayName": 5}) == (
        400,
        "common/invalid-parameters",
    )


async def test_permissions_are_replaced_whole(tenant: Tenant) -> None:
    await tenant.ok("POST", "", {"tableName": "t"})
    user = {"permissions": {"user": {"read": True}}}
    assert (await tenant.ok("PUT", "t/permissions", user))["permissions"] == user["permissions"]
    guest = {"permissions": {"guest": {"read": True}}}
    await tenant.ok("PUT", "t/permissions", guest)
    assert (await tenant.ok("GET", "t/permissions"))["permissions"] == guest["permissions"]
    assert (await tenant.ok("PUT", "t/permissions", {"permissions": None}))["permissions"] is None
    assert (await tenant.ok("GET", "t"))["schemaVersion"] == 1
    for body in ({}, {"other": 1}):
        assert (await tenant.refused("PUT", "t/permissions", body))[0] == 400
    wrong = {"permissions": {"user": {"read": "yes", "fly": True}, "nobody": {}}}
    assert await tenant.rules("PUT", "t/permissions", wrong) == [
        ("user.read", "type"),
        ("user.fly", "operation"),
        ("nobody", "group"),
    ]


async def test_permissions_act_on_the_next_request(tenant: Tenant) -> None:
    await tenant.ok("POST", "", {"tableName": "t"})
    assert (await tenant.opened.call("GET", "/v1/data/t")).status == 200
    await tenant.ok("PUT", "t/permissions", {"permissions": {}})
    assert (await tenant.opened.call("GET", "/v1/data/t")).status == 403


async def test_a_table_is_dropped_for_good_when_its_name_is_repeated(tenant: Tenant) -> None:
    made = await tenant.ok("POST", "", {"tableName": "t"})
    await tenant.data("POST", "t", {"a": 1})
    for query, body in (("", None), ("confirm=T", None), ("", {"confirm": "x"}), ("", b"{")):
        found = await tenant.refused("DELETE", "t", body, query=query)
        assert found == (422, "common/confirmation-required")
    deleted = await tenant.ok("DELETE", "t", {"confirm": "t"})
    assert deleted == {"deleted": True, "id": made["id"]}
    assert await tenant.refused("GET", "t") == (404, "table/not-found")
    again = await tenant.ok("POST", "", {"tableName": "t"})
    assert again["documentCount"] == 0
    versions = await tenant.ok("GET", "t/schema/versions")
    assert versions["pagination"]["total"] == 1
    await tenant.ok("DELETE", again["id"], query="confirm=t")


@pytest.mark.parametrize("name", ["users", "accounts", "sessions", "files"])
async def test_system_tables_are_shown_and_protected(tenant: Tenant, name: str) -> None:
    shown = await tenant.ok("GET", name)
    assert (shown["id"], shown["tableName"], shown["isSystem"]) == (name, name, True)
    protected = (403, "table/system-table-protected")
    fields = {"fieldsToAddOrUpdate": {"a": "string"}}
    assert await tenant.refused("PATCH", name, {"displayName": "x"}) == protected
    assert await tenant.refused("DELETE", name, query=f"confirm={name}") == protected
    assert await tenant.refused("POST", f"{name}/fields/manage", fields) == protected
    assert await tenant.refused("POST", f"{name}/indexes/manage", {}) == protected
    assert await tenant.refused("PUT", f"{name}/permissions", {"permissions": {}}) == protected
    assert await tenant.refused("POST", f"{name}/records", {}) == protected
    assert await tenant.refused("PATCH", f"{name}/records/x", {}) == protected
    assert await tenant.refused("DELETE", f"{name}/records/x") == protected
    assert await tenant.refused("GET", f"{name}/export") == protected
    if name in ("accounts", "sessions"):
        assert await tenant.refused("GET", f"{name}/records") == protected


async def test_documents_about_a_table(tenant: Tenant) -> None:
    await tenant.ok("POST", "", {"tableName": "t", "schema": SCHEMA})
    validate(await tenant.ok("GET", "t/openapi"))
    examples = await tenant.ok("GET", "t/api-docs")
    assert [(e["method"], e["path"]) for e in examples["endpoints"]] == [
        ("GET", "/v1/data/t?page=1&limit=20"),
        ("POST", "/v1/data/t"),
        ("GET", "/v1/data/t/{id}"),
        ("PATCH", "/v1/data/t/{id}"),
        ("DELETE", "/v1/data/t/{id}"),
    ]
    await tenant.data("POST", "t", examples["endpoints"][1]["body"])


async def test_project_settings(tenant: Tenant) -> None:
    path = "/manage/v1/projects/app"
    changed = await tenant.ok(
        "PATCH",
        path,
        {
            "name": "The app",
            "settings": {"allowedOrigins": ["HTTPS://App.example/"], "customRoles": ["editor"]},
        },
    )
    assert changed["name"] == "The app"
    assert changed["settings"] == {
        "allowedOrigins": ["https://app.example"],
        "customRoles": ["editor"],
    }
    await tenant.ok("PATCH", path, {"settings": {"customRoles": None}})
    assert (await tenant.ok("GET", path))["settings"].keys() == {"allowedOrigins"}
    for settings in (
        {"unknown": 1},
        {"allowedOrigins": ["*"]},
        {"allowedOrigins": ["https://a/b"]},
        {"allowedOrigins": ["http://app.example"]},
        {"customRoles": ["admin"]},
        {"customRoles": "editor"},
        5,
    ):
        body = {"settings": settings}
        assert await tenant.refused("PATCH", path, body) == (400, "common/invalid-parameters")


PARTS: dict[str, Any] = {
    "expressionPermissions": {"read": "user | guest", "update": "role:editor"},
    "columnPermissions": {"salary": {"read": "role:hr", "write": "role:hr"}},
    "rowFilters": [{"expression": "user", "filter": {"title": "x"}}],
}


async def test_the_other_three_parts_are_set_one_by_one(tenant: Tenant) -> None:
    schema = {"title": "string", "salary": "number"}
    made = await tenant.ok("POST", "", {"tableName": "t", "schema": schema, **PARTS})
    assert {name: made[name] for name in PARTS} == PARTS
    for name in PARTS:
        changed = await tenant.ok("PUT", "t/permissions", {name: None})
        assert changed[name] is None
    for name, part in PARTS.items():
        changed = await tenant.ok("PUT", "t/permissions", {name: part})
        assert changed[name] == part
    expressions = {"permissions": {"read": "user"}}
    changed = await tenant.ok("PUT", "t/permissions", expressions)
    assert changed["expressionPermissions"] == {"read": "user"}
    refused: tuple[dict[str, Any], ...] = (
        {"expressionPermissions": {"read": "!user"}},
        {"columnPermissions": {"id": {"read": "user"}}},
        {"rowFilters": [{"expression": "user", "filter": {"title": {"$bad": 1}}}]},
        {"rowFilters": {}},
    )
    for wrong in refused:
        found = await tenant.refused("PUT", "t/permissions", wrong)
        assert found == (400, "table/invalid-permissions"), wrong


async def test_column_permissions_go_with_an_erased_column_and_outlast_a_roll_back(
    tenant: Tenant,
) -> None:
    await tenant.ok("POST", "", {"tableName": "t", "schema": {"title": "string"}})
    add = {"fieldsToAddOrUpdate": {"salary": "number"}}
    await tenant.ok("POST", "t/fields/manage", add)
    hidden = {"columnPermissions": PARTS["columnPermissions"]}
    await tenant.ok("PUT", "t/permissions", hidden)
    await tenant.data("POST", "t", {"salary": 5})
    await tenant.ok("POST", "t/schema/versions/1/apply")
    listed = (await tenant.opened.call("GET", "/v1/data/t")).json()
    assert "salary" not in listed["items"][0], "undeclared now, and still there: hidden as before"
    await tenant.ok("POST", "t/schema/versions/2/apply")
    await tenant.ok("POST", "t/fields/manage", {"fieldsToRemove": ["salary"]})
    assert (await tenant.ok("GET", "t/permissions"))["columnPermissions"] == {}


async def test_users_are_read_and_their_secrets_are_not(tenant: Tenant) -> None:
    body = b'{"email":"a@x.example","password":"long enough","name":"A"}'
    await tenant.opened.call("POST", "/v1/auth/email/signup", body=body)
    listed = await tenant.ok("GET", "users/records")
    [user] = listed["items"]
    assert user["email"] == "a@x.example"
    assert not [name for name in user if "password" in name.lower() or "key" in name.lower()]
    assert await tenant.ok("GET", f"users/records/{user['id']}") == user
    assert (await tenant.ok("GET", "users"))["documentCount"] == 1
    assert (await tenant.ok("GET", "users"))["schema"]["properties"].keys() >= {"email", "role"}
    assert (await tenant.ok("GET", "files/records"))["items"] == []
    probe = 'andFilters={"passwordHash":{"$regex":"^a"}}'
    assert (await tenant.call("GET", "users/records", query=probe)).status in (400, 403)
