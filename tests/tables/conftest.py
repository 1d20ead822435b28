"""A real store with the tables service on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from bkend.clock import SystemClock
from bkend.store import Store
from bkend.tables.service import Tables
from tests.engines import ENGINES, open_engine
from tests.prepared import lay_out, lay_out_environment, prepared_url


@pytest.fixture(scope="module", params=ENGINES)
def database_url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    yield from prepared_url(request.param, request)


@pytest_asyncio.fixture
async def store(tmp_path: Path, database_url: str | None) -> AsyncIterator[Store]:
    directory = tmp_path / "data"
    await lay_out(directory, database_url)
    await lay_out_environment(directory, database_url, "env_test")
    database = await open_engine(database_url, directory, serving=False)
    yield await database.environment("env_test")
    await database.close()


@pytest_asyncio.fixture
async def tables(store: Store) -> Tables:
    return Tables(store, SystemClock())
