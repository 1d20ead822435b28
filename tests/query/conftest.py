"""A table on every engine, asked through the real planner."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlencode

import orjson
import pytest

from bkend.query.planner import plan_list
from bkend.store import ALWAYS, Collection, DeleteWhere, Store
from bkend.tables.models import Table
from bkend.tables.schema import canonical_schema
from bkend.tables.view import View
from tests.engines import Engine, open_engine
from tests.postgres import Postgres
from tests.store.conftest import database, directory, engine, open_database, shared_url
from tests.store.rows import ids, insert

__all__ = ["database", "directory", "engine", "open_database", "shared_url"]

COLUMNS = {
    "name": {"type": "string"},
    "level": {"type": "number"},
    "count": {"type": "integer"},
    "done": {"type": "boolean"},
    "due": {"type": "date"},
    "days": {"type": "array", "items": {"type": "date"}},
    "tags": {"type": "array", "items": {"type": "string"}},
    "scores": {"type": "array", "items": {"type": "number"}},
    "any": {"type": "mixed"},
    "address": {"type": "object", "properties": {"city": {"type": "string"}}},
    "trip": {"type": "object", "properties": {"start": {"type": "date"}}},
}

Query: TypeAlias = "str | Mapping[str, Any]"


def make_table(columns: Mapping[str, Any]) -> Table:
    """A table of these columns, its rows in the collection `t`."""
    return Table("t", "t", canonical_schema(dict(columns)), (), None, None, None, 1, 1)


def query_string(query: Query) -> str:
    """A query string; of parameters given by name, what is no text goes as JSON."""
    if isinstance(query, str):
        return query
    pairs = [
        (name, one if isinstance(one, str) else orjson.dumps(one).decode())
        for name, value in query.items()
        for one in (value.values if isinstance(value, Each) else (value,))
    ]
    return urlencode(pairs)


class Each:
    """Several occurrences of one parameter."""

    def __init__(self, *values: Any) -> None:
        self.values = values

    def __repr__(self) -> str:
        return f"Each{self.values}"


@dataclass
class Listing:
    """One table with rows, asked by query strings."""

    store: Store
    table: Table
    rows: list[str] = field(default_factory=list)

    async def hold(self, _by: str = "", /, **rows: Mapping[str, Any]) -> None:
        """Store rows under their names as ids, all made at once by one user."""
        await self.store.commit([insert(id, body, by=_by, into="t") for id, body in rows.items()])
        self.rows.extend(rows)

    async def ask(self, query: Query, view: View | None = None) -> list[str]:
        """The ids on the answered page in order; with all rows on it the total must agree."""
        plan = plan_list(self.table, view or View(""), query_string(query))
        page = await self.store.find(plan.find)
        found = ids(page)
        assert page.total >= len(found)
        if len(found) < plan.limit and not plan.offset:
            assert page.total == len(found)
        return found

    async def find(self, query: Query, view: View | None = None) -> set[str]:
        """The ids on the answered page."""
        return set(await self.ask(query, view))


OpenListing: TypeAlias = Callable[..., Listing]


@pytest.fixture(scope="session")
def listing_url(postgres_server: Postgres) -> str:
    """One PostgreSQL database for all listings, with the table of the one before."""
    return postgres_server.make()


@pytest.fixture
async def listing(
    engine: Engine, directory: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Listing]:
    """An empty table with columns of every type."""
    url = request.getfixturevalue("listing_url") if engine == "postgresql" else None
    opened = await open_engine(url, directory, serving=True)
    store, rows = opened.control, Collection("t")
    if store.collection(rows.name) != rows:
        await store.define(rows)
    await store.commit([DeleteWhere(rows.name, ALWAYS)])
    yield Listing(store, make_table(COLUMNS))
    await opened.close()
