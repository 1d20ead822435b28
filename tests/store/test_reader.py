"""Reads: the budget on the loop, the thread with its time limit, and what snapshots leave alone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import apsw
import pytest

from bkend.store import ALWAYS, Compare, Delete, Equals, Find, QueryTimeout, Sort, StoreUnavailable
from bkend.store.sqlite import reader as reader_module
from bkend.store.sqlite.files import open_file
from bkend.store.sqlite.reader import Reader
from bkend.store.sqlite.store import SqliteStore
from tests.engines import Engine
from tests.store.rows import THINGS, find_ids, insert


@pytest.fixture
def engine() -> Engine:
    """These tests are about SQLite alone."""
    return "sqlite"


COUNT_TO_A_MILLION = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<1000000) "
    "SELECT count(*) FROM n"
)
FOR_EVER = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT count(*) FROM n"


@dataclass
class Commits:
    """The number the reader asks for: how many commits there were."""

    number: int = 0


@pytest.fixture
def commits() -> Commits:
    return Commits()


@pytest.fixture
async def pool() -> AsyncIterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2, thread_name_prefix="pool") as executor:
        yield executor


@pytest.fixture
def file(tmp_path: Path) -> Path:
    connection = open_file(tmp_path / "it.db")
    connection.execute("CREATE TABLE t(v); INSERT INTO t VALUES(1)")
    connection.close()
    return tmp_path / "it.db"


@pytest.fixture
async def it(file: Path, pool: ThreadPoolExecutor, commits: Commits) -> AsyncIterator[Reader]:
    reader = Reader(
        file,
        asyncio.get_running_loop(),
        pool,
        lambda: commits.number,
        hold_snapshots=True,
    )
    yield reader
    reader.close()


async def test_a_read_over_its_budget_goes_to_a_thread_with_the_same_result(it: Reader) -> None:
    looked: list[str] = []

    def work(connection: apsw.Connection, snapshot: int | None) -> int:
        looked.append(threading.current_thread().name.partition("_")[0])
        found: int = connection.execute(COUNT_TO_A_MILLION).get
        return found

    assert await it.run(work, "count") == 1_000_000
    assert looked == ["MainThread", "pool"]
    assert await it.run(work, "count") == 1_000_000
    assert looked == ["MainThread", "pool", "pool"]  # its kind is known to be slow now
    assert await it.run(lambda c, s: c.execute("SELECT v FROM t").get, "quick") == 1


async def test_a_read_over_the_time_limit_is_given_up(
    it: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_module, "QUERY_SECONDS", 0.02)
    with pytest.raises(QueryTimeout):
        await it.run(lambda c, s: c.execute(FOR_EVER).get, "for ever")
    with pytest.raises(QueryTimeout):
        await it.run(lambda c, s: c.execute(FOR_EVER).get, "for ever")
    assert await it.run(lambda c, s: c.execute("SELECT v FROM t").get, "quick") == 1
    patiently = await it.run(lambda c, s: c.execute(COUNT_TO_A_MILLION).get, "slow", seconds=60)
    assert patiently == 1_000_000


async def test_a_slow_read_does_not_stop_the_loop(
    it: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_module, "QUERY_SECONDS", 0.3)
    slow = asyncio.create_task(it.run(lambda c, s: c.execute(FOR_EVER).get, "for ever"))
    quick = 0
    while not slow.done():
        assert await it.run(lambda c, s: c.execute("SELECT v FROM t").get, "quick") == 1
        quick += 1
        await asyncio.sleep(0)
    assert quick > 50
    with pytest.raises(QueryTimeout):
        await slow


async def test_the_budget_is_the_readers_and_not_of_what_surrounds_it(
    it: Reader, commits: Commits
) -> None:
    """SQLite counts steps across runs of one statement, so even BEGIN is asked for its time."""
    for _ in range(3000):
        commits.number += 1
        it.inline(lambda connection, snapshot: None, 0.0)  # its time is over at once
    it.checkpointing = True
    for _ in range(3000):
        it.inline(lambda connection, snapshot: None, 0.0)


async def test_a_snapshot_is_held_until_something_is_committed(
    it: Reader, file: Path, commits: Commits
) -> None:
    def work(connection: apsw.Connection, snapshot: int | None) -> tuple[int | None, int]:
        return snapshot, connection.execute("SELECT count(*) FROM t").get

    other = open_file(file)
    first, one = it.inline(work)
    other.execute("INSERT INTO t VALUES(2)")
    assert it.inline(work) == (first, one)  # nobody said so yet
    commits.number += 1
    second, two = it.inline(work)
    assert (one, two) == (1, 2)
    assert second != first
    it.checkpointing = True
    other.execute("INSERT INTO t VALUES(3)")
    assert it.inline(work) == (None, 3)  # while the log is copied, nothing is held
    it.checkpointing = False
    other.close()


async def test_an_idle_reader_lets_go_of_its_snapshot(
    it: Reader, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_module, "_IDLE_SNAPSHOT_SECONDS", 0.005)
    it.inline(lambda c, s: c.execute("SELECT v FROM t").get)
    other = open_file(file)
    other.execute("INSERT INTO t VALUES(2)")
    loop = asyncio.get_running_loop()
    deadline = loop.time() + 10
    assert _is_read(other)
    while _is_read(other):
        assert loop.time() < deadline
        await asyncio.sleep(0.005)
    other.close()


def _is_read(connection: apsw.Connection) -> bool:
    """Whether somebody still reads from the log, so that it cannot be emptied."""
    connection.set_busy_timeout(0)
    try:
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    except apsw.BusyError:
        return True
    return False


async def test_a_fault_is_told_in_words_and_the_reader_lives_on(it: Reader) -> None:
    def broken(connection: apsw.Connection, snapshot: int | None) -> None:
        raise apsw.CorruptError("database disk image is malformed")

    for shape in ("once", "twice"):
        with pytest.raises(StoreUnavailable, match="damaged"):
            await it.run(broken, shape)
    assert await it.run(lambda c, s: c.execute("SELECT v FROM t").get, "quick") == 1


async def test_closing_while_a_thread_reads_leaves_no_connection(
    it: Reader, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_module, "INLINE_SECONDS", -1.0)
    reading, go_on = threading.Event(), threading.Event()

    def work(connection: apsw.Connection, snapshot: int | None) -> str:
        if threading.current_thread() is threading.main_thread():
            raise apsw.InterruptError
        reading.set()
        go_on.wait()
        return str(connection.execute("SELECT v FROM t").get)

    running = asyncio.ensure_future(it.run(work, "slow"))
    await asyncio.get_running_loop().run_in_executor(None, reading.wait)
    it.close()
    go_on.set()
    assert await running == "1"
    assert not file.with_name("it.db-wal").exists()  # the last connection took it away


# -- the same through a store ----------------------------------------------------------------


async def test_slow_lists_are_right_on_a_thread_too(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.commit([insert(f"{n:04}", {"v": n % 7, "a": {"b": n}}) for n in range(3000)])
    where, sort = Compare(("a", "b"), "gte", 100), Sort(("v",), descending=True)
    quickly = await find_ids(store, where, sort)
    monkeypatch.setattr(reader_module, "INLINE_SECONDS", -1.0)
    assert await find_ids(store, where, sort) == quickly
    assert len(quickly) == 2900
    await store.commit([insert("new", {"v": True, "a": {"b": 100}})])
    slowly = await asyncio.gather(*(find_ids(store, where, sort) for _ in range(8)))
    assert slowly == [["new", *quickly]] * 8


async def test_a_slow_query_times_out_as_the_contract_says(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.commit([insert(f"{n:04}", {"v": n % 7}) for n in range(3000)])
    monkeypatch.setattr(reader_module, "INLINE_SECONDS", -1.0)
    monkeypatch.setattr(reader_module, "QUERY_SECONDS", 0.0)
    with pytest.raises(QueryTimeout):
        await store.find(Find(THINGS, Equals(("w",), 1), (Sort(("v",)),)))
    monkeypatch.setattr(reader_module, "QUERY_SECONDS", 60.0)
    assert await store.count(THINGS, Equals(("w",), 1)) == 0


async def test_the_log_stays_small_under_endless_reads_and_writes(store: SqliteStore) -> None:
    wal = store.path.with_name(store.path.name + "-wal")
    writing = True
    largest = 0

    async def read() -> None:
        nonlocal largest
        while writing:
            await store.find(Find(THINGS, ALWAYS, limit=5))
            largest = max(largest, wal.stat().st_size)
            await asyncio.sleep(0)

    reading = [asyncio.create_task(read()) for _ in range(2)]
    for turn in range(200):  # 80 MB and more
        await store.commit([insert(f"{turn}", {"text": "x" * 400_000})])
        if turn >= 20:
            await store.commit([Delete(THINGS, f"{turn - 20}")])
    writing = False
    await asyncio.gather(*reading)
    assert largest < 60_000_000
    assert store.path.stat().st_size < 60_000_000
