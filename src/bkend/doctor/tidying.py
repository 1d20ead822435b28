"""Removing orphans, each looked at once more before it goes (`bkend doctor --storage --fix`)."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from bkend.auth.collections import USERS
from bkend.core import Core
from bkend.doctor.orphans import Orphan, Told, keys_in_use
from bkend.files.collections import FILES, UPLOADS
from bkend.store import Conflict, Delete, Equals, Missing, Operation, Store, Update


async def remove(core: Core, orphans: Sequence[Orphan], told: Told) -> int:
    """Remove those that still are orphans; how many. Raises StoreError."""
    count = 0
    for done, orphan in enumerate(orphans, start=1):
        environment = await core.environments.get(orphan.environment_id)
        if environment is not None:
            count += await _remove(core, environment.store, orphan)
        told("orphans removed", done, len(orphans))
    return count


async def _remove(core: Core, store: Store, orphan: Orphan) -> bool:
    objects, key = core.objects, orphan.key
    if orphan.kind == "parts":
        return await objects.abort_multipart(key, orphan.id)
    if orphan.kind == "object":
        is_used = await _is_picture(store, orphan) if orphan.id else await keys_in_use(store, [key])
        return not is_used and await objects.delete(key)
    if await objects.head(key) is not None:
        return False
    same = Equals(("s3Key",), key)
    change: Operation
    if orphan.kind == "avatar":
        without = {"image": None, "avatarKey": None}
        now = core.clock.now_ms()
        same = Equals(("avatarKey",), key)
        change = Update(USERS, orphan.id, set=without, updated_at=now, guard=same)
    else:
        collection = FILES if orphan.kind == "file" else UPLOADS
        change = Delete(collection, orphan.id, guard=same)
    try:
        await store.commit([change])
    except (Conflict, Missing):  # changed meanwhile
        return False
    return True


async def _is_picture(store: Store, orphan: Orphan) -> bool:
    """Whether the picture is the user's by now."""
    body = await store.get(USERS, orphan.id)
    return body is not None and orjson.loads(body).get("avatarKey") == orphan.key
