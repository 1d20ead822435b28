"""What an environment holds, counted (51 §3.5, §8)."""

from __future__ import annotations

from bkend.auth.collections import USERS
from bkend.environment import Environment
from bkend.store import Equals


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
