"""What other processes change: seen by the server on its next request, also when they die."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bkend.store import (
    ALWAYS,
    Collection,
    Delete,
    Duplicate,
    Equals,
    Find,
    Index,
    UnknownCollection,
    Update,
)
from bkend.store.sqlite import SqliteDatabase
from bkend.store.sqlite.external import ChangeFile
from bkend.store.sqlite.store import SqliteStore
from tests.engines import Engine
from tests.store.conftest import OpenDatabase
from tests.store.outside import Outside
from tests.store.rows import THINGS, document, find_ids, insert


@pytest.fixture
def engine() -> Engine:
    """These tests are about SQLite alone."""
    return "sqlite"


StartOutside = Callable[..., Outside]


@pytest.fixture
async def start_outside(directory: Path) -> AsyncIterator[StartOutside]:
    """Start another process on the test's directory: `start_outside("commit")`."""
    started: list[Outside] = []

    def start(task: str) -> Outside:
        started.append(Outside(task, directory))
        return started[-1]

    yield start
    for outside in started:
        outside.end()


@pytest.fixture
async def control(database: SqliteDatabase) -> SqliteStore:
    await database.control.define(Collection(THINGS, (Index("v", (("v", 1),)),)))
    await database.control.commit([insert("mine", {"v": 1})])
    return database.control


async def test_a_commit_of_another_process_is_seen_after_refresh(
    control: SqliteStore, start_outside: StartOutside
) -> None:
    heard: list[tuple[str, object]] = []
    control.listen(lambda collection, ids: heard.append((collection, ids)))
    counter, stop = control.changes(THINGS), threading.Event()
    assert await control.count(THINGS) == 1
    outside = start_outside("commit")

    async def keep_reading() -> None:
        while not stop.is_set():
            await control.find(Find(THINGS))
            await asyncio.sleep(0)

    reading = asyncio.create_task(keep_reading())
    await asyncio.to_thread(outside.expect, "committed")
    control.refresh()
    assert await find_ids(control) == ["mine", "theirs"]
    assert await find_ids(control, Equals(("v",), True)) == ["theirs"]
    assert await find_ids(control, Equals(("v",), 1)) == ["mine"]
    assert await control.count(THINGS) == 2
    assert control.changes(THINGS) > counter
    assert ("*", None) in heard
    stop.set()
    await reading
    outside.end()
    control.refresh()
    settled, heard_before = control.changes(THINGS), len(heard)
    for _ in range(10):
        control.refresh()
    assert control.changes(THINGS) == settled  # nothing more happened
    assert len(heard) == heard_before


async def test_while_another_process_is_at_it_nothing_is_trusted(
    control: SqliteStore, directory: Path, start_outside: StartOutside
) -> None:
    outside = start_outside("hold")
    await asyncio.to_thread(outside.expect, "changing")
    for _ in range(3):
        before = control.changes(THINGS)
        control.refresh()
        assert control.changes(THINGS) > before
    assert odd(directory)
    outside.tell()
    await asyncio.to_thread(outside.expect, "done")
    assert not odd(directory)
    before = control.changes(THINGS)
    control.refresh()
    assert control.changes(THINGS) > before
    before = control.changes(THINGS)
    control.refresh()
    assert control.changes(THINGS) == before


async def test_the_mark_of_a_killed_process_is_repaired(
    control: SqliteStore, directory: Path, start_outside: StartOutside
) -> None:
    outside = start_outside("hold")
    await asyncio.to_thread(outside.expect, "changing")
    outside.kill()
    assert odd(directory)
    before = control.changes(THINGS)
    control.refresh()
    assert control.changes(THINGS) > before
    assert not odd(directory)
    before = control.changes(THINGS)
    control.refresh()
    assert control.changes(THINGS) == before
    await control.commit([insert("after")])
    assert await find_ids(control) == ["after", "mine"]


def odd(directory: Path) -> bool:
    return (directory / "changes").read_bytes()[0] % 2 == 1


# -- in one process, which is quicker: a command is a database that does not serve ------------


@pytest.fixture
async def command(control: SqliteStore, open_database: OpenDatabase) -> SqliteStore:
    """The same control store as another process would open it."""
    database: SqliteDatabase = await open_database(serving=False)
    return database.control


async def test_a_command_sees_what_the_server_commits(
    control: SqliteStore, command: SqliteStore
) -> None:
    for turn in range(5):
        assert await command.count(THINGS) == turn + 1
        counter = command.changes(THINGS)
        assert command.changes(THINGS) == counter
        await control.commit([insert(f"n{turn}", {"v": turn})])
        assert command.changes(THINGS) > counter
        assert (await document(command, f"n{turn}")) is not None
    await control.commit([insert("odd", {"v": [1]})])
    assert await find_ids(command, Equals(("v",), 1)) == ["mine", "n1", "odd"]


async def test_definitions_travel_both_ways(control: SqliteStore, command: SqliteStore) -> None:
    await command.define(Collection("theirs", (Index("v", (("v", 1),), unique=True),)))
    control.refresh()
    await control.commit([insert("a", {"v": 1}, into="theirs")])
    with pytest.raises(Duplicate) as refusal:
        await control.commit([insert("b", {"v": 1}, into="theirs")])
    assert refusal.value.fields == ("v",)
    await control.define(Collection("ours", (Index("w", (("w", 1),), unique=True),)))
    await command.commit([insert("a", {"w": 1}, into="ours")])
    with pytest.raises(Duplicate) as refusal:
        await command.commit([insert("b", {"w": 1}, into="ours")])
    assert refusal.value.fields == ("w",)
    await command.drop("ours")
    control.refresh()
    assert control.collection("ours") is None


async def test_the_server_writes_by_new_definitions_before_it_was_told(
    control: SqliteStore, command: SqliteStore
) -> None:
    """Between one request's refresh and its commit a command may define anything."""
    await command.define(Collection(THINGS, (Index("w", (("w", 1),), unique=True),)))
    guard = Equals(("v",), 1)
    await control.commit([Update(THINGS, "mine", set={"w": 1}, guard=guard)])
    with pytest.raises(Duplicate) as refusal:
        await control.commit([insert("x", {"w": 1})])
    assert refusal.value.fields == ("w",)
    assert await find_ids(control, guard) == ["mine"]  # its index is gone
    await command.drop(THINGS)
    with pytest.raises(UnknownCollection):
        await control.commit([Delete(THINGS, "mine")])


async def test_a_read_by_outdated_definitions_is_done_again_by_the_new_ones(
    control: SqliteStore, command: SqliteStore
) -> None:
    """Between one request's refresh and its read, too."""
    one = Equals(("v",), 1)
    await control.define(Collection("others"))
    assert await find_ids(control, one) == ["mine"]
    await command.define(Collection(THINGS))  # the index that the server would use is gone
    await control.commit([insert("a", into="others")])  # and it must take a new snapshot
    assert await find_ids(control, one) == ["mine"]
    await command.drop(THINGS)
    await command.define(Collection(THINGS))
    await command.commit([insert("new", {"v": 1})])
    await control.commit([insert("b", into="others")])
    assert await document(control, "mine") is None
    assert await find_ids(control, one) == ["new"]
    await command.drop(THINGS)
    await control.commit([insert("c", into="others")])
    with pytest.raises(UnknownCollection):
        await control.get(THINGS, "new")


async def test_server_and_commands_write_at_once_without_losing_a_change(
    control: SqliteStore, command: SqliteStore, open_database: OpenDatabase
) -> None:
    other = await (await open_database(serving=False)).environment("dev")
    await other.define(Collection(THINGS))
    await control.commit([insert("sum", {"n": 0})])
    add = [Update(THINGS, "sum", increment={"n": 1})]

    async def count(store: SqliteStore) -> None:
        for _ in range(50):
            await store.commit(add)

    async def elsewhere() -> None:
        for turn in range(50):
            await other.commit([insert(f"n{turn}")])

    await asyncio.gather(count(control), count(command), count(control), elsewhere())
    control.refresh()
    found = await document(control, "sum")
    assert found is not None
    assert found["n"] == 150
    assert await other.count(THINGS, ALWAYS) == 50


# -- the file itself -------------------------------------------------------------------------


@pytest.fixture
def changes(tmp_path: Path) -> Path:
    return tmp_path / "changes"


def value(path: Path) -> int:
    return int.from_bytes(path.read_bytes(), "little")


def test_each_change_moves_the_counter_and_leaves_it_even(changes: Path) -> None:
    one, other = ChangeFile(changes), ChangeFile(changes)
    seen = {other.raw}
    for turn in range(300):
        with one.changing():
            assert value(changes) % 2 == 1
        assert value(changes) % 2 == 0
        assert other.raw not in seen, turn
        seen.add(other.raw)
    one.close()
    other.close()


def test_the_threads_of_one_process_take_turns(changes: Path) -> None:
    """Two stores of one command share the file, and a file lock is theirs together."""
    file = ChangeFile(changes)
    inside, most = 0, 0

    def change(turn: int) -> None:
        nonlocal inside, most
        with file.changing():
            inside += 1
            most = max(most, inside)
            os.sched_yield()
            assert file.raw[0] % 2 == 1
            inside -= 1

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(change, range(400)))
    assert most == 1
    assert value(changes) == 800
    file.close()


def test_a_change_that_fails_is_still_announced(changes: Path) -> None:
    file = ChangeFile(changes)
    before = file.raw
    with pytest.raises(RuntimeError), file.changing():
        raise RuntimeError
    assert file.raw != before
    assert file.settled()
    file.close()


def test_the_file_has_no_hole_that_a_full_disk_could_not_fill(changes: Path) -> None:
    file = ChangeFile(changes)
    with changes.open("rb") as opened:
        assert os.lseek(opened.fileno(), 0, os.SEEK_DATA) == 0
        assert os.lseek(opened.fileno(), 0, os.SEEK_HOLE) == 8
    file.close()
