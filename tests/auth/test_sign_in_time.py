"""How long sign-in takes tells nobody who is known."""

from __future__ import annotations

import time
from statistics import median

from bkend.auth.collections import USERS
from bkend.auth.passwords import PasswordHasher
from bkend.auth.users import new_user
from bkend.ids import uuid4
from bkend.store import Insert, Update
from tests.auth.conftest import CLIENT, PASSWORD, World
from tests.auth.outcomes import WRONG, outcome

KINDS = ("known", "unknown", "social", "banned")


async def test_wrong_passwords_take_as_long_whoever_is_asked_for(world: World) -> None:
    """Medians over several rounds in turns, with the hasher that servers use. A busy machine may
    spoil a measurement, but not three in the same way."""
    hasher = PasswordHasher()
    await world.auth.settings.update({"rateLimits.enabled": False})
    slow = world.another_process(hasher)
    await slow.sign_up("known@example.com", PASSWORD, "Ada", CLIENT)
    banned = await slow.sign_up("banned@example.com", PASSWORD, "Bob", CLIENT)
    now, id = world.clock.now_ms(), uuid4()
    social = new_user("social@example.com", "Sol", now)
    await world.store.commit(
        [
            Update(USERS, banned["user"]["id"], set={"status": "banned"}),
            Insert(USERS, id, social, now, now),
        ]
    )
    found: list[dict[str, float]] = []
    while len(found) < 3 and not (found and all(0.6 < one < 1.7 for one in found[-1].values())):
        taken: dict[str, list[float]] = {kind: [] for kind in KINDS}
        for _ in range(15):
            for kind, times in taken.items():
                started = time.perf_counter()
                refused = await outcome(slow.sign_in(f"{kind}@example.com", WRONG, CLIENT))
                times.append(time.perf_counter() - started)
                assert refused == "auth/invalid-credentials"
        known = median(taken["known"])
        found.append({kind: median(times) / known for kind, times in taken.items()})
    hasher.close()
    assert all(0.6 < ratio < 1.7 for ratio in found[-1].values()), found
