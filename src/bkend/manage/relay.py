"""Taking activities from the environments to `control`, where they are read (decision 011).

An entry is committed with its change in the environment's store, so the two are there together or
not at all. From there it is copied under the same id and then removed: a crash between the two
leaves it in both places, and the next round sees that it is copied already.
"""

from __future__ import annotations

import orjson
import structlog

from bkend.manage.control import ACTIVITIES
from bkend.store import Delete, Duplicate, Find, Insert, Missing, Store, StoreError
from bkend.store.documents import SYSTEM_FIELDS, parse_time

_AT_ONCE = 100

log = structlog.get_logger("bkend.manage")


class Relay:
    """From any environment's store to the control store."""

    def __init__(self, control: Store) -> None:
        self._control = control

    async def take(self, store: Store) -> None:
        """Take what there is; a failure is logged, and the next round tries again."""
        try:
            await self._take(store)
        except StoreError as error:
            log.warning("activities wait in their environment", reason=str(error))

    async def _take(self, store: Store) -> None:
        waiting = Find(ACTIVITIES, descending=False, limit=_AT_ONCE)
        while found := orjson.loads((await store.find(waiting)).items):
            for said in found:
                fields = {n: v for n, v in said.items() if n not in SYSTEM_FIELDS}
                at = parse_time(said["createdAt"])
                copy = Insert(ACTIVITIES, said["id"], fields, at, at, said["createdBy"])
                try:
                    await self._control.commit([copy])
                except Duplicate:
                    pass  # copied before, or by another process at the same moment
                try:
                    await store.commit([Delete(ACTIVITIES, said["id"])])
                except Missing:
                    pass
