"""Databases whose tables are made already: most tests need them empty, not made once more.

On SQLite files are copied that the application made once in this process. On PostgreSQL a database
goes from test to test: it is emptied before each, tables that a test added are dropped, and an
environment's schema that is not as it was made is dropped as a whole.
"""

from __future__ import annotations

import asyncio
import functools
import tempfile
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from bkend.core import ENVIRONMENT_COLLECTIONS
from bkend.manage.control import define_control
from bkend.store import Database
from bkend.store.postgres import Options, PostgresDatabase
from bkend.store.sqlite import SqliteDatabase
from tests.engines import Engine
from tests.postgres import Postgres, empty

_SPARE = "spare"
_MOST_SPARE = 4
_CLEAN = """
CREATE SCHEMA IF NOT EXISTS prepared;
CREATE OR REPLACE FUNCTION prepared.clean(place text, kept integer) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
  held integer;
  rows text;
  relations text;
BEGIN
  FOR held IN EXECUTE format('DELETE FROM %I.collections WHERE number>$1 RETURNING number', place)
    USING kept
  LOOP
    EXECUTE format('DELETE FROM %I.indexes WHERE collection=$1', place) USING held;
    EXECUTE format('DROP TABLE IF EXISTS %I.c%s', place, held);
    EXECUTE format('DROP SEQUENCE IF EXISTS %I.c%s_changes', place, held);
  END LOOP;
  FOR held IN EXECUTE format('SELECT number FROM %I.collections', place) LOOP
    IF pg_relation_size(format('%I.c%s', place, held)::regclass) > 0 THEN
      EXECUTE format('DELETE FROM %I.c%s', place, held);
    END IF;
  END LOOP;
  EXECUTE format(
    'SELECT (SELECT string_agg(c::text,'';'' ORDER BY number) FROM %1$I.collections c) ||
            (SELECT string_agg(i::text,'';'' ORDER BY number) FROM %1$I.indexes i)', place)
    INTO rows;
  SELECT string_agg(relkind::text || relname::text,';' ORDER BY relname) INTO relations
    FROM pg_class WHERE relnamespace=place::regnamespace;
  RETURN md5(rows || relations);
END $$;
"""
"""Empties a schema, without the collections whose number is higher; answers how it is made."""


async def lay_out(directory: Path, url: str | None) -> None:
    """Make the control tables, in a new data directory or a database of `prepared_url`."""
    if url in _PREPARED:
        await _PREPARED[url].empty()
    elif url is None and not (directory / "control.db").exists():
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        _copy(_files()[0], directory / "control.db")


async def lay_out_environment(directory: Path, url: str | None, id: str) -> None:
    """Make an environment's tables before it is opened for the first time."""
    if url in _PREPARED:
        await _PREPARED[url].give(id)
    elif url is None:
        (directory / "environments").mkdir(exist_ok=True, mode=0o700)
        _copy(_files()[1], directory / "environments" / f"{id}.db")


async def take_back(url: str | None, id: str) -> None:
    """An environment that was closed is for the next who needs one."""
    if url in _PREPARED:
        await _PREPARED[url].take_back(id)


def prepared_url(engine: Engine, request: pytest.FixtureRequest) -> Iterator[str | None]:
    """For a fixture: the address of a database to lay out; None for SQLite, which needs none."""
    if engine == "sqlite":
        yield None
        return
    databases: Databases = request.getfixturevalue("prepared_databases")
    prepared = databases.take()
    yield prepared.url
    databases.put(prepared)


# -- SQLite -------------------------------------------------------------------------------------


@functools.cache
def _files() -> tuple[bytes, bytes]:
    """The control file and the file of an environment, without a document."""

    async def make(directory: Path) -> None:
        await _make(await SqliteDatabase.open(directory, serving=True))

    with tempfile.TemporaryDirectory() as name:
        with ThreadPoolExecutor(1) as thread:  # an event loop may be running here
            thread.submit(asyncio.run, make(Path(name))).result()
        assert not [*Path(name).rglob("*-wal")]
        control, environment = Path(name, "control.db"), Path(name, "environments", f"{_SPARE}.db")
        return control.read_bytes(), environment.read_bytes()


def _copy(content: bytes, path: Path) -> None:
    path.touch(mode=0o600, exist_ok=False)
    path.write_bytes(content)


# -- PostgreSQL ---------------------------------------------------------------------------------


class Databases:
    """Prepared databases, of which everybody who is at work at the same time has another."""

    def __init__(self, server: Postgres) -> None:
        self._server = server
        self._idle: list[_Prepared] = []
        self._all: list[_Prepared] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def take(self) -> _Prepared:
        """A database that nobody uses; not emptied yet."""
        if not self._idle:
            made = _Prepared(self._server.make(), self._loop)
            _PREPARED[made.url] = made
            self._all.append(made)
            return made
        return self._idle.pop()

    def put(self, prepared: _Prepared) -> None:
        """Nobody uses it any more."""
        self._idle.append(prepared)

    def close(self) -> None:
        """Close the connections that emptied them."""
        for prepared in self._all:
            del _PREPARED[prepared.url]
            asyncio.run_coroutine_threadsafe(prepared.close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@dataclass(frozen=True)
class _Shape:
    """How a schema was made, and its last collection."""

    made: str
    kept: int


class _Prepared:
    """One database. Its connection stays open, on an event loop that no test ends."""

    def __init__(self, url: str, loop: asyncio.AbstractEventLoop) -> None:
        self.url = url
        self._loop = loop
        self._held: asyncpg.Connection[Any] | None = None
        self._control: _Shape | None = None
        self._environment = _Shape("", 0)

    async def empty(self) -> None:
        """Back to how it was made; made first if need be."""
        await self._beside(self._empty())

    async def give(self, id: str) -> None:
        """A spare schema becomes the environment's, if there is one."""
        await self._beside(
            self._execute(
                "UPDATE bkend.environments SET id=$1 WHERE number="
                f"(SELECT min(number) FROM bkend.environments WHERE id ~ '^{_SPARE}-')",
                id,
            )
        )

    async def take_back(self, id: str) -> None:
        """The schema of an environment that was closed is a spare one."""
        await self._beside(self._take_back(id))

    async def close(self) -> None:
        if self._held is not None:
            await self._held.close()

    async def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def _connection(self) -> asyncpg.Connection[Any]:
        if self._held is None or self._held.is_closed():
            limits = {"lock_timeout": "10s"}
            self._held = await asyncpg.connect(self.url, server_settings=limits)
        return self._held

    async def _execute(self, sql: str, *values: Any) -> None:
        await (await self._connection()).execute(sql, *values)

    async def _numbers(self, where: str = "TRUE", *values: Any) -> list[int]:
        connection = await self._connection()
        select = f"SELECT number FROM bkend.environments WHERE {where} ORDER BY number"
        return [number for (number,) in await connection.fetch(select, *values)]

    async def _make(self) -> None:
        await empty(self.url)
        await self._execute(_CLEAN)
        await _make(await PostgresDatabase.open(Options(self.url), serving=False))
        [number] = await self._numbers()
        self._control = await self._shape("bkend")
        self._environment = await self._shape(f"bkend_{number}")
        await self._spare(number)

    async def _shape(self, schema: str) -> _Shape:
        last = f"SELECT max(number) FROM {schema}.collections"
        kept = await (await self._connection()).fetchval(last)
        return _Shape(await self._clean(schema, kept), kept)

    async def _empty(self) -> None:
        control = self._control
        if control is None or await self._clean("bkend", control.kept) != control.made:
            await self._make()
            return
        spare = f"id ~ '^{_SPARE}-'"
        room = _MOST_SPARE - len(await self._numbers(spare))
        for place, number in enumerate(await self._numbers(f"NOT {spare}")):
            await (self._spare(number) if place < room else self._drop(number))

    async def _take_back(self, id: str) -> None:
        for number in await self._numbers("id=$1", id):
            await self._spare(number)

    async def _spare(self, number: int) -> None:
        """Keep an environment's schema, empty, unless it is not as it was made."""
        shape = self._environment
        if await self._clean(f"bkend_{number}", shape.kept) != shape.made:
            await self._drop(number)
            return
        update = "UPDATE bkend.environments SET id=$1 WHERE number=$2"
        await self._execute(update, f"{_SPARE}-{number}", number)

    async def _clean(self, schema: str, kept: int) -> str:
        """Empty a schema; how it is made, "" when tables are missing."""
        connection = await self._connection()
        try:
            made: str = await connection.fetchval("SELECT prepared.clean($1,$2)", schema, kept)
        except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
            return ""
        return made

    async def _drop(self, number: int) -> None:
        await self._execute(f"DROP SCHEMA IF EXISTS bkend_{number} CASCADE")
        await self._execute("DELETE FROM bkend.environments WHERE number=$1", number)


_PREPARED: dict[str | None, _Prepared] = {}
"""By address."""


# -- both ---------------------------------------------------------------------------------------


async def _make(database: Database) -> None:
    """Everything that is there before the first document."""
    await define_control(database.control)
    await (await database.environment(_SPARE)).define(*ENVIRONMENT_COLLECTIONS)
    await database.close()
