"""Short ways to say what a store test stores and what it finds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from bkend.store import ALWAYS, Check, Condition, Find, Insert, Page, Sort, Store
from bkend.store.documents import SYSTEM_FIELDS, decode

THINGS = "things"

Table: TypeAlias = list[tuple[Condition, list[str]]]
"""Conditions, each with the ids it must find."""


def insert(
    id: str,
    fields: Mapping[str, Any] | None = None,
    /,
    *,
    at: int = 1_000,
    by: str = "",
    into: str = THINGS,
) -> Insert:
    """An insert of a document made at `at` (ms) by `by`."""
    return Insert(into, id, fields or {}, at, at, by)


def ids(page: Page) -> list[str]:
    """The ids on a page, in its order."""
    return [document["id"] for document in documents(page)]


def documents(page: Page) -> list[dict[str, Any]]:
    """The documents on a page, in its order."""
    found = decode(b'{"items":' + page.items + b"}")["items"]
    assert isinstance(found, list)
    return found


async def find_ids(
    store: Store,
    where: Condition = ALWAYS,
    *sort: Sort,
    collection: str = THINGS,
    descending: bool = False,
) -> list[str]:
    """The ids of all matching documents; the total must agree."""
    page = await store.find(Find(collection, where, sort, descending=descending, limit=10_000))
    found = ids(page)
    assert page.total == len(found)
    return found


async def document(store: Store, id: str, collection: str = THINGS) -> dict[str, Any] | None:
    """One document, or None."""
    body = await store.get(collection, id)
    return None if body is None else decode(body)


async def own_fields(store: Store, id: str) -> dict[str, Any]:
    """The fields of a document that is there, without those of the system."""
    found = await document(store, id)
    assert found is not None
    return {name: value for name, value in found.items() if name not in SYSTEM_FIELDS}


async def hold(store: Store, **bodies: Mapping[str, Any]) -> None:
    """Store a document of each name."""
    await store.commit([insert(id, body) for id, body in bodies.items()])


async def agree(store: Store, table: Table) -> None:
    """Each condition finds its documents, and counts them inside a commit."""
    for condition, found in table:
        assert await find_ids(store, condition, Sort(("id",))) == found, condition
    checks = [Check(THINGS, condition, len(found), len(found)) for condition, found in table]
    assert await store.commit(checks) == [len(found) for _, found in table]
