"""Environments over `/manage/v1` (51 §3.5, §5)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bkend.manage.control import ENVIRONMENTS, FILE_KEYS, KEYS
from bkend.store import Equals, Find, Update
from tests.http.manage.company import Company, company

BASE = "/projects/app/environments"
POSTS: dict[str, Any] = {
    "tableName": "posts",
    "schema": {"title": {"type": "string", "required": True}, "n": {"type": "number"}},
    "indexes": [{"name": "by_n", "fields": {"n": 1}}],
    "permissions": {"guest": {"read": True, "list": True}},
}


async def make(firm: Company, name: str, **body: Any) -> Any:
    return await firm.people["owner"].ok("POST", BASE, {"environment": name, **body})


async def test_a_new_environment_can_be_used_at_once(firm: Company) -> None:
    made = await make(firm, "staging")
    assert (made["status"], made["environmentType"]) == ("active", "staging")
    assert made["apiKey"]["name"] == "Default"
    body = {"email": "a@example.com", "password": "correct horse", "name": "A"}
    answer = await firm.data("POST", "auth/email/signup", made["apiKey"]["key"], body)
    assert answer.status == 201
    shown = await firm.people["owner"].ok("GET", f"{BASE}/staging")
    assert shown["stats"]["userCount"] == 1
    assert {one["environment"] for one in await firm.people["member"].items(BASE)} == {
        "dev",
        "staging",
    }


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "common/invalid-parameters"),
        ({"environment": "1x"}, 400, "common/invalid-parameters"),
        ({"environment": "Dev"}, 400, "common/invalid-parameters"),
        ({"environment": "x" * 31}, 400, "common/invalid-parameters"),
        ({"environment": "x", "environmentType": "moon"}, 400, "common/invalid-parameters"),
        ({"environment": "x", "copySchemaFrom": 7}, 400, "common/invalid-parameters"),
        ({"environment": "x", "copySchemaFrom": "none"}, 404, "common/not-found"),
        ({"environment": "dev"}, 409, "environment/already-exists"),
    ],
    ids=str,
)
async def test_refused_environments(firm: Company, body: Any, status: int, code: str) -> None:
    assert await firm.people["owner"].refused("POST", BASE, body) == (status, code)


async def test_a_copy_of_the_design_has_no_data(firm: Company) -> None:
    owner = firm.people["owner"]
    await owner.ok("POST", f"{BASE}/dev/tables", POSTS)
    await owner.ok("POST", f"{BASE}/dev/tables/posts/records", {"title": "x"})
    await owner.ok("PUT", f"{BASE}/dev/auth/settings", {"accessTokenTtlSeconds": 77})
    client = {"clientId": "c", "clientSecret": "s"}
    await owner.ok("PUT", f"{BASE}/dev/auth/providers/oauth/google", client)
    own = {**client, "issuer": "https://id.acme.example"}
    await owner.ok("PUT", f"{BASE}/dev/auth/providers/oauth/acme", own)
    made = await make(firm, "prod", copySchemaFrom="dev")
    assert made["status"] == "active"
    table = await owner.ok("GET", f"{BASE}/prod/tables/posts")
    original = await owner.ok("GET", f"{BASE}/dev/tables/posts")
    for name in ("schema", "indexes", "permissions"):
        assert table[name] == original[name]
    assert (table["documentCount"], original["documentCount"]) == (0, 1)
    assert (await owner.ok("GET", f"{BASE}/prod/auth/settings"))["accessTokenTtlSeconds"] == 77
    for name in ("google", "acme"):
        copied = await owner.ok("GET", f"{BASE}/prod/auth/providers/oauth/{name}")
        found = copied["clientId"], copied["hasClientSecret"], copied["enabled"]
        assert found == ("c", False, False)
    assert copied["issuer"] == "https://id.acme.example"


async def test_copying_parts_to_another_environment(firm: Company) -> None:
    owner = firm.people["owner"]
    await owner.ok("POST", f"{BASE}/dev/tables", POSTS)
    await owner.ok("POST", f"{BASE}/dev/tables", {"tableName": "notes", "schema": {}})
    await make(firm, "prod")
    copied = await owner.ok("POST", f"{BASE}/dev/copy-to/prod", {"tables": ["posts"]})
    assert copied["tables"] == ["posts"]
    tables = await owner.items(f"{BASE}/prod/tables")
    assert [one["tableName"] for one in tables] == ["posts"]
    await owner.ok("PUT", f"{BASE}/dev/email-templates/config", {"senderName": "Shop"})
    copied = await owner.ok("POST", f"{BASE}/dev/copy-to/prod", {"auth": True, "templates": True})
    assert copied["tables"] == ["notes"]
    config = await owner.ok("GET", f"{BASE}/prod/email-templates/config")
    assert config["senderName"] == "Shop"
    for path, body, found in (
        ("prod/copy-to/prod", {}, (400, "common/invalid-parameters")),
        ("dev/copy-to/none", {}, (404, "common/not-found")),
        ("dev/copy-to/prod", {"tables": ["none"]}, (404, "table/not-found")),
    ):
        assert await owner.refused("POST", f"{BASE}/{path}", body) == found


async def test_a_deleted_environment_leaves_nothing(firm: Company) -> None:
    owner, core = firm.people["owner"], firm.opened.core
    made = await make(firm, "staging")
    key = made["apiKey"]["key"]
    await owner.ok("POST", f"{BASE}/staging/tables", POSTS)
    await owner.ok("POST", f"{BASE}/staging/tables/posts/records", {"title": "x"})
    file_key = f"{firm.opened.made.project_id}/staging/files/2026/01/x.txt"

    async def parts() -> Any:
        yield b"bytes"

    await core.objects.put(file_key, parts(), limit=100)
    await core.places.claim(made["id"], ["imported/elsewhere.txt"])
    refused = await owner.refused("DELETE", f"{BASE}/staging", {"confirm": "yes"})
    assert refused == (422, "common/confirmation-required")
    deleted = await owner.ok("DELETE", f"{BASE}/staging", {"confirm": "staging"})
    assert deleted == {"deleted": True, "id": made["id"]}
    assert await owner.refused("GET", f"{BASE}/staging") == (404, "common/not-found")
    answer = await firm.data("GET", "data/posts", key)
    assert (answer.status, answer.json()["code"]) == (401, "auth/token-revoked")
    assert await core.objects.head(file_key) is None
    control = core.database.control
    assert await control.count(FILE_KEYS) == 0
    assert await control.count(ENVIRONMENTS, Equals(("id",), made["id"])) == 0
    files = list((core.settings.data / "environments").glob(f"{made['id']}*"))
    assert files == []
    again = await make(firm, "staging")
    assert again["id"] != made["id"]
    assert await owner.items(f"{BASE}/staging/tables") == []


async def test_a_project_keeps_its_last_environment(firm: Company) -> None:
    owner = firm.people["owner"]
    refused = await owner.refused("DELETE", f"{BASE}/dev", {"confirm": "dev"})
    assert refused == (409, "environment/last-environment")
    await make(firm, "staging")
    both = await asyncio.gather(
        owner.call("DELETE", f"{BASE}/dev", {"confirm": "dev"}),
        owner.call("DELETE", f"{BASE}/staging", {"confirm": "staging"}),
    )
    assert sorted(answer.status for answer in both) == [200, 409]


async def test_an_interrupted_deletion_is_finished(firm: Company) -> None:
    core, owner = firm.opened.core, firm.people["owner"]
    made = await make(firm, "staging")
    change = Update(ENVIRONMENTS, made["id"], set={"status": "deleting"})
    await core.database.control.commit([change])
    assert await owner.refused("GET", f"{BASE}/staging") == (404, "common/not-found")
    answer = await firm.data("GET", "data/posts", made["apiKey"]["key"])
    assert (answer.status, answer.json()["code"]) == (404, "data/environment-not-found")
    await core.purging.finish()
    answer = await firm.data("GET", "data/posts", made["apiKey"]["key"])
    assert (answer.status, answer.json()["code"]) == (401, "auth/token-revoked")
    page = await core.database.control.find(Find(KEYS, Equals(("environmentId",), made["id"])))
    assert page.total == 1


async def test_a_failed_environment_is_set_up_again(firm: Company) -> None:
    core, owner = firm.opened.core, firm.people["owner"]
    made = await make(firm, "staging")
    deployment = {**made["deployment"], "status": "failed", "error": "the storage failed"}
    change = Update(ENVIRONMENTS, made["id"], set={"status": "failed", "deployment": deployment})
    await core.database.control.commit([change])
    answer = await firm.data("GET", "data/posts", made["apiKey"]["key"])
    assert (answer.status, answer.json()["code"]) == (403, "environment/not-active")
    found = await owner.ok("POST", f"{BASE}/staging/retry")
    assert (found["status"], "error" in found["deployment"]) == ("active", False)
    refused = await owner.refused("POST", f"{BASE}/staging/retry")
    assert refused == (400, "common/invalid-parameters")


async def test_members_look_and_do_not_make(firm: Company) -> None:
    await make(firm, "staging")
    member = firm.people["member"]
    assert (await member.ok("GET", f"{BASE}/dev"))["environment"] == "dev"
    for method, path, body in (
        ("POST", BASE, {"environment": "x"}),
        ("DELETE", f"{BASE}/staging", {"confirm": "staging"}),
        ("POST", f"{BASE}/dev/copy-to/staging", {}),
        ("POST", f"{BASE}/staging/retry", None),
    ):
        assert await member.refused(method, path, body) == (403, "common/forbidden")


async def test_environments_that_nobody_uses_are_closed_and_opened_again(tmp_path: Path) -> None:
    async with company(tmp_path / "data", open_environments=2) as firm:
        owner, core = firm.people["owner"], firm.opened.core
        keys = {}
        for number in range(5):
            made = await make(firm, f"e{number}")
            keys[f"e{number}"] = made["apiKey"]["key"]
            await owner.ok("POST", f"{BASE}/e{number}/tables", POSTS)
            await owner.ok("POST", f"{BASE}/e{number}/tables/posts/records", {"title": "x"})
        database: Any = core.database
        async with asyncio.timeout(10):
            while len(database._environments) > 2:
                await asyncio.sleep(0.01)
        for name, key in keys.items():
            found = (await firm.data("GET", "data/posts", key)).json()
            assert found["pagination"]["total"] == 1, name
        async with asyncio.timeout(10):
            while len(database._environments) > 2:
                await asyncio.sleep(0.01)
        held = [await core.environments.get((await make(firm, f"f{n}"))["id"]) for n in range(4)]
        for environment in held:  # whoever holds one keeps it open
            assert environment is not None
            assert await environment.store.count("users") == 0
