"""Sort orders (20 §7), with and without an index."""

from __future__ import annotations

from typing import Any

import pytest

from bkend.store import ALWAYS, Find, Sort, Store
from tests.store.rows import find_ids, ids, insert

V = ("v",)


async def hold_all(store: Store, *bodies: dict[str, Any]) -> None:
    await store.commit([insert(f"{n:02}", body) for n, body in enumerate(bodies)])


IN_ORDER: list[dict[str, Any]] = [
    {"v": []},
    {},
    {"v": None},
    {"v": -1.5},
    {"v": 0},
    {"v": 1},
    {"v": 2**60},
    {"v": ""},
    {"v": "A"},
    {"v": "a"},
    {"v": "é"},
    {"v": "\U0001f600"},
    {"v": {"z": 1}},
    {"v": {"a": 2}},
    {"v": False},
    {"v": True},
]


async def test_types_stand_in_the_order_of_the_contract(things: Store) -> None:
    await hold_all(things, *IN_ORDER)
    expected = [f"{n:02}" for n in range(len(IN_ORDER))]
    assert await find_ids(things, ALWAYS, Sort(V)) == expected
    assert await find_ids(things, ALWAYS, Sort(V, descending=True)) == expected[::-1]


async def test_an_array_sorts_by_its_smallest_up_and_its_largest_down(things: Store) -> None:
    await hold_all(
        things, {"v": [1, 9]}, {"v": [5]}, {"v": [7, "a"]}, {"v": [True, None]}, {"v": 6}
    )
    assert await find_ids(things, ALWAYS, Sort(V)) == ["03", "00", "01", "04", "02"]
    assert await find_ids(things, ALWAYS, Sort(V, True)) == ["03", "02", "00", "04", "01"]


async def test_a_path_through_arrays_sorts_by_all_it_reaches(things: Store) -> None:
    await hold_all(
        things,
        {"a": [{"b": 3}, {"b": 1}]},
        {"a": {"b": 2}},
        {"a": [{"b": 9}, {"c": 0}]},
        {"a": []},
        {"a": {"b": []}},
        {"a": [{"b": []}, {"b": 8}]},
    )
    path = ("a", "b")
    assert await find_ids(things, ALWAYS, Sort(path)) == ["04", "05", "03", "00", "01", "02"]
    assert await find_ids(things, ALWAYS, Sort(path, True)) == ["02", "05", "00", "01", "03", "04"]


async def test_equal_keys_follow_the_id_in_the_same_direction(things: Store) -> None:
    await hold_all(things, {"v": 1}, {"v": 0}, {"v": 1}, {"v": 0})
    assert await find_ids(things, ALWAYS, Sort(V)) == ["01", "03", "00", "02"]
    assert await find_ids(things, ALWAYS, Sort(V, True)) == ["02", "00", "03", "01"]
    assert await find_ids(things, ALWAYS, Sort(("no such",))) == ["00", "01", "02", "03"]
    assert await find_ids(things, ALWAYS, Sort(("no such",), True)) == ["03", "02", "01", "00"]


async def test_several_keys_each_in_its_own_direction(things: Store) -> None:
    await hold_all(things, {"v": 1, "w": 1}, {"v": 2, "w": 1}, {"v": 1, "w": 2}, {"v": 2, "w": 2})
    by_both = await find_ids(things, ALWAYS, Sort(V, True), Sort(("w",)))
    assert by_both == ["01", "03", "00", "02"]
    by_id_last = await find_ids(things, ALWAYS, Sort(V), Sort(("id",), True))
    assert by_id_last == ["02", "00", "03", "01"]


async def test_without_a_key_creation_order_then_id(things: Store) -> None:
    await things.commit([insert("z", at=1), insert("b", at=2), insert("a", at=2)])
    assert await find_ids(things) == ["z", "a", "b"]
    assert await find_ids(things, descending=True) == ["b", "a", "z"]


async def test_system_fields_can_be_sorted_by(things: Store) -> None:
    await things.commit([insert("c", at=1, by="x"), insert("b", at=2, by="y")])
    for column in ("id", "createdBy", "createdAt", "updatedAt"):
        found = await find_ids(things, ALWAYS, Sort((column,)))
        assert found == (["b", "c"] if column == "id" else ["c", "b"])
        assert await find_ids(things, ALWAYS, Sort((column,), True)) == found[::-1]


@pytest.mark.parametrize("descending", [False, True])
async def test_walking_the_pages_meets_every_document_once(things: Store, descending: bool) -> None:
    await hold_all(things, *IN_ORDER, *IN_ORDER)
    count, sort = 2 * len(IN_ORDER), (Sort(V, descending),)
    for limit in (1, 2, 5):
        found: list[str] = []
        for offset in range(0, count, limit):
            page = await things.find(Find("things", sort=sort, offset=offset, limit=limit))
            assert page.total == count
            found.extend(ids(page))
        assert sorted(found) == [f"{n:02}" for n in range(count)]
        past = await things.find(Find("things", sort=sort, offset=count, limit=limit))
        assert (past.items, past.total) == (b"[]", count)
