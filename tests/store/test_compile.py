"""Conditions (20 §5), each answered with and without an index on the path."""

from __future__ import annotations

from typing import Any

import pytest

from bkend.store import (
    Compare,
    Condition,
    Equals,
    Exists,
    Find,
    Not,
    OneOf,
    Sort,
    Store,
    all_of,
    any_of,
)
from bkend.store.conditions import And, Or, Path
from tests.store.rows import Table, agree, find_ids, hold, ids, insert

V, A_B = ("v",), ("a", "b")

ALL_CLASSES: dict[str, dict[str, Any]] = {
    "array": {"v": [5]},
    "empty": {"v": []},
    "false": {"v": False},
    "five": {"v": 5},
    "half": {"v": 5.5},
    "missing": {},
    "null": {"v": None},
    "object": {"v": {"x": 1}},
    "one": {"v": 1},
    "text": {"v": "5"},
    "true": {"v": True},
    "word": {"v": "b"},
    "zero": {"v": 0},
}


FIVE_OR_NULL = ("array", "five", "missing", "null")

BY_CLASS: Table = [
    (Equals(V, 5), ["array", "five"]),
    (Equals(V, 5.0), ["array", "five"]),
    (Equals(V, "5"), ["text"]),
    (Equals(V, "5 "), []),
    (Equals(V, "B"), []),
    (Equals(V, 1), ["one"]),
    (Equals(V, True), ["true"]),
    (Equals(V, 0), ["zero"]),
    (Equals(V, False), ["false"]),
    (Equals(V, None), ["missing", "null"]),
    (Equals(V, [5]), ["array"]),
    (Equals(V, []), ["empty"]),
    (Equals(V, {"x": 1}), ["object"]),
    (Equals(V, {"x": 1.0}), ["object"]),
    (Equals(V, {"x": True}), []),
    (Equals(V, '{"x":1}'), []),
    (Equals(V, "[5]"), []),
    (Not(Equals(V, 5)), [name for name in ALL_CLASSES if name not in ("array", "five")]),
    (Not(Equals(V, None)), [n for n in ALL_CLASSES if n not in ("missing", "null")]),
    (OneOf(V, ()), []),
    (Not(OneOf(V, ())), list(ALL_CLASSES)),
    (OneOf(V, (5, "b")), ["array", "five", "word"]),
    (OneOf(V, (True, None)), ["missing", "null", "true"]),
    (OneOf(V, ({"x": 1}, [], 0)), ["empty", "object", "zero"]),
    (Not(OneOf(V, (5, None))), [n for n in ALL_CLASSES if n not in FIVE_OR_NULL]),
    (Compare(V, "gt", 1), ["array", "five", "half"]),
    (Compare(V, "gte", 5), ["array", "five", "half"]),
    (Compare(V, "lt", 5), ["one", "zero"]),
    (Compare(V, "lte", 5), ["array", "five", "one", "zero"]),
    (Compare(V, "gt", "5"), ["word"]),
    (Compare(V, "gte", ""), ["text", "word"]),
    (Compare(V, "lt", "b"), ["text"]),
    (Compare(V, "gt", False), ["true"]),
    (Compare(V, "lte", True), ["false", "true"]),
    (Exists(V), [name for name in ALL_CLASSES if name != "missing"]),
    (Not(Exists(V)), ["missing"]),
]


async def test_values_of_different_classes_are_never_equal_nor_compared(
    things: Store,
) -> None:
    await hold(things, **ALL_CLASSES)
    await agree(things, BY_CLASS)


WITH_BOOLEANS: Table = [
    (Equals(V, 5), ["five"]),
    (Equals(V, True), ["true"]),
    (Equals(V, False), []),
    (Equals(V, 1), ["one"]),
    (Not(Equals(V, True)), ["five", "one", "text"]),
    (OneOf(V, (True, "5")), ["text", "true"]),
    (OneOf(V, (1, 5)), ["five", "one"]),
    (Compare(V, "gte", 1), ["five", "one"]),
    (Compare(V, "gte", False), ["true"]),
    (Compare(V, "lt", "6"), ["text"]),
    (Equals(V, [5]), []),
    (Equals(V, {}), []),
]


async def test_a_column_with_booleans_but_no_arrays_keeps_them_apart_from_numbers(
    things: Store,
) -> None:
    await hold(things, five={"v": 5}, one={"v": 1}, text={"v": "5"}, true={"v": True})
    await agree(things, WITH_BOOLEANS)


PLAIN: Table = [
    (Equals(V, True), []),
    (Not(Equals(V, True)), ["null", "one", "text"]),
    (Compare(V, "gte", 0), ["one"]),
    (Compare(V, "gt", "0"), ["text"]),
    (Equals(V, None), ["null"]),
    (OneOf(V, (1, None)), ["null", "one"]),
    (Equals(V, [1]), []),
]


async def test_a_column_of_numbers_and_strings_only(
    things: Store,
) -> None:
    await hold(things, null={"v": None}, one={"v": 1}, text={"v": "1"})
    await agree(things, PLAIN)


async def test_the_first_odd_value_is_seen_by_the_very_next_query(things: Store) -> None:
    await hold(things, one={"v": 1})
    assert await find_ids(things, Equals(V, 1)) == ["one"]
    await hold(things, true={"v": True})
    assert await find_ids(things, Equals(V, 1)) == ["one"]
    assert await find_ids(things, Equals(V, True)) == ["true"]
    await hold(things, list={"v": [1]})
    assert await find_ids(things, Equals(V, 1), Sort(("id",))) == ["list", "one"]


async def test_a_remembered_query_for_one_is_not_used_for_true(things: Store) -> None:
    await hold(things, one={"v": 1, "w": [1]}, true={"v": True, "w": [True]})
    for _ in range(2):
        for path in (V, ("w",)):
            assert await find_ids(things, Equals(path, 1)) == ["one"]
            assert await find_ids(things, Equals(path, True)) == ["true"]
            assert await find_ids(things, OneOf(path, (1, 7))) == ["one"]
            assert await find_ids(things, OneOf(path, (True, 7))) == ["true"]
            assert await find_ids(things, Compare(path, "gte", 1)) == ["one"]
            assert await find_ids(things, Compare(path, "gte", True)) == ["true"]


@pytest.mark.parametrize("value", ["a\0b", "\0", "한글", "\U0001f600", "it's", '"', "%", ""])
async def test_any_string_can_be_asked_for(things: Store, value: str) -> None:
    await hold(things, it={"v": value, "w": [value]}, other={"v": value + "x"})
    assert await find_ids(things, Equals(V, value)) == ["it"]
    assert await find_ids(things, OneOf(V, (value, "no such"))) == ["it"]
    assert await find_ids(things, Equals(("w",), value)) == ["it"]
    assert await find_ids(things, Compare(V, "gt", value)) == ["other"]


@pytest.mark.parametrize(
    "value", ["\ud800", "x\udfff", ["\ud800"], {"\ud800": 1}, 10**400, -(10**400), [10**400]]
)
async def test_what_no_document_can_hold_equals_nothing(things: Store, value: Any) -> None:
    await hold(things, number={"v": 1}, text={"v": "x"}, odd={"v": [True]})
    for path in (V, ("v", "w"), ("id",), ("createdBy",), ("createdAt",)):
        assert await find_ids(things, Equals(path, value)) == []
        assert await find_ids(things, OneOf(path, (value, value))) == []
        assert len(await find_ids(things, Not(Equals(path, value)))) == 3
    assert await find_ids(things, Equals(("\ud800",), 1)) == []


async def test_strings_no_document_can_hold_compare_with_nothing(things: Store) -> None:
    await hold(things, number={"v": 1}, text={"v": "x"})
    for path in (V, ("w",), ("id",), ("createdBy",), ("updatedAt",)):
        assert await find_ids(things, Compare(path, "lt", "\ud800")) == []
        assert await find_ids(things, Compare(path, "gte", "\ud800")) == []


async def test_numbers_beyond_64_bits_are_compared_as_numbers(things: Store) -> None:
    await hold(things, large={"v": 2**63}, small={"v": 5}, least={"v": -(2**63)})
    assert await find_ids(things, Compare(V, "lt", 10**400), Sort(V)) == ["least", "small", "large"]
    assert await find_ids(things, Compare(V, "gt", 10**30)) == []
    assert await find_ids(things, Compare(V, "gt", -(10**400))) != []
    assert await find_ids(things, Equals(V, 2**63)) == ["large"]
    assert await find_ids(things, Equals(V, 2.0**63)) == ["large"]
    assert await find_ids(things, Equals(V, -(2**63))) == ["least"]


async def test_large_neighbouring_integers_stay_apart(things: Store) -> None:
    await hold(things, even={"v": 2**53}, odd={"v": 2**53 + 1})
    assert await find_ids(things, Equals(V, 2**53 + 1)) == ["odd"]
    assert await find_ids(things, Equals(V, 2**53)) == ["even"]
    assert await find_ids(things, Compare(V, "gt", 2.0**53)) == ["odd"]


BY_TIME: Table = [
    (Compare(("createdAt",), "gte", "2025-01-15"), ["late", "noon"]),
    (Compare(("createdAt",), "gt", "2025-01-15T12:00:00Z"), ["late"]),
    (Compare(("createdAt",), "lte", "2025-01-15T21:00:00.000+09:00"), ["early", "noon"]),
    (Compare(("updatedAt",), "lt", "2025-01-15T12:00:00"), ["early"]),
    (Equals(("createdAt",), "2025-01-15T12:00:00.000Z"), ["noon"]),
    (Equals(("createdAt",), "2025-01-15T21:00:00+09:00"), ["noon"]),
    (OneOf(("createdAt",), ("2025-01-15T12:00:00Z", "soon", 7)), ["noon"]),
    (OneOf(("createdAt",), ("soon",)), []),
    (Not(Equals(("createdAt",), "2025-01-15T12:00:00Z")), ["early", "late"]),
    (Equals(("createdAt",), "soon"), []),
    (Equals(("createdAt",), ""), []),
    (Not(Equals(("createdAt",), "soon")), ["early", "late", "noon"]),
    (Compare(("createdAt",), "gt", "soon"), []),
    (Compare(("createdAt",), "lt", "2025-13-45"), []),
    (Compare(("createdAt",), "gt", 0), []),
    (Compare(("createdAt",), "gt", "0001-01-01T00:00:00+23:59"), ["early", "late", "noon"]),
    (Equals(("createdAt",), None), []),
    (Exists(("createdAt",)), ["early", "late", "noon"]),
    (Exists(("createdAt", "x")), []),
]


async def test_times_are_compared_as_instants(
    things: Store,
) -> None:
    noon = 1_736_942_400_000
    times = {"early": noon - 86_400_000, "late": noon + 1, "noon": noon}
    await things.commit([insert(id, at=at) for id, at in times.items()])
    await agree(things, BY_TIME)


BY_SYSTEM_FIELD: Table = [
    (Equals(("createdBy",), "u1"), ["a"]),
    (Equals(("createdBy",), ""), ["b"]),
    (Equals(("createdBy",), None), []),
    (Equals(("createdBy",), 1), []),
    (OneOf(("createdBy",), ("u1", "", 3)), ["a", "b"]),
    (OneOf(("createdBy",), (3, None)), []),
    (Compare(("createdBy",), "gt", ""), ["a", "c"]),
    (Compare(("createdBy",), "gt", 0), []),
    (Equals(("id",), "b"), ["b"]),
    (Not(OneOf(("id",), ("a", "b"))), ["c"]),
    (Equals(("id",), ["b"]), []),
]


async def test_system_fields_hold_one_string(
    things: Store,
) -> None:
    owners = {"a": "u1", "b": "", "c": "u2"}
    await things.commit([insert(id, by=by) for id, by in owners.items()])
    await agree(things, BY_SYSTEM_FIELD)


async def test_a_hundred_leaves_in_any_shape(things: Store) -> None:
    await hold(things, **{f"d{n:02}": {"v": n, "a": {"b": n}} for n in range(10)})

    def leaf(number: int) -> Condition:
        path: Path = (V, A_B, ("0", "x"))[number % 3]
        return Not(Equals(path, number % 10))

    deep: Condition = Equals(V, 3)
    for number in range(100):
        deep = Or((And((deep, leaf(number))), Equals(A_B, 5)))
    wide_and = And(tuple(leaf(number) for number in range(100)))
    wide_or = Or(tuple(Equals(A_B, number) for number in range(100)))
    nots: Condition = Equals(V, 3)
    for _ in range(100):
        nots = Not(nots)
    assert await find_ids(things, deep) == ["d05"]
    assert await find_ids(things, wide_and) == []
    assert len(await find_ids(things, wide_or)) == 10
    assert await find_ids(things, nots) == ["d03"]


@pytest.mark.parametrize("path", [V, ("w",), A_B, ("0", "1"), ("id",), ("createdAt",)])
async def test_a_thousand_values_in_one_list(things: Store, path: Path) -> None:
    await hold(things, **{f"n{n}": {"v": n, "w": [n], "a": {"b": n}} for n in (1, 999, 5000)})
    numbers: list[Any] = list(range(1000))
    mixed = (*numbers, *map(str, numbers), None, True, *([n] for n in numbers))
    found = await find_ids(things, OneOf(path, tuple(numbers)), Sort(("id",)))
    assert found == (["n1", "n999"] if path in (V, ("w",), A_B) else [])
    assert len(await find_ids(things, OneOf(path, mixed))) in (0, 2, 3)


async def test_an_offset_beyond_all_numbers_is_an_empty_page(things: Store) -> None:
    await hold(things, one={"v": 1})
    page = await things.find(Find("things", offset=10**30, limit=10**30))
    assert (ids(page), page.total, page.items) == ([], 1, b"[]")


async def test_conditions_combine(things: Store) -> None:
    await hold(things, **{str(n): {"n": n, "v": n % 2} for n in range(6)})
    odd, small = Equals(V, 1), Compare(("n",), "lt", 3)
    assert await find_ids(things, all_of(odd, small)) == ["1"]
    assert await find_ids(things, any_of(odd, small), Sort(("n",))) == ["0", "1", "2", "3", "5"]
    assert await find_ids(things, Not(any_of(odd, small))) == ["4"]
    assert await find_ids(things, all_of()) == [str(n) for n in range(6)]
    assert await find_ids(things, any_of()) == []
    assert await find_ids(things, And(())) == [str(n) for n in range(6)]
    assert await find_ids(things, Or(())) == []
