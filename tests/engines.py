"""Suites that run on every engine: `engine` is a fixture of theirs, parametrized by `ENGINES`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

import pytest

from bkend.store import Database
from bkend.store.postgres import Options, PostgresDatabase
from bkend.store.sqlite import SqliteDatabase
from tests.postgres import Postgres

Engine: TypeAlias = Literal["sqlite", "postgresql"]
ENGINES: tuple[Engine, ...] = ("sqlite", "postgresql")


def new_url(engine: Engine, request: pytest.FixtureRequest) -> str | None:
    """The address of an empty database; None for SQLite, which needs none."""
    if engine == "sqlite":
        return None
    server: Postgres = request.getfixturevalue("postgres_server")
    return server.make()


async def open_engine(url: str | None, directory: Path, *, serving: bool) -> Database:
    """The database at an address, or SQLite in a directory."""
    if url is None:
        return await SqliteDatabase.open(directory, serving=serving)
    return await PostgresDatabase.open(Options(url), serving=serving)
