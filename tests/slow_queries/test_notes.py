"""What is kept of slow queries: few rows, counted right, on every engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from bkend.slow_queries.notes import KEPT_MS, MOST_NOTES, SLOW_QUERIES, Note, add, forget, read
from bkend.slow_queries.shapes import Shape
from bkend.store import Store
from tests.engines import ENGINES, new_url, open_engine

NOW = 1_800_000_000_000
SHAPE = Shape(equals=("status",))


def note(
    times: int = 1, worst: int = 300, last: int = NOW, shape: Shape = SHAPE, table: str = "tbl_1"
) -> Note:
    return Note(table, shape, times, worst, last)


@pytest_asyncio.fixture(params=ENGINES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    database = await open_engine(new_url(request.param, request), tmp_path, serving=True)
    yield await database.environment("env_1")
    await database.close()


async def test_there_is_nothing_until_something_was_slow(store: Store) -> None:
    assert await read(store, NOW) == []
    assert store.collection(SLOW_QUERIES) is None


async def test_what_is_seen_again_is_added(store: Store) -> None:
    await add(store, note(2, 300, NOW), NOW)
    await add(store, note(3, 900, NOW - 5), NOW)
    await add(store, note(1, 400, NOW + 5), NOW)
    await add(store, note(table="tbl_2"), NOW)
    assert await read(store, NOW) == [note(6, 900, NOW + 5), note(table="tbl_2")]


async def test_several_at_once_are_all_counted(store: Store) -> None:
    await asyncio.gather(*(add(store, note(1, 300 + n), NOW) for n in range(4)))
    assert await read(store, NOW) == [note(4, 303)]


async def test_only_so_many_are_kept(store: Store) -> None:
    for number in range(MOST_NOTES + 5):
        await add(store, note(last=NOW + number, shape=Shape(equals=(f"c{number}",))), NOW)
    kept = {one.shape.equals[0] for one in await read(store, NOW)}
    assert kept == {f"c{number}" for number in range(5, MOST_NOTES + 5)}


async def test_what_was_long_not_seen_is_forgotten(store: Store) -> None:
    await add(store, note(last=NOW - KEPT_MS - 1), NOW)
    await add(store, note(last=NOW - KEPT_MS, table="tbl_2"), NOW)
    assert [one.table_id for one in await read(store, NOW)] == ["tbl_2"]
    assert await store.count(SLOW_QUERIES) == 1
    await forget(store, [note(table="tbl_2").id, "never there"])
    assert await read(store, NOW) == []
