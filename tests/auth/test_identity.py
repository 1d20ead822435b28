from __future__ import annotations

from typing import Any

import pytest

from bkend.auth.collections import SESSIONS, USERS
from bkend.auth.identity import ForeignToken, Identities, UserGone
from bkend.errors import InvalidToken, TokenExpired
from bkend.store import Delete, Update
from tests.auth.conftest import World, environment_state


async def test_access_token_stands_for_user_session_and_stored_role(world: World) -> None:
    result = await world.sign_up()
    identity = await world.identify(result)
    assert identity.user_id == result["user"]["id"]
    assert identity.role == "user"
    await world.store.commit([Update(USERS, identity.user_id, set={"role": "admin"})])
    assert (await world.identify(result)).role == "admin"


async def test_identifying_again_reads_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = await world.sign_up()
    await world.identify(result)

    async def read(*_: Any) -> None:
        pytest.fail("read from the store")

    monkeypatch.setattr(world.store, "get", read)
    await world.identify(result)


async def test_ended_session_kills_its_token_at_once(world: World) -> None:
    result = await world.sign_up()
    identity = await world.identify(result)
    await world.store.commit([Delete(SESSIONS, identity.session_id)])
    with pytest.raises(InvalidToken):
        await world.identify(result)


@pytest.mark.parametrize(
    "change", [{"status": "banned"}, {"deletedAt": "2027-01-15T08:00:00.000Z"}]
)
async def test_banned_and_deleted_users_are_nobody(world: World, change: dict[str, Any]) -> None:
    result = await world.sign_up()
    await world.store.commit([Update(USERS, result["user"]["id"], set=change)])
    with pytest.raises(InvalidToken):
        await world.identify(result)


async def test_live_session_without_its_user_is_told_apart(world: World) -> None:
    result = await world.sign_up()
    await world.store.commit([Delete(USERS, result["user"]["id"])])
    with pytest.raises(UserGone):
        await world.identify(result)


async def test_session_that_ran_out_expires_the_token(world: World) -> None:
    await world.auth.settings.update({"refreshTokenTtlSeconds": 60})
    result = await world.sign_up()
    world.clock.advance(61)
    with pytest.raises(TokenExpired):
        await world.identify(result)


@pytest.mark.parametrize("other", [environment_state("prod"), environment_state("dev", "p2")])
async def test_token_of_another_environment_is_foreign(world: World, other: Any) -> None:
    result = await world.sign_up()
    elsewhere = Identities(world.tokens, world.store, other, world.clock)
    with pytest.raises(ForeignToken):
        await elsewhere.identify(result["accessToken"])


async def test_token_with_the_session_of_another_user_is_refused(world: World) -> None:
    ada = await world.sign_up()
    eve = await world.sign_up("eve@example.com")
    session = (await world.identify(ada)).session_id
    forged = world.tokens.sign(
        "access",
        user_id=eve["user"]["id"],
        session_id=session,
        project_id=world.environment.project.id,
        environment=world.environment.name,
        issued_at=world.clock.now // 1000,
        expires_at=world.clock.now // 1000 + 60,
        role="user",
    )
    with pytest.raises(InvalidToken):
        await world.identities.identify(forged)
