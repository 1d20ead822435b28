"""An app's files over the management API (51 §8), and the project's settings."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.asgi import InProcess
from tests.http.manage.conftest import BASE, MakeTenant, Tenant, make_tenant, opened, tenant

__all__ = ["make_tenant", "opened", "tenant"]

FILES = f"{BASE}/files"
PROJECT = "/manage/v1/projects/app"
FORM = (
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n'
    b"Content-Type: text/plain\r\n\r\nhello\r\n--x--\r\n"
)


async def upload(tenant: Tenant) -> Any:
    answer = await tenant.call("POST", FILES, FORM, content_type="multipart/form-data; boundary=x")
    assert answer.status == 201, answer.body
    return answer.json()


async def test_tenants_upload_list_change_and_delete(opened: InProcess, tenant: Tenant) -> None:
    file = await upload(tenant)
    assert (file["ownerType"], file["size"], file["visibility"]) == ("service", 5, "private")
    assert (await tenant.ok("GET", FILES))["items"] == [file]
    assert await tenant.ok("GET", f"{FILES}/stats") == {"fileCount": 1, "storageBytes": 5}
    for query, count in (("search=A.T", 1), ("bucket=media", 0), ("mimeType=text/*", 1)):
        assert (await tenant.ok("GET", FILES, query=query))["pagination"]["total"] == count
    one = f"{FILES}/{file['id']}"
    assert await tenant.ok("GET", one) == file
    changed = await tenant.ok("PATCH", one, {"visibility": "shared", "sharedWith": ["u"]})
    assert changed["sharedWith"] == ["u"]
    found = await tenant.ok("POST", f"{one}/download-url")
    path, _, query = found["url"].partition("/raw/")[2].partition("?")
    answer = await opened.call("GET", f"/raw/{path}", query=query.encode(), key="")
    assert answer.body == b"hello"
    assert await tenant.ok("DELETE", one) == {"deleted": True, "id": file["id"]}
    for method in ("GET", "PATCH", "DELETE"):
        assert await tenant.refused(method, one, {}) == (404, "file/not-found")


@pytest.mark.parametrize(
    ("options", "statuses"),
    [
        ({"role": "member"}, (200, 201, 200, 200)),
        ({"role": "billing"}, (403, 403, 403, 403)),
        ({"scopes": ["file:read"]}, (200, 403, 403, 403)),
        ({"scopes": ["file:update"]}, (403, 201, 200, 403)),
        ({"scopes": ["file:*"]}, (200, 201, 200, 200)),
        ({"scopes": ["table:*"]}, (403, 403, 403, 403)),
        ({"scopes": ["*:read"]}, (200, 403, 403, 403)),
    ],
    ids=str,
)
async def test_rights(
    tenant: Tenant, make_tenant: MakeTenant, options: Any, statuses: tuple[int, ...]
) -> None:
    one = f"{FILES}/{(await upload(tenant))['id']}"
    other = await make_tenant(**options)
    reads, makes, updates, deletes = statuses
    for path in (FILES, f"{FILES}/stats", one):
        assert (await other.call("GET", path)).status == reads
    assert (await other.call("POST", f"{one}/download-url")).status == reads
    kind = "multipart/form-data; boundary=x"
    assert (await other.call("POST", FILES, FORM, content_type=kind)).status == makes
    assert (await other.call("PATCH", one, {})).status == updates
    assert (await other.call("DELETE", one)).status == deletes


async def test_settings_of_the_project(opened: InProcess, tenant: Tenant) -> None:
    good = {
        "storage.defaultVisibility": "public",
        "storage.guestPublicRead": True,
        "storage.maxUploadBytes": 4,
    }
    assert (await tenant.ok("PATCH", PROJECT, {"settings": good}))["settings"] == good
    answer = await tenant.call("POST", FILES, FORM, content_type="multipart/form-data; boundary=x")
    assert answer.json()["code"] == "file/file-too-large"
    assert (await opened.call("GET", "/v1/files")).status == 200
    for name, value in (
        ("storage.defaultVisibility", "x"),
        ("storage.defaultVisibility", []),
        ("storage.guestPublicRead", 1),
        ("storage.maxUploadBytes", 0),
        ("storage.maxUploadBytes", True),
        ("storage.maxUploadBytes", 2**40),
        ("storage.unknown", 1),
    ):
        found = await tenant.refused("PATCH", PROJECT, {"settings": {name: value}})
        assert found == (400, "common/invalid-parameters"), (name, value)
    cleared = await tenant.ok("PATCH", PROJECT, {"settings": dict.fromkeys(good)})
    assert cleared["settings"] == {}
    assert (await upload(tenant))["visibility"] == "private"
    assert orjson.loads((await opened.call("GET", "/v1/files")).body)["code"] == (
        "common/authentication-required"
    )
