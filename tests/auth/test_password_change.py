"""Changing a password (10 §8)."""

from __future__ import annotations

import asyncio

import pytest

from bkend.auth.collections import USERS
from bkend.auth.errors import (
    InvalidCredentials,
    InvalidPassword,
    InvalidPasswordFormat,
    SameAsPreviousPassword,
    TooManyLoginAttempts,
)
from bkend.errors import ApiError, InvalidToken
from tests.auth.conftest import PASSWORD, World
from tests.auth.outcomes import WRONG, change_user, documents, outcome


async def test_changed_password_ends_every_session(world: World) -> None:
    here, there = await world.sign_up(), await world.sign_in()
    world.clock.advance(5)
    await world.auth.change_password(await world.identify(here), PASSWORD, "battery staple")
    for result in (here, there):
        with pytest.raises(InvalidToken):
            await world.identify(result)
    with pytest.raises(InvalidCredentials):
        await world.sign_in()
    user = (await world.sign_in(password="battery staple"))["user"]
    assert user["updatedAt"] == "2027-01-15T08:00:05.250Z"
    [stored] = await documents(world, USERS)
    assert stored["passwordChangedAt"] == "2027-01-15T08:00:05.250Z"


@pytest.mark.parametrize(
    ("current", "new", "refusal"),
    [
        (WRONG, "battery staple", InvalidPassword),
        ("", "battery staple", InvalidPassword),
        (PASSWORD, PASSWORD, SameAsPreviousPassword),
        (PASSWORD, "short", InvalidPasswordFormat),
        (WRONG, "short", InvalidPassword),
    ],
)
async def test_refused_change_leaves_password_and_sessions(
    world: World, current: str, new: str, refusal: type[ApiError]
) -> None:
    result = await world.sign_up()
    with pytest.raises(refusal):
        await world.auth.change_password(await world.identify(result), current, new)
    await world.identify(result)
    await world.sign_in()


async def test_wrong_current_passwords_lock_the_address(world: World) -> None:
    identity = await world.identify(await world.sign_up())
    for _ in range(5):
        with pytest.raises(InvalidPassword):
            await world.auth.change_password(identity, WRONG, "battery staple")
    with pytest.raises(TooManyLoginAttempts):
        await world.auth.change_password(identity, PASSWORD, "battery staple")
    with pytest.raises(TooManyLoginAttempts):
        await world.sign_in()


async def test_refused_new_passwords_are_not_counted(world: World) -> None:
    identity = await world.identify(await world.sign_up())
    for _ in range(6):
        with pytest.raises(InvalidPasswordFormat):
            await world.auth.change_password(identity, PASSWORD, "short")


async def test_account_without_password_cannot_change_it(world: World) -> None:
    result = await world.sign_up()
    await change_user(world, result, passwordHash=None)
    with pytest.raises(InvalidPassword):
        await world.auth.change_password(await world.identify(result), "", "battery staple")


async def test_one_of_two_simultaneous_changes_wins(world: World) -> None:
    identity = await world.identify(await world.sign_up())
    other = world.another_process()
    outcomes = await asyncio.gather(
        outcome(world.auth.change_password(identity, PASSWORD, "battery staple")),
        outcome(other.change_password(identity, PASSWORD, "another staple")),
    )
    assert sorted(outcomes) == ["auth/invalid-password", "ok"]
