"""Collections and their indexes: made, changed, dropped, and kept over a restart."""

from __future__ import annotations

import asyncio
from typing import Any

import apsw
import pytest

from bkend.store import (
    ALWAYS,
    Collection,
    Compare,
    Condition,
    DeleteWhere,
    Duplicate,
    Equals,
    Find,
    Index,
    OneOf,
    Sort,
    UnknownCollection,
)
from bkend.store.conditions import And
from bkend.store.sqlite import SqliteDatabase
from bkend.store.sqlite.files import open_file
from bkend.store.sqlite.store import SqliteStore
from tests.engines import Engine
from tests.store.conftest import OpenDatabase
from tests.store.rows import THINGS, find_ids, insert


@pytest.fixture
def engine() -> Engine:
    """These tests are about SQLite alone."""
    return "sqlite"


BY_V = Index("v", (("v", 1),))
UNIQUE_V = Index("v", (("v", 1),), unique=True)


def sql_objects(store: SqliteStore) -> list[str]:
    """Names of all tables and indexes in the store's file."""
    connection = open_file(store.path)
    try:
        names = connection.execute("SELECT name FROM sqlite_schema ORDER BY name")
        return [name for (name,) in names if not name.startswith(("sqlite_", "bkend_"))]
    finally:
        connection.close()


async def test_a_definition_can_be_read_back_also_after_a_restart(
    open_database: OpenDatabase,
) -> None:
    collection = Collection(
        "posts; DROP TABLE x",
        (
            Index("by_status", (("status", 1), ("createdAt", -1))),
            Index("email", (("a.b", -1),), unique=True, sparse=True),
            Index('odd "name"', (("createdBy", 1), ("articleId", 1)), unique=True),
        ),
    )
    database = await open_database()
    await database.control.define(collection, Collection("empty"))
    assert database.control.collection(collection.name) == collection
    await database.control.commit([insert("a", {"n": 1}, into=collection.name)])
    await database.close()
    again = await open_database()
    assert again.control.collection(collection.name) == collection
    assert again.control.collection("empty") == Collection("empty")
    assert again.control.collection("x") is None
    assert await again.control.count(collection.name) == 1


async def test_defining_again_changes_only_what_differs(store: SqliteStore) -> None:
    await store.define(Collection(THINGS, (BY_V, Index("w", (("w", 1),)))))
    await store.commit([insert("a", {"v": 1, "w": 2})])
    before = sql_objects(store)
    await store.define(Collection(THINGS, (BY_V, Index("w", (("w", 1),)))))
    assert sql_objects(store) == before
    await store.define(Collection(THINGS, (BY_V, Index("w", (("w", -1),)))))
    assert len(sql_objects(store)) == len(before)
    assert len(set(sql_objects(store)) & set(before)) == len(before) - 2  # w and its odd values
    await store.define(Collection(THINGS))
    assert [name for name in sql_objects(store) if "_i" in name] == []
    assert await find_ids(store, Equals(("v",), 1)) == ["a"]


async def test_dropping_removes_everything_of_the_collection(store: SqliteStore) -> None:
    await store.define(Collection("other", (UNIQUE_V,)))
    before = sql_objects(store)
    await store.define(Collection("brief", (UNIQUE_V, Index("w", (("w", 1),)))))
    await store.commit([insert("a", {"v": 1}, into="brief")])
    await store.drop("brief")
    await store.drop("never there")
    assert sql_objects(store) == before
    with pytest.raises(UnknownCollection):
        await store.count("brief")
    await store.define(Collection("brief"))
    assert await store.count("brief") == 0


async def test_a_unique_index_over_duplicates_is_refused_and_changes_nothing(
    store: SqliteStore,
) -> None:
    old = Collection(THINGS, (BY_V, Index("w", (("w", 1),))))
    await store.define(old)
    await store.commit([insert("a", {"v": 1}), insert("b", {"v": 1})])
    before = sql_objects(store)
    new = Collection(THINGS, (Index("more", (("x", 1),)), Index("v", (("v", 1),), unique=True)))
    with pytest.raises(Duplicate) as refusal:
        await store.define(Collection("first"), new, Collection("last"))
    assert (refusal.value.collection, refusal.value.fields) == (THINGS, ("v",))
    assert store.collection(THINGS) == old
    assert store.collection("first") is None
    assert sql_objects(store) == before
    await store.commit([insert("c", {"v": 1})])
    assert await find_ids(store, Equals(("v",), 1)) == ["a", "b", "c"]


async def test_definitions_leave_little_in_memory(store: SqliteStore) -> None:
    def kept(connection: apsw.Connection, changes: Any) -> int:
        kinds = (apsw.SQLITE_DBSTATUS_CACHE_USED, apsw.SQLITE_DBSTATUS_STMT_USED)
        return sum(connection.status(kind)[0] for kind in kinds)

    await store.define(*(Collection(f"c{n}", (BY_V,)) for n in range(20)))
    assert await store._writer.submit(kept) < 100_000


async def test_a_failed_definition_does_not_disturb_commits_next_to_it(store: SqliteStore) -> None:
    await store.commit([insert("a", {"v": 1}), insert("b", {"v": 1})])
    outcomes = await asyncio.gather(
        store.commit([insert("c")]),
        store.define(Collection(THINGS, (UNIQUE_V,))),
        store.commit([insert("d", {"v": 1})]),
        store.commit([insert("e", {"v": 1})]),
        return_exceptions=True,
    )
    assert [isinstance(outcome, Duplicate) for outcome in outcomes] == [False, True, False, False]
    assert await find_ids(store) == ["a", "b", "c", "d", "e"]


async def test_commits_queued_behind_a_definition_already_obey_it(store: SqliteStore) -> None:
    outcomes = await asyncio.gather(
        store.commit([insert("a", {"v": 1})]),
        store.define(Collection(THINGS, (UNIQUE_V,))),
        store.commit([insert("b", {"v": 1})]),
        store.commit([insert("c", {"v": 2})]),
        return_exceptions=True,
    )
    refused = outcomes[2]
    assert isinstance(refused, Duplicate)
    assert refused.fields == ("v",)
    assert await find_ids(store) == ["a", "c"]


async def test_commits_queued_behind_a_drop_fail_alone(store: SqliteStore) -> None:
    await store.define(Collection("brief"))
    outcomes = await asyncio.gather(
        store.commit([insert("a")]),
        store.drop("brief"),
        store.commit([insert("b", into="brief")]),
        store.commit([insert("c", into="brief")]),
        store.commit([insert("d")]),
        return_exceptions=True,
    )
    assert [isinstance(outcome, UnknownCollection) for outcome in outcomes] == [
        False,
        False,
        True,
        True,
        False,
    ]
    assert await find_ids(store) == ["a", "d"]


@pytest.mark.parametrize("path", ["a b", "제목", "a.0", "a..b", "x'y", 'x"y', "$a", "", "a" * 65])
async def test_a_path_that_cannot_be_indexed_is_refused(store: SqliteStore, path: str) -> None:
    with pytest.raises(ValueError, match="cannot be indexed"):
        await store.define(Collection(THINGS, (Index("i", ((path, 1),)),)))
    assert store.collection(THINGS) == Collection(THINGS)


def plan_of(store: SqliteStore, query: Find, *, total: bool = False) -> str:
    """How SQLite would run the query for its page or its total."""
    connection = open_file(store.path)
    try:
        statement = store._planner(query.collection).statement(connection, query, None)
        text, values = statement.page, statement.page_values
        if total:
            text, values = statement.total, statement.total_values
        return "; ".join(
            step[3] for step in connection.execute(f"EXPLAIN QUERY PLAN {text}", values)
        )
    finally:
        connection.close()


SEARCHED: list[tuple[Condition, dict[str, Any]]] = [
    (Equals(("v",), 1), {"v": 1}),
    (Equals(("v",), 1), {"v": True}),
    (Equals(("v",), True), {"v": True}),
    (Equals(("v",), None), {"v": 1}),
    (OneOf(("v",), (1, "x")), {"v": "x"}),
    (OneOf(("v",), (1, None, True)), {"v": False}),
    (Compare(("v",), "gt", "a"), {"v": "x"}),
    (Compare(("v",), "lte", 5), {"v": 1}),
    (Compare(("v",), "lte", 5), {"v": True}),
    (Equals(("a", "b"), 1), {"a": {"b": 1}}),
    (And((Equals(("v",), 1), Equals(("z",), 1))), {"v": 1}),
    (Equals(("createdBy",), "u"), {}),
    (Equals(("id",), "a"), {}),
    (Compare(("createdAt",), "gte", "2025-01-01"), {}),
]


async def test_indexes_are_searched_wherever_their_values_allow(store: SqliteStore) -> None:
    await store.define(Collection(THINGS, (BY_V, Index("ab", (("a.b", 1),)))))
    for condition, body in SEARCHED:
        await store.commit([DeleteWhere(THINGS, ALWAYS), insert("a", body)])
        plan = plan_of(store, Find(THINGS, condition), total=True)
        assert "SEARCH" in plan, (condition, body, plan)
        assert "SCAN c" not in plan, (condition, body, plan)


async def test_a_sorted_list_reads_its_index_in_order(store: SqliteStore) -> None:
    await store.define(Collection(THINGS, (Index("v", (("v", 1),)),)))
    await store.commit([insert("a", {"v": 1})])
    for sort in ((), (Sort(("v",)),), (Sort(("v",), True),), (Sort(("createdAt",)),)):
        assert "SCAN" in (plan := plan_of(store, Find(THINGS, ALWAYS, sort)))
        assert "USING INDEX" in plan, sort


async def test_a_filtered_list_in_creation_order_needs_no_sorting(store: SqliteStore) -> None:
    await store.define(Collection(THINGS, (Index("v", (("v", -1),)),)))
    plan = plan_of(store, Find(THINGS, Equals(("v",), 1)))
    assert "TEMP B-TREE" not in plan
    assert "TEMP B-TREE" not in plan_of(store, Find(THINGS, Equals(("createdBy",), "u")))


async def test_what_people_name_never_reaches_sql(
    store: SqliteStore, database: SqliteDatabase
) -> None:
    evil = "x'); DROP TABLE c1; --"
    await store.define(Collection(evil, (Index(evil, (("v", 1),), unique=True),)))
    await store.commit([insert(evil, {"v": evil, evil: evil}, by=evil, into=evil)])
    for path in (("v",), (evil,), ("createdBy",), ("id",), (evil, evil)):
        for value in (evil, [evil], {evil: evil}):
            await store.find(Find(evil, Equals(path, value), (Sort(path),)))
    assert await find_ids(store, Equals((evil,), evil), collection=evil) == [evil]
    with pytest.raises(Duplicate):
        await store.commit([insert("other", {"v": evil}, into=evil)])
    assert await store.check_integrity() == []
    for text in sql_text(store):
        assert "DROP" not in text


def sql_text(store: SqliteStore) -> list[str]:
    connection = apsw.Connection(str(store.path))
    try:
        return [
            text for (text,) in connection.execute("SELECT coalesce(sql,'') FROM sqlite_schema")
        ]
    finally:
        connection.close()
