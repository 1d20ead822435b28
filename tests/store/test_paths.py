"""Paths into documents (20 §5), each asked for with and without an index on it."""

from __future__ import annotations

from typing import Any

import pytest

from bkend.store import ALWAYS, Compare, Equals, Exists, Not, OneOf, Sort, Store
from tests.store.rows import Table, agree, find_ids, hold

A_B, ITEMS = ("a", "b"), ("items", "name")

NESTED: dict[str, dict[str, Any]] = {
    "array": {"a": [{"b": "x"}, {"b": ["y"]}, "z", [{"b": "deep"}]]},
    "digits": {"a": {"1": {"b": "x"}}},
    "flat": {"a": {"b": "x"}},
    "list": {"a": {"b": ["x", ["w"], 7]}},
    "null": {"a": {"b": None}},
    "scalar": {"a": "b"},
    "without": {"a": {}},
}


BY_PATH: Table = [
    (Equals(A_B, "x"), ["array", "flat", "list"]),
    (Equals(A_B, "y"), ["array"]),
    (Equals(A_B, "w"), []),
    (Equals(A_B, ["w"]), ["list"]),
    (Equals(A_B, "deep"), []),
    (Equals(A_B, None), ["digits", "null", "scalar", "without"]),
    (Exists(A_B), ["array", "flat", "list", "null"]),
    (Not(Exists(A_B)), ["digits", "scalar", "without"]),
    (Compare(A_B, "gt", 6), ["list"]),
    (OneOf(A_B, ("y", 7)), ["array", "list"]),
    (Equals(("a", "1", "b"), "y"), ["array"]),
    (Equals(("a", "1", "b"), "x"), ["digits"]),
    (Equals(("a", "2"), "z"), ["array"]),
    (Equals(("a", "9"), "z"), []),
    (Exists(("a", "3", "b")), ["array"]),
    (Equals(("a", "9" * 40), 1), []),
    (Equals(("id", "x"), None), list(NESTED)),
]


async def test_paths_lead_through_objects_arrays_and_decimal_indexes(
    things: Store,
) -> None:
    await hold(things, **NESTED)
    await agree(things, BY_PATH)


async def test_an_index_on_a_dotted_path_finds_what_lies_behind_an_array(
    things: Store,
) -> None:
    await hold(things, plain={"items": {"name": "ink"}})
    assert await find_ids(things, Equals(ITEMS, "ink")) == ["plain"]
    await hold(things, cart={"items": [{"name": "pen"}, {"name": "ink"}]})
    assert await find_ids(things, Equals(ITEMS, "ink"), Sort(("id",))) == ["cart", "plain"]
    assert await find_ids(things, Not(Equals(ITEMS, "pen"))) == ["plain"]
    assert await find_ids(things, Equals(ITEMS, None)) == []


@pytest.mark.parametrize("segment", ['q"uote', "it's", "제목", "$v", "a b", "nul\0", "\\", "é", ""])
async def test_any_name_can_be_asked_for(things: Store, segment: str) -> None:
    await hold(things, flat={segment: "x"}, nested={"a": {segment: ["x"]}}, none={"z": 1})
    assert await find_ids(things, Equals((segment,), "x")) == ["flat"]
    assert await find_ids(things, Equals(("a", segment), "x")) == ["nested"]
    assert await find_ids(things, Exists((segment,))) == ["flat"]
    assert await find_ids(things, Not(Exists((segment,))), Sort(("id",))) == ["nested", "none"]
    assert await find_ids(things, ALWAYS, Sort((segment,)), Sort(("id",))) == [
        "nested",
        "none",
        "flat",
    ]


@pytest.mark.parametrize("segment", ["a", "0", "제목"])
async def test_the_longest_path_is_answered_quickly(things: Store, segment: str) -> None:
    body: Any = "leaf"
    for _ in range(10):
        body = {segment: body}
    await hold(things, deep=body, other={})
    path = (segment,) * 10
    assert await find_ids(things, Equals(path, "leaf")) == ["deep"]
    assert await find_ids(things, ALWAYS, Sort(path)) == ["other", "deep"]
