"""Dropping what nobody goes on with: intents without bytes, uploads in parts (30 §2, §4).

Nothing is remembered between calls, and every step leaves what the next call can go on from: a
restart or a crash in the middle loses nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from bkend.clock import Clock
from bkend.files.collections import UPLOADS
from bkend.objects.interface import Objects, UnknownUpload
from bkend.store import (
    Compare,
    Condition,
    Conflict,
    Delete,
    Equals,
    Missing,
    Operation,
    Store,
    Update,
    all_of,
)
from bkend.store.documents import format_time, parse_time
from bkend.store.walk import documents

PENDING_MS = 24 * 60 * 60 * 1000
PARTS_MS = 7 * 24 * 60 * 60 * 1000
MOST_AT_ONCE = 1000
"""So many intents of each kind are looked at by one sweep; the next one goes on."""
_PAGE = 100


class Sweeping:
    """Of one environment."""

    def __init__(self, store: Store, clock: Clock, objects: Objects) -> None:
        self._store = store
        self._clock = clock
        self._objects = objects

    async def sweep(self) -> None:
        """Raises StoreError; what is left then is taken up by the next sweep."""
        now = self._clock.now_ms()
        # Once there are bytes an intent is kept; the tag tells so, except where the bytes went past
        # this server, so those are looked for, once.
        without = all_of(
            Equals(("uploadId",), None),
            Equals(("objectTag",), None),
            Compare(("createdAt",), "lte", format_time(now - PENDING_MS)),
        )
        async for document in self._found(without):
            await self._drop_or_note(document)
        left = all_of(
            Compare(("uploadId",), "gt", ""),
            Compare(("updatedAt",), "lte", format_time(now - PARTS_MS)),
        )
        async for document in self._found(left):
            if await self._last_part(document) <= now - PARTS_MS:
                await self._objects.abort_multipart(document["s3Key"], document["uploadId"])
                await self._drop_or_note(document)

    async def _found(self, where: Condition) -> AsyncIterator[dict[str, Any]]:
        """The matching intents; those that stay are passed over."""
        left = MOST_AT_ONCE
        async for document in documents(self._store, UPLOADS, where, size=_PAGE):
            yield document
            left -= 1
            if not left:
                return

    async def _last_part(self, document: dict[str, Any]) -> int:
        """When something was last done for the upload, in ms."""
        last = parse_time(document["updatedAt"])
        try:
            parts = await self._objects.list_parts(document["s3Key"], document["uploadId"])
        except UnknownUpload:
            return last
        return max([last, *(part.modified_at for part in parts)])

    async def _drop_or_note(self, document: dict[str, Any]) -> None:
        """Forget an intent, or note that it has bytes after all: a crash can come between the
        completion of parts and its note."""
        info = await self._objects.head(document["s3Key"])
        unchanged = all_of(
            Equals(("uploadId",), document["uploadId"]),
            Equals(("objectTag",), document["objectTag"]),
        )
        change: Operation = Delete(UPLOADS, document["id"], guard=unchanged)
        if info is not None:
            noted = {"uploadId": None, "objectTag": info.etag}
            change = Update(UPLOADS, document["id"], set=noted, guard=unchanged)
        try:
            await self._store.commit([change])
        except (Conflict, Missing):
            pass
