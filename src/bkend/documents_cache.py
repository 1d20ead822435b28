"""Decoded documents kept until the store says that they changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from bkend.store import Store

T = TypeVar("T")


class DocumentCache(Generic[T]):
    """Documents of one collection by id, decoded once per change.

    Absence is not remembered. The least recently added entry goes when the cache is full.
    """

    def __init__(
        self, store: Store, collection: str, decode: Callable[[bytes], T], *, limit: int = 10_000
    ) -> None:
        self._store = store
        self._collection = collection
        self._decode = decode
        self._limit = limit
        self._held: dict[str, T] = {}
        store.listen(self._forget)

    def cached(self, id: str) -> T | None:
        """The decoded document if it is kept, so unchanged since it was read."""
        return self._held.get(id)

    async def get(self, id: str) -> T | None:
        """The decoded document, or None."""
        held = self._held.get(id)
        if held is not None:
            return held
        counter = self._store.changes(self._collection)
        body = await self._store.get(self._collection, id)
        if body is None:
            return None
        value = self._decode(body)
        if self._store.changes(self._collection) == counter:
            if len(self._held) >= self._limit:
                del self._held[next(iter(self._held))]
            self._held[id] = value
        return value

    def _forget(self, collection: str, ids: Sequence[str] | None) -> None:
        if ids is None:
            if collection in (self._collection, "*"):
                self._held.clear()
        elif collection == self._collection:
            for id in ids:
                self._held.pop(id, None)
