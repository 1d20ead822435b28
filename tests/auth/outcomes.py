"""What became of a call of the service, and of the documents behind it."""

from __future__ import annotations

from typing import Any

import orjson

from bkend.auth.collections import USERS
from bkend.errors import ApiError
from bkend.store import Find, Update
from tests.auth.conftest import World

WRONG = "wrong horse"


async def outcome(work: Any) -> str:
    """`ok`, or the code of the refusal."""
    try:
        await work
    except ApiError as refused:
        return refused.code
    return "ok"


async def documents(world: World, collection: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = orjson.loads((await world.store.find(Find(collection))).items)
    return found


async def change_user(world: World, result: Any, **fields: Any) -> None:
    await world.store.commit([Update(USERS, result["user"]["id"], set=fields)])
