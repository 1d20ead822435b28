"""API keys over `/manage/v1` (51 §3.7)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http.manage.company import Company

BASE = "/projects/app/environments/dev/api-keys"


async def test_a_secret_value_is_shown_once_and_a_publishable_one_always(firm: Company) -> None:
    owner, member = firm.people["owner"], firm.people["member"]
    for type, prefix, readable in (("secret", "sk_", False), ("publishable", "pk_", True)):
        made = await owner.ok("POST", BASE, {"type": type, "name": "Server"})
        assert made["key"].startswith(prefix)
        assert made["maskedKey"] == f"{made['key'][:7]}****...{made['key'][-4:]}"
        assert made["createdByName"] == "Owner"
        assert (await firm.data("GET", "data/x", made["key"])).status == 404
        for shown in (
            await member.ok("GET", f"{BASE}/{made['id']}"),
            next(one for one in await member.items(BASE) if one["id"] == made["id"]),
        ):
            assert shown.get("key") == (made["key"] if readable else None)
            assert not {"hash", "value", "environmentId"} & shown.keys()


async def test_scopes_and_expiry_act(firm: Company) -> None:
    owner = firm.people["owner"]
    tables = "/projects/app/environments/dev/tables"
    await owner.ok("POST", tables, {"tableName": "posts", "schema": {}})
    body = {"type": "secret", "name": "Reader", "scopes": ["posts:list"]}
    key = (await owner.ok("POST", BASE, body))["key"]
    assert (await firm.data("GET", "data/posts", key)).status == 200
    answer = await firm.data("POST", "data/posts", key, {})
    assert (answer.status, answer.json()["code"]) == (403, "data/scope-insufficient")
    body = {"type": "secret", "name": "Brief", "expiresAt": "2027-01-16T00:00:00Z"}
    made = await owner.ok("POST", BASE, body)
    assert (await firm.data("GET", "data/posts", made["key"])).status == 200
    firm.clock.advance(30 * 24 * 3600)
    assert (await firm.data("GET", "data/posts", made["key"])).status == 401


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "common/invalid-parameters"),
        ({"type": "bearer", "name": "x"}, "common/invalid-parameters"),
        ({"type": "secret", "name": ""}, "common/invalid-parameters"),
        ({"type": "secret", "name": "x" * 101}, "common/invalid-parameters"),
        ({"type": "secret", "name": "x", "scopes": "posts:read"}, "common/invalid-parameters"),
        ({"type": "secret", "name": "x", "scopes": ["nonsense"]}, "common/invalid-parameters"),
        ({"type": "secret", "name": "x", "scopes": [{}]}, "common/invalid-parameters"),
        ({"type": "secret", "name": "x", "expiresAt": "2020-01-01"}, "common/invalid-parameters"),
        ({"type": "secret", "name": "x", "expiresAt": 7}, "common/invalid-parameters"),
        ({"type": "secret", "name": "x", "value": "sk_short"}, "token/invalid-format"),
        ({"type": "secret", "name": "x", "value": "pk_" + "a" * 64}, "token/invalid-format"),
        ({"type": "secret", "name": "x", "value": "sk_" + "A" * 64}, "token/invalid-format"),
        ({"type": "secret", "name": "x", "value": 7}, "token/invalid-format"),
    ],
    ids=str,
)
async def test_refused_keys(firm: Company, body: Any, code: str) -> None:
    assert await firm.people["owner"].refused("POST", BASE, body) == (400, code)


async def test_a_value_of_before_is_adopted_once(firm: Company) -> None:
    owner, value = firm.people["owner"], "sk_" + "8930" * 16
    body = {"type": "secret", "name": "Old server", "value": value}
    made = await owner.ok("POST", BASE, body)
    assert made["key"] == value
    assert (await firm.data("GET", "data/x", value)).status == 404
    assert await owner.refused("POST", BASE, body) == (409, "token/value-in-use")
    await owner.ok("DELETE", f"{BASE}/{made['id']}")
    assert await owner.refused("POST", BASE, body) == (409, "token/value-in-use")


async def test_a_revoked_key_is_refused_at_once_and_kept_for_a_while(firm: Company) -> None:
    owner = firm.people["owner"]
    made = await owner.ok("POST", BASE, {"type": "secret", "name": "x"})
    assert (await firm.data("GET", "data/x", made["key"])).status == 404
    renamed = await owner.ok("PATCH", f"{BASE}/{made['id']}", {"name": "y"})
    assert renamed["name"] == "y"
    await owner.ok("DELETE", f"{BASE}/{made['id']}")
    answer = await firm.data("GET", "data/x", made["key"])
    assert (answer.status, answer.json()["code"]) == (401, "auth/token-revoked")
    assert made["id"] not in [one["id"] for one in await owner.items(BASE)]
    assert (await owner.ok("GET", f"{BASE}/{made['id']}"))["status"] == "revoked"
    assert await owner.refused("DELETE", f"{BASE}/{made['id']}") == (404, "common/not-found")
    firm.clock.advance(31 * 24 * 3600)
    await firm.opened.core.access_tokens.sweep()
    body = await firm.opened.core.database.control.get("keys", made["id"])
    assert body is None


async def test_a_key_of_another_environment_is_not_here(firm: Company) -> None:
    owner = firm.people["owner"]
    other = await owner.ok("POST", "/projects/app/environments", {"environment": "staging"})
    for method, body in (("GET", None), ("PATCH", {"name": "x"}), ("DELETE", None)):
        path = f"{BASE}/{other['apiKey']['id']}"
        assert await owner.refused(method, path, body) == (404, "common/not-found")


async def test_members_see_keys_and_do_not_make_them(firm: Company) -> None:
    member = firm.people["member"]
    [default] = [one for one in await member.items(BASE) if one["isDefault"]]
    assert default["key"].startswith("pk_")
    for method, path, body in (
        ("POST", BASE, {"type": "secret", "name": "x"}),
        ("PATCH", f"{BASE}/{default['id']}", {"name": "x"}),
        ("DELETE", f"{BASE}/{default['id']}", None),
    ):
        assert await member.refused(method, path, body) == (403, "common/forbidden")


async def test_all_tokens_of_an_organization(firm: Company) -> None:
    owner = firm.people["owner"]
    path = f"/organizations/{firm.organization}/access-tokens"
    types = {one["type"] for one in await owner.items(path)}
    assert types == {"publishable", "secret", "bearer"}
    [bearer] = await owner.items(path, "type=bearer")
    assert "key" not in await owner.ok("GET", f"{path}/{bearer['id']}")
    holder = firm.holder(firm.opened.made.management_token or "")
    assert {one["type"] for one in await holder.items(path)} == types
