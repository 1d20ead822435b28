"""Filters in bracket form (20 §9)."""

from __future__ import annotations

from typing import Any

import pytest

from bkend.query.errors import InvalidData
from tests.query.conftest import Each, Listing

ROWS: dict[str, dict[str, Any]] = {
    "five": {"level": 5, "count": 5, "any": 5, "name": "5", "scores": [1, 5]},
    "ten": {"level": 10.5, "count": 10, "any": "5", "name": "Ten", "scores": [10]},
    "null": {"level": None, "any": None, "name": None},
    "missing": {},
    "yes": {"done": True, "any": True, "name": "true", "due": "2025-01-15T00:00:00.000Z"},
    "no": {"done": False, "any": "true", "name": "a,b", "due": "2025-02-01T00:00:00.000Z"},
    "word": {"any": "null", "name": "null", "tags": ["x", "y"], "address": {"city": "Seoul"}},
}
ALL = set(ROWS)


@pytest.fixture(autouse=True)
async def _rows(listing: Listing) -> None:
    await listing.hold("ada", **ROWS)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"[level]": "5"}, {"five"}),
        ({"[level]": "5.0"}, {"five"}),
        ({"[level]": "0.5e1"}, {"five"}),
        ({"[level][eq]": "5"}, {"five"}),
        ({"[level][$eq]": "5"}, {"five"}),
        ({"[level][ne]": "5"}, ALL - {"five"}),
        ({"[level][gt]": "5"}, {"ten"}),
        ({"[level][$gte]": "5"}, {"five", "ten"}),
        ({"[level][lt]": "10.5"}, {"five"}),
        ({"[level][lte]": "10.5", "[level][gt]": "5"}, {"ten"}),
        ({"[level][in]": "5,10.5"}, {"five", "ten"}),
        ({"[level][in]": "5, null"}, None),
        ({"[level][in]": "5,null"}, ALL - {"ten"}),
        ({"[level][nin]": "5,null"}, {"ten"}),
        ({"[level]": "null"}, ALL - {"five", "ten"}),
        ({"[level][gte]": "null"}, ALL - {"five", "ten"}),
        ({"[level]": "five"}, None),
        ({"[level]": "0x5"}, None),
        ({"[level]": "NaN"}, None),
        ({"[level]": "1e999"}, None),
        ({"[level]": "true"}, None),
        ({"[count]": "5"}, {"five"}),
        ({"[scores]": "5"}, {"five"}),
        ({"[scores][gt]": "5"}, {"ten"}),
        ({"[scores]": "x"}, None),
        ({"[done]": "true"}, {"yes"}),
        ({"[done]": "false"}, {"no"}),
        ({"[done][ne]": "true"}, ALL - {"yes"}),
        ({"[done]": "1"}, None),
        ({"[done]": "TRUE"}, None),
        ({"[due]": "2025-01-15"}, {"yes"}),
        ({"[due][gt]": "2025-01-15T09:00:00+09:00"}, {"no"}),
        ({"[due][lt]": "soon"}, None),
        ({"[createdAt][gte]": "1970-01-01"}, ALL),
        ({"[createdAt][lt]": "yesterday"}, None),
        ({"[name]": "5"}, {"five"}),
        ({"[name]": "true"}, {"yes"}),
        ({"[name]": "null"}, {"null", "missing"}),
        ({"[name]": "a,b"}, {"no"}),
        ({"[name][in]": "a,b"}, set()),
        ({"[name][in]": "5,Ten"}, {"five", "ten"}),
        ({"[tags]": "x"}, {"word"}),
        ({"[address.city]": "Seoul"}, {"word"}),
        ({"[id]": "five"}, {"five"}),
        ({"[_id][in]": "five,ten"}, {"five", "ten"}),
        ({"[createdBy]": "ada"}, ALL),
        # undeclared or mixed: the text, or what it spells in JSON
        ({"[any]": "5"}, {"five", "ten"}),
        ({"[any]": '"5"'}, {"ten"}),
        ({"[any]": "true"}, {"yes", "no"}),
        ({"[any]": "null"}, {"word", "null", "missing"}),
        ({"[any][ne]": "null"}, ALL - {"word", "null", "missing"}),
        ({"[any][ne]": "5"}, ALL - {"five", "ten"}),
        ({"[any][in]": "5,true"}, {"five", "ten", "yes", "no"}),
        ({"[any][nin]": "5,true"}, {"null", "missing", "word"}),
        ({"[any][gte]": "5"}, {"five", "ten", "no", "word"}),
        ({"[any][gt]": "{"}, set()),
        ({"[none]": "null"}, ALL),
        ({"[none]": "x"}, set()),
        # every operator has its form
        ({"[name][regex]": "^t"}, {"yes"}),
        ({"[name][regex]": "^t", "[name][options]": "i"}, {"ten", "yes"}),
        ({"[name][$options]": "i", "[name][$regex]": "^t"}, {"ten", "yes"}),
        ({"[name][contains]": "T"}, {"ten", "yes"}),
        ({"[name][exists]": "true"}, ALL - {"missing"}),
        ({"[name][exists]": "1"}, ALL - {"missing"}),
        ({"[name][exists]": "false"}, {"missing"}),
        ({"[name][exists]": "0"}, {"missing"}),
        ({"[name][exists]": "yes"}, None),
        ({"[name][options]": "i"}, None),
        ({"[name][regex]": "("}, None),
        # malformed
        ({"[name][foo]": "x"}, None),
        ({"[name][$$eq]": "x"}, None),
        ({"[]": "x"}, None),
        ({"[name][]": "x"}, None),
        ({"[name][eq][eq]": "x"}, None),
        ({"[name": "x"}, None),
        ({"[name]x": "x"}, None),
        ({"[$or]": "x"}, None),
        ({"[a..b]": "x"}, None),
        ({"[" + "a" * 257 + "]": "x"}, None),
        ({"[name]": "x" * 32_769}, None),
        ({"[name][in]": ",".join(["x"] * 1000)}, set()),
        ({"[name][in]": ",".join(["x"] * 1001)}, None),
        ({"[any][in]": ",".join(["7"] * 1000)}, set()),
        ({"[any][in]": ",".join(["7"] * 1001)}, None),
    ],
    ids=lambda value: repr(sorted(value) if isinstance(value, set) else value)[:60],
)
@pytest.mark.parametrize("prefix", ["filter", "andFilters"])
async def test_bracket_forms(
    listing: Listing, prefix: str, query: dict[str, str], expected: set[str] | None
) -> None:
    sent = {prefix + name: value for name, value in query.items()}
    if expected is not None:
        assert await listing.find(sent) == expected
        return
    with pytest.raises(InvalidData) as refused:
        await listing.ask(sent)
    [detail] = refused.value.details
    assert detail["field"] in {name[:64] for name in sent}


async def test_all_forms_hold_together(listing: Listing) -> None:
    sent = {
        "andFilters": {"level": {"$exists": True}},
        "andFilters[level][gte]": "5",
        "filter[level][lt]": "10",
    }
    assert await listing.find(sent) == {"five"}
    assert await listing.find({"filter[name]": Each("5", "Ten")}) == set()
    assert await listing.find({"filter[name]": "", "filter[level]": "5"}) == {"five"}


async def test_alternatives_have_no_bracket_form(listing: Listing) -> None:
    with pytest.raises(InvalidData):
        await listing.ask({"orFilters[name]": "x"})


async def test_a_bracket_is_one_condition(listing: Listing) -> None:
    sent = {f"filter[f{number}]": "5" for number in range(100)}
    assert await listing.find(sent) == set()
    with pytest.raises(InvalidData):
        await listing.ask({**sent, "andFilters": {"a": 1}})
