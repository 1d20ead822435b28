"""The writer on a connection of its own: grouping, faults, what happens when the disk is full."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw
import pytest

from bkend.store import Conflict, StoreUnavailable
from bkend.store.sqlite.files import open_file
from bkend.store.sqlite.insertions import Insertion, Row, insert_rows
from bkend.store.sqlite.writer import Changes, Writer, merge_changes

Job = Callable[[apsw.Connection, Changes], Any]


@dataclass
class Watched:
    """A writer over the table t(v), and what it told."""

    writer: Writer
    path: Path
    commits: list[Changes] = field(default_factory=list)
    delivered: list[Changes] = field(default_factory=list)
    checkpoints: list[bool] = field(default_factory=list)
    is_settled: bool = True
    statements: list[str] = field(default_factory=list)

    def stored(self) -> list[Any]:
        """What another connection finds."""
        connection = open_file(self.path)
        try:
            return [v for (v,) in connection.execute("SELECT v FROM t ORDER BY v")]
        finally:
            connection.close()


@asynccontextmanager
async def watched(path: Path) -> AsyncIterator[Watched]:
    connection = open_file(path)
    connection.execute("CREATE TABLE IF NOT EXISTS t(v UNIQUE, a, b, c, d)")
    it: Watched

    def insert(connection: apsw.Connection, collection: str, rows: list[Row]) -> None:
        insert_rows(connection, collection, rows)

    commits: list[Changes] = []
    delivered: list[Changes] = []
    checkpoints: list[bool] = []
    writer = Writer(
        connection,
        asyncio.get_running_loop(),
        name="test",
        external=None,
        beginning=lambda connection: None,
        may_insert=lambda: it.is_settled,
        insert=insert,
        committed=commits.append,
        delivered=delivered.append,
        checkpointing=checkpoints.append,
    )
    it = Watched(writer, path, commits, delivered, checkpoints)

    def note(cursor: apsw.Cursor, sql: str, values: Any) -> bool:
        it.statements.append(sql)
        return True

    connection.set_exec_trace(note)
    yield it
    await writer.close()


@pytest.fixture
async def it(tmp_path: Path) -> AsyncIterator[Watched]:
    async with watched(tmp_path / "it.db") as found:
        yield found


def put(value: Any, then: Exception | None = None) -> Job:
    """A job that stores the value, and then fails if told to."""

    def run(connection: apsw.Connection, changes: Changes) -> Any:
        connection.execute("INSERT INTO t(v) VALUES(?)", (value,))
        changes["t"] = [str(value)]
        if then is not None:
            raise then
        return value

    return run


def statement(text: str) -> Job:
    return lambda connection, changes: connection.execute(text).get


@asynccontextmanager
async def busy(it: Watched) -> AsyncIterator[None]:
    """Keep the writer busy, so that what is submitted meanwhile is one group."""
    started, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def run(connection: apsw.Connection, changes: Changes) -> None:
        loop.call_soon_threadsafe(started.set)
        go_on.wait()

    waiting = it.writer.submit(run)
    await started.wait()
    try:
        yield
    finally:
        go_on.set()
        await waiting


async def test_jobs_that_wait_together_share_one_transaction(it: Watched) -> None:
    async with busy(it):
        jobs = [it.writer.submit(put(n)) for n in range(200)]
    assert await asyncio.gather(*jobs) == list(range(200))
    assert it.commits == [{"t": [str(n) for n in range(200)]}]
    assert it.delivered == it.commits
    assert it.stored() == list(range(200))


async def test_concurrent_jobs_need_far_fewer_transactions(it: Watched) -> None:
    async def client(number: int) -> None:
        for turn in range(10):
            await it.writer.submit(put(100 * number + turn))

    await asyncio.gather(*(client(number) for number in range(50)))
    assert len(it.stored()) == 500
    assert len(it.commits) < 250


async def test_an_answer_comes_only_after_the_commit(it: Watched) -> None:
    """Whoever is answered finds the value through another connection at once."""
    for value in range(50):
        await it.writer.submit(put(value))
        assert value in it.stored()


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (put("bad", Conflict("t")), Conflict),
        (put("bad", RuntimeError("a bug")), RuntimeError),
        (statement("INSERT INTO t(v) VALUES(1)"), apsw.ConstraintError),
        (statement("SELECT * FROM no_such_table"), apsw.SQLError),
        (statement("INSERT INTO t(v) VALUES(zeroblob(2000000000))"), apsw.TooBigError),
        (statement("INSERT INTO t(v) SELECT 'bad' UNION ALL SELECT 1"), apsw.ConstraintError),
    ],
)
async def test_a_failing_job_does_not_undo_its_neighbours(
    it: Watched, bad: Job, error: type[Exception]
) -> None:
    async with busy(it):
        jobs = [it.writer.submit(job) for job in (put(1), bad, put(2))]
    outcomes = await asyncio.gather(*jobs, return_exceptions=True)
    assert (outcomes[0], outcomes[2]) == (1, 2)
    assert isinstance(outcomes[1], error)
    assert it.stored() == [1, 2]
    assert it.commits == [{"t": ["1", "2"]}]


async def test_when_the_transaction_fails_nobody_is_told_it_was_stored(it: Watched) -> None:
    """A full disk in the middle of a group: all of it is refused, and later ones work again."""
    await it.writer.submit(put(0))
    await it.writer.submit(statement("PRAGMA max_page_count=5"))
    filling = statement("INSERT INTO t(v,a) VALUES('big',zeroblob(100000))")
    async with busy(it):
        before = it.writer.submit(put(1))
        refused = it.writer.submit(put(2, Conflict("t")))
        full = it.writer.submit(filling)
        after = it.writer.submit(put(3))
    outcomes = await asyncio.gather(before, refused, full, after, return_exceptions=True)
    assert isinstance(outcomes[1], Conflict)
    for outcome in (outcomes[0], outcomes[2], outcomes[3]):
        assert isinstance(outcome, StoreUnavailable)
        assert "full" in str(outcome)
        assert "nothing was stored" in str(outcome)
    assert it.stored() == [0]
    assert it.delivered == [{"t": ["0"]}]
    await it.writer.submit(statement("PRAGMA max_page_count=1000000"))
    await it.writer.submit(filling)
    assert await it.writer.submit(put(4)) == 4
    assert it.stored() == [0, 4, "big"]


def add(it: Watched, value: str) -> asyncio.Future[Any]:
    row: Row = (value, "", 0, 0, "")
    return it.writer.submit(put(value), insertion=Insertion("t", row, value.encode()))


@pytest.mark.parametrize("is_settled", [False, True])
async def test_neighbouring_inserts_are_told_apart_when_one_is_refused(
    it: Watched, is_settled: bool
) -> None:
    it.is_settled = is_settled
    async with busy(it):
        jobs = [add(it, value) for value in ("a", "b", "a", "c")]
    outcomes = await asyncio.gather(*jobs, return_exceptions=True)
    assert [outcomes[0], outcomes[1], outcomes[3]] == ["a", "b", "c"]
    assert isinstance(outcomes[2], apsw.ConstraintError)
    async with busy(it):
        jobs = [add(it, value) for value in ("d", "e", "f")]
    assert await asyncio.gather(*jobs) == [[b"d"], [b"e"], [b"f"]]
    assert it.stored() == ["a", "b", "c", "d", "e", "f"]
    assert it.commits == [{"t": ["a", "b", "c"]}, {"t": ["d", "e", "f"]}]


async def test_inserts_that_wait_together_are_one_statement(it: Watched) -> None:
    """Unless the tables may have changed, which a transaction has to look at first."""
    for is_settled, begun in ((True, 0), (False, 1)):
        it.is_settled = is_settled
        async with busy(it):
            jobs = [add(it, f"{is_settled}{number}") for number in range(5)]
            it.statements.clear()
        await asyncio.gather(*jobs)
        assert it.statements.count("BEGIN IMMEDIATE") == begun
        assert sum(sql.startswith("INSERT") for sql in it.statements) == 1
    assert len(it.stored()) == 10


async def test_inserts_on_a_full_disk_are_all_refused(it: Watched) -> None:
    await it.writer.submit(statement("PRAGMA max_page_count=5"))
    async with busy(it):
        jobs = [add(it, f"{number}" * 4000) for number in range(9)]
    for outcome in await asyncio.gather(*jobs, return_exceptions=True):
        assert isinstance(outcome, StoreUnavailable)
    assert (it.stored(), it.commits, it.delivered) == ([], [], [])
    assert await add(it, "small") == [b"small"]
    assert it.stored() == ["small"]


@pytest.mark.parametrize("others", [0, 1])
async def test_one_refused_insert_of_very_many_takes_none_along(it: Watched, others: int) -> None:
    """Of so many that they take several statements, of which the first succeed."""
    values = [f"{number:03}" for number in range(100)] + ["007"]
    async with busy(it):
        beside = [it.writer.submit(put("x")) for _ in range(others)]
        jobs = [
            it.writer.submit(put(value), insertion=Insertion("t", (value, "", 0, 0, ""), b""))
            for value in values
        ]
    await asyncio.gather(*beside)
    outcomes = await asyncio.gather(*jobs, return_exceptions=True)
    assert outcomes[:-1] == values[:-1]
    assert isinstance(outcomes[-1], apsw.ConstraintError)
    assert it.stored() == [*values[:-1], *["x"] * others]


async def test_neighbouring_inserts_into_what_is_gone_fail_alone(it: Watched) -> None:
    row: Row = ("a", "", 0, 0, "")
    gone = Insertion("gone", row, b"")
    async with busy(it):
        one = it.writer.submit(put(1))
        lost = [it.writer.submit(statement("INSERT INTO gone"), insertion=gone) for _ in range(2)]
    outcomes = await asyncio.gather(one, *lost, return_exceptions=True)
    assert outcomes[0] == 1
    assert all(isinstance(outcome, apsw.SQLError) for outcome in outcomes[1:])
    assert it.stored() == [1]


async def test_a_caller_that_gave_up_disturbs_nobody(it: Watched) -> None:
    async with busy(it):
        jobs = [it.writer.submit(put(n)) for n in range(3)]
        jobs[1].cancel()
    assert [await jobs[0], await jobs[2]] == [0, 2]
    assert it.stored() == [0, 1, 2]


async def test_closing_finishes_the_queue_and_refuses_what_comes_later(it: Watched) -> None:
    async with busy(it):
        jobs = [it.writer.submit(put(n)) for n in range(600)]
        closing = asyncio.create_task(it.writer.close())
        await asyncio.sleep(0)
        late = it.writer.submit(put("late"))
    await asyncio.gather(*jobs, closing)
    assert it.stored() == list(range(600))
    with pytest.raises(StoreUnavailable, match="shutting down"):
        await late


async def test_the_log_is_copied_and_started_anew(it: Watched) -> None:
    """Far more is written than the log may hold; nobody reads, so each copy is complete."""
    wal = it.path.with_name(it.path.name + "-wal")
    largest = 0
    for turn in range(60):
        row = f"INSERT INTO t(v,a) VALUES({turn},randomblob(1000000))"
        await it.writer.submit(statement(row))
        largest = max(largest, wal.stat().st_size)
    assert True in it.checkpoints
    assert largest < 12_000_000


def test_changes_are_merged_and_anything_wins() -> None:
    changes: Changes = {"a": ["1"]}
    merge_changes(changes, {"a": ["2"], "b": ["3"], "c": None})
    merge_changes(changes, {"b": None, "c": ["4"]})
    assert changes == {"a": ["1", "2"], "b": None, "c": None}
