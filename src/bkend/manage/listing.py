"""Pages of the server's own collections: search, order, place (51 §6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from bkend.errors import InvalidParameters
from bkend.store import Condition, Contains, Find, Sort, Store, all_of, any_of
from bkend.store.text import fold

LONGEST_SEARCH = 100


@dataclass(frozen=True, slots=True)
class Listing:
    """What a list was asked for; `sort_by=None` is by creation, newest first."""

    offset: int = 0
    limit: int = 20
    search: str = ""
    sort_by: str | None = None
    descending: bool = True

    def find(
        self,
        collection: str,
        where: Condition,
        searched: Sequence[str],
        sorts: Sequence[str] = ("name", "createdAt", "updatedAt"),
    ) -> Find:
        """The query; raises InvalidParameters for an unknown `sortBy`, an overlong `search`."""
        if self.sort_by is not None and self.sort_by not in sorts:
            message = f"sortBy is {', '.join(sorts)}"
            detail: Any = {"field": "sortBy", "rule": "enum", "message": message}
            raise InvalidParameters(message, details=[detail])
        search = self.search.strip()
        if len(search) > LONGEST_SEARCH:
            raise InvalidParameters(f"search has at most {LONGEST_SEARCH} characters")
        if search:
            where = all_of(where, any_of(*(Contains((name,), fold(search)) for name in searched)))
        sort = (Sort((self.sort_by,), self.descending),) if self.sort_by else ()
        return Find(collection, where, sort, self.descending, self.offset, self.limit)


async def page_of(store: Store, query: Find) -> tuple[list[dict[str, Any]], int]:
    """The documents of a page, and how many there are."""
    page = await store.find(query)
    documents: list[dict[str, Any]] = orjson.loads(page.items)
    return documents, page.total


async def first_of(store: Store, collection: str, where: Condition) -> dict[str, Any] | None:
    """One document that satisfies the condition."""
    documents, _ = await page_of(store, Find(collection, where, limit=1))
    return documents[0] if documents else None


async def every(
    store: Store, collection: str, where: Condition, at_once: int = 500
) -> list[dict[str, Any]]:
    """All documents that satisfy the condition, oldest first."""
    found: list[dict[str, Any]] = []
    while True:
        query = Find(collection, where, descending=False, offset=len(found), limit=at_once)
        documents, _ = await page_of(store, query)
        found += documents
        if len(documents) < at_once:
            return found


def without(document: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The document without these fields."""
    return {name: value for name, value in document.items() if name not in names}
