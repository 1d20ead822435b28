"""Tokens and sessions while the master secret is replaced."""

from __future__ import annotations

from pathlib import Path

import pytest

from bkend.auth.passwords import PasswordHasher
from bkend.errors import InvalidToken, TokenExpired
from bkend.secret import SecretFile
from bkend.store import Store
from tests.auth.conftest import FakeClock, World
from tests.auth.outcomes import outcome


@pytest.fixture
def file(tmp_path: Path) -> SecretFile:
    return SecretFile(tmp_path, make=True)


@pytest.fixture
def world(store: Store, clock: FakeClock, hasher: PasswordHasher, file: SecretFile) -> World:
    return World(store, clock, hasher, secret=file)


def rotate(world: World, file: SecretFile, seconds: int = 3600) -> None:
    file.rotate(seconds * 1000, world.clock.now_ms())


async def test_old_access_tokens_are_good_until_the_grace_time_ends(
    world: World, file: SecretFile
) -> None:
    await world.auth.settings.update({"accessTokenTtlSeconds": 100_000})
    known, fresh = await world.sign_up(), await world.sign_in()
    await world.identify(known)  # this one is remembered
    rotate(world, file)
    world.clock.advance(3599)
    for result in (known, fresh):
        identity = await world.identify(result)
        assert identity.token_expires_at <= world.clock.now_ms() + 1000
    world.clock.advance(1)
    for result in (known, fresh):
        with pytest.raises((InvalidToken, TokenExpired)):
            await world.identify(result)


async def test_without_grace_old_tokens_end_at_once(world: World, file: SecretFile) -> None:
    result = await world.sign_up()
    identity = await world.identify(result)
    assert world.identities.is_current(identity)
    rotate(world, file, 0)
    assert not world.identities.is_current(identity)
    with pytest.raises(InvalidToken):
        await world.identify(result)
    assert await outcome(world.auth.refresh(result["refreshToken"])) == "auth/invalid-refresh-token"
    assert await world.identify(await world.sign_in())


async def test_new_tokens_are_signed_with_the_new_secret_at_once(
    world: World, file: SecretFile
) -> None:
    await world.auth.settings.update({"accessTokenTtlSeconds": 100_000})
    rotate(world, file, 60)
    result = await world.sign_up()
    world.clock.advance(60)
    assert await world.identify(result)


async def test_sessions_go_on_over_a_rotation(world: World, file: SecretFile) -> None:
    result = await world.sign_up()
    rotate(world, file)
    world.clock.advance(1800)
    pair = await world.auth.refresh(result["refreshToken"])
    world.clock.advance(3599)  # the old secret is refused by now, the session goes on
    identity = await world.identify(pair)
    assert identity.user_id == result["user"]["id"]
    assert await outcome(world.auth.refresh(pair["refreshToken"])) == "ok"


async def test_repeated_refresh_gives_the_same_token_over_a_rotation(
    world: World, file: SecretFile
) -> None:
    result = await world.sign_up()
    first = await world.auth.refresh(result["refreshToken"])
    rotate(world, file)
    repeated = await world.auth.refresh(result["refreshToken"])
    assert repeated["refreshToken"] == first["refreshToken"]
    assert repeated["accessToken"] != first["accessToken"]
    world.clock.advance(3600)
    with pytest.raises(InvalidToken):
        await world.identify(first)


async def test_refresh_between_two_rotations_repeats_its_own(
    world: World, file: SecretFile
) -> None:
    result = await world.sign_up()
    rotate(world, file)
    first = await world.auth.refresh(result["refreshToken"])
    rotate(world, file)
    repeated = await world.auth.refresh(result["refreshToken"])
    assert repeated["refreshToken"] == first["refreshToken"]


async def test_rotation_by_another_process_is_noticed_by_its_tokens(
    world: World, file: SecretFile, tmp_path: Path
) -> None:
    other = World(world.store, world.clock, world.hasher, secret=SecretFile(tmp_path, make=False))
    result = await world.sign_up()
    rotate(world, file)
    pair = await world.auth.refresh(result["refreshToken"])
    assert await other.identify(pair)  # nobody told it: the unknown signature did
    assert other.secret.ring().current.fingerprint == file.ring().current.fingerprint


async def test_replayed_token_of_the_old_secret_still_ends_all_sessions(
    world: World, file: SecretFile
) -> None:
    result = await world.sign_up()
    rotate(world, file)
    pair = await world.auth.refresh(result["refreshToken"])
    world.clock.advance(11)
    assert await outcome(world.auth.refresh(result["refreshToken"])) == "auth/invalid-refresh-token"
    assert await outcome(world.auth.refresh(pair["refreshToken"])) == "auth/invalid-refresh-token"
