"""The second factor between processes: nothing but the database keeps them apart."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from bkend.auth.collections import SESSIONS, USERS
from bkend.auth.mfa.collections import MFA
from bkend.auth.mfa.service import Mfa
from bkend.auth.service import AuthService
from bkend.store import Update
from tests.auth.conftest import CLIENT, PASSWORD, World
from tests.auth.mfa.conftest import shown
from tests.auth.outcomes import documents, outcome


@pytest.mark.parametrize("kind", ["backup", "totp"])
async def test_ten_processes_with_one_code_open_one_session(world: World, kind: str) -> None:
    """Nothing but the database keeps them apart, and no limit stops the others."""
    await world.auth.settings.update({"rateLimits.enabled": False})
    result = await world.sign_up()
    mfa = Mfa(world.parts())
    begun = await mfa.enable(await world.identify(result), PASSWORD, "App")
    await mfa.confirm(await world.identify(result), shown(begun["secret"], world.clock))
    given = begun["backupCodes"][4] if kind == "backup" else shown(begun["secret"], world.clock)
    services: list[AuthService] = [world.another_process() for _ in range(10)]
    found = await asyncio.gather(
        *(
            outcome(service.sign_in("ada@example.com", PASSWORD, CLIENT, given))
            for service in services
        )
    )
    assert Counter(found) == {"ok": 1, "auth/invalid-mfa-code": 9}
    assert len(await documents(world, SESSIONS)) == 2


async def test_different_codes_at_the_same_moment_are_all_good(world: World) -> None:
    await world.auth.settings.update({"rateLimits.enabled": False})
    result = await world.sign_up()
    mfa = Mfa(world.parts())
    begun = await mfa.enable(await world.identify(result), PASSWORD, "App")
    await mfa.confirm(await world.identify(result), shown(begun["secret"], world.clock))
    found = await asyncio.gather(
        *(
            outcome(world.another_process().sign_in("ada@example.com", PASSWORD, CLIENT, one))
            for one in begun["backupCodes"]
        )
    )
    assert found == ["ok"] * 10


async def test_late_calls_find_the_factor_on(world: World) -> None:
    """Calls whose checks were done before another one switched it on."""
    result = await world.sign_up()
    early, mfa = await world.identify(result), Mfa(world.parts())
    begun = await mfa.enable(early, PASSWORD, "App")
    given = shown(begun["secret"], world.clock)
    confirmations = (Mfa(world.parts()).confirm(early, given) for _ in range(5))
    found = await asyncio.gather(*(outcome(one) for one in confirmations))
    assert Counter(found) == {"ok": 1, "auth/mfa-already-enabled": 4}
    assert await outcome(mfa.enable(early, PASSWORD, "App")) == "auth/mfa-already-enabled"
    assert len(await documents(world, MFA)) == 1


async def test_disabling_and_signing_in_with_one_backup_code(world: World) -> None:
    await world.auth.settings.update({"rateLimits.enabled": False})
    result = await world.sign_up()
    mfa = Mfa(world.parts())
    begun = await mfa.enable(await world.identify(result), PASSWORD, "App")
    await mfa.confirm(await world.identify(result), shown(begun["secret"], world.clock))
    identity, one = await world.identify(result), begun["backupCodes"][0]
    found = await asyncio.gather(
        outcome(world.auth.sign_in("ada@example.com", PASSWORD, CLIENT, one)),
        outcome(mfa.disable(identity, PASSWORD, one)),
    )
    assert Counter(found) == {"ok": 1, "auth/invalid-mfa-code": 1}


# -- withdrawal -----------------------------------------------------------------------------------


async def test_withdrawal_takes_the_factor_along(world: World) -> None:
    result = await world.sign_up()
    identity, mfa = await world.identify(result), Mfa(world.parts())
    begun = await mfa.enable(identity, PASSWORD, "App")
    gone = {"deletedAt": "2027-01-15T08:00:00.000Z", "passwordHash": None}
    withdrawn = Update(USERS, identity.user_id, set=gone, unset=("emailKey",))
    await world.store.commit([withdrawn, mfa.forget(identity.user_id)])
    # Calls that had passed their checks when the user withdrew leave nothing behind.
    assert (
        await outcome(mfa.confirm(identity, shown(begun["secret"], world.clock)))
        == "auth/mfa-not-enabled"
    )
    assert await outcome(mfa.enable(identity, PASSWORD, "App")) == "auth/invalid-credentials"
    assert await documents(world, MFA) == []
    [user] = await documents(world, USERS)
    assert user["mfaEnabled"] is False
