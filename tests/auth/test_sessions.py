from __future__ import annotations

import asyncio
from typing import Any

import jwt
import orjson
import pytest
from structlog.testing import capture_logs

from bkend.auth.collections import SESSIONS, USERS
from bkend.auth.errors import (
    InvalidRefreshToken,
    SessionExpired,
    SessionNotFound,
    TooManyRequests,
    UserNotFound,
)
from bkend.errors import ApiError, InvalidToken, TokenExpired
from bkend.store import Delete, Find, Update
from tests.auth.conftest import World, environment_state


async def live_sessions(world: World) -> int:
    return await world.store.count(SESSIONS)


def payload(token: str) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


# -- the refresh table of 10 §3 -------------------------------------------------------------------


async def test_rotation_gives_another_pair_and_moves_the_session_forward(world: World) -> None:
    first = await world.sign_up()
    before = (await world.identify(first)).session
    world.clock.advance(100)
    second = await world.auth.refresh(first["refreshToken"])
    assert second["refreshToken"] != first["refreshToken"]
    assert second["accessToken"] != first["accessToken"]
    assert (second["tokenType"], second["expiresIn"]) == ("Bearer", 3600)
    after = (await world.identify(second)).session
    assert after.expires_at == before.expires_at + 100_000
    assert after.last_activity_at == before.last_activity_at + 100_000
    assert (await world.identify(first)).session_id == (await world.identify(second)).session_id


async def test_only_digests_of_refresh_tokens_are_stored(world: World) -> None:
    first = await world.sign_up()
    second = await world.auth.refresh(first["refreshToken"])
    stored = (await world.store.find(Find(SESSIONS))).items.decode()
    for token in (first["refreshToken"], second["refreshToken"]):
        assert token not in stored
        assert token.rpartition(".")[2] not in stored


async def test_refresh_token_lives_as_long_as_its_session(world: World) -> None:
    result = await world.sign_up()
    session = (await world.identify(result)).session
    assert payload(result["refreshToken"])["exp"] * 1000 == session.expires_at


@pytest.mark.parametrize("token", ["", "a", "a.b.c", "x" * 5000, "\x00", "é"])
async def test_unparsable_token_is_invalid(world: World, token: str) -> None:
    with pytest.raises(InvalidRefreshToken):
        await world.auth.refresh(token)


async def test_access_token_is_no_refresh_token(world: World) -> None:
    result = await world.sign_up()
    with pytest.raises(InvalidRefreshToken):
        await world.auth.refresh(result["accessToken"])
    with pytest.raises(InvalidToken):
        await world.identities.identify(result["refreshToken"])
    assert await live_sessions(world) == 1


@pytest.mark.parametrize("other", [environment_state("prod"), environment_state("dev", "p2")])
async def test_token_of_another_environment_has_no_effect(world: World, other: Any) -> None:
    result = await world.sign_up()
    elsewhere = World(world.store, world.clock, world.hasher, world.secret, other)
    with pytest.raises(InvalidRefreshToken):
        await elsewhere.auth.refresh(result["refreshToken"])
    assert await live_sessions(world) == 1


async def test_token_of_an_ended_session_never_ends_the_others(world: World) -> None:
    first = await world.sign_up()
    await world.sign_in()
    second = await world.auth.refresh(first["refreshToken"])
    await world.auth.sign_out(await world.identify(second))
    for token in (first["refreshToken"], second["refreshToken"]):
        with pytest.raises(InvalidRefreshToken):
            await world.auth.refresh(token)
    assert await live_sessions(world) == 1


async def test_session_that_ran_out_is_expired(world: World) -> None:
    result = await world.sign_up()
    world.clock.advance(604_800)
    with pytest.raises(SessionExpired):
        await world.auth.refresh(result["refreshToken"])


async def test_token_past_its_own_time_is_expired_and_harmless(world: World) -> None:
    await world.auth.settings.update({"refreshTokenTtlSeconds": 60})
    first = await world.sign_up()
    await world.auth.settings.update({"refreshTokenTtlSeconds": 6000})
    await world.auth.refresh(first["refreshToken"])
    world.clock.advance(61)
    with pytest.raises(TokenExpired):
        await world.auth.refresh(first["refreshToken"])
    assert await live_sessions(world) == 1


async def test_repeat_within_the_grace_gives_the_same_refresh_token(world: World) -> None:
    first = await world.sign_up()
    world.clock.advance(5)
    second = await world.auth.refresh(first["refreshToken"])
    moved = (await world.identify(second)).session.document
    world.clock.advance(9.9)
    repeats = [await world.auth.refresh(first["refreshToken"]) for _ in range(20)]
    assert {repeat["refreshToken"] for repeat in repeats} == {second["refreshToken"]}
    assert len({repeat["accessToken"] for repeat in repeats} | {second["accessToken"]}) == 21
    for repeat in repeats:
        await world.identify(repeat)
    assert (await world.identify(second)).session.document == moved
    await world.auth.refresh(second["refreshToken"])


async def test_reuse_has_an_end(world: World) -> None:
    """Repeating within the grace does not prolong it."""
    first = await world.sign_up()
    await world.auth.refresh(first["refreshToken"])
    for _ in range(3):
        world.clock.advance(3)
        await world.auth.refresh(first["refreshToken"])
    world.clock.advance(1)
    with pytest.raises(InvalidRefreshToken):
        await world.auth.refresh(first["refreshToken"])


async def test_replay_after_the_grace_ends_every_session_of_the_user(world: World) -> None:
    first = await world.sign_up()
    other_device = await world.sign_in()
    stranger = await world.sign_up("eve@example.com")
    second = await world.auth.refresh(first["refreshToken"])
    world.clock.advance(10)
    with capture_logs() as logs, pytest.raises(InvalidRefreshToken):
        await world.auth.refresh(first["refreshToken"])
    for result in (first, second, other_device):
        with pytest.raises(InvalidToken):
            await world.identify(result)
    with pytest.raises(InvalidRefreshToken):
        await world.auth.refresh(second["refreshToken"])
    await world.identify(stranger)
    assert [entry["event"] for entry in logs] == ["refresh token replayed"]
    assert first["refreshToken"] not in str(logs)


async def test_token_before_the_previous_one_is_a_replay_even_within_the_grace(
    world: World,
) -> None:
    first = await world.sign_up()
    second = await world.auth.refresh(first["refreshToken"])
    await world.auth.refresh(second["refreshToken"])
    with pytest.raises(InvalidRefreshToken):
        await world.auth.refresh(first["refreshToken"])
    assert await live_sessions(world) == 0


async def test_vanished_user_is_not_found(world: World) -> None:
    result = await world.sign_up()
    await world.store.commit([Delete(USERS, result["user"]["id"])])
    with pytest.raises(UserNotFound):
        await world.auth.refresh(result["refreshToken"])


async def test_banned_user_gets_no_tokens(world: World) -> None:
    result = await world.sign_up()
    await world.store.commit([Update(USERS, result["user"]["id"], set={"status": "banned"})])
    with pytest.raises(InvalidRefreshToken):
        await world.auth.refresh(result["refreshToken"])


async def test_new_access_token_names_the_stored_role(world: World) -> None:
    result = await world.sign_up()
    await world.store.commit([Update(USERS, result["user"]["id"], set={"role": "editor"})])
    refreshed = await world.auth.refresh(result["refreshToken"])
    assert payload(refreshed["accessToken"])["role"] == "editor"


async def test_eleventh_rotation_within_a_minute_is_refused_and_harmless(world: World) -> None:
    token = (await world.sign_up())["refreshToken"]
    for _ in range(10):
        world.clock.advance(1)
        token = (await world.auth.refresh(token))["refreshToken"]
    with pytest.raises(TooManyRequests) as refused:
        await world.auth.refresh(token)
    assert refused.value.headers["Retry-After"] == "51"
    assert refused.value.headers["X-RateLimit-Limit"] == "10"
    world.clock.advance(51)
    await world.auth.refresh(token)


async def test_repeats_within_the_grace_are_not_counted(world: World) -> None:
    token = (await world.sign_up())["refreshToken"]
    for _ in range(10):
        following = (await world.auth.refresh(token))["refreshToken"]
        await world.auth.refresh(token)
        token = following


async def test_rotations_are_unlimited_when_limits_are_off(world: World) -> None:
    await world.auth.settings.update({"rateLimits.enabled": False})
    token = (await world.sign_up())["refreshToken"]
    for _ in range(25):
        token = (await world.auth.refresh(token))["refreshToken"]


@pytest.mark.parametrize("processes", [1, 4])
async def test_parallel_refreshes_rotate_once(world: World, processes: int) -> None:
    services = [world.another_process() for _ in range(processes)]
    token = (await world.sign_up())["refreshToken"]
    answers = await asyncio.gather(
        *(services[number % processes].refresh(token) for number in range(20))
    )
    [following] = {answer["refreshToken"] for answer in answers}
    assert len({answer["accessToken"] for answer in answers}) == 20
    assert (await world.identify(answers[0])).session.document["generation"] == 1
    await world.auth.refresh(following)


async def test_parallel_refreshes_without_grace_have_one_winner(world: World) -> None:
    await world.auth.settings.update({"refreshReuseGraceSeconds": 0})
    token = (await world.sign_up())["refreshToken"]
    answers = await asyncio.gather(
        *(world.auth.refresh(token) for _ in range(20)), return_exceptions=True
    )
    assert sum(isinstance(answer, dict) for answer in answers) == 1
    assert sum(isinstance(answer, InvalidRefreshToken) for answer in answers) == 19
    assert await live_sessions(world) == 0


async def test_refresh_racing_a_sign_out_does_not_revive_the_session(world: World) -> None:
    result = await world.sign_up()
    identity = await world.identify(result)
    refreshed, _ = await asyncio.gather(
        world.auth.refresh(result["refreshToken"]),
        world.auth.sign_out(identity),
        return_exceptions=True,
    )
    assert await live_sessions(world) == 0
    with pytest.raises(ApiError):
        await world.identify(refreshed if isinstance(refreshed, dict) else result)


# -- listing and ending ---------------------------------------------------------------------------


async def test_sessions_are_listed_newest_activity_first(world: World) -> None:
    first = await world.sign_up()
    results = [first]
    for _ in range(2):
        world.clock.advance(60)
        results.append(await world.sign_in())
    world.clock.advance(60)
    await world.auth.refresh(first["refreshToken"])
    identities = [await world.identify(result) for result in results]
    listed = await world.auth.list_sessions(identities[1], 1, 10)
    ids = [identities[number].session_id for number in (0, 2, 1)]
    assert [item["id"] for item in listed["items"]] == ids
    assert [item["current"] for item in listed["items"]] == [False, False, True]
    assert listed["items"][0]["deviceInfo"] == "Chrome on macOS"
    assert listed["items"][0]["ipAddress"] == "203.0.113.7"


async def test_pages_of_sessions_neither_overlap_nor_skip(world: World) -> None:
    result = await world.sign_up()
    for _ in range(4):
        await world.sign_in()
    identity = await world.identify(result)
    pages = [await world.auth.list_sessions(identity, page, 2) for page in (1, 2, 3, 4)]
    ids = [item["id"] for page in pages for item in page["items"]]
    assert len(set(ids)) == len(ids) == 5
    assert [page["pagination"]["hasNext"] for page in pages] == [True, True, False, False]


async def test_expired_and_foreign_sessions_are_not_listed(world: World) -> None:
    await world.auth.settings.update({"refreshTokenTtlSeconds": 60})
    await world.sign_up()
    world.clock.advance(61)
    result = await world.sign_in()
    await world.sign_up("eve@example.com")
    listed = await world.auth.list_sessions(await world.identify(result), 1, 10)
    assert listed["pagination"]["total"] == 1


async def test_ending_one_session_leaves_the_rest(world: World) -> None:
    here, there = await world.sign_up(), await world.sign_in()
    target = (await world.identify(there)).session_id
    await world.auth.end_session(await world.identify(here), target)
    with pytest.raises(InvalidToken):
        await world.identify(there)
    await world.identify(here)
    with pytest.raises(SessionNotFound):
        await world.auth.end_session(await world.identify(here), target)


@pytest.mark.parametrize("id", ["", "unknown", "' OR 1=1 --", "\x00"])
async def test_unknown_session_is_not_found(world: World, id: str) -> None:
    with pytest.raises(SessionNotFound):
        await world.auth.end_session(await world.identify(await world.sign_up()), id)


async def test_session_of_another_user_is_not_found(world: World) -> None:
    ada, eve = await world.sign_up(), await world.sign_up("eve@example.com")
    target = await world.identify(ada)
    with pytest.raises(SessionNotFound):
        await world.auth.end_session(await world.identify(eve), target.session_id)
    await world.identify(ada)


async def test_signing_out_twice_is_refused(world: World) -> None:
    identity = await world.identify(await world.sign_up())
    await world.auth.sign_out(identity)
    with pytest.raises(InvalidToken):
        await world.auth.sign_out(identity)


# -- activity and upkeep --------------------------------------------------------------------------


async def test_activity_is_written_at_most_once_a_minute(world: World) -> None:
    result = await world.sign_up()
    assert world.auth.note_activity(await world.identify(result)) is None
    world.clock.advance(60)
    identity = await world.identify(result)
    noting = world.auth.note_activity(identity)
    assert noting is not None
    assert world.auth.note_activity(identity) is None
    await noting
    seen = await world.identify(result)
    assert seen.session.last_activity_at == world.clock.now
    assert world.auth.note_activity(seen) is None


async def test_activity_of_a_session_that_has_just_ended_is_let_go(world: World) -> None:
    identity = await world.identify(await world.sign_up())
    world.clock.advance(60)
    noting = world.auth.note_activity(identity)
    await world.store.commit([Delete(SESSIONS, identity.session_id)])
    assert noting is not None
    await noting
    assert await live_sessions(world) == 0


async def test_sweep_removes_sessions_a_month_after_they_expired(world: World) -> None:
    result = await world.sign_up()
    world.clock.advance(604_800 + 29 * 86_400)
    await world.auth.sweep()
    with pytest.raises(SessionExpired):
        await world.auth.refresh(result["refreshToken"])
    world.clock.advance(86_400)
    await world.auth.sweep()
    with pytest.raises(InvalidRefreshToken):
        await world.auth.refresh(result["refreshToken"])


async def test_sign_in_remembers_where_it_came_from(world: World) -> None:
    await world.sign_up()
    [stored] = orjson.loads((await world.store.find(Find(SESSIONS))).items)
    assert stored["userAgent"].startswith("Mozilla/5.0 (Macintosh")
    assert stored["deviceInfo"] == "Chrome on macOS"
