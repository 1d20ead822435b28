"""Fields, indexes and versions over HTTP: the results of 40 §6.4, and rows written meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from bkend.store import Insert
from tests.asgi import Answer
from tests.http.manage.conftest import MakeTenant, Tenant

SCHEMA = {"a": {"type": "string", "required": True}, "b": "number"}


@pytest.fixture
async def table(tenant: Tenant) -> dict[str, Any]:
    made: dict[str, Any] = await tenant.ok("POST", "", {"tableName": "t", "schema": SCHEMA})
    return made


async def fill(tenant: Tenant, table: dict[str, Any], count: int, row: dict[str, Any]) -> None:
    """Rows put straight into the store."""
    place = await tenant.opened.core.hierarchy.place("app", "dev")
    environment = await tenant.opened.core.environments.get(place.environment_id)
    assert environment is not None
    for start in range(0, count, 5000):
        await environment.store.commit(
            [
                Insert(table["id"], f"{n:024x}", {**row, "n": n}, 1000, 1000)
                for n in range(start, min(start + 5000, count))
            ]
        )


async def test_fields_are_replaced_and_the_table_made_strict(
    table: dict[str, Any], tenant: Tenant
) -> None:
    body = {"fieldsToAddOrUpdate": {"b": {"type": "string"}}, "replace": True, "strict": True}
    await tenant.ok("POST", "t/fields/manage", {"fieldsToAddOrUpdate": {"b": {"min": 0}}})
    changed = await tenant.ok("POST", "t/fields/manage", body)
    assert changed["schema"]["properties"]["b"] == {"bsonType": "string"}
    assert changed["schema"]["additionalProperties"] is False
    assert (await tenant.call("POST", "t/records", {"a": "x", "z": 1})).status == 400
    same = await tenant.ok("POST", "t/fields/manage", {"strict": True})
    assert same["schemaVersion"] == changed["schemaVersion"]
    loose = await tenant.ok("POST", "t/fields/manage", {"strict": False})
    assert "additionalProperties" not in loose["schema"]
    assert (await tenant.call("POST", "t/records", {"a": "x", "z": 1})).status == 201


async def test_the_answer_to_a_change_of_fields(
    table: dict[str, Any], make_tenant: MakeTenant
) -> None:
    tenant = await make_tenant(role="member", created_by="account-7")
    body = {
        "fieldsToAddOrUpdate": {"c": {"type": "date"}, "b": {"min": 0}},
        "requiredFieldsToAdd": ["c"],
        "requiredFieldsToRemove": ["a"],
    }
    answer = await tenant.ok("POST", "t/fields/manage", body)
    assert answer["id"] == table["id"]
    assert (answer["environment"], answer["tableName"]) == ("dev", "t")
    assert answer["projectId"] == table["projectId"]
    assert (answer["schemaVersion"], answer["previousVersion"]) == (2, 1)
    assert answer["appliedFields"] == {"added": ["c"], "updated": ["b"], "removed": []}
    assert answer["appliedRequired"] == {"added": ["c"], "removed": ["a"]}
    assert answer["schema"]["properties"]["b"] == {"bsonType": "double", "minimum": 0}
    assert answer["warnings"] == []
    assert answer["updatedAt"] >= table["updatedAt"]
    versions = await tenant.ok("GET", "t/schema/versions", query="limit=1")
    assert versions["pagination"]["total"] == 2
    [newest] = versions["items"]
    assert newest["schema"] == answer["schema"]
    assert (newest["version"], newest["isCurrent"]) == (2, True)
    assert newest["createdBy"] == "account-7"
    assert await tenant.ok("GET", "t/schema/versions/2") == newest
    assert (await tenant.ok("GET", "t/schema/versions/1"))["isCurrent"] is False


@pytest.mark.usefixtures("table")
async def test_refused_changes_of_fields(tenant: Tenant) -> None:
    place = "t/fields/manage"
    malformed: list[Any] = [
        {"fieldsToAddOrUpdate": 5},
        {"fieldsToRemove": "a"},
        {"fieldsToRemove": [1]},
        {"requiredFieldsToAdd": {}},
        {"fieldsToRemove": ["b"], "backfill": "yes"},
        [],
        "x",
    ]
    for body in malformed:
        refused = await tenant.refused("POST", place, body)
        assert refused == (400, "common/invalid-parameters"), body
    refused_by: list[tuple[Any, str]] = [
        ({"fieldsToRemove": ["loose"]}, "FIELD_CONFLICT"),
        ({"requiredFieldsToAdd": ["none"]}, "REQUIRED_CONFLICT"),
        ({"fieldsToAddOrUpdate": {"id": "string"}}, "SYSTEM_FIELD_PROTECTED"),
    ]
    for changed, rule in refused_by:
        assert await tenant.refused("POST", place, changed) == (400, "table/invalid-schema")
        assert [found for _, found in await tenant.rules("POST", place, changed)] == [rule]
    good = {"fieldsToRemove": ["b"]}
    assert await tenant.refused("POST", place, good, If_Match='"2"') == (
        412,
        "common/precondition-failed",
    )
    assert (await tenant.ok("GET", "t"))["schemaVersion"] == 1
    assert (await tenant.call("POST", place, good, If_Match='"1"')).status == 200


async def test_duplicates_are_told_with_samples(tenant: Tenant, table: dict[str, Any]) -> None:
    await fill(tenant, table, 3, {"a": "same"})
    body = {"fieldsToAddOrUpdate": {"a": {"unique": True}}}
    answer = await tenant.call("POST", "t/fields/manage", body)
    assert answer.status == 409
    assert answer.json()["code"] == "data/duplicate-value"
    assert b'3 rows hold \\"same\\"' in answer.body
    index = {"indexesToAddOrUpdate": [{"name": "once", "fields": {"a": 1}, "unique": True}]}
    assert await tenant.refused("POST", "t/indexes/manage", index) == (409, "data/duplicate-value")
    assert (await tenant.ok("GET", "t"))["indexVersion"] == 1


@pytest.mark.usefixtures("table")
async def test_the_answer_to_a_change_of_indexes(tenant: Tenant) -> None:
    body = {"indexesToAddOrUpdate": [{"name": "by_b", "fields": {"b": -1}}]}
    answer = await tenant.ok("POST", "t/indexes/manage", body)
    assert (answer["indexVersion"], answer["previousIndexVersion"]) == (2, 1)
    assert answer["appliedIndexes"] == {"added": ["by_b"], "updated": [], "removed": []}
    assert [i["name"] for i in answer["indexes"] if not i["isDefault"]] == ["by_b"]
    answer = await tenant.ok("POST", "t/indexes/manage", {"indexesToRemove": ["by_b"]})
    assert answer["appliedIndexes"]["removed"] == ["by_b"]
    versions = (await tenant.ok("GET", "t/indexes/versions"))["items"]
    assert [(v["version"], [i["name"] for i in v["indexes"]]) for v in versions] == [
        (3, []),
        (2, ["by_b"]),
        (1, []),
    ]
    answer = await tenant.ok("POST", "t/indexes/versions/2/apply")
    assert (answer["indexVersion"], answer["appliedIndexes"]["added"]) == (4, ["by_b"])
    for number, found in (("4", (400, "table/invalid-index")), ("9", _NO_VERSION)):
        assert await tenant.refused("POST", f"t/indexes/versions/{number}/apply") == found


_NO_VERSION = (404, "table/schema-version-not-found")


@pytest.mark.usefixtures("table")
async def test_applying_a_schema_version(tenant: Tenant) -> None:
    body = {"fieldsToAddOrUpdate": {"c": "string"}, "fieldsToRemove": ["b"]}
    await tenant.ok("POST", "t/fields/manage", {**body, "requiredFieldsToRemove": ["a"]})
    answer = await tenant.ok("POST", "t/schema/versions/1/apply")
    assert (answer["schemaVersion"], answer["previousVersion"]) == (3, 2)
    assert answer["appliedFields"] == {"added": ["b"], "updated": [], "removed": ["c"]}
    assert answer["appliedRequired"] == {"added": ["a"], "removed": []}
    for number, found in (
        ("3", (400, "table/invalid-schema")),
        ("9", _NO_VERSION),
        ("0", (400, "common/invalid-parameters")),
        ("x", (400, "common/invalid-parameters")),
        ("9" * 30, (400, "common/invalid-parameters")),
    ):
        assert await tenant.refused("POST", f"t/schema/versions/{number}/apply") == found
    assert await tenant.refused("GET", "t/schema/versions/9") == _NO_VERSION


@pytest.mark.usefixtures("table")
async def test_parallel_changes_of_fields_are_both_there(tenant: Tenant) -> None:
    answers = await asyncio.gather(
        *(
            tenant.call("POST", "t/fields/manage", {"fieldsToAddOrUpdate": {f"p{n}": "string"}})
            for n in range(5)
        )
    )
    assert [answer.status for answer in answers] == [200] * 5
    assert sorted(answer.json()["schemaVersion"] for answer in answers) == [2, 3, 4, 5, 6]
    columns = (await tenant.ok("GET", "t"))["schema"]["properties"]
    assert {f"p{n}" for n in range(5)} <= columns.keys()


async def test_rows_written_while_a_column_is_removed_end_up_without_it(
    tenant: Tenant, table: dict[str, Any]
) -> None:
    await tenant.ok(
        "POST",
        "t/fields/manage",
        {"fieldsToAddOrUpdate": {"gone": {"type": "string", "default": "d"}}},
    )
    await fill(tenant, table, 1500, {"a": "x", "gone": "y"})
    removal = asyncio.create_task(
        tenant.call("POST", "t/fields/manage", {"fieldsToRemove": ["gone"]})
    )
    written: list[Answer] = []
    while not removal.done():
        written.append(
            await tenant.opened.call(
                "POST", "/v1/data/t", body=b'{"a":"new"}', key=tenant.opened.made.secret_key
            )
        )
    assert (await removal).status == 200
    assert len(written) > 3
    assert {answer.status for answer in written} == {201}
    exported = await tenant.call("GET", "t/export", query="format=ndjson")
    rows = [orjson.loads(line) for line in exported.body.splitlines()]
    assert len(rows) == 1500 + len(written)
    assert not [row for row in rows if "gone" in row]


async def test_reads_answer_while_an_index_is_built(tenant: Tenant, table: dict[str, Any]) -> None:
    await fill(tenant, table, 60_000, {"a": "x" * 200, "b": 1})
    index = {"indexesToAddOrUpdate": [{"name": "wide", "fields": {"a": 1, "n": 1, "b": -1}}]}
    declared = {"fieldsToAddOrUpdate": {"n": "number"}}
    await tenant.ok("POST", "t/fields/manage", declared)
    building = asyncio.create_task(tenant.call("POST", "t/indexes/manage", index))
    answered = 0
    while not building.done():
        await tenant.data("GET", f"t/{answered:024x}")
        await asyncio.sleep(0)
        answered += 1
    assert (await building).status == 200
    assert answered > 20, "reads waited for the index"
