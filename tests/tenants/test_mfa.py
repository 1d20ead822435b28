"""The second factor of tenants (51 §8)."""

from __future__ import annotations

import asyncio
from typing import Any

import pyotp
import pytest

from bkend.tenants.collections import TENANT_ACCOUNTS, TENANT_SESSIONS
from tests.tenants.conftest import ACCOUNT, EMAIL, PASSWORD, Browser, Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

LOGIN = "/session/login"
RIGHT = {"email": EMAIL, "password": PASSWORD}
REQUIRED = (403, "auth/mfa-required")
WRONG_CODE = (401, "auth/invalid-mfa-code")
STEP = 30


def code_of(server: Server, secret: str) -> str:
    return pyotp.TOTP(secret).at(server.clock.now // 1000)


async def enable(server: Server, browser: Browser) -> tuple[str, list[str]]:
    """The secret and the backup codes of a factor that is on; its code was used."""
    begun = await browser.ok("POST", "/account/mfa", {"password": PASSWORD}, 201)
    body = {"code": code_of(server, begun["secret"])}
    confirmed = await browser.ok("POST", "/account/mfa/confirm", body)
    assert confirmed["mfaEnabled"] is True
    server.clock.advance(2 * STEP)
    return begun["secret"], confirmed["backupCodes"]


async def log_in(server: Server, code: str | None) -> Any:
    return await server.browser().call("POST", LOGIN, {**RIGHT, "code": code})


async def test_a_code_is_asked_for_and_used_once(server: Server, ada: str) -> None:
    secret, _ = await enable(server, await server.signed_in())
    assert await server.browser().refused("POST", LOGIN, RIGHT) == REQUIRED
    assert await server.browser().refused("POST", LOGIN, {**RIGHT, "code": ""}) == REQUIRED
    code = code_of(server, secret)
    account = await server.browser().log_in(code=code)
    assert (account["mfaEnabled"], account.keys()) == (True, ACCOUNT)
    assert (await log_in(server, code)).status_code == 401
    server.clock.advance(STEP)
    assert (await log_in(server, code_of(server, secret))).status_code == 200


async def test_a_right_password_is_no_failure_while_the_code_is_missing(
    server: Server, ada: str
) -> None:
    secret, _ = await enable(server, await server.signed_in())
    for _ in range(8):
        assert await server.browser().refused("POST", LOGIN, RIGHT) == REQUIRED
    assert (await log_in(server, code_of(server, secret))).status_code == 200


async def test_wrong_codes_are_counted(server: Server, ada: str) -> None:
    secret, _ = await enable(server, await server.signed_in())
    for wrong in ("000000", "abc", "zzzzzzzz", "1234567", "١٢٣٤٥٦"):
        assert (await log_in(server, wrong)).status_code == 401
    assert (await log_in(server, code_of(server, secret))).status_code == 429


async def test_a_backup_code_works_once_also_at_the_same_moment(server: Server, ada: str) -> None:
    _, backup = await enable(server, await server.signed_in())
    assert len(set(backup)) == 10
    places = [server.browser(f"198.51.100.{n}") for n in range(1, 9)]
    body = {**RIGHT, "code": backup[0]}
    answers = await asyncio.gather(*(browser.call("POST", LOGIN, body) for browser in places))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 7
    assert (await log_in(server, backup[1])).status_code == 200


async def test_a_one_time_password_works_once_at_the_same_moment(server: Server, ada: str) -> None:
    secret, _ = await enable(server, await server.signed_in())
    body = {**RIGHT, "code": code_of(server, secret)}
    places = [server.browser(f"198.51.100.{n}") for n in range(1, 9)]
    answers = await asyncio.gather(*(browser.call("POST", LOGIN, body) for browser in places))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 7
    assert len(await server.all(TENANT_SESSIONS)) == 2


async def test_a_link_asks_for_the_code_too(server: Server, ada: str) -> None:
    secret, _ = await enable(server, await server.signed_in())
    await server.browser().ok("POST", "/session/magic-link", {"email": EMAIL}, 202)
    body, path = {"token": await server.mailed_token()}, "/session/magic-link/confirm"
    assert await server.browser().refused("POST", path, body) == REQUIRED
    assert await server.browser().refused("POST", path, {**body, "code": "000000"}) == WRONG_CODE
    await server.browser().ok("POST", path, {**body, "code": code_of(server, secret)})


async def test_a_new_password_leaves_the_factor_on(server: Server, ada: str) -> None:
    await enable(server, await server.signed_in())
    await server.browser().ok("POST", "/session/password/forgot", {"email": EMAIL}, 202)
    body = {"token": await server.mailed_token(), "newPassword": "five red foxes"}
    await server.browser().ok("POST", "/session/password/reset", body)
    login = {"email": EMAIL, "password": "five red foxes"}
    assert await server.browser().refused("POST", LOGIN, login) == REQUIRED


async def test_secrets_are_stored_sealed_and_never_shown(server: Server, ada: str) -> None:
    browser = await server.signed_in()
    secret, backup = await enable(server, browser)
    stored = str(await server.all(TENANT_ACCOUNTS))
    assert secret not in stored
    assert not any(code in stored for code in backup)
    for path in ("/account", "/session"):
        text = (await browser.call("GET", path)).text
        assert "mfaSecret" not in text
        assert "passwordHash" not in text
        assert "$argon2" not in text
    sealed = server.core.sealed
    assert await sealed.count() == 1
    assert (await sealed.reseal()).unopened == 0


async def test_a_setup_must_be_confirmed_in_time(server: Server, ada: str) -> None:
    browser = await server.signed_in()
    path = "/account/mfa/confirm"
    assert await browser.refused("POST", path, {"code": "123456"}) == (
        400,
        "auth/mfa-not-enabled",
    )
    begun = await browser.ok("POST", "/account/mfa", {"password": PASSWORD}, 201)
    assert begun["otpauthUrl"].startswith("otpauth://totp/")
    assert begun["qrCodeSvg"].startswith("<svg")
    assert await browser.refused("POST", path, {"code": "000000"}) == WRONG_CODE
    await server.browser().log_in()
    server.clock.advance(601)
    body = {"code": code_of(server, begun["secret"])}
    assert await browser.refused("POST", path, body) == (400, "auth/mfa-setup-expired")


async def test_only_the_password_begins(server: Server, ada: str) -> None:
    browser = await server.signed_in()
    for body in (None, {}, {"password": "wrong horses"}):
        found = await browser.refused("POST", "/account/mfa", body)
        assert found == (401, "auth/invalid-password")


async def test_password_and_code_switch_it_off(server: Server, ada: str) -> None:
    browser = await server.signed_in()
    secret, backup = await enable(server, browser)
    assert await browser.refused("POST", "/account/mfa", {"password": PASSWORD}) == (
        409,
        "auth/mfa-already-enabled",
    )
    path, code = "/account/mfa", code_of(server, secret)
    assert await browser.refused("DELETE", path, {"code": code}) == (401, "auth/invalid-password")
    assert await browser.refused("DELETE", path, {"password": PASSWORD}) == REQUIRED
    body = {"password": PASSWORD, "code": "000000"}
    assert await browser.refused("DELETE", path, body) == WRONG_CODE
    body["code"] = backup[3]
    assert await browser.ok("DELETE", path, body) == {"mfaEnabled": False}
    await server.browser().log_in()
    [held] = await server.all(TENANT_ACCOUNTS)
    assert not any(name.startswith("mfa") and name != "mfaEnabled" for name in held)
