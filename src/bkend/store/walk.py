"""Walking through a whole collection beside those who write to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import orjson

from bkend.store.conditions import ALWAYS, Compare, Condition, OneOf, all_of
from bkend.store.interface import Find, Sort, Store

_SIZE = 500


async def pages(
    store: Store, collection: str, where: Condition = ALWAYS, *, size: int = _SIZE
) -> AsyncIterator[list[dict[str, Any]]]:
    """The matching documents by ascending id, in pages of at most `size`, none of them empty.

    It goes as far as the greatest id there is when it begins, so that it ends however much is
    added meanwhile. What others change between two pages is seen changed.
    """
    greatest = await _found(store, Find(collection, sort=(Sort(("id",), True),), limit=1))
    if not greatest:
        return
    within = all_of(where, Compare(("id",), "lte", greatest[0]["id"]))
    after: Condition = ALWAYS
    while True:
        query = Find(collection, all_of(within, after), sort=(Sort(("id",)),), limit=size)
        page = await _found(store, query)
        if page:
            yield page
        if len(page) < size:
            return
        after = Compare(("id",), "gt", page[-1]["id"])


async def documents(
    store: Store, collection: str, where: Condition = ALWAYS, *, size: int = _SIZE
) -> AsyncIterator[dict[str, Any]]:
    """The documents of `pages`, one by one."""
    async for page in pages(store, collection, where, size=size):
        for document in page:
            yield document


async def anew(
    store: Store, collection: str, page: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """A page as it is now: what was deleted meanwhile is missing."""
    ids = tuple(document["id"] for document in page)
    query = Find(collection, OneOf(("id",), ids), sort=(Sort(("id",)),), limit=len(ids))
    return await _found(store, query)


async def _found(store: Store, query: Find) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = orjson.loads((await store.find(query)).items)
    return items
