"""Unique indexes: what counts as equal, and how a duplicate is named (21 §5)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bkend.store import (
    ALWAYS,
    Check,
    Collection,
    DeleteWhere,
    Duplicate,
    Equals,
    Index,
    Store,
    Update,
)
from tests.store.rows import THINGS, find_ids, insert, own_fields


async def test_an_id_is_given_once(store: Store) -> None:
    await store.commit([insert("a", {"n": 1})])
    with pytest.raises(Duplicate) as refusal:
        await store.commit([insert("b"), insert("a", {"n": 2})])
    assert refusal.value.collection == THINGS
    assert (refusal.value.fields, refusal.value.position) == (("id",), 1)
    assert await own_fields(store, "a") == {"n": 1}


UNIQUE_FIELDS: list[tuple[tuple[str, ...], dict[str, Any], dict[str, Any]]] = [
    (("email",), {"email": "x"}, {"email": "x"}),
    (("a.b",), {"a": {"b": 1}}, {"a": {"b": 1.0}}),
    (("x", "y"), {"x": 1, "y": "1"}, {"x": 1, "y": "1"}),
    (("createdBy",), {}, {}),
    (("createdBy", "articleId"), {"articleId": 1}, {"articleId": 1}),
    (("createdBy", "createdAt"), {}, {}),
    (("createdAt", "createdBy"), {}, {}),
    (("email", "createdBy"), {"email": None}, {}),
]


@pytest.mark.parametrize(("fields", "one", "other"), UNIQUE_FIELDS)
async def test_a_duplicate_names_its_fields_and_position(
    store: Store, fields: tuple[str, ...], one: dict[str, Any], other: dict[str, Any]
) -> None:
    """Among other unique indexes, of columns and of paths, the violated one is named."""
    await store.define(
        Collection(
            THINGS,
            (
                Index("other_path", (("other", 1),), unique=True, sparse=True),
                Index("other_column", (("updatedAt", 1), ("other", 1)), unique=True, sparse=True),
                Index("by_id", (("id", 1), ("createdBy", 1)), unique=True),
                Index("it", tuple((name, 1) for name in fields), unique=True),
                Index("plain", (("email", 1),)),
            ),
        )
    )
    await store.commit([insert("a", one, by="u1")])
    with pytest.raises(Duplicate) as refusal:
        await store.commit([Check(THINGS, ALWAYS), insert("b", {**other, "other": 2}, by="u1")])
    assert (refusal.value.fields, refusal.value.position) == (fields, 1)
    with pytest.raises(Duplicate) as refusal:
        await store.commit([insert("b", {**other, "other": 2}, by="u1")])
    assert (refusal.value.fields, refusal.value.position) == (fields, 0)
    assert await find_ids(store) == ["a"]


async def test_an_update_that_makes_a_duplicate_is_refused(store: Store) -> None:
    await store.define(Collection(THINGS, (Index("e", (("e", 1),), unique=True),)))
    await store.commit([insert("a", {"e": 1}), insert("b", {"e": 2})])
    with pytest.raises(Duplicate) as refusal:
        await store.commit(
            [Update(THINGS, "a", set={"n": 1}), Update(THINGS, "b", set={"e": 1, "n": 1})]
        )
    assert (refusal.value.fields, refusal.value.position) == (("e",), 1)
    assert (await own_fields(store, "a"), await own_fields(store, "b")) == ({"e": 1}, {"e": 2})
    await store.commit([Update(THINGS, "a", set={"e": 1}), Update(THINGS, "b", increment={"e": 1})])
    assert await own_fields(store, "b") == {"e": 3}


SAME: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"v": 5}, {"v": 5.0}),
    ({}, {"v": None}),
    ({}, {}),
    ({"v": None}, {"v": None}),
    ({"v": "x"}, {"v": "x"}),
    ({"v": True}, {"v": True}),
    ({"v": [1, "a"]}, {"v": [1.0, "a"]}),
    ({"v": {"a": 1, "b": [1]}}, {"v": {"b": [1.0], "a": 1}}),
    ({"v": [{"a": 1, "b": 1e30}]}, {"v": [{"b": 1e30, "a": 1}]}),
    ({"v": ""}, {"v": ""}),
]
DIFFERENT: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"v": True}, {"v": 1}),
    ({"v": False}, {"v": 0}),
    ({"v": "5"}, {"v": 5}),
    ({"v": "a"}, {"v": "A"}),
    ({"v": "a"}, {"v": "a "}),
    ({"v": "[1]"}, {"v": [1]}),
    ({"v": '{"a":1}'}, {"v": {"a": 1}}),
    ({"v": ""}, {"v": None}),
    ({"v": 0}, {"v": None}),
    ({"v": [1, 2]}, {"v": [2, 1]}),
    ({"v": [1]}, {"v": [True]}),
    ({"v": {"a": 1}}, {"v": {"a": "1"}}),
    ({"v": []}, {"v": None}),
    ({"v": "a\0b"}, {"v": "a\0c"}),
    ({"v": 2**53}, {"v": 2**53 + 1}),
]


async def test_unique_values_are_compared_as_in_filters(store: Store) -> None:
    await store.define(Collection(THINGS, (Index("v", (("v", 1),), unique=True),)))
    for one, other in SAME:
        await store.commit([DeleteWhere(THINGS, ALWAYS), insert("one", one)])
        with pytest.raises(Duplicate) as refusal:
            await store.commit([insert("other", other)])
        assert refusal.value.fields == ("v",), (one, other)
    for one, other in DIFFERENT:
        await store.commit([DeleteWhere(THINGS, ALWAYS), insert("one", one)])
        await store.commit([insert("other", other)])


async def test_a_sparse_unique_index_leaves_out_rows_without_any_value(store: Store) -> None:
    index = Index("vw", (("v", 1), ("w", 1)), unique=True, sparse=True)
    await store.define(Collection(THINGS, (index,)))
    await store.commit([insert("a"), insert("b", {"v": None}), insert("c", {"v": None, "w": None})])
    await store.commit(
        [insert("d", {"v": 1}), insert("e", {"w": 1}), insert("f", {"v": 1, "w": 1})]
    )
    for id, body in (("g", {"v": 1}), ("h", {"v": 1, "w": None}), ("i", {"w": 1, "v": None})):
        with pytest.raises(Duplicate) as refusal:
            await store.commit([insert(id, body)])
        assert refusal.value.fields == ("v", "w")


async def test_fifty_parallel_equal_inserts_give_exactly_one(store: Store) -> None:
    await store.define(Collection(THINGS, (Index("e", (("email", 1),), unique=True),)))
    for turn in range(5):
        body = {"email": f"{turn}@example.com"}
        outcomes = await asyncio.gather(
            *(store.commit([insert(f"{turn}-{n}", body)]) for n in range(50)),
            return_exceptions=True,
        )
        refused = [outcome for outcome in outcomes if isinstance(outcome, Duplicate)]
        assert len(refused) == 49
        assert {(error.fields, error.position) for error in refused} == {(("email",), 0)}
        assert await store.count(THINGS, Equals(("email",), body["email"])) == 1
