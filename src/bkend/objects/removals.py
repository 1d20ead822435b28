"""Objects to be removed once a commit has made them useless.

The intention is stored in that commit and forgotten when it is carried out, so that neither a crash
nor a full disk leaves an object behind that nobody knows of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import structlog

from bkend.clock import Clock
from bkend.ids import uuid4
from bkend.objects.collections import KEPT_BY, OBJECT_REMOVALS
from bkend.objects.interface import InvalidKey, Objects
from bkend.store import (
    Compare,
    Delete,
    Equals,
    Find,
    Insert,
    Missing,
    Store,
    StoreError,
)
from bkend.store.documents import format_time
from bkend.store.walk import documents

MOST_AT_ONCE = 10_000
"""So many objects are removed by one sweep; the next one goes on."""
_PAGE = 100
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
                await self._remove(removal.id, removal.fields, MOST_AT_ONCE)
            except StoreError as error:
                log.warning("objects not removed yet", reason=str(error))

    async def sweep(self) -> None:
        """Carry out what was left by a crash or a failure; a minute old, or it is being done.

        Raises StoreUnavailable; what is left then is taken up by the next sweep.
        """
        settled = format_time(self._clock.now_ms() - _SETTLED_MS)
        old, left = Compare(("createdAt",), "lte", settled), MOST_AT_ONCE
        async for removal in documents(self._store, OBJECT_REMOVALS, old, size=_PAGE):
            left -= max(1, await self._remove(removal["id"], removal, left))
            if left <= 0:
                return

    async def _remove(self, id: str, named: Mapping[str, Any], most: int) -> int:
        """Remove at most so many objects, and forget the removal if these were all; how many."""
        count = 0
        try:
            if "key" in named:
                if not await self._is_kept(named["key"]):
                    count += await self._objects.delete(named["key"])
            else:
                async for key in self._objects.keys(named["prefix"]):
                    if count == most:
                        return count
                    count += await self._objects.delete(key)
        except InvalidKey:  # nothing can be stored there
            pass
        try:
            await self._store.commit([Delete(OBJECT_REMOVALS, id)])
        except Missing:  # another process did the same
            pass
        return count

    async def _is_kept(self, key: str) -> bool:
        """Whether the key was taken again meanwhile, as by an import."""
        for collection, field in KEPT_BY:
            if self._store.collection(collection) is None:
                continue
            if (await self._store.find(Find(collection, Equals((field,), key), limit=1))).total:
                return True
        return False
