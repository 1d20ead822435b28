"""A PostgreSQL database as the engine: one schema per environment and one for `control`."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bkend.store.errors import StoreRefused, StoreUnavailable
from bkend.store.postgres import ddl
from bkend.store.postgres.failures import OLDEST_SERVER, Failure, explained, refused
from bkend.store.postgres.functions import FUNCTIONS
from bkend.store.postgres.listening import Listening
from bkend.store.postgres.news import News, Origin, new_sender
from bkend.store.postgres.paths import CONTROL
from bkend.store.postgres.pool import Connection, Pool
from bkend.store.postgres.store import PostgresStore
from bkend.store.postgres.totals import Totals

FORMAT = 1
_COMMAND_CONNECTIONS = 2
_ENVIRONMENT_ID = re.compile(r"[A-Za-z0-9_-]{1,128}\Z")
_SETUP = f"""
{ddl.registry(CONTROL)}
CREATE TABLE IF NOT EXISTS {CONTROL}.format(version integer NOT NULL);
CREATE TABLE IF NOT EXISTS {CONTROL}.environments(
  number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id text NOT NULL UNIQUE);
{FUNCTIONS}
"""


@dataclass(frozen=True, slots=True)
class Options:
    """How to reach the database. `direct_url` leads past a pooler, for listening."""

    url: str
    connections: int = 10
    transaction_pooling: bool = False
    direct_url: str | None = None


class PostgresDatabase:
    """See `bkend.store.interface.Database`. Make it with `await PostgresDatabase.open(...)`."""

    def __init__(self, options: Options, *, serving: bool) -> None:
        self._options = options
        self._sender = new_sender()
        self._totals = None if options.transaction_pooling or not serving else Totals()
        self._pool = Pool(
            options.url,
            options.connections if serving else _COMMAND_CONNECTIONS,
            transaction_pooling=options.transaction_pooling,
            connected=self._forget_totals,
        )
        # A session of its own: a pooler would hand it to somebody else.
        direct = Pool(options.direct_url or options.url, 1)
        self._listening = Listening(direct.connect, self._hear, self._forget)
        self._stores: dict[str, PostgresStore] = {}
        self._environments: dict[str, PostgresStore] = {}
        self._opening = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._version = ""
        self._closed = False
        self._control = self._store(CONTROL)

    @classmethod
    async def open(cls, options: Options, *, serving: bool) -> PostgresDatabase:
        """Open the database, setting up its schema if need be.

        A serving one listens for what other processes commit; a command's remembers nothing
        instead. Raises `StoreRefused`.
        """
        database = cls(options, serving=serving)
        try:
            await database._prepare()
            if serving:
                await database._listening.start()
        except BaseException as error:
            await database.close()
            if isinstance(error, Failure):
                raise refused(error, place_of(options.url)) from error
            raise
        return database

    async def _prepare(self) -> None:
        place = place_of(self._options.url)
        async with self._pool.transaction(seconds=None) as connection:
            self._version = await _check_server(connection, place)
            await ddl.lock(connection, CONTROL)
            if await _format(connection) != FORMAT:
                await connection.execute(_SETUP)
                await connection.execute(f"INSERT INTO {CONTROL}.format VALUES($1)", FORMAT)
        await self._control.reload()

    def _store(self, schema: str) -> PostgresStore:
        origin = Origin(self._sender, schema)
        store = PostgresStore(self._pool, origin, self._is_deaf, self._totals)
        self._stores[schema] = store
        return store

    # -- stores -----------------------------------------------------------------------------

    @property
    def control(self) -> PostgresStore:
        return self._control

    async def environment(self, environment_id: str) -> PostgresStore:
        found = self._environments.get(environment_id)
        if found is not None:
            return found
        _require_id(environment_id)
        async with self._opening:
            found = self._environments.get(environment_id)
            if found is None:
                try:
                    store = self._store(await self._schema_of(environment_id))
                    await store.reload()
                except Failure as error:
                    raise explained(error) from error
                found = self._environments[environment_id] = store
        return found

    async def _schema_of(self, environment_id: str) -> str:
        """The schema of an environment, made if need be."""
        async with self._pool.transaction() as connection:
            find = f"SELECT number FROM {CONTROL}.environments WHERE id=$1"
            number = await connection.fetchval(find, environment_id)
            if number is None:
                await ddl.lock(connection, CONTROL)
                number = await connection.fetchval(find, environment_id)
            if number is None:
                number = await connection.fetchval(
                    f"INSERT INTO {CONTROL}.environments(id) VALUES($1) RETURNING number",
                    environment_id,
                )
                await connection.execute(ddl.registry(f"{CONTROL}_{number}"))
        return f"{CONTROL}_{number}"

    async def close_environment(self, environment_id: str) -> None:
        async with self._opening:
            store = self._environments.pop(environment_id, None)
            if store is not None and not self._closed:
                del self._stores[store.schema]
                await store.close()

    async def drop_environment(self, environment_id: str) -> None:
        _require_id(environment_id)
        async with self._opening:
            store = self._environments.pop(environment_id, None)
            if store is not None:
                del self._stores[store.schema]
                await store.close()
            try:
                async with self._pool.transaction(seconds=None) as connection:
                    await ddl.lock(connection, CONTROL)
                    number = await connection.fetchval(
                        f"DELETE FROM {CONTROL}.environments WHERE id=$1 RETURNING number",
                        environment_id,
                    )
                    if number is not None:
                        await connection.execute(f"DROP SCHEMA {CONTROL}_{number} CASCADE")
            except Failure as error:
                raise explained(error) from error

    def refresh(self) -> None:
        """Word of changes comes by itself."""

    # -- news -------------------------------------------------------------------------------

    def _is_deaf(self) -> bool:
        return self._listening.is_deaf

    def _hear(self, news: News) -> None:
        store = self._stores.get(news.origin.schema)
        if store is None or news.origin.sender == self._sender:
            return
        store.hear(news)
        if news.redefined:
            task = asyncio.create_task(self._renew(store, news))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    @staticmethod
    async def _renew(store: PostgresStore, news: News) -> None:
        try:
            await store.reload()
        except (*Failure, StoreUnavailable):
            pass  # statements that meet a missing table look again
        store.hear(news)

    def _forget(self) -> None:
        self._forget_totals()
        for store in self._stores.values():
            store.forget()

    def _forget_totals(self) -> None:
        if self._totals is not None:
            self._totals.forget()

    # -- upkeep -----------------------------------------------------------------------------

    async def ping(self) -> None:
        try:
            await self._pool.fetchrow(f"UPDATE {CONTROL}.format SET version=version RETURNING 1")
        except Failure as error:
            raise explained(error) from error

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        async with self._opening:
            for store in [*self._stores.values()]:
                await store.close()
        await self._listening.close()
        for task in self._tasks:
            task.cancel()
        await self._pool.close()

    def describe(self) -> dict[str, Any]:
        return {"engine": "postgresql", "version": self._version}


def place_of(url: str) -> str:
    """The address without user name and password, for messages."""
    parts = urlsplit(url)
    hosts = parse_qs(parts.query).get("host")
    host = hosts[0] if hosts else parts.netloc.rpartition("@")[2] or "localhost"
    return f"PostgreSQL at {host}{parts.path}"


def _require_id(environment_id: str) -> None:
    if not _ENVIRONMENT_ID.match(environment_id):
        raise ValueError(f"not an environment id: {environment_id!r}")


async def _check_server(connection: Connection, place: str) -> str:
    """The server's version; StoreRefused when it is too old or not UTF-8."""
    number, version, encoding = await connection.fetchrow(
        "SELECT current_setting('server_version_num')::integer,"
        "current_setting('server_version'),current_setting('server_encoding')"
    ) or (0, "", "")
    if number < OLDEST_SERVER * 10_000:
        raise StoreRefused(
            f"{place} is version {version}: {OLDEST_SERVER} or later is needed; upgrade it"
        )
    if encoding != "UTF8":
        raise StoreRefused(
            f"{place} has the encoding {encoding}, and UTF8 is needed; make a database with: "
            f"createdb -E UTF8 -T template0 NAME"
        )
    return str(version)


async def _format(connection: Connection) -> int | None:
    """The format of what is there, None when nothing is. StoreRefused for a newer one."""
    if not await connection.fetchval("SELECT to_regclass($1)", f"{CONTROL}.format"):
        return None
    version: int | None = await connection.fetchval(f"SELECT version FROM {CONTROL}.format")
    if version is not None and version > FORMAT:
        raise StoreRefused(
            f"this data was written by a newer version (format {version}, this one knows {FORMAT})"
        )
    return version
