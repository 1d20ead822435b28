"""What is said of indexes, SQLite does: it seeks by every path that an index serves, and sorts
nothing but ties."""

from __future__ import annotations

from typing import Any

import pytest

from bkend.store import (
    ALWAYS,
    Collection,
    Compare,
    Condition,
    Equals,
    Find,
    Index,
    OneOf,
    Sort,
    all_of,
)
from bkend.store.serving import serves
from bkend.store.sqlite import ddl
from bkend.store.sqlite.files import open_file
from bkend.store.sqlite.plans import Planner
from bkend.store.sqlite.store import SqliteStore
from tests.engines import Engine
from tests.store.conftest import OpenDatabase
from tests.store.rows import THINGS, find_ids, insert
from tests.store.test_ddl import sql_objects

A, B, INNER = Equals(("a",), 1), Equals(("b",), "x"), Equals(("c", "d"), 2)
LATE, BY_N = Compare(("n",), "gt", 3), Sort(("n",), descending=True)


@pytest.fixture
def engine() -> Engine:
    """How SQLite goes about it; PostgreSQL has always indexed every path alike."""
    return "sqlite"


def plan_of(store: SqliteStore, query: Find) -> str:
    """How SQLite reads a page."""
    connection = open_file(store.path)
    try:
        planner = Planner(ddl.load(connection)[query.collection])
        made = planner.statement(connection, query, None)
        rows = list(connection.execute(f"EXPLAIN QUERY PLAN {made.page}", made.page_values))
        return "\n".join(str(row[3]) for row in rows)
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("fields", "where", "sort", "compared"),
    [
        ((("a", 1),), A, (), 1),
        ((("a", 1), ("b", 1)), all_of(A, B), (), 2),
        ((("b", 1), ("a", -1)), all_of(A, B), (), 2),
        ((("c.d", 1), ("a", 1), ("b", 1)), all_of(A, B, INNER), (), 3),
        ((("a", 1), ("n", 1)), all_of(A, LATE), (), 2),
        ((("a", 1), ("n", -1)), A, (BY_N,), 1),
        ((("a", 1), ("n", 1)), A, (BY_N,), 1),
        ((("a", 1), ("b", -1), ("n", 1)), A, (Sort(("b",)), BY_N), 1),
        ((("n", 1), ("b", -1)), ALWAYS, (BY_N, Sort(("b",))), 0),
        ((("createdBy", 1), ("n", 1)), Equals(("createdBy",), "u"), (BY_N,), 1),
    ],
    ids=str,
)
async def test_an_index_that_serves_is_used_for_all_it_holds(
    store: SqliteStore,
    fields: Any,
    where: Condition,
    sort: tuple[Sort, ...],
    compared: int,
) -> None:
    index = Index("it", fields)
    equals = frozenset(".".join(one.path) for one in _equal(where))
    ordered = tuple((".".join(key.path), -1 if key.descending else 1) for key in sort)
    then: Any = ordered or ((("n", 1),) if LATE in getattr(where, "parts", ()) else ())
    assert serves(index, equals, then)
    await store.define(Collection(THINGS, (index,)))
    await store.commit(
        [
            insert(f"{n:03}", {"a": n % 3, "b": "xyz"[n % 3], "c": {"d": n % 4}, "n": n % 9})
            for n in range(300)
        ]
    )
    told = plan_of(store, Find(THINGS, where, sort))
    assert "USING INDEX c" in told, told
    assert "_i" in told.partition("USING INDEX")[2], told
    assert told.partition("(")[2].count("?") >= compared, told
    for line in told.splitlines() if ordered else ():
        assert "TEMP B-TREE" not in line or "LAST" in line or "RIGHT PART" in line, told


def _equal(where: Condition) -> list[Equals]:
    parts = getattr(where, "parts", (where,))
    return [part for part in parts if isinstance(part, Equals)]


async def test_odd_values_behind_the_first_path_are_found(store: SqliteStore) -> None:
    await store.define(Collection(THINGS, (Index("it", (("a", 1), ("b", 1))),)))
    await store.commit(
        [
            insert("array", {"a": 1, "b": ["x", 2]}),
            insert("missing", {"a": 1}),
            insert("text", {"a": 1, "b": "x"}),
            insert("true", {"a": 1, "b": True}),
            insert("one", {"a": 1, "b": 1}),
        ]
    )
    assert await find_ids(store, all_of(A, B), Sort(("id",))) == ["array", "text"]
    assert await find_ids(store, all_of(A, Equals(("b",), True))) == ["true"]
    assert await find_ids(store, all_of(A, OneOf(("b",), (1, 2))), Sort(("id",))) == [
        "array",
        "one",
    ]
    assert await find_ids(store, A, Sort(("b",))) == ["missing", "one", "array", "text", "true"]


async def test_files_of_an_earlier_version_get_what_they_lack(open_database: OpenDatabase) -> None:
    database = await open_database()
    indexes = (Index("it", (("a", 1), ("b", 1))), Index("b", (("b", 1), ("a", 1))))
    await database.control.define(Collection(THINGS, indexes))
    before, path = sql_objects(database.control), database.control.path
    assert len([name for name in before if "_odd" in name]) == 2  # one for each path
    await database.close()
    connection = open_file(path)
    for name in before:
        if "_odd" in name:
            connection.execute(f"DROP INDEX {name}")
    connection.close()
    again = await open_database()
    assert sql_objects(again.control) == before
    assert await find_ids(again.control, all_of(A, B)) == []
