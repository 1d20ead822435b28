"""A magic link of a user with a second factor (10 §6, §10)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from bkend.auth.collections import USERS
from bkend.auth.errors import InvalidCredentials, TooManyLoginAttempts
from bkend.auth.links.service import Links
from bkend.errors import ApiError
from bkend.store import Equals, Operation, Update
from tests.auth.conftest import CLIENT, World
from tests.auth.links.mails import letters
from tests.auth.outcomes import change_user, documents, outcome

ADA = "ada@example.com"


class CodeRequired(ApiError):
    status, code = 403, "auth/mfa-required"


class OneCode:
    """A second factor with a single code, kept with the user and good once."""

    async def demand(self, user: dict[str, Any], code: str | None) -> Sequence[Operation]:
        if not user["mfaEnabled"]:
            return ()
        if code is None:
            raise CodeRequired
        if code != user["code"]:
            raise InvalidCredentials
        unused = Equals(("code",), code)
        return [Update(USERS, user["id"], set={"code": None}, guard=unused)]


async def link_of(world: World) -> tuple[Links, str]:
    made = await world.sign_up()
    await change_user(world, made, mfaEnabled=True, code="123456")
    links = Links(world.parts(), OneCode())
    await links.magic.request_sign_in(ADA, "http://localhost/")
    return links, (await letters(world.store))[-1].token


async def test_the_link_stays_good_until_the_code_is_right(world: World) -> None:
    links, token = await link_of(world)
    redeem = links.magic.redeem
    assert await outcome(redeem(token, None, CLIENT)) == "auth/mfa-required"
    assert await outcome(redeem(token, "000000", CLIENT)) == "auth/invalid-credentials"
    assert await outcome(redeem(token, "123456", CLIENT)) == "ok"
    assert await outcome(redeem(token, "123456", CLIENT)) == "auth/invalid-token"


async def test_the_code_is_used_up_with_the_link(world: World) -> None:
    links, token = await link_of(world)
    await links.magic.redeem(token, "123456", CLIENT)
    [user] = await documents(world, USERS)
    assert user["code"] is None


async def test_wrong_codes_are_counted_as_failed_sign_ins(world: World) -> None:
    links, token = await link_of(world)
    for _ in range(5):
        assert await outcome(links.magic.redeem(token, "0", CLIENT)) == "auth/invalid-credentials"
    with pytest.raises(TooManyLoginAttempts):
        await links.magic.redeem(token, "123456", CLIENT)


async def test_a_missing_code_is_not_counted(world: World) -> None:
    links, token = await link_of(world)
    for _ in range(7):
        assert await outcome(links.magic.redeem(token, None, CLIENT)) == "auth/mfa-required"
    assert await outcome(links.magic.redeem(token, "123456", CLIENT)) == "ok"


async def test_a_sign_in_by_link_forgets_failed_sign_ins(world: World) -> None:
    links, token = await link_of(world)
    for _ in range(4):
        assert await outcome(world.sign_in(password="wrong")) == "auth/invalid-credentials"
    await links.magic.redeem(token, "123456", CLIENT)
    assert await outcome(world.sign_in(password="wrong")) == "auth/invalid-credentials"
    assert await outcome(world.sign_in()) == "auth/mfa-required"  # the password was looked at
