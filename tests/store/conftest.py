"""Databases for store tests, each in a directory of its own and closed at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from bkend.store import Collection, Index
from bkend.store.sqlite import SqliteDatabase
from bkend.store.sqlite.store import SqliteStore
from tests.store.rows import THINGS

OpenDatabase = Callable[..., Awaitable[SqliteDatabase]]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where the test's databases live; not made yet."""
    return tmp_path / "data"


@pytest.fixture
async def open_database(directory: Path) -> AsyncIterator[OpenDatabase]:
    """Open the test's directory: `await open_database(serving=False)`."""
    opened: list[SqliteDatabase] = []

    async def open_(*, serving: bool = True, at: Path = directory) -> SqliteDatabase:
        database = await SqliteDatabase.open(at, serving=serving)
        opened.append(database)
        return database

    yield open_
    for database in reversed(opened):
        await database.close()


@pytest.fixture
async def database(open_database: OpenDatabase) -> SqliteDatabase:
    """A serving database."""
    return await open_database()


@pytest.fixture
async def store(database: SqliteDatabase) -> SqliteStore:
    """An environment's store with an empty collection `things`."""
    store = await database.environment("dev")
    await store.define(Collection(THINGS))
    return store


@pytest.fixture(params=["without an index", "with an index"])
async def things(request: pytest.FixtureRequest, database: SqliteDatabase) -> SqliteStore:
    """A store whose collection `things` has no index, and again with some."""
    paths = ("v", "a.b", "items.name") if request.param == "with an index" else ()
    indexes = tuple(Index(path, ((path, 1),)) for path in paths)
    await database.control.define(Collection(THINGS, indexes))
    return database.control
