"""What an environment holds, counted (51 §3.5, §8)."""

from __future__ import annotations

import orjson

from bkend.auth.collections import SESSIONS, USERS
from bkend.environment import Environment
from bkend.manage.usage import DAY_MS, Usage
from bkend.store import Compare, Condition, Equals, Find, Sort, all_of
from bkend.store.documents import format_time

_AT_ONCE = 500


async def statistics(environment: Environment) -> dict[str, int]:
    """`tableCount, recordCount, userCount, fileCount, storageBytes`; all of it live."""
    services, store = environment.services, environment.store
    tables = await services.tables.list()
    records = 0
    for table in tables:
        if store.collection(table.collection) is not None:
            records += await store.count(table.collection)
    files, size = await services.files.statistics()
    return {
        "tableCount": len(tables),
        "recordCount": records,
        "userCount": await store.count(USERS, Equals(("deletedAt",), None)),
        "fileCount": files,
        "storageBytes": size,
    }


def total(parts: list[dict[str, int]]) -> dict[str, int]:
    """The sum of several."""
    names = ("tableCount", "recordCount", "userCount", "fileCount", "storageBytes")
    return {name: sum(part[name] for part in parts) for name in names}


async def note_usage(environment: Environment, usage: Usage, now: int) -> None:
    """Write how many users were seen since midnight, and how many bytes are stored. `now` in
    ms."""
    _, size = await environment.services.files.statistics()
    active = await _active_users(environment, format_time(now - now % DAY_MS))
    state = environment.state
    measured = {"activeUsers": active, "storageBytes": size}
    await usage.note(state.id, state.project.id, measured)


async def _active_users(environment: Environment, since: str) -> int:
    """How many users have a session that was used since then."""
    count, last = 0, ""
    seen: Condition = Compare(("lastActivityAt",), "gte", since)
    while True:
        rest = all_of(Compare(("userId",), "gt", last), seen)
        query = Find(SESSIONS, rest, (Sort(("userId",)),), limit=_AT_ONCE)
        users = [one["userId"] for one in orjson.loads((await environment.store.find(query)).items)]
        count += len(set(users))
        if len(users) < _AT_ONCE:
            return count
        last = users[-1]
