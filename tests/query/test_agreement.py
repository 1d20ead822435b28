"""Every engine answers every query as the reference does: ids in order, and the exact total.

The reference (`tests/store/reference.py`) is given what the real planner makes of a generated
query string. `make agreement` asks for many more cases.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any
from urllib.parse import unquote_plus

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bkend.query.errors import InvalidData
from bkend.query.planner import plan_list
from bkend.store import ALWAYS, Collection, Database, DeleteWhere, Index, Store
from bkend.store.documents import decode
from bkend.tables.view import View
from tests.query.conftest import make_table
from tests.query.generated import COLUMNS, Maker
from tests.store import reference
from tests.store.rows import ids, insert

BARE, INDEXED = "t", "indexed"
INDEXES = (
    Index("by_s", (("s", 1),)),
    Index("by_n", (("n", -1), ("s", 1)), sparse=True),
    Index("by_d", (("d", 1),)),
    Index("by_o_s", (("o.s", 1),)),
    Index("by_m_s", (("m.s", 1),)),
    Index("by_owner", (("createdBy", 1), ("b", 1))),
)
TABLE = make_table(COLUMNS)
ROWS_A_SET = 12
QUERIES_A_SET = 50
CASES = int(os.environ.get("BKEND_AGREEMENT_CASES", "6000"))
IS_LONG = "BKEND_AGREEMENT_CASES" in os.environ


@pytest.fixture
async def store(database: Database) -> Store:
    """Two collections for the same rows, with and without indexes."""
    await database.control.define(Collection(BARE), Collection(INDEXED, INDEXES))
    return database.control


async def fill(store: Store, drawn: list[Any]) -> list[dict[str, Any]]:
    """Put the same rows into both collections, and return them as documents."""
    inserts = [
        insert(f"id{number}", body, by=by, at=at, into=collection)
        for collection in (BARE, INDEXED)
        for number, (body, by, at) in enumerate(drawn)
    ]
    emptied = [DeleteWhere(BARE, ALWAYS), DeleteWhere(INDEXED, ALWAYS)]
    stored = (await store.commit([*emptied, *inserts]))[2 : 2 + len(drawn)]
    return [decode(body) for body in stored if isinstance(body, bytes)]


@settings(
    max_examples=max(1, CASES // QUERIES_A_SET),
    deadline=None,
    derandomize=not IS_LONG,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(st.integers(0, 2**63))
async def test_every_query_is_answered_as_the_reference_answers_it(store: Store, seed: int) -> None:
    maker = Maker(seed)
    drawn = [(maker.body(), maker.owner(), number % 3) for number in range(ROWS_A_SET)]
    held = await fill(store, drawn)
    for _ in range(QUERIES_A_SET):
        query = maker.query()
        try:
            find = plan_list(TABLE, View("ada"), query).find
        except InvalidData:
            continue
        expected = reference.page(held, find)
        for collection in (BARE, INDEXED):
            page = await store.find(replace(find, collection=collection))
            found = (ids(page), page.total)
            assert found == expected, (seed, collection, unquote_plus(query), find, held)
