"""The data directory: who serves it, its environments, and whether it is well."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from bkend.store import Collection, Duplicate, Index, StoreRefused, StoreUnavailable
from bkend.store.sqlite import SqliteDatabase
from tests.engines import Engine
from tests.store.conftest import OpenDatabase
from tests.store.limited import run_limited
from tests.store.rows import THINGS, find_ids, insert


@pytest.fixture
def engine() -> Engine:
    """These tests are about SQLite alone."""
    return "sqlite"


async def test_a_directory_is_served_by_one_process_only(
    open_database: OpenDatabase, directory: Path
) -> None:
    first = await open_database()
    await first.control.define(Collection(THINGS))
    for _ in range(2):
        with pytest.raises(StoreRefused) as refusal:
            await SqliteDatabase.open(directory, serving=True)
        assert f"another server (process {os.getpid()}) is already serving" in str(refusal.value)
        assert str(directory) in str(refusal.value)
        assert "--data" in str(refusal.value)
    await first.control.commit([insert("a")])  # the first is not disturbed
    await first.close()
    second = await open_database()
    assert await find_ids(second.control) == ["a"]


async def test_another_process_is_refused_too(database: SqliteDatabase, directory: Path) -> None:
    code = (
        "import asyncio,pathlib,sys; from bkend.store.sqlite import SqliteDatabase as D;"
        "asyncio.run(D.open(pathlib.Path(sys.argv[1]), serving=True))"
    )
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", code, str(directory)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert f"StoreRefused: another server (process {os.getpid()})" in done.stderr


async def test_commands_may_open_a_served_directory(
    database: SqliteDatabase, open_database: OpenDatabase
) -> None:
    await database.control.define(Collection(THINGS))
    for id in ("a", "b"):
        command = await open_database(serving=False)
        await command.control.commit([insert(id)])
        await command.close()
    database.control.refresh()
    assert await find_ids(database.control) == ["a", "b"]


async def test_an_environment_is_opened_once_however_many_ask(database: SqliteDatabase) -> None:
    found = await asyncio.gather(*(database.environment("dev") for _ in range(20)))
    assert len(set(map(id, found))) == 1
    assert await database.environment("prod") is not found[0]


@pytest.mark.parametrize("id", ["", "../control", "a/b", "a.b", "é", "x" * 129, "a\0", "a\n"])
async def test_an_environment_id_is_never_a_path(
    database: SqliteDatabase, directory: Path, id: str
) -> None:
    before = sorted(directory.rglob("*"))
    with pytest.raises(ValueError, match="not an environment id"):
        await database.environment(id)
    with pytest.raises(ValueError, match="not an environment id"):
        await database.drop_environment(id)
    assert sorted(directory.rglob("*")) == before


async def test_a_dropped_environment_is_gone_for_good(
    database: SqliteDatabase, directory: Path
) -> None:
    kept = await database.environment("kept")
    await kept.define(Collection(THINGS))
    store = await database.environment("dev")
    await store.define(Collection(THINGS))
    await store.commit([insert("a")])
    await database.drop_environment("dev")
    await database.drop_environment("dev")
    assert [path.name for path in (directory / "environments").glob("dev*")] == []
    with pytest.raises(StoreUnavailable):
        await store.commit([insert("b")])
    again = await database.environment("dev")
    assert again.collection(THINGS) is None
    assert await kept.count(THINGS) == 0


async def test_data_outlives_the_database(open_database: OpenDatabase) -> None:
    index = Index("v", (("v", 1),), unique=True)
    for turn in range(3):
        database = await open_database()
        store = await database.environment("dev")
        await store.define(Collection(THINGS, (index,)))
        assert await store.count(THINGS) == turn
        await store.commit([insert(f"n{turn}", {"v": turn})])
        if turn:
            with pytest.raises(Duplicate):
                await store.commit([insert("x", {"v": 0})])
        await database.close()


async def test_closing_twice_is_harmless(open_database: OpenDatabase) -> None:
    database = await open_database()
    await database.close()
    await database.close()


async def test_a_healthy_database_answers_a_ping(database: SqliteDatabase) -> None:
    await database.ping()
    await database.ping()
    assert database.describe() == {"engine": "sqlite", "version": apsw.sqlite_lib_version()}


def test_a_ping_fails_while_the_disk_is_full() -> None:
    outcome = run_limited("ping on a full disk")
    assert "nothing was stored" in outcome["refused"]
    assert outcome["with room again"] == "fine"


async def test_a_closed_database_answers_no_ping(database: SqliteDatabase) -> None:
    await database.close()
    with pytest.raises(StoreUnavailable):
        await database.ping()
