"""The first account: who may make it, once, and what comes with it (50 §3, 51 §8)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bkend.manage.control import ACTIVITIES, MEMBERS, ORGANIZATIONS
from bkend.tenants.collections import TENANT_ACCOUNTS, TENANT_LINKS
from tests.tenants.conftest import ACCOUNT, EMAIL, PASSWORD, Browser, Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

BODY = {
    "name": "Ada Lovelace",
    "email": "Ada@Example.com",
    "password": PASSWORD,
    "organization": {"name": "Analytical Engines"},
}


def here(server: Server) -> Browser:
    """A browser on the server's own machine."""
    return server.browser("127.0.0.1", "http://localhost:8000")


async def test_a_fresh_server_says_that_it_must_be_set_up(server: Server) -> None:
    assert await server.browser().ok("GET", "/setup") == {
        "required": True,
        "tokenRequired": True,
        "signupMode": "invite",
        "loginMethods": ["password", "magic_link"],
        "mailConfigured": False,
        "version": (await server.browser().ok("GET", "/setup"))["version"],
    }


async def test_the_printed_token_makes_the_owner(server: Server) -> None:
    token, browser = await server.core.tenants.setup.new_token(), server.browser()
    made = await browser.ok("POST", "/setup", {**BODY, "token": token}, 201)
    account = made["account"]
    assert account.keys() == ACCOUNT
    assert (account["email"], account["isServerAdmin"]) == (EMAIL, True)
    assert account["emailVerifiedAt"]
    assert made["organization"]["id"] == server.organization
    assert made["organization"]["slug"] == "analytical-engines"
    assert (made["organization"]["memberCount"], made["organization"]["role"]) == (1, "owner")
    assert made["project"]["slug"] == "app"
    assert made["project"]["environmentCount"] == 1
    assert made["publishableKey"] == server.made.publishable_key  # type: ignore[union-attr]
    told, *_ = await server.all(ACTIVITIES)
    assert (told["event"], told["actor"]["name"]) == ("organization_updated", "Ada Lovelace")
    session = await browser.ok("GET", "/session")
    assert session["account"] == account
    assert session["memberships"] == [
        {
            "organizationId": server.organization,
            "name": "Analytical Engines",
            "slug": "analytical-engines",
            "role": "owner",
        }
    ]
    assert (await browser.ok("GET", "/setup"))["required"] is False
    assert (await browser.ok("GET", "/setup"))["tokenRequired"] is False
    again = await server.browser().refused("POST", "/setup", {**BODY, "token": token})
    assert again == (409, "setup/already-done")


async def test_only_the_newest_token_is_good_and_none_is_stored(server: Server) -> None:
    setup = server.core.tenants.setup
    old, new = await setup.new_token(), await setup.new_token()
    [held] = await server.all(TENANT_LINKS)
    assert new not in str(held)
    for token in (old, "", None, new + "x", "setup"):
        body = {**BODY, "token": token}
        assert await server.browser().refused("POST", "/setup", body) == (403, "setup/bad-token")
    assert await server.all(TENANT_ACCOUNTS) == []
    await server.browser().ok("POST", "/setup", {**BODY, "token": new}, 201)
    assert await server.all(TENANT_LINKS) == []


async def test_a_browser_on_this_machine_needs_no_token(server: Server) -> None:
    assert (await here(server).ok("GET", "/setup"))["tokenRequired"] is False
    await here(server).ok("POST", "/setup", BODY, 201)


@pytest.mark.parametrize(
    "headers",
    [
        {"X_Forwarded_For": "127.0.0.1"},
        {"X_Real_IP": "198.51.100.1"},
        {"Forwarded": "for=127.0.0.1"},
        {"X_Forwarded_Proto": "https"},
        {"Host": "console.example.com"},
        {"Host": "localhost.example.com"},
        {"Host": "["},
    ],
)
async def test_what_may_come_through_a_proxy_needs_the_token(
    server: Server, headers: dict[str, str]
) -> None:
    found = await here(server).refused("POST", "/setup", BODY, **headers)
    assert found == (403, "setup/bad-token")


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("setup_token_required", "on"),
        ("public_url", "https://b.example"),
        ("trusted_proxies", "127.0.0.1"),
    ],
)
async def test_settings_ask_for_the_token_everywhere(
    server: Server, setting: str, value: str
) -> None:
    settings = server.core.settings.model_copy(update={setting: value})
    held = server.core.settings
    object.__setattr__(server.core, "settings", settings)
    try:
        assert (await here(server).ok("GET", "/setup"))["tokenRequired"] is True
        assert await here(server).refused("POST", "/setup", BODY) == (403, "setup/bad-token")
    finally:
        object.__setattr__(server.core, "settings", held)


@pytest.mark.parametrize(
    "headers",
    [{"Sec_Fetch_Site": "cross-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"}],
)
async def test_a_page_of_another_site_sets_nothing_up(
    server: Server, headers: dict[str, str]
) -> None:
    found = await here(server).refused("POST", "/setup", BODY, **headers)
    assert found == (403, "common/csrf-failed")


async def test_of_many_at_once_one_wins(server: Server) -> None:
    bodies = [{**BODY, "email": f"a{n}@example.com"} for n in range(8)]
    answers = await asyncio.gather(*(here(server).call("POST", "/setup", body) for body in bodies))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    assert len(await server.all(TENANT_ACCOUNTS)) == 1
    assert [member["role"] for member in await server.all(MEMBERS)] == ["owner"]


async def test_a_project_of_its_own_comes_with_a_key(server: Server) -> None:
    body = {**BODY, "project": {"name": "Difference Engine"}}
    made = await here(server).ok("POST", "/setup", body, 201)
    assert made["project"]["slug"] == "difference-engine"
    sign_up = {"email": "u@example.com", "password": "long enough", "name": "U"}
    answer = await server.browser().http.post(
        "/v1/auth/email/signup", json=sign_up, headers={"X-API-Key": made["publishableKey"]}
    )
    assert answer.status_code == 201, answer.text


async def test_an_organization_somebody_named_keeps_its_name(server: Server) -> None:
    await server.core.hierarchy.bootstrap(organization="Ours", project="shop")
    await here(server).ok("POST", "/setup", BODY, 201)
    names = {found["name"] for found in await server.all(ORGANIZATIONS)}
    assert names == {"Ours", "Analytical Engines"}
    assert [member["role"] for member in await server.all(MEMBERS)] == ["owner", "owner"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"password": "short"}, "password"),
        ({"password": "x" * 129}, "password"),
        ({"password": "Password123"}, "password"),
        ({"email": "no address"}, "email"),
        ({"name": "A"}, "name"),
        ({"name": "A\u202e\u0007da"}, "name"),
        ({"organization": {"name": ""}}, "organization.name"),
        ({"organization": {"name": "X", "slug": "-"}}, "organization.slug"),
        ({"project": {"name": "X", "slug": "A B"}}, "project.slug"),
        ({"email": {"$ne": None}}, "email"),
        ({"organization": None}, "organization"),
    ],
)
async def test_what_is_wrong_is_named_and_nothing_is_made(
    server: Server, change: dict[str, Any], field: str
) -> None:
    answer = await here(server).call("POST", "/setup", BODY | change)
    assert answer.status_code == 400
    assert answer.json()["code"] == "common/invalid-parameters"
    named = [detail["field"] for detail in answer.json()["error"]["details"]]
    assert named == [field] or named[0].startswith(field)
    assert await server.all(TENANT_ACCOUNTS) == []
    assert (await server.all(ORGANIZATIONS))[0]["name"] == "Default"
