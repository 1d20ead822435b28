"""Objects to be removed once a commit has made them useless.

The intention is stored in that commit and forgotten when it is carried out, so that neither a crash
nor a full disk leaves an object behind that nobody knows of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
import structlog

from bkend.clock import Clock
from bkend.ids import uuid4
from bkend.objects.collections import OBJECT_REMOVALS
from bkend.objects.interface import Objects
from bkend.store import Compare, Delete, Find, Insert, Missing, Store, StoreError
from bkend.store.documents import format_time

_AT_ONCE = 100
_SETTLED_MS = 60_000

log = structlog.get_logger(__name__)


class Removals:
    """The removals of one environment."""

    def __init__(self, store: Store, objects: Objects, clock: Clock) -> None:
        self._store = store
        self._objects = objects
        self._clock = clock

    def of(self, prefix: str) -> Insert:
        """The operation for the commit: all objects whose key begins so are to go."""
        now = self._clock.now_ms()
        return Insert(OBJECT_REMOVALS, uuid4(), {"prefix": prefix}, now, now)

    def of_key(self, key: str) -> Insert:
        """The same for one object, and none whose longer key begins like it."""
        now = self._clock.now_ms()
        return Insert(OBJECT_REMOVALS, uuid4(), {"key": key}, now, now)

    async def carry_out(self, removals: Iterable[Insert]) -> None:
        """Remove what the operations name, after their commit. A failure is logged, and `sweep`
        tries again."""
        for removal in removals:
            try:
                await self._remove(removal.id, removal.fields)
            except StoreError as error:
                log.warning("objects not removed yet", reason=str(error))

    async def sweep(self) -> None:
        """Carry out what was left by a crash or a failure; a minute old, or it is being done."""
        settled = format_time(self._clock.now_ms() - _SETTLED_MS)
        left = Find(
            OBJECT_REMOVALS,
            Compare(("createdAt",), "lte", settled),
            descending=False,
            limit=_AT_ONCE,
        )
        while found := orjson.loads((await self._store.find(left)).items):
            for removal in found:
                await self._remove(removal["id"], removal)

    async def _remove(self, id: str, named: Mapping[str, Any]) -> None:
        if "key" in named:
            await self._objects.delete(named["key"])
        else:
            async for key in self._objects.keys(named["prefix"]):
                await self._objects.delete(key)
        try:
            await self._store.commit([Delete(OBJECT_REMOVALS, id)])
        except Missing:  # another process did the same
            pass
