"""A server that restarts, connections that break or are all busy, queries without end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import asyncpg
import pytest

from bkend.store import Database, Find, QueryTimeout, StoreUnavailable
from bkend.store.postgres import pool as pool_module
from bkend.store.postgres.failures import explained
from bkend.store.postgres.pool import Pool
from bkend.store.postgres.store import PostgresStore
from tests import postgres
from tests.postgres import Postgres
from tests.store.conftest import OpenDatabase
from tests.store.rows import THINGS, insert

SLEEP = "SELECT pg_sleep($1::float8)"
DEADLINE_SECONDS = 20


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not holds():
            await asyncio.sleep(0.01)


@pytest.fixture
async def pool(shared_url: str) -> Any:
    found = Pool(shared_url, 2)
    yield found
    await found.close()


async def test_requests_fail_clearly_while_the_server_restarts_and_work_after(
    store: PostgresStore, database: Database, postgres_server: Postgres
) -> None:
    if not postgres_server.is_ours:
        pytest.skip("the server is not ours to stop")
    await store.commit([insert("a")])
    for _ in range(3):
        await store.find(Find(THINGS))
    heard: list[str] = []
    store.listen(lambda collection, ids: heard.append(collection))
    under_way = [asyncio.create_task(store._pool.fetchrow(SLEEP, 30)) for _ in range(3)]
    await asyncio.sleep(0)
    await asyncio.to_thread(postgres_server.stop)
    try:
        outcomes = await asyncio.gather(*under_way, return_exceptions=True)
        assert all(isinstance(outcome, Exception) for outcome in outcomes)
        for work in (store.get(THINGS, "a"), store.find(Find(THINGS)), database.ping()):
            with pytest.raises(StoreUnavailable):
                await work
        with pytest.raises(StoreUnavailable):
            await store.commit([insert("b")])
        assert set(heard) == {"*"}
        assert store.changes(THINGS) != store.changes(THINGS)
    finally:
        await asyncio.to_thread(postgres_server.start)
    assert await store.get(THINGS, "a") is not None
    await store.commit([insert("c")])
    assert (await store.find(Find(THINGS))).total == 2
    await until(lambda: store.changes(THINGS) == store.changes(THINGS))
    assert set(heard) == {"*", THINGS}


async def test_a_broken_listening_connection_is_made_anew(
    store: PostgresStore, open_database: OpenDatabase, shared_url: str
) -> None:
    heard: list[tuple[str, Sequence[str] | None]] = []
    store.listen(lambda collection, ids: heard.append((collection, ids)))
    listening = await postgres.run(
        shared_url,
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE query ILIKE 'listen%' AND datname=current_database()",
    )
    assert listening == 1
    await until(lambda: heard == [("*", None), ("*", None)])
    await until(lambda: store.changes(THINGS) == store.changes(THINGS))
    other = await (await open_database()).environment("dev")
    await other.commit([insert("a")])
    await until(lambda: heard[2:] == [(THINGS, ["a"])])


async def test_when_all_connections_stay_busy_a_request_waits_a_while(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "_WAIT_SECONDS", 0.1)
    busy = [asyncio.create_task(pool.fetchrow(SLEEP, 0.4)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(StoreUnavailable, match="all 2 connections"):
        await pool.fetchrow("SELECT 1")
    await asyncio.gather(*busy)
    await answers(pool)


async def test_a_connection_goes_to_who_waited_longest(pool: Pool) -> None:
    done: list[int] = []

    async def take(number: int) -> None:
        await pool.fetchrow(SLEEP, 0.002)
        done.append(number)

    await asyncio.gather(*(take(number) for number in range(40)))
    assert sorted(done) == list(range(40))
    assert pool._open == 2


async def test_a_cancelled_request_keeps_no_connection(pool: Pool) -> None:
    for _ in range(5):
        tasks = [asyncio.create_task(pool.fetchrow(SLEEP, 5)) for _ in range(4)]
        await asyncio.sleep(0.02)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await answers(pool)
    assert pool._open <= 2


async def test_a_connection_is_as_it_was_after_an_error(pool: Pool) -> None:
    for _ in range(3):
        with pytest.raises(asyncpg.DivisionByZeroError):
            await pool.fetchrow("SELECT 1/0")
        with pytest.raises(asyncpg.DivisionByZeroError):
            async with pool.transaction() as connection:
                await connection.fetchrow("SELECT 1/0")
    await answers(pool)
    assert pool._open == 1


async def test_a_query_over_its_time_limit_is_ended(
    shared_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(pool_module.LIMITS, "statement_timeout", "50ms")
    limited = Pool(shared_url, 1)
    with pytest.raises(asyncpg.QueryCanceledError) as ended:
        await limited.fetchrow(SLEEP, 30)
    assert isinstance(explained(ended.value), QueryTimeout)
    await limited.close()


async def test_a_transaction_over_its_time_limit_is_ended(pool: Pool) -> None:
    async def endless() -> None:
        async with pool.transaction(seconds=0.05) as connection:
            await connection.fetchrow(SLEEP, 9)

    with pytest.raises(QueryTimeout):
        await endless()
    await answers(pool)


async def answers(pool: Pool) -> None:
    found = await pool.fetchrow("SELECT 1")
    assert found is not None
    assert found[0] == 1
