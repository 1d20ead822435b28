"""Dropping what nobody goes on with: intents without bytes, uploads in parts (30 §2, §4)."""

from __future__ import annotations

from typing import Any

import orjson

from bkend.clock import Clock
from bkend.files.collections import UPLOADS
from bkend.objects.interface import Objects, UnknownUpload
from bkend.store import (
    Compare,
    Condition,
    Conflict,
    Delete,
    Equals,
    Find,
    Missing,
    Sort,
    Store,
    all_of,
)
from bkend.store.documents import format_time, parse_time

PENDING_MS = 24 * 60 * 60 * 1000
PARTS_MS = 7 * 24 * 60 * 60 * 1000
_AT_ONCE = 100
_BY_ID = (Sort(("id",)),)


class Sweeping:
    """Of one environment; nothing is remembered between calls, so a restart loses nothing."""

    def __init__(self, store: Store, clock: Clock, objects: Objects) -> None:
        self._store = store
        self._clock = clock
        self._objects = objects

    async def sweep(self) -> None:
        """Raises StoreError."""
        now = self._clock.now_ms()
        # Once there are bytes an intent is kept; the tag tells so, except where the bytes went past
        # this server, so those are looked for.
        without = all_of(
            Equals(("uploadId",), None),
            Equals(("objectTag",), None),
            Compare(("createdAt",), "lte", format_time(now - PENDING_MS)),
        )
        async for document in self._found(without):
            if await self._objects.head(document["s3Key"]) is None:
                await self._forget(document)
        left = all_of(
            Compare(("uploadId",), "gt", ""),
            Compare(("updatedAt",), "lte", format_time(now - PARTS_MS)),
        )
        async for document in self._found(left):
            if await self._last_part(document) <= now - PARTS_MS:
                await self._objects.abort_multipart(document["s3Key"], document["uploadId"])
                await self._forget(document)

    async def _found(self, where: Condition) -> Any:
        """The matching intents; those that stay are passed over."""
        last: Condition = all_of()
        while True:
            query = Find(
                UPLOADS, all_of(where, last), sort=_BY_ID, descending=False, limit=_AT_ONCE
            )
            documents = orjson.loads((await self._store.find(query)).items)
            for document in documents:
                yield document
            if len(documents) < _AT_ONCE:
                return
            last = Compare(("id",), "gt", documents[-1]["id"])

    async def _last_part(self, document: dict[str, Any]) -> int:
        """When something was last done for the upload, in ms."""
        last = parse_time(document["updatedAt"])
        try:
            parts = await self._objects.list_parts(document["s3Key"], document["uploadId"])
        except UnknownUpload:
            return last
        return max([last, *(part.modified_at for part in parts)])

    async def _forget(self, document: dict[str, Any]) -> None:
        unchanged = all_of(
            Equals(("uploadId",), document["uploadId"]),
            Equals(("objectTag",), document["objectTag"]),
        )
        try:
            await self._store.commit([Delete(UPLOADS, document["id"], guard=unchanged)])
        except (Conflict, Missing):
            pass
