"""Signing in with a password: the cookie, the lockout, and what nobody learns (51 §7)."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from bkend.tenants.collections import LOGIN_EVENTS, TENANT_SESSIONS
from tests.tenants.conftest import ACCOUNT, EMAIL, PASSWORD, Browser, Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

LOGIN = "/session/login"
WRONG = {"email": EMAIL, "password": "wrong horses"}
RIGHT = {"email": EMAIL, "password": PASSWORD}
REFUSED = (401, "auth/invalid-credentials")
LIMITED = (429, "common/rate-limited")
HOUR, MINUTE = 3600, 60


async def fail(browser: Browser, times: int, body: Any = WRONG) -> None:
    for _ in range(times):
        assert await browser.refused("POST", LOGIN, body) == REFUSED


async def test_an_account_is_answered_without_secrets(server: Server, ada: str) -> None:
    account = await server.browser().log_in(" ADA@example.com ")
    assert account.keys() == ACCOUNT
    assert (account["id"], account["email"], account["hasPassword"]) == (ada, EMAIL, True)
    assert account["lastLoginAt"]


@pytest.mark.parametrize(
    ("base", "headers", "secure"),
    [
        ("http://bkend.test", {}, False),
        ("https://bkend.test", {}, True),
        ("http://bkend.test", {"X_Forwarded_Proto": "https"}, True),
    ],
    ids=["http", "https", "proxy"],
)
async def test_the_cookie_is_for_this_site_alone(
    server: Server, ada: str, base: str, headers: dict[str, str], secure: bool
) -> None:
    answer = await server.browser(base=base).call("POST", LOGIN, RIGHT, **headers)
    [cookie] = answer.headers.get_list("set-cookie")
    name, _, rest = cookie.partition("=")
    parts = {part.strip().lower() for part in rest.split(";")[1:]}
    assert name == "bkend_session"
    assert {"httponly", "samesite=lax", "path=/", "max-age=2592000"} <= parts
    assert ("secure" in parts) is secure
    assert not any(part.startswith("domain") for part in parts)


async def test_the_cookie_is_not_stored(server: Server, ada: str) -> None:
    browser = await server.signed_in()
    [held] = await server.all(TENANT_SESSIONS)
    assert browser.cookie
    assert browser.cookie.partition(".")[2] not in str(held)


async def test_who_is_not_known_gets_the_answer_of_a_wrong_password(
    server: Server, ada: str
) -> None:
    await server.add("disabled@example.com", status="disabled")
    await server.add("link@example.com", passwordHash=None)
    await server.add("coded@example.com", mfaEnabled=True)
    found = []
    for kind in ("ada", "nobody", "disabled", "link", "coded"):
        body = {"email": f"{kind}@example.com", "password": "wrong horses"}
        answer = await server.browser().call("POST", LOGIN, body)
        kept = {name: v for name, v in answer.headers.items() if name != "x-request-id"}
        found.append((answer.status_code, answer.json(), kept))
    assert found[0][:2] == (401, found[0][1])
    assert all(one == found[0] for one in found[1:])


async def test_as_much_is_hashed_for_nobody_as_for_somebody(
    server: Server, ada: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasher, asked = server.core.tenants.parts.hasher, []
    verify = type(hasher).verify

    async def counting(self: Any, password: str, encoded: str | None) -> bool:
        asked.append(encoded)
        return await verify(self, password, encoded)

    monkeypatch.setattr(type(hasher), "verify", counting)
    await fail(server.browser(), 1)
    await fail(server.browser(), 1, {"email": "nobody@example.com", "password": "x"})
    assert len(asked) == 2


@pytest.mark.parametrize("email", [EMAIL, "nobody@example.com"])
async def test_five_failures_keep_an_address_out_for_an_hour(
    server: Server, ada: str, email: str
) -> None:
    browser, wrong = server.browser(), {"email": email, "password": "wrong horses"}
    await fail(browser, 5, wrong)
    answer = await browser.call("POST", LOGIN, {"email": email, "password": PASSWORD})
    assert (answer.status_code, answer.json()["code"]) == LIMITED
    assert HOUR - 5 < int(answer.headers["retry-after"]) <= HOUR
    server.clock.advance(59 * MINUTE)
    assert await browser.refused("POST", LOGIN, wrong) == LIMITED
    server.clock.advance(MINUTE + 1)
    await fail(browser, 1, wrong)


async def test_others_are_not_kept_out(server: Server, ada: str) -> None:
    await fail(server.browser(), 5)
    await server.add("bob@example.com")
    await server.browser().log_in("bob@example.com")
    await server.browser("198.51.100.9").log_in()


async def test_failures_of_long_ago_do_not_count(server: Server, ada: str) -> None:
    browser = server.browser()
    await fail(browser, 4)
    server.clock.advance(16 * MINUTE)
    await fail(browser, 4)
    await browser.log_in()
    await fail(browser, 4)
    await browser.log_in()


async def test_a_forged_header_is_no_other_address(server: Server, ada: str) -> None:
    browser = server.browser()
    for n in range(5):
        assert await browser.refused("POST", LOGIN, WRONG, X_Forwarded_For=f"1.2.3.{n}") == REFUSED
    assert await browser.refused("POST", LOGIN, RIGHT, X_Forwarded_For="1.2.3.9") == LIMITED


async def test_one_network_of_ipv6_is_one_address(server: Server, ada: str) -> None:
    for n in range(5):
        await fail(server.browser(f"2001:db8:1:1::{n + 1}"), 1)
    assert await server.browser("2001:db8:1:1::ff").refused("POST", LOGIN, RIGHT) == LIMITED
    await server.browser("2001:db8:1:2::1").log_in()


async def test_fifty_at_once_try_no_more_than_five(server: Server, ada: str) -> None:
    browser = server.browser()
    answers = await asyncio.gather(*(browser.call("POST", LOGIN, WRONG) for _ in range(50)))
    assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 45


async def test_a_disabled_account_is_told_after_the_right_password(
    server: Server, ada: str
) -> None:
    await server.set(ada, status="disabled")
    assert await server.browser().refused("POST", LOGIN, RIGHT) == (403, "account/disabled")


@pytest.mark.parametrize("password", ["", "\u0000", " "])
async def test_an_account_without_a_password_has_none_that_fits(
    server: Server, password: str
) -> None:
    await server.add(passwordHash=None)
    body = {"email": EMAIL, "password": password}
    assert await server.browser().refused("POST", LOGIN, body) == REFUSED


ODD = ({"$ne": None}, ["x"], 5, None, True)


@pytest.mark.parametrize(
    "path",
    [
        "/session/login",
        "/session/signup",
        "/session/magic-link",
        "/session/magic-link/confirm",
        "/session/password/forgot",
        "/session/password/reset",
        "/session/verify-email",
        "/device/token",
    ],
)
async def test_only_texts_are_credentials(server: Server, ada: str, path: str) -> None:
    good = {
        "name": "Ada",
        "email": EMAIL,
        "password": PASSWORD,
        "token": "t",
        "newPassword": PASSWORD,
        "deviceCode": "d",
    }
    wanted = {
        "/session/login": ("email", "password"),
        "/session/signup": ("name", "email", "password"),
        "/session/password/reset": ("token", "newPassword"),
        "/device/token": ("deviceCode",),
    }.get(path, ("email",) if path[9:] == "magic-link" or "forgot" in path else ("token",))
    for name in wanted:
        for odd in ODD:
            body = {**{key: good[key] for key in wanted}, name: odd}
            found = await server.browser().refused("POST", path, body)
            assert found == (400, "common/invalid-parameters"), (path, name, odd)
    assert await server.all(TENANT_SESSIONS) == []


async def test_every_try_is_written_down(server: Server, ada: str) -> None:
    browser = server.browser()
    await browser.log_in()
    await fail(browser, 5)
    for _ in range(3):
        assert await browser.refused("POST", LOGIN, RIGHT) == LIMITED
    entries, total = await server.core.activities.login_events((ada,), 0, 20)
    assert total == 7
    kinds = sorted((entry["status"], entry["reason"]) for entry in entries if entry["reason"])
    assert kinds == [("blocked", "too-many-attempts")] + [("failed", "invalid-credentials")] * 5
    [success] = [entry for entry in entries if entry["status"] == "success"]
    assert (success["ip"], success["provider"], success["email"]) == (
        "203.0.113.7",
        "password",
        EMAIL,
    )
    assert PASSWORD not in str(await server.all(LOGIN_EVENTS))


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
async def test_a_page_of_another_site_signs_nobody_in(
    server: Server, ada: str, headers: dict[str, str]
) -> None:
    found = await server.browser().refused("POST", LOGIN, RIGHT, **headers)
    assert found == (403, "common/csrf-failed")


@pytest.mark.parametrize(
    "headers", [{"Sec_Fetch_Site": "same-origin"}, {"Origin": "http://bkend.test"}]
)
async def test_our_own_page_does(server: Server, ada: str, headers: dict[str, str]) -> None:
    answer: httpx.Response = await server.browser().call("POST", LOGIN, RIGHT, **headers)
    assert answer.status_code == 200
