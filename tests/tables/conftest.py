"""A real store with the tables service on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from bkend.clock import SystemClock
from bkend.store import Store
from bkend.store.sqlite import SqliteDatabase
from bkend.tables.models import COLLECTIONS
from bkend.tables.service import Tables


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    database = await SqliteDatabase.open(tmp_path / "data", serving=False)
    found = await database.environment("env_test")
    await found.define(*COLLECTIONS)
    yield found
    await database.close()


@pytest_asyncio.fixture
async def tables(store: Store) -> Tables:
    return Tables(store, SystemClock())
