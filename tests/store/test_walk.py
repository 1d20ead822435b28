"""A walk through a collection: every document once, and an end whatever others write."""

from __future__ import annotations

import pytest

from bkend.store import Delete, Equals, Store, Update
from bkend.store.walk import anew, documents, pages
from tests.store.rows import THINGS, insert


async def fill(store: Store, count: int) -> None:
    await store.commit([insert(f"{n:03}", {"even": n % 2 == 0}) for n in range(count)])


@pytest.mark.parametrize("size", [1, 2, 3, 5, 6, 500])
async def test_every_document_comes_once_by_ascending_id(store: Store, size: int) -> None:
    await fill(store, 6)
    found = []
    async for page in pages(store, THINGS, size=size):
        assert 0 < len(page) <= size
        found += [one["id"] for one in page]
    assert found == ["000", "001", "002", "003", "004", "005"]


async def test_an_empty_collection_has_no_page(store: Store) -> None:
    assert [page async for page in pages(store, THINGS)] == []


async def test_only_what_matches_comes(store: Store) -> None:
    await fill(store, 7)
    odd = Equals(("even",), False)
    found = [one["id"] async for one in documents(store, THINGS, odd, size=2)]
    assert found == ["001", "003", "005"]


async def test_it_ends_though_more_is_added_than_it_walks_past(store: Store) -> None:
    await fill(store, 3)
    found, added = [], 0
    async for one in documents(store, THINGS, size=1):
        found.append(one["id"])
        assert len(found) <= 3
        await store.commit([insert(f"x{added + n}", {}) for n in range(2)])
        added += 2
    assert found == ["000", "001", "002"]


async def test_later_pages_show_what_was_changed_meanwhile(store: Store) -> None:
    await fill(store, 4)
    found = []
    async for page in pages(store, THINGS, size=2):
        found += page
        if len(found) == 2:
            await store.commit([Delete(THINGS, "002"), Update(THINGS, "003", set={"even": None})])
    assert [(one["id"], one["even"]) for one in found[2:]] == [("003", None)]


async def test_a_page_is_read_anew_without_what_was_deleted(store: Store) -> None:
    await fill(store, 3)
    [page] = [page async for page in pages(store, THINGS)]
    await store.commit([Delete(THINGS, "001"), Update(THINGS, "002", set={"n": 1})])
    assert [(one["id"], one.get("n")) for one in await anew(store, THINGS, page)] == [
        ("000", None),
        ("002", 1),
    ]
    assert await anew(store, THINGS, [page[1]]) == []
