"""SQLite with an index, SQLite without one, and the reference must always agree."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bkend.store import (
    ALWAYS,
    NEVER,
    Check,
    Collection,
    Compare,
    Condition,
    Contains,
    Database,
    DeleteWhere,
    Equals,
    Exists,
    Find,
    Index,
    Matches,
    Mentions,
    Not,
    OneOf,
    Sort,
    Store,
)
from bkend.store.conditions import And, Or
from bkend.store.documents import decode
from bkend.store.text import fold
from tests.store import reference
from tests.store.rows import documents, insert

BARE, INDEXED = "bare", "indexed"
INDEXES = (
    Index("by_a", (("a", 1),)),
    Index("by_b", (("b", -1), ("a", 1)), sparse=True),
    Index("by_a_b", (("a.b", 1),)),
    Index("by_b_a_b", (("b.a.b", -1),)),
    Index("by_owner", (("createdBy", 1), ("a", 1))),
)

keys = st.sampled_from(["a", "b", "0", "제목"])
numbers = st.sampled_from([0, 1, -1, 2, 0.5, 1.0, 1e22, 2**53 + 1, 2**63 - 1, 2**63, -(2**63)])
texts = st.sampled_from(
    [
        *("", "a", "b", "B", "1", "é", "a\0b", '"', "[1]", '{"a":1}', "\U0001f600", "ß", "\u212a"),
        *("e\u0301", "서울", "\u1109\u1165\u110b\u116e\u11af", "\n\u0301", "a%_!b", "\\"),
    ]
)
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=6,
)
# Often plain, so that the indexes answer alone; now and then odd.
plain = st.one_of(st.none(), numbers, texts)
bodies = st.one_of(
    st.dictionaries(keys, plain, max_size=4),
    st.dictionaries(keys, st.one_of(plain, st.booleans()), max_size=4),
    st.dictionaries(keys, st.one_of(plain, st.dictionaries(keys, plain)), max_size=4),
    st.fixed_dictionaries({"a": st.lists(st.dictionaries(keys, plain, max_size=2), max_size=2)}),
    st.dictionaries(keys, values, max_size=4),
)
rows = st.tuples(bodies, st.sampled_from(["", "u1", "u2"]), st.integers(0, 3))

paths = st.one_of(
    st.sampled_from([("a",), ("b",), ("a", "b"), ("a", "b"), ("b", "a", "b")]),
    st.lists(keys, min_size=1, max_size=4).map(tuple),
    st.sampled_from([("id",), ("createdBy",), ("createdAt",), ("updatedAt",), ("id", "a")]),
)
times = st.sampled_from(
    [
        "1970-01-01T00:00:00.001Z",
        "1970-01-01T01:00:00.002+01:00",
        "1970-01-01",
        "yesterday",
        "",
        "9999-12-31T23:59:59-23:59",
    ]
)
strange = st.sampled_from(
    [10**400, -(10**400), 2**64, -(2**63) - 1, "\ud800", "a\udfff", "\0", [10**400], ["\ud800"]]
)
operands = st.one_of(st.none(), plain, values, times, st.sampled_from(["u1", "id1"]), strange)
# Folded, as the planner gives them, and not.
parts = st.one_of(texts.map(fold), st.sampled_from(["B", "ss", "s", "k", "\ud800", "\u0301", "!"]))
patterns = st.sampled_from(
    [
        "",
        "a",
        "B",
        "^a",
        "b$",
        "a.b",
        "^.$",
        "[ab]",
        "é|1",
        "서울",
        "K",
        "s",
        "\\\\",
        "%",
        "\\d",
        "a *",
    ]
)
comparable = operands.filter(lambda v: v is not None and not isinstance(v, (list, dict)))
leaves: st.SearchStrategy[Condition] = st.one_of(
    st.sampled_from([ALWAYS, NEVER]),
    st.builds(Equals, paths, operands),
    st.builds(OneOf, paths, st.lists(operands, max_size=4).map(tuple)),
    st.builds(
        Compare,
        paths,
        st.sampled_from(["gt", "gte", "lt", "lte"]),
        comparable,
    ),
    st.builds(Exists, paths),
    st.builds(Contains, paths, parts),
    st.builds(Mentions, parts, st.frozensets(keys, max_size=2)),
    st.builds(Matches, paths, patterns, st.sampled_from(["", "i", "ms", "x"])),
)
conditions: st.SearchStrategy[Condition] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.lists(inner, max_size=3).map(lambda parts: And(tuple(parts))),
        st.lists(inner, max_size=3).map(lambda parts: Or(tuple(parts))),
    ),
    max_leaves=6,
)
sorts = st.lists(st.builds(Sort, paths, st.booleans()), max_size=2).map(tuple)


def agreement(examples: int) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        # The store is emptied and filled for each example; what it remembers is part of the test.
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


@pytest.fixture
async def both(database: Database) -> Store:
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


@agreement(400)
@given(st.lists(rows, max_size=8), st.lists(conditions, min_size=1, max_size=8))
async def test_conditions_mean_the_same_with_and_without_an_index(
    both: Store, drawn: list[Any], asked: list[Condition]
) -> None:
    held = await fill(both, drawn)
    checks: list[Check] = []
    for condition in asked:
        expected = [d["id"] for d in held if reference.matches(condition, d)]
        for collection in (BARE, INDEXED):
            page = await both.find(Find(collection, condition, (Sort(("id",)),), limit=len(held)))
            assert [d["id"] for d in documents(page)] == expected, collection
            assert page.total == len(expected), collection
            checks.append(Check(collection, condition, len(expected), len(expected)))
    await both.commit(checks)


@agreement(300)
@given(st.lists(rows, max_size=8), st.lists(sorts, min_size=1, max_size=6), st.booleans())
async def test_sort_orders_are_the_same_with_and_without_an_index(
    both: Store, drawn: list[Any], asked: list[tuple[Sort, ...]], descending: bool
) -> None:
    held = await fill(both, drawn)
    for sort in asked:
        for collection in (BARE, INDEXED):
            query = Find(collection, sort=sort, descending=descending)
            expected = [d["id"] for d in reference.ordered(held, query)]
            found: list[str] = []
            for offset in range(0, len(held), 3):
                page = await both.find(
                    Find(collection, ALWAYS, sort, descending, offset=offset, limit=3)
                )
                found.extend(d["id"] for d in documents(page))
            assert found == expected, collection


@agreement(150)
@given(st.lists(rows, max_size=8), conditions)
async def test_removing_by_condition_removes_what_the_reference_finds(
    both: Store, drawn: list[Any], condition: Condition
) -> None:
    held = await fill(both, drawn)
    left = [d["id"] for d in held if not reference.matches(condition, d)]
    removed = len(held) - len(left)
    assert await both.commit([DeleteWhere(BARE, condition), DeleteWhere(INDEXED, condition)]) == [
        removed,
        removed,
    ]
    for collection in (BARE, INDEXED):
        page = await both.find(Find(collection, sort=(Sort(("id",)),), limit=10))
        assert [d["id"] for d in documents(page)] == left


@agreement(100)
@given(st.lists(st.dictionaries(st.text(string.ascii_letters), values, max_size=4), max_size=5))
async def test_documents_come_back_as_they_were_stored(
    both: Store, drawn: list[dict[str, Any]]
) -> None:
    bodies = [{f"f{key}": value for key, value in body.items()} for body in drawn]
    held = await fill(both, [(body, "u1", 1) for body in bodies])
    for number, body in enumerate(bodies):
        stored = await both.get(BARE, f"id{number}")
        assert stored is not None
        assert decode(stored) == held[number]
        system = {"id", "createdBy", "createdAt", "updatedAt"}
        own = {key: value for key, value in decode(stored).items() if key not in system}
        assert reference.classed(own) == reference.classed(body)
