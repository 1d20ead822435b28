"""`GET …/spec` and `…/openapi` (20 §4.6, 21 §5)."""

from __future__ import annotations

import httpx
import pytest
from openapi_spec_validator import validate

from tests.answers import ok, refusal
from tests.backdoor import make_key
from tests.people import People
from tests.servers import RunningServer

WORDS = ("spec", "openapi")
SYSTEM = ["idx_createdAt_desc", "idx_updatedAt_desc", "idx_createdBy"]


@pytest.mark.parametrize("path", ["/v1/data/articles", "/v1/articles"])
def test_spec_tells_schema_indexes_and_permissions(owner: httpx.Client, path: str) -> None:
    spec = ok(owner.get(f"{path}/spec"))
    assert spec.keys() == {"tableName", "schema", "indexes", "permissions"}
    assert spec["tableName"] == "articles"
    assert spec["schema"]["required"] == ["title"]
    assert spec["schema"]["properties"]["views"] == {"bsonType": "double", "default": 0}
    assert not {"id", "createdAt"} & spec["schema"]["properties"].keys()
    assert [index["name"] for index in spec["indexes"]] == [*SYSTEM, "uq_slug"]
    assert spec["indexes"][3] == {
        "name": "uq_slug",
        "key": {"slug": 1},
        "fields": {"slug": 1},
        "unique": True,
        "sparse": True,
        "isDefault": False,
    }
    assert spec["permissions"]["guest"] == {"read": True, "list": True}


def test_admins_are_told_the_other_permission_parts(admin: httpx.Client) -> None:
    spec = ok(admin.get("/v1/data/articles/spec"))
    assert {"expressionPermissions", "columnPermissions", "rowFilters"} <= spec.keys()


def test_the_defaults_stand_in_for_permissions_that_are_not_configured(
    admin: httpx.Client,
) -> None:
    permissions = ok(admin.get("/v1/data/defaults/spec"))["permissions"]
    assert permissions["guest"] == {"read": True, "list": True}
    assert permissions["self"]["update"] is True


@pytest.mark.parametrize("word", WORDS)
def test_who_may_ask(
    server: RunningServer,
    anonymous: httpx.Client,
    owner: httpx.Client,
    people: People,
    word: str,
) -> None:
    refusal(anonymous.get(f"/v1/data/articles/{word}"), 401, "common/authentication-required")
    refusal(owner.get(f"/v1/data/closed/{word}"), 403, "data/permission-denied")
    refusal(owner.get(f"/v1/data/nothing/{word}"), 404, "data/table-not-found")
    ok(owner.get(f"/v1/data/notes/{word}"))  # only own rows: still read in some form
    with people.guest.client() as guest:
        ok(guest.get(f"/v1/data/articles/{word}"))
        refusal(guest.get(f"/v1/data/guestless/{word}"), 403, "data/permission-denied")
    with httpx.Client(base_url=server.url) as nobody:
        refusal(nobody.get(f"/v1/data/articles/{word}"), 400, "data/invalid-header")
    for scope, status in (("articles:read", 200), ("articles:list", 403), ("notes:read", 403)):
        with server.client(make_key(server, scopes=(scope,))["key"]) as scoped:
            assert scoped.get(f"/v1/data/articles/{word}").status_code == status


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_other_methods_are_refused(admin: httpx.Client, word: str, method: str) -> None:
    answer = admin.request(method, f"/v1/data/articles/{word}", json={})
    refusal(answer, 405, "common/method-not-allowed")
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize("table", ["articles", "typed", "strict", "filters", "defaults"])
def test_openapi_is_valid_and_names_exactly_the_calls(admin: httpx.Client, table: str) -> None:
    document = ok(admin.get(f"/v1/data/{table}/openapi"))
    validate(document)
    assert document["openapi"] == "3.0.0"
    assert document["info"] == {
        "title": f"{table} API",
        "version": "1.0.0",
        "description": f"CRUD API for {table} table",
    }
    rows, row = f"/v1/data/{table}", f"/v1/data/{table}/{{id}}"
    assert {path: set(found) for path, found in document["paths"].items()} == {
        rows: {"get", "post"},
        row: {"get", "patch", "delete"},
    }


def test_openapi_schemas_are_those_of_the_table(admin: httpx.Client) -> None:
    schemas = ok(admin.get("/v1/data/typed/openapi"))["components"]["schemas"]
    create = schemas["Create"]
    assert create["required"] == ["title"]  # `must` has a default
    assert create["properties"]["title"]["maxLength"] == 5
    assert create["properties"]["kind"]["enum"] == ["a", "b", None]
    assert create["properties"]["due"] == {
        "type": "string",
        "format": "date-time",
        "nullable": True,
    }
    assert create["properties"]["address"]["required"] == ["city"]
    assert "required" not in schemas["Update"]
    assert schemas["Record"]["required"] == ["id", "createdBy", "createdAt", "updatedAt"]


def test_columns_that_are_never_readable_are_not_told_of(
    server: RunningServer, admin: httpx.Client, owner: httpx.Client
) -> None:
    server.apply(
        """
version: 1
tables:
  wages:
    fields:
      name: {type: string, required: true}
      wage: {type: number, required: true}
      note: {type: string}
    indexes:
      - {name: by_wage, fields: {name: 1, wage: 1}}
    columnPermissions:
      wage: {read: admin}
      note: {read: self}
"""
    )
    spec = ok(owner.get("/v1/data/wages/spec"))
    assert list(spec["schema"]["properties"]) == ["name", "note"]
    assert spec["schema"]["required"] == ["name"]
    assert "by_wage" not in [index["name"] for index in spec["indexes"]]
    assert "columnPermissions" not in spec
    assert (
        "wage"
        not in ok(owner.get("/v1/data/wages/openapi"))["components"]["schemas"]["Record"][
            "properties"
        ]
    )
    assert "wage" in ok(admin.get("/v1/data/wages/spec"))["schema"]["properties"]
    assert (
        "wage"
        in ok(admin.get("/v1/data/wages/openapi"))["components"]["schemas"]["Create"]["required"]
    )
