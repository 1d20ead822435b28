"""Totals are kept, and exact after every acknowledged write of any process."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path
from typing import Any

import pytest

from bkend.store import ALWAYS, Delete, DeleteWhere, Equals, Find, Store, Update
from bkend.store.postgres.store import PostgresStore
from bkend.store.postgres.totals import Totals
from tests import postgres
from tests.store.conftest import OpenDatabase
from tests.store.rows import THINGS, insert

ROOT = Path(__file__).parents[3]
KEY = ("q", ())


@pytest.fixture
async def other(store: Store, open_database: OpenDatabase) -> PostgresStore:
    """The same environment as another process would open it."""
    found: PostgresStore = await (await open_database()).environment("dev")
    return found


async def kept(store: PostgresStore, query: Find) -> bool:
    """Whether the store would answer the total without counting."""
    assert store._totals is not None
    planner = store._planners[THINGS]
    return store._totals.has(planner.statement(query).total_key)


async def test_a_total_is_kept_from_the_second_count_on(store: PostgresStore) -> None:
    query = Find(THINGS)
    for expected in (False, True):
        await store.find(query)
        assert await kept(store, query) is expected
    await store.commit([insert("a")])
    assert (await store.find(query)).total == 1


async def test_a_write_under_way_lets_nothing_be_kept(
    store: PostgresStore, shared_url: str
) -> None:
    """Even when no other transaction is running, as the snapshot tells it."""
    query = Find(THINGS)
    table = store._planners[THINGS].physical.table
    async with contextlib.AsyncExitStack() as stack:
        writer = await connected(stack, shared_url)
        await writer.execute("BEGIN")
        await writer.execute(f"INSERT INTO {table} VALUES('x','',1,1,'{{}}','{{}}')")
        for _ in range(4):
            assert (await store.find(query)).total == 0
            assert not await kept(store, query)
        await writer.execute("COMMIT")
        assert (await store.find(query)).total == 1


async def test_changes_by_anybody_are_counted(store: PostgresStore, shared_url: str) -> None:
    """Also those of a person with psql."""
    table = store._planners[THINGS].physical.table
    await store.commit([insert("a"), insert("b")])
    for sql, expected in (
        (f"DELETE FROM {table} WHERE id='a'", 1),
        (f"INSERT INTO {table} VALUES('x','',1,1,'{{}}','{{}}')", 2),
        (f"TRUNCATE {table}", 0),
    ):
        for _ in range(3):
            await store.find(Find(THINGS))
        await postgres.run(shared_url, sql)
        assert (await store.find(Find(THINGS))).total == expected


async def test_stores_that_write_and_list_side_by_side_count_exactly(
    store: PostgresStore, other: PostgresStore
) -> None:
    """Each writer owns a value: after its own write it knows how many there are of it."""

    async def write(writer: int, mine: PostgresStore, theirs: PostgresStore) -> None:
        held: list[str] = []
        own = Find(THINGS, Equals(("w",), writer), limit=1)
        for turn in range(60):
            if turn % 4 == 3:
                await mine.commit([Delete(THINGS, held.pop())])
            elif turn % 4 == 2:
                await mine.commit([Update(THINGS, held[-1], set={"w": writer, "t": turn})])
            else:
                held.append(f"{writer}-{turn}")
                await mine.commit([insert(held[-1], {"w": writer})])
            for reader in (theirs, mine):
                assert (await reader.find(own)).total == len(held)

    await asyncio.gather(
        *(write(n, *((store, other) if n % 2 else (other, store))) for n in range(6))
    )
    everything = (await store.find(Find(THINGS))).total
    assert (await other.find(Find(THINGS))).total == everything
    await other.commit([DeleteWhere(THINGS, ALWAYS)])
    assert (await store.find(Find(THINGS))).total == 0


async def test_processes_that_write_are_counted_exactly(
    store: PostgresStore, shared_url: str
) -> None:
    count = 0
    writers = [await process(shared_url, f"p{number}") for number in range(3)]
    for _ in range(40):
        for writer in writers:
            writer.stdin.write(b"\n")
        for writer in writers:
            count += 1 if await writer.stdout.readline() == b"+\n" else -1
        assert [(await store.find(Find(THINGS))).total for _ in range(3)] == [count] * 3
    for writer in writers:
        writer.stdin.close()
        assert await writer.wait() == 0


def test_a_total_belongs_to_a_version_settled_before_it_was_counted() -> None:
    totals = Totals()
    totals.learn("t", KEY, totals.begin("t"), version=5, settled=5, total=1)
    assert not totals.has(KEY)
    totals.learn("t", KEY, totals.begin("t"), version=6, settled=None, total=2)
    assert not totals.has(KEY)
    totals.learn("t", KEY, totals.begin("t"), version=5, settled=5, total=1)
    assert totals.at(KEY, 5) == 1
    assert totals.at(KEY, 6) is None
    assert not totals.has(KEY)


def test_what_was_counted_before_everything_was_forgotten_is_not_kept() -> None:
    totals = Totals()
    totals.learn("t", KEY, totals.begin("t"), version=5, settled=5, total=1)
    begun = totals.begin("t")
    totals.forget()
    totals.learn("t", KEY, begun, version=5, settled=5, total=1)
    assert not totals.has(KEY)
    assert totals.begin("t")[1] is None


async def connected(stack: contextlib.AsyncExitStack, url: str) -> Any:
    import asyncpg

    connection: Any = await asyncpg.connect(url)
    stack.push_async_callback(connection.close)
    return connection


async def process(url: str, name: str) -> Any:
    found: Any = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.store.postgres.counting",
        url,
        name,
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert await found.stdout.readline() == b"ready\n"
    return found
