"""Signing in to the console through a provider (51 §8)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from bkend.tenants.collections import TENANT_ACCOUNTS, TENANT_SESSIONS
from bkend.tenants.providers import Credentials
from tests.auth.social.conftest import OidcProvider, oidc
from tests.tenants.conftest import EMAIL, Browser, Server

__all__ = ["oidc"]

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATH = "/manage/v1/session/oauth/google"


@pytest.fixture
def provider(server: Server, oidc: OidcProvider) -> Iterator[OidcProvider]:
    """A provider in Google's place. It goes by the time of day, so the server has to."""
    server.clock.now = time.time_ns() // 1_000_000
    found = server.core.tenants.providers
    found._credentials = {"google": Credentials("the-app", "s3cret", oidc.url)}
    yield oidc
    found._credentials = {}


async def begin(browser: Browser, onward: str = "") -> str:
    query = {"next": onward} if onward else {}
    answer = await browser.http.get(PATH, params=query)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def come_back(browser: Browser, url: str) -> httpx.Response:
    return await browser.http.get(url.replace("http://bkend.test", ""))


async def through(
    server: Server, provider: OidcProvider, sub: str, onward: str = "", **claims: Any
) -> tuple[Browser, httpx.Response]:
    """A browser that went to the provider and came back."""
    provider.user(sub, **claims)
    browser = server.browser()
    url = await begin(browser, onward)
    return browser, await come_back(browser, provider.log_in(url, sub))


async def test_a_known_address_comes_in(server: Server, ada: str, provider: OidcProvider) -> None:
    browser, answer = await through(server, provider, "ada", email=EMAIL)
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/")
    account = (await browser.ok("GET", "/session"))["account"]
    assert (account["id"], account["providers"]) == (ada, ["password", "google"])
    assert "google" in (await browser.ok("GET", "/setup"))["loginMethods"]


async def test_a_new_address_makes_an_account_where_it_may(
    server: Server, provider: OidcProvider
) -> None:
    server.let("open")
    browser, _ = await through(server, provider, "new", email="new@example.com", name="New One")
    account = (await browser.ok("GET", "/session"))["account"]
    assert (account["email"], account["name"]) == ("new@example.com", "New One")
    assert account["emailVerifiedAt"]
    assert (account["hasPassword"], account["isServerAdmin"]) == (False, False)
    server.let("invite")
    _, answer = await through(server, provider, "late", email="late@example.com")
    assert answer.headers["location"] == "/console/login?error=auth%2Fsignup-disabled"
    assert len(await server.all(TENANT_ACCOUNTS)) == 1


async def test_an_address_that_is_not_verified_there_is_nobodys(
    server: Server, ada: str, provider: OidcProvider
) -> None:
    _, answer = await through(server, provider, "eve", email=EMAIL, email_verified=False)
    assert answer.headers["location"].startswith("/console/login?error=")
    assert "set-cookie" not in answer.headers or "bkend_session" not in str(answer.headers)
    assert await server.all(TENANT_SESSIONS) == []


async def test_who_made_the_account_before_keeps_no_way_in(
    server: Server, provider: OidcProvider
) -> None:
    await server.add(EMAIL, emailVerifiedAt=None)
    thief = await server.signed_in()
    browser, _ = await through(server, provider, "ada2", email=EMAIL)
    assert (await browser.ok("GET", "/session"))["account"]["hasPassword"] is False
    assert await thief.refused("GET", "/session") == (401, "auth/unauthorized")


async def test_only_the_browser_that_began_finishes(
    server: Server, ada: str, provider: OidcProvider
) -> None:
    provider.user("mallory", email=EMAIL)
    attacker, victim = server.browser(), server.browser()
    back = provider.log_in(await begin(attacker), "mallory")
    answer = await come_back(victim, back)
    assert answer.headers["location"] == "/console/login?error=auth%2Finvalid-oauth-code"
    await begin(victim)
    answer = await come_back(victim, back)
    assert answer.headers["location"] == "/console/login?error=auth%2Finvalid-oauth-code"
    assert victim.cookie is None
    assert await server.all(TENANT_SESSIONS) == []


async def test_a_way_back_works_once(server: Server, ada: str, provider: OidcProvider) -> None:
    provider.user("ada3", email=EMAIL)
    browser = server.browser()
    back = provider.log_in(await begin(browser), "ada3")
    query = parse_qs(urlsplit(back).query)
    forged = {"code": query["code"][0], "state": query["state"][0] + "x"}
    for wrong in (forged, {"code": "", "state": query["state"][0]}, {}):
        answer = await server.browser().http.get(f"{PATH}/callback?{urlencode(wrong)}")
        assert "error=auth%2Finvalid-oauth-code" in answer.headers["location"]
    assert (await come_back(browser, back)).headers["location"] == "/console/"
    assert "error=" in (await come_back(browser, back)).headers["location"]


async def test_a_disabled_account_stays_out(
    server: Server, ada: str, provider: OidcProvider
) -> None:
    await server.set(ada, status="disabled")
    _, answer = await through(server, provider, "ada4", email=EMAIL)
    assert answer.headers["location"] == "/console/login?error=account%2Fdisabled"


async def test_the_second_factor_is_asked_for_all_the_same(
    server: Server, ada: str, provider: OidcProvider
) -> None:
    await server.set(ada, mfaEnabled=True, mfaSetup="x")
    browser, answer = await through(server, provider, "ada5", email=EMAIL)
    target = answer.headers["location"]
    assert target.startswith("/console/magic?token=")
    assert browser.cookie is None
    body = {"token": target.partition("=")[2]}
    found = await browser.refused("POST", "/session/magic-link/confirm", body)
    assert found == (403, "auth/mfa-required")


@pytest.mark.parametrize(
    ("onward", "target"),
    [
        ("/console/device?code=ABCD-EFGH", "/console/device?code=ABCD-EFGH"),
        ("/console/org/mine", "/console/org/mine"),
        ("https://evil.example/", "/console/"),
        ("//evil.example", "/console/"),
        ("/console/" + "a" * 5000 + "!", "/console/"),
    ],
    ids=["device", "page", "elsewhere", "slashes", "long"],
)
async def test_it_leads_on_to_our_own_pages_alone(
    server: Server, ada: str, provider: OidcProvider, onward: str, target: str
) -> None:
    _, answer = await through(server, provider, "ada6", onward, email=EMAIL)
    assert answer.headers["location"] == target


async def test_without_credentials_nobody_is_led_away(server: Server) -> None:
    for name, code in (
        ("google", "auth/oauth-not-configured"),
        ("github", "auth/oauth-not-configured"),
        ("acme", "auth/unsupported-provider"),
    ):
        answer = await server.browser().http.get(f"/manage/v1/session/oauth/{name}")
        assert (answer.status_code, answer.json()["code"]) == (400, code)
