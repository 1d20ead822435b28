"""Files that cannot be opened, read or written: refused in words, and never half-written."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from bkend.store import Collection, Find, Sort, StoreRefused, StoreUnavailable
from bkend.store.sqlite import SqliteDatabase
from bkend.store.sqlite.files import check_version, unavailable
from bkend.store.sqlite.reader import Reader
from tests.engines import Engine
from tests.store.conftest import OpenDatabase
from tests.store.limited import run_limited
from tests.store.rows import THINGS, ids, insert


@pytest.fixture
def engine() -> Engine:
    """These tests are about SQLite alone."""
    return "sqlite"


@pytest.fixture
def wide_open() -> Iterator[None]:
    """A umask that takes nothing away, so that modes come from us alone."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.parametrize("version", ["3.40.1", "3.51.2", "3.9.9"])
def test_an_old_sqlite_is_refused(version: str) -> None:
    with pytest.raises(StoreRefused, match=rf"SQLite {version} is too old: 3\.51\.3 or later"):
        check_version(version)


@pytest.mark.parametrize("version", ["3.51.3", "3.52.0", "4.0.0"])
def test_a_current_sqlite_is_taken(version: str) -> None:
    check_version(version)
    check_version()


async def test_only_the_owner_can_read_the_data(
    wide_open: None, open_database: OpenDatabase, directory: Path
) -> None:
    database = await open_database()
    store = await database.environment("dev")
    await store.define(Collection(THINGS))
    await store.commit([insert("a")])
    found = [directory, *directory.rglob("*")]
    modes = {path.relative_to(directory): path.stat().st_mode & 0o777 for path in found}
    directories = {path.relative_to(directory) for path in found if path.is_dir()}
    assert {"control.db", "control.db-wal", "changes", "serve.lock"} <= {str(p) for p in modes}
    for path, mode in modes.items():
        assert mode == (0o700 if path in directories else 0o600), path


async def test_a_file_in_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("not a directory")
    with pytest.raises(StoreRefused, match="is a file; name a directory"):
        await SqliteDatabase.open(tmp_path / "data", serving=True)
    with pytest.raises(StoreRefused, match="Not a directory"):
        await SqliteDatabase.open(tmp_path / "data" / "below", serving=True)
    assert (tmp_path / "data").read_text() == "not a directory"


async def test_a_directory_in_place_of_the_file_is_refused(directory: Path) -> None:
    (directory / "control.db").mkdir(parents=True)
    with pytest.raises(StoreRefused, match=r"cannot open .*control\.db"):
        await SqliteDatabase.open(directory, serving=True)


async def fill(directory: Path, documents: int = 400) -> None:
    """A closed database with some documents."""
    database = await SqliteDatabase.open(directory, serving=True)
    await database.control.define(Collection(THINGS))
    await database.control.commit(
        [insert(f"{n:04}", {"text": "x" * 500}) for n in range(documents)]
    )
    await database.close()


@pytest.mark.parametrize("damage", ["garbage", "header", "empty page", "short"])
async def test_a_damaged_file_is_refused_and_left_alone(directory: Path, damage: str) -> None:
    await fill(directory)
    file = directory / "control.db"
    whole = file.read_bytes()
    match damage:
        case "garbage":
            file.write_bytes(os.urandom(len(whole)))
        case "header":
            file.write_bytes(b"X" * 16 + whole[16:])
        case "empty page":  # the schema's page behind a whole header
            file.write_bytes(whole[:100] + bytes(3996) + whole[4096:])
        case "short":
            file.write_bytes(whole[:5000])
    before = file.read_bytes()
    for _ in range(2):
        with pytest.raises(StoreRefused, match=r"control\.db is damaged .*backup"):
            await SqliteDatabase.open(directory, serving=True)
    assert file.read_bytes() == before
    file.write_bytes(whole)
    database = await SqliteDatabase.open(directory, serving=True)
    assert await database.control.count(THINGS) == 400
    await database.close()


@pytest.mark.parametrize("slow", [False, True])
@pytest.mark.parametrize("serving", [False, True])
async def test_damage_deeper_inside_is_told_and_does_not_spread(
    directory: Path, serving: bool, slow: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if slow:  # every read goes to a thread
        monkeypatch.setattr(Reader, "inline", interrupted(Reader.inline))
    await fill(directory)
    file = directory / "control.db"
    whole = bytearray(file.read_bytes())
    page = whole.index(b'"id":"0200"') // 4096
    whole[page * 4096 : (page + 1) * 4096] = b"\xff" * 4096
    file.write_bytes(whole)
    database = await SqliteDatabase.open(directory, serving=serving)
    try:
        with pytest.raises(StoreUnavailable, match="damaged; restore it from a backup"):
            await database.control.find(Find(THINGS, sort=(Sort(("text",)),), limit=1000))
        assert await database.control.check_integrity() != []
        assert len(ids(await database.control.find(Find(THINGS, limit=5)))) == 5
    finally:
        await database.close()


def interrupted(inline: Callable[..., Any]) -> Callable[..., Any]:
    """A reader's `inline` whose budget is always over at once."""

    def over_at_once(self: Reader, work: Any, budget: float = math.inf) -> Any:
        if budget != math.inf:
            raise apsw.InterruptError
        return inline(self, work)

    return over_at_once


async def test_a_whole_file_has_no_problems(directory: Path, open_database: OpenDatabase) -> None:
    await fill(directory)
    assert await (await open_database()).control.check_integrity() == []


async def test_data_of_a_newer_version_is_refused_and_left_alone(directory: Path) -> None:
    await fill(directory)
    connection = apsw.Connection(str(directory / "control.db"))
    connection.execute("UPDATE bkend_format SET version=99; DROP TABLE bkend_indexes")
    connection.close()
    for _ in range(2):
        with pytest.raises(StoreRefused, match=r"newer version \(format 99, this one knows 1\)"):
            await SqliteDatabase.open(directory, serving=True)
    connection = apsw.Connection(str(directory / "control.db"))
    tables = connection.execute("SELECT name FROM sqlite_schema WHERE name='bkend_indexes'")
    assert list(tables) == []
    connection.close()


async def test_a_refused_directory_is_left_free_for_the_next(
    directory: Path, open_database: OpenDatabase
) -> None:
    """Refusals hold neither the serving lock nor open files."""
    await fill(directory)
    spare = directory.with_name("spare")
    shutil.copytree(directory, spare)
    (directory / "control.db").write_bytes(b"garbage" * 1000)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        with pytest.raises(StoreRefused):
            await SqliteDatabase.open(directory, serving=True)
    assert len(os.listdir("/proc/self/fd")) == before
    shutil.copy(spare / "control.db", directory / "control.db")
    assert await (await open_database()).control.count(THINGS) == 400


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (apsw.FullError("x"), "disk is full; nothing was stored"),
        (apsw.ReadOnlyError("x"), "read-only; nothing was stored"),
        (apsw.IOError("x"), "disk failed .* nothing was stored"),
        (apsw.BusyError("x"), "another program .* nothing was stored"),
        (apsw.CorruptError("x"), "damaged; restore it from a backup"),
        (apsw.NotADBError("x"), "damaged; restore it from a backup"),
        (apsw.InternalError("strange"), "the database failed: strange"),
    ],
)
def test_failures_while_serving_are_told_in_words(error: apsw.Error, words: str) -> None:
    with pytest.raises(StoreUnavailable, match=words):
        raise unavailable(error)


# -- in a process with less power than this one: another user, or a limit on file sizes --------


def test_a_directory_that_cannot_be_written_is_refused() -> None:
    outcome = run_limited("read-only directory")
    assert outcome["refused"].startswith("cannot write to the data directory")
    assert outcome["refused"].endswith("Permission denied")


def test_files_of_another_owner_are_refused() -> None:
    outcome = run_limited("read-only file")
    assert "control.db is read-only; its owner must be the user" in outcome["refused"]


def test_a_full_disk_at_start_is_refused() -> None:
    outcome = run_limited("full at start")
    assert "File too large" in outcome["refused"]


@pytest.mark.parametrize("serving", [True, False])
def test_a_disk_that_fills_up_loses_nothing_and_serving_goes_on(serving: bool) -> None:
    outcome = run_limited("fills up" if serving else "fills up for a command")
    assert "nothing was stored" in outcome["error"]
    assert outcome["acknowledged"] > 0
    assert outcome["refused"] > 0
    assert outcome["found while full"] == outcome["acknowledged"]
    assert outcome["half stored"] == []
    assert outcome["reads while full"] is True
    assert outcome["stored once there is room"] is True
    assert outcome["found in the end"] == outcome["acknowledged"] + 1
    assert outcome["integrity"] == []
    assert outcome["found after a restart"] == outcome["acknowledged"] + 1
