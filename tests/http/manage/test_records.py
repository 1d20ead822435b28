"""Records and exports over the management API (51 §8, 40 §6.4)."""

from __future__ import annotations

import csv
import io
from typing import Any

import orjson
import pytest

from tests.http.manage.conftest import MakeTenant, Tenant


@pytest.fixture
async def table(tenant: Tenant) -> dict[str, Any]:
    schema = {"name": {"type": "string", "required": True}, "n": "number"}
    body = {"tableName": "t", "schema": schema, "permissions": {}}
    made: dict[str, Any] = await tenant.ok("POST", "", body)
    return made


@pytest.mark.usefixtures("table")
async def test_a_tenant_does_what_an_admin_does_and_is_the_creator(make_tenant: MakeTenant) -> None:
    tenant = await make_tenant(role="member", created_by="account-7")
    made = await tenant.ok("POST", "t/records", {"name": "x", "createdBy": "somebody"})
    assert made["createdBy"] == "account-7"
    many = await tenant.ok("POST", "t/records", [{"name": "y", "n": 1}, {"name": "z", "n": 2}])
    assert [record["createdBy"] for record in many] == ["account-7", "account-7"]
    id = made["id"]
    assert await tenant.ok("GET", f"t/records/{id}") == made
    changed = await tenant.ok("PATCH", f"t/records/{id}", {"n": 3})
    assert (changed["n"], changed["createdBy"]) == (3, "account-7")
    found = await tenant.ok("GET", "t/records", query='andFilters={"n":{"$gte":2}}&sortBy=n')
    assert [record["n"] for record in found["items"]] == [3, 2]
    assert await tenant.ok("DELETE", f"t/records/{id}") == {"deleted": True, "id": id}
    assert await tenant.refused("GET", f"t/records/{id}") == (404, "data/not-found")


@pytest.mark.usefixtures("table")
async def test_without_an_account_records_have_no_creator(tenant: Tenant) -> None:
    made = await tenant.ok("POST", "t/records", {"name": "x", "createdBy": "somebody"})
    assert made["createdBy"] == ""


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    ("method", "path", "body", "query", "status"),
    [
        ("POST", "t/records", {"n": 1}, "", 400),
        ("POST", "t/records", [], "", 400),
        ("POST", "t/records", b"{", "", 400),
        ("GET", "t/records", None, "limit=0", 400),
        ("GET", "t/records", None, "andFilters={", 400),
        ("GET", "t/records/none", None, "", 404),
        ("PATCH", "t/records/none", {}, "", 404),
        ("DELETE", "t/records/none", None, "", 404),
    ],
)
async def test_the_rules_of_the_data_api_hold(
    tenant: Tenant, method: str, path: str, body: Any, query: str, status: int
) -> None:
    code = {400: "data/validation-error", 404: "data/not-found"}[status]
    assert await tenant.refused(method, path, body, query=query) == (status, code)


@pytest.mark.usefixtures("table")
async def test_many_are_deleted_at_once_when_the_name_is_repeated(tenant: Tenant) -> None:
    made = await tenant.ok("POST", "t/records", [{"name": "x"} for _ in range(5)])
    ids = [record["id"] for record in made]
    place = "t/records/bulk-delete"
    for body, found in (
        ({"ids": ids}, (422, "common/confirmation-required")),
        ({"ids": ids, "confirm": "T"}, (422, "common/confirmation-required")),
        ({"ids": [], "confirm": "t"}, (400, "common/invalid-parameters")),
        ({"ids": ["x"] * 101, "confirm": "t"}, (400, "common/invalid-parameters")),
        ({"ids": [{"$ne": 1}], "confirm": "t"}, (400, "common/invalid-parameters")),
        ({"ids": "x", "confirm": "t"}, (400, "common/invalid-parameters")),
        ({"confirm": "t"}, (400, "common/invalid-parameters")),
    ):
        assert await tenant.refused("POST", place, body) == found
    body = {"ids": [*ids[:3], ids[0], "none"], "confirm": "t"}
    assert await tenant.ok("POST", place, body) == {"deleted": True, "count": 3}
    assert (await tenant.ok("GET", "t/records"))["pagination"]["total"] == 2


@pytest.mark.usefixtures("table")
async def test_exports_hold_every_record(tenant: Tenant) -> None:
    rows = [{"name": f'=a,"{n}"\n', "n": n} for n in range(998)]
    await tenant.ok("POST", "t/records", [*rows, {"name": "é", "extra": {"x": [1]}}])
    as_json = await tenant.call("GET", "t/export")
    assert as_json.headers["content-type"] == "application/json; charset=utf-8"
    assert as_json.headers["content-disposition"] == 'attachment; filename="t.json"'
    found = as_json.json()
    assert len(found) == 999
    assert [row["name"] for row in found[:998]] == [row["name"] for row in rows]
    lines = await tenant.call("GET", "t/export", query="format=ndjson")
    assert [orjson.loads(line) for line in lines.body.splitlines()] == found
    as_csv = await tenant.call("GET", "t/export", query="format=csv")
    assert as_csv.headers["content-type"] == "text/csv; charset=utf-8"
    read = list(csv.DictReader(io.StringIO(as_csv.body.decode(), newline="")))
    assert list(read[0]) == ["id", "name", "n", "extra", "createdBy", "createdAt", "updatedAt"]
    assert [row["name"] for row in read] == [row["name"] for row in found]
    assert (read[-1]["extra"], read[-1]["n"]) == ('{"x":[1]}', "")
    assert await tenant.refused("GET", "t/export", query="format=xml") == (
        400,
        "common/invalid-parameters",
    )


@pytest.mark.usefixtures("table")
async def test_an_empty_table_is_exported_too(tenant: Tenant) -> None:
    assert (await tenant.call("GET", "t/export")).body == b"[]"
    assert (await tenant.call("GET", "t/export", query="format=ndjson")).body == b""
