"""Who may manage: tokens, roles, scopes, projects (51 §4, §6, §7)."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.asgi import InProcess
from tests.http.manage.conftest import BASE, TABLES, MakeTenant, Tenant

ROUTES: list[tuple[str, str, Any, str]] = [
    ("GET", "", None, "table:read"),
    ("POST", "", {"tableName": "new", "schema": {}}, "table:create"),
    ("GET", "t", None, "table:read"),
    ("PATCH", "t", {}, "table:update"),
    ("POST", "t/fields/manage", {"fieldsToAddOrUpdate": {"z": "string"}}, "table:update"),
    ("POST", "t/indexes/manage", {"indexesToAddOrUpdate": []}, "table:update"),
    ("GET", "t/permissions", None, "table:read"),
    ("PUT", "t/permissions", {"permissions": None}, "table:update"),
    ("GET", "t/schema/versions", None, "table:read"),
    ("GET", "t/schema/versions/1", None, "table:read"),
    ("POST", "t/schema/versions/1/apply", None, "table:update"),
    ("GET", "t/indexes/versions", None, "table:read"),
    ("GET", "t/indexes/versions/1", None, "table:read"),
    ("POST", "t/indexes/versions/1/apply", None, "table:update"),
    ("GET", "t/api-docs", None, "table:read"),
    ("GET", "t/openapi", None, "table:read"),
    ("GET", "t/export", None, "table:data:read"),
    ("GET", "t/records", None, "table:data:read"),
    ("POST", "t/records", {}, "table:data:create"),
    ("GET", "t/records/x", None, "table:data:read"),
    ("PATCH", "t/records/x", {}, "table:data:update"),
    ("DELETE", "t/records/x", None, "table:data:delete"),
    ("POST", "t/records/bulk-delete", {"ids": ["x"]}, "table:data:delete"),
    ("GET", "/manage/v1/projects/app", None, "project:read"),
    ("PATCH", "/manage/v1/projects/app", {"settings": {"a": 1}}, "project:update"),
    ("DELETE", "t", None, "table:delete"),
]


@pytest.fixture
async def table(tenant: Tenant) -> None:
    await tenant.ok("POST", "", {"tableName": "t", "schema": {"a": "string"}})


@pytest.mark.usefixtures("table")
async def test_without_a_good_token_nothing_is_answered(
    opened: InProcess, make_tenant: MakeTenant
) -> None:
    keys = opened.core.keys
    revoked = await make_tenant()
    await keys.revoke((await keys.find(revoked.token)).id)  # type: ignore[union-attr]
    expired = await make_tenant(expires_at="2020-01-01")
    signup = await opened.call(
        "POST",
        "/v1/auth/email/signup",
        body=b'{"email":"a@x.example","password":"long enough","name":"A"}',
    )
    tokens = [
        None,
        "",
        "bt_" + "0" * 64,
        "nonsense",
        revoked.token,
        expired.token,
        opened.made.publishable_key,
        opened.made.secret_key,
        signup.json()["accessToken"],
    ]
    for token in tokens:
        for method, path, _, _ in ROUTES:
            found = await Tenant(opened, token).refused(method, path, b"{not json")
            assert found == (401, "auth/unauthorized"), (token, method, path)


async def test_the_key_header_is_no_token(opened: InProcess) -> None:
    for key in (opened.made.secret_key, opened.made.management_token):
        answer = await opened.call("GET", TABLES, key=key)
        assert answer.status == 401


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("role", ["owner", "admin", "member", "billing", "nonsense", None])
async def test_what_each_role_may_do(make_tenant: MakeTenant, role: str | None) -> None:
    tenant = await make_tenant(role=role)
    for method, path, body, right in ROUTES:
        answer = await tenant.call(method, path, body)
        allowed = role in ("owner", "admin") or (role == "member" and right != "project:update")
        assert (answer.status != 403) == allowed, (role, method, path)
        if not allowed:
            assert answer.json()["code"] == "common/forbidden"


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    ("scopes", "rights"),
    [
        (["table:read"], {"table:read"}),
        (["table:*"], {"table:read", "table:create", "table:update", "table:delete"}),
        (["*:read"], {"table:read", "table:data:read", "project:read"}),
        (["table:data:read", "project:update"], {"table:data:read", "project:update"}),
        (["*:*"], {right for *_, right in ROUTES}),
        ([], {right for *_, right in ROUTES}),
        (["organization:read"], set()),
    ],
)
async def test_scopes_bound_the_role(
    make_tenant: MakeTenant, scopes: list[str], rights: set[str]
) -> None:
    tenant = await make_tenant(scopes=scopes)
    for method, path, body, right in ROUTES:
        answer = await tenant.call(method, path, body)
        assert (answer.status != 403) == (right in rights), (scopes, method, path)
        if answer.status == 403:
            assert answer.json()["code"] == "common/scope-insufficient"


@pytest.mark.usefixtures("table")
async def test_projects_of_others_are_not_there(
    opened: InProcess, tenant: Tenant, make_tenant: MakeTenant
) -> None:
    project_id = opened.made.project_id
    inside = await make_tenant(project_ids=[project_id])
    await inside.ok("GET", "t")
    for outside in (
        await make_tenant(project_ids=["another"]),
        await make_tenant(project_ids=[]),
        await make_tenant(organization_id="org_another"),
        await make_tenant(organization_id="org_another", role="billing"),
    ):
        for method, path, body, _ in ROUTES:
            found = await outside.refused(method, path, body)
            assert found in {(404, "common/not-found"), (403, "common/forbidden")}
            if outside.token and found[0] == 403:
                key = await opened.core.keys.find(outside.token)
                assert key is not None
                assert key.role == "billing"


@pytest.mark.usefixtures("table")
async def test_ids_and_names_both_lead_there(opened: InProcess, tenant: Tenant) -> None:
    by_name = await tenant.ok("GET", "t")
    environments = await opened.core.hierarchy.place("app", "dev")
    for project in ("app", opened.made.project_id):
        for env in ("dev", environments.environment_id):
            for table in ("t", by_name["id"]):
                path = f"/manage/v1/projects/{project}/environments/{env}/tables/{table}"
                assert await tenant.ok("GET", path) == by_name


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/manage/v1/projects/none/environments/dev/tables", 404, "common/not-found"),
        ("GET", "/manage/v1/projects/app/environments/none/tables", 404, "common/not-found"),
        ("GET", "none", 404, "table/not-found"),
        ("GET", "none/records", 404, "table/not-found"),
        ("GET", "None", 404, "table/not-found"),
        ("GET", "/manage/v1/nothing", 404, "common/not-found"),
        ("GET", f"{BASE}/tables/", 404, "common/not-found"),
    ],
)
async def test_what_is_not_there(
    tenant: Tenant, method: str, path: str, status: int, code: str
) -> None:
    assert await tenant.refused(method, path) == (status, code)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "", "GET, POST"),
        ("PUT", "t", "DELETE, GET, PATCH"),
        ("POST", "t/permissions", "GET, PUT"),
        ("GET", "t/fields/manage", "POST"),
        ("DELETE", "t/records", "GET, POST"),
        ("PUT", "t/records/x", "DELETE, GET, PATCH"),
        ("GET", "t/schema/versions/1/apply", "POST"),
        ("OPTIONS", "t", "DELETE, GET, PATCH"),
    ],
)
async def test_wrong_methods_name_the_right_ones(
    tenant: Tenant, method: str, path: str, allowed: str
) -> None:
    answer = await tenant.call(method, path)
    assert answer.status == 405
    assert answer.headers["allow"] == allowed
    assert answer.json()["code"] == "common/method-not-allowed"


async def test_other_origins_get_no_headers(tenant: Tenant) -> None:
    for method in ("GET", "OPTIONS"):
        answer = await tenant.call(method, "", Origin="https://evil.example")
        assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"a":"\\ud800"}', b"[" * 5000])
async def test_malformed_json(tenant: Tenant, body: bytes) -> None:
    assert await tenant.refused("POST", "", body) == (400, "common/invalid-parameters")


async def test_a_body_that_is_too_large(tenant: Tenant) -> None:
    body = orjson.dumps({"tableName": "x" * (10 << 20)})
    assert await tenant.refused("POST", "", body) == (413, "common/payload-too-large")


async def test_the_declared_type_of_a_body_does_not_matter(tenant: Tenant) -> None:
    answer = await tenant.call("POST", "", {"tableName": "plain"}, Content_Type="text/plain")
    assert answer.status == 201


async def test_the_openapi_document_of_the_management_api(tenant: Tenant) -> None:
    from openapi_spec_validator import validate

    document = await tenant.ok("GET", "/manage/v1/openapi.json")
    validate(document)
    base = "/manage/v1/projects/{project}/environments/{env}/tables"
    assert {base, f"{base}/{{table}}/fields/manage"} <= document["paths"].keys()


@pytest.mark.parametrize("path", ["t", "t/api-docs", "t/export", "t/records", "none"])
async def test_odd_bytes_in_a_query_harm_nothing(
    opened: InProcess, tenant: Tenant, path: str
) -> None:
    await tenant.ok("POST", "", {"tableName": "t"})
    headers = [("Authorization", f"Bearer {tenant.token}")]
    for method in ("GET", "PUT", "POST"):
        answer = await opened.call(
            method, f"{TABLES}/{path}", query=b"\x80=\xff&page=%FF", headers=headers, key=""
        )
        assert answer.status < 500
