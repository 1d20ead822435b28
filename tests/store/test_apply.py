"""What each operation of a commit does, and what it refuses."""

from __future__ import annotations

import asyncio

import pytest

from bkend.store import (
    ALWAYS,
    Check,
    Collection,
    Compare,
    Conflict,
    Delete,
    DeleteWhere,
    Duplicate,
    Equals,
    Exists,
    Index,
    Missing,
    Operation,
    Store,
    Update,
)
from tests.store.rows import THINGS, document, find_ids, insert, own_fields

# -- update ----------------------------------------------------------------------------------


async def test_update_replaces_removes_and_adds(store: Store) -> None:
    await store.commit(
        [insert("a", {"keep": 1, "whole": {"x": 1}, "gone": 2, "n": 5, "none": None})]
    )
    (body,) = await store.commit(
        [
            Update(
                THINGS,
                "a",
                set={"whole": {"y": 2}, "new": [1]},
                unset=("gone", "never there"),
                increment={"n": 2, "fresh": 3, "none": -1},
            )
        ]
    )
    assert body == await store.get(THINGS, "a")
    assert await own_fields(store, "a") == {
        "keep": 1,
        "whole": {"y": 2},
        "n": 7,
        "none": -1,
        "new": [1],
        "fresh": 3,
    }


async def test_updated_at_never_moves_backwards(store: Store) -> None:
    await store.commit([insert("a", at=5_000)])
    moves = [(7_000, "07"), (6_000, "07"), (None, "07"), (8_000, "08")]
    for updated_at, second in moves:
        await store.commit([Update(THINGS, "a", set={"n": 1}, updated_at=updated_at)])
        found = await document(store, "a")
        assert found is not None
        assert found["updatedAt"] == f"1970-01-01T00:00:{second}.000Z"
        assert found["createdAt"] == "1970-01-01T00:00:05.000Z"
    assert await find_ids(store, Compare(("updatedAt",), "gte", "1970-01-01T00:00:08Z")) == ["a"]


async def test_concurrent_increments_all_count(store: Store) -> None:
    await store.commit([insert("a", {"n": 0})])
    add_one = [Update(THINGS, "a", increment={"n": 1})]
    await asyncio.gather(*(store.commit(add_one) for _ in range(100)))
    assert await own_fields(store, "a") == {"n": 100}


async def test_large_numbers_survive_an_update_of_other_fields(store: Store) -> None:
    numbers = {"huge": 1e22, "wide": 2**63, "exact": 2**53 + 1, "small": 5e-324}
    await store.commit([insert("a", numbers)])
    await store.commit([Update(THINGS, "a", set={"n": 1})])
    body = await store.get(THINGS, "a")
    assert body is not None
    assert b'"huge":10000000000000000000000,' in body
    assert await own_fields(store, "a") == {**numbers, "n": 1}


# -- guards and checks -----------------------------------------------------------------------


async def test_a_guard_lets_only_one_of_many_through(store: Store) -> None:
    await store.commit([insert("token", {"used": False})])
    use = [Update(THINGS, "token", set={"used": True}, guard=Equals(("used",), False))]
    outcomes = await asyncio.gather(*(store.commit(use) for _ in range(50)), return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, Conflict)]
    assert len(refused) == 49
    assert all(error.collection == THINGS for error in refused)


async def test_guards_bind_updates_and_deletes(store: Store) -> None:
    await store.commit([insert("a", {"n": 1}, by="u1")])
    mine, theirs = Equals(("createdBy",), "u1"), Equals(("createdBy",), "u2")
    with pytest.raises(Conflict):
        await store.commit([Update(THINGS, "a", set={"n": 2}, guard=theirs)])
    with pytest.raises(Conflict):
        await store.commit([Delete(THINGS, "a", guard=theirs)])
    assert await own_fields(store, "a") == {"n": 1}
    await store.commit([Update(THINGS, "a", set={"n": 2}, guard=mine)])
    assert await store.commit([Delete(THINGS, "a", guard=mine)]) == [None]
    assert await store.get(THINGS, "a") is None


async def test_a_guard_looks_at_its_own_document_only(store: Store) -> None:
    await store.commit([insert("a", {"n": 1}), insert("b", {"n": 2})])
    with pytest.raises(Conflict):
        await store.commit([Delete(THINGS, "a", guard=Equals(("n",), 2))])
    assert await store.count(THINGS) == 2


async def test_what_is_missing_is_missing_before_any_guard(store: Store) -> None:
    never = Equals(("n",), "never")
    operations: list[Operation] = [
        Update(THINGS, "x"),
        Update(THINGS, "x", guard=never),
        Delete(THINGS, "x"),
        Delete(THINGS, "x", guard=never),
    ]
    for operation in operations:
        with pytest.raises(Missing) as refusal:
            await store.commit([operation])
        assert (refusal.value.collection, refusal.value.id) == (THINGS, "x")


@pytest.mark.parametrize(
    ("at_least", "at_most", "holds"),
    [
        (0, None, True),
        (3, None, True),
        (4, None, False),
        (0, 3, True),
        (0, 2, False),
        (3, 3, True),
        (0, 0, False),
        (4, 9, False),
    ],
)
async def test_check_requires_a_number_of_documents(
    store: Store, at_least: int, at_most: int | None, holds: bool
) -> None:
    await store.commit([insert(str(n), {"on": n < 3}) for n in range(5)])
    check = Check(THINGS, Equals(("on",), True), at_least, at_most)
    if holds:
        assert await store.commit([check, insert("new")]) == [3, await store.get(THINGS, "new")]
    else:
        with pytest.raises(Conflict) as refusal:
            await store.commit([insert("new"), check])
        assert (refusal.value.collection, refusal.value.position) == (THINGS, 1)
        assert await store.get(THINGS, "new") is None


async def test_a_check_sees_the_operations_before_it(store: Store) -> None:
    at_most_two = Check(THINGS, ALWAYS, at_most=2)
    await store.commit([insert("a"), insert("b"), at_most_two])
    with pytest.raises(Conflict):
        await store.commit([insert("c"), at_most_two])
    await store.commit([Delete(THINGS, "a"), insert("c"), at_most_two])
    assert await find_ids(store) == ["b", "c"]


async def test_a_quota_holds_against_concurrent_commits(store: Store) -> None:
    quota = Check(THINGS, ALWAYS, at_most=10)
    outcomes = await asyncio.gather(
        *(store.commit([insert(f"n{n}"), quota]) for n in range(50)), return_exceptions=True
    )
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 40
    assert await store.count(THINGS) == 10


async def test_checks_and_guards_on_an_indexed_path_follow_the_values(store: Store) -> None:
    """Inside a transaction nothing remembered about an indexed column may be trusted."""
    await store.define(Collection(THINGS, (Index("v", (("v", 1),)),)))
    one, true = Equals(("v",), 1), Equals(("v",), True)
    results = await store.commit(
        [
            Check(THINGS, one, at_most=0),
            insert("one", {"v": 1}),
            Check(THINGS, one, 1, 1),
            Check(THINGS, true, 0, 0),
            insert("true", {"v": True}),
            Check(THINGS, one, 1, 1),
            Check(THINGS, true, 1, 1),
            insert("list", {"v": [1, True]}),
            Check(THINGS, one, 2, 2),
            Update(THINGS, "list", set={"m": 1}, guard=true),
            Delete(THINGS, "true"),
            DeleteWhere(THINGS, true),
            Check(THINGS, true, 0, 0),
        ]
    )
    assert results[-2:] == [1, 0]
    assert await find_ids(store) == ["one"]
    await store.commit([insert("true", {"v": True})])
    assert await store.commit([DeleteWhere(THINGS, one)]) == [1]
    assert await store.commit([DeleteWhere(THINGS, true)]) == [1]


async def test_delete_where_removes_all_that_match(store: Store) -> None:
    await store.commit([insert(str(n), {"n": n} if n % 2 else {}) for n in range(10)])
    assert await store.commit([DeleteWhere(THINGS, Exists(("n",)))]) == [5]
    assert await store.commit([DeleteWhere(THINGS, Exists(("n",)))]) == [0]
    assert await find_ids(store) == ["0", "2", "4", "6", "8"]


# -- all or nothing --------------------------------------------------------------------------

REFUSED: list[tuple[Operation, type[Exception]]] = [
    (insert("there"), Duplicate),
    (Update(THINGS, "nowhere", set={"n": 1}), Missing),
    (Update(THINGS, "there", set={"n": 9}, guard=Equals(("n",), 5)), Conflict),
    (Delete(THINGS, "nowhere"), Missing),
    (Check(THINGS, ALWAYS, at_least=99), Conflict),
    (Update(THINGS, "there", increment={"text": 1}), TypeError),
    (Update(THINGS, "there", set={"text": "\ud800"}), TypeError),
]


@pytest.mark.parametrize(("refused", "error"), REFUSED)
async def test_one_refused_operation_undoes_its_whole_commit(
    store: Store, refused: Operation, error: type[Exception]
) -> None:
    await store.define(Collection("others"))
    rows = [insert("there", {"n": 1, "text": "x"}), insert("old", {"n": 2}), insert("third")]
    before = await store.commit(rows)
    harmless: list[Operation] = [
        insert("new"),
        Update(THINGS, "old", set={"n": 7}),
        Delete(THINGS, "third"),
        insert("else", into="others"),
        DeleteWhere(THINGS, Equals(("n",), 7)),
    ]
    for place in range(len(harmless) + 1):
        with pytest.raises(error):
            await store.commit([*harmless[:place], refused, *harmless[place:]])
        assert [await store.get(THINGS, row.id) for row in rows] == before
        assert await store.count(THINGS) == len(rows)
        assert await store.count("others") == 0


async def test_a_thousand_inserts_with_one_bad_store_nothing(store: Store) -> None:
    await store.commit([insert("n700")])
    with pytest.raises(Duplicate) as refusal:
        await store.commit([insert(f"n{n}") for n in range(1000)])
    assert (refusal.value.fields, refusal.value.position) == (("id",), 700)
    assert await store.count(THINGS) == 1
    good = await store.commit([insert(f"m{n}", {"n": n}) for n in range(1000)])
    assert good == [await store.get(THINGS, f"m{n}") for n in range(1000)]
