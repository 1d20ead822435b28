"""A real store with the tables service on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from bkend.clock import SystemClock
from bkend.store import Store
from bkend.tables.models import COLLECTIONS
from bkend.tables.service import Tables
from tests.engines import ENGINES, new_url, open_engine
from tests.postgres import empty


@pytest.fixture(scope="module", params=ENGINES)
def database_url(request: pytest.FixtureRequest) -> str | None:
    return new_url(request.param, request)


@pytest_asyncio.fixture
async def store(tmp_path: Path, database_url: str | None) -> AsyncIterator[Store]:
    if database_url is not None:
        await empty(database_url)
    database = await open_engine(database_url, tmp_path / "data", serving=False)
    found = await database.environment("env_test")
    await found.define(*COLLECTIONS)
    yield found
    await database.close()


@pytest_asyncio.fixture
async def tables(store: Store) -> Tables:
    return Tables(store, SystemClock())
