"""A user with a second factor, and codes as an authenticator app would show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
import pyotp
import pytest_asyncio

from tests.auth.conftest import PASSWORD, Api, FakeClock

STEP = 30
WRONG = "wrong horse"


@dataclass
class Enrolled:
    """A user whose second factor is on."""

    api: Api
    signed_up: Any
    secret: str
    backup: list[str]

    def code(self, steps: int = 0) -> str:
        """What the app shows now, or that many steps from now."""
        return shown(self.secret, self.api.clock, steps)

    async def sign_in(self, code: Any = None, password: str = PASSWORD) -> httpx.Response:
        body = {"email": "ada@example.com", "password": password}
        if code is not None:
            body["mfaCode"] = code
        return await self.api.call("POST", "/email/signin", json=body)

    async def disable(self, code: Any = None, password: str = PASSWORD) -> httpx.Response:
        body = {"password": password} if code is None else {"password": password, "code": code}
        return await self.api.call("POST", "/mfa/disable", self.signed_up, json=body)


def shown(secret: str, clock: FakeClock, steps: int = 0) -> str:
    """The one-time password of a secret, now or that many steps from now."""
    return str(pyotp.TOTP(secret).at(clock.now_ms() // 1000 + steps * STEP))


async def enable(api: Api, result: Any, password: str = PASSWORD) -> httpx.Response:
    return await api.call("POST", "/mfa/enable", result, json={"password": password})


async def confirm(api: Api, result: Any, code: str) -> httpx.Response:
    return await api.call("POST", "/mfa/confirm", result, json={"code": code})


async def enrol(api: Api, email: str = "ada@example.com") -> Enrolled:
    """Sign up, enable, confirm."""
    result = await api.sign_up(email)
    begun = (await enable(api, result)).json()
    enrolled = Enrolled(api, result, begun["secret"], begun["backupCodes"])
    answer = await confirm(api, result, enrolled.code())
    assert answer.status_code == 200, answer.text
    return enrolled


@pytest_asyncio.fixture(loop_scope="module")
async def enrolled(api: Api) -> Enrolled:
    return await enrol(api)
