"""Databases for store tests, on every engine; each is empty at first and closed at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from bkend.store import Collection, Database, Index, Store
from bkend.store.postgres.database import Options, PostgresDatabase
from bkend.store.sqlite import SqliteDatabase
from tests import postgres
from tests.engines import ENGINES, Engine
from tests.postgres import Postgres
from tests.store.rows import THINGS

OpenDatabase: TypeAlias = Callable[..., Awaitable[Any]]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    """The engine; modules about one of them have a fixture of this name that returns it."""
    found: Engine = request.param
    return found


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where the test's databases live; not made yet."""
    return tmp_path / "data"


@pytest.fixture(scope="session")
def shared_url(postgres_server: Postgres) -> str:
    """One PostgreSQL database for all store tests, emptied before each; one that takes an open
    `database` finds it set up."""
    return postgres_server.make()


@pytest.fixture
async def open_database(
    engine: Engine, directory: Path, request: pytest.FixtureRequest
) -> AsyncIterator[OpenDatabase]:
    """Open the test's database: `await open_database(serving=False)`."""
    opened: list[Database] = []
    if engine == "postgresql":
        url: str = request.getfixturevalue("shared_url")
        is_set_up = "database" in request.fixturenames
        await (postgres.clear(url) if is_set_up else postgres.empty(url))

    async def open_(*, serving: bool = True, at: Path = directory, **options: Any) -> Database:
        database: Database
        if engine == "sqlite":
            database = await SqliteDatabase.open(at, serving=serving)
        else:
            database = await PostgresDatabase.open(
                Options(**{"url": url, **options}), serving=serving
            )
        opened.append(database)
        return database

    yield open_
    for database in reversed(opened):
        await database.close()


@pytest.fixture
async def database(open_database: OpenDatabase) -> Any:
    """A serving database."""
    return await open_database()


@pytest.fixture
async def store(database: Database) -> Store:
    """An environment's store with an empty collection `things`."""
    store = await database.environment("dev")
    await store.define(Collection(THINGS))
    return store


@pytest.fixture(params=["without an index", "with an index"])
async def things(request: pytest.FixtureRequest, database: Database) -> Store:
    """A store whose collection `things` has no index, and again with some."""
    paths = ("v", "a.b", "items.name") if request.param == "with an index" else ()
    indexes = tuple(Index(path, ((path, 1),)) for path in paths)
    await database.control.define(Collection(THINGS, indexes))
    return database.control
