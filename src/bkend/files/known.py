"""Registered files by their keys, for those who ask again and again (30 §7).

Only ids are remembered, and what they stand for is asked of the store each time: nothing here can
be out of date.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import orjson

from bkend.files.collections import FILES
from bkend.store import Equals, Find, Store
from bkend.store.documents import decode

_REMEMBERED = 10_000


class KnownFiles:
    """The files of one environment."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._ids: OrderedDict[str, str] = OrderedDict()

    def at_once(self, key: str) -> dict[str, Any] | None:
        """The file of a key, where that needs no waiting; None says nothing."""
        id = self._ids.get(key)
        return _of(key, self._store.at_once(FILES, id)) if id is not None else None

    async def find(self, key: str) -> dict[str, Any] | None:
        """The file of a key, or None."""
        id = self._ids.get(key)
        found = _of(key, await self._store.get(FILES, id)) if id is not None else None
        if found is not None:
            return found
        page = await self._store.find(Find(FILES, Equals(("s3Key",), key), limit=1))
        documents: list[dict[str, Any]] = orjson.loads(page.items)
        if not documents:
            return None
        self._ids[key] = documents[0]["id"]
        if len(self._ids) > _REMEMBERED:
            self._ids.popitem(last=False)
        return documents[0]


def _of(key: str, body: bytes | None) -> dict[str, Any] | None:
    document = decode(body) if body is not None else None
    return document if document is not None and document["s3Key"] == key else None
