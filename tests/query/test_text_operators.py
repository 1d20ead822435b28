"""`$regex` and `$contains` (20 §5), and `search` (20 §6)."""

from __future__ import annotations

from typing import Any

import pytest

from bkend.query.errors import InvalidData
from bkend.query.planner import plan_list
from bkend.tables.view import View
from tests.query.conftest import COLUMNS, Each, Listing, make_table, query_string

NOON = "2025-01-15T12:00:00.000Z"
ROWS: dict[str, dict[str, Any]] = {
    "plain": {"name": "Hello World"},
    "small": {"name": "hello world"},
    "lines": {"name": "one\ntwo\tthree"},
    "quotes": {"name": 'say "hi" \\ there'},
    "percent": {"name": "100%_!"},
    "korean": {"name": "서울 강남구"},
    "jamo": {"name": "\u1109\u1165\u110b\u116e\u11af 시청"},
    "street": {"name": "Hauptstraße"},
    "kelvin": {"name": "20 \u212a"},
    "accent": {"name": "caf\u0065\u0301"},
    "tagged": {"tags": ["News", "Sport"], "address": {"city": "Seoul"}},
    "items": {"any": [{"label": "First"}, {"label": "second"}]},
    "dates": {"due": NOON, "days": [NOON]},
    "number": {"any": 2025, "level": 12},
    "nested": {"any": {"deep": "Treasure"}, "more": [["Treasure"]]},
    "undeclared": {"note": "Treasure"},
}


@pytest.fixture(autouse=True)
async def _rows(listing: Listing) -> None:
    await listing.hold("ada", **ROWS)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"name": {"$regex": "Hello"}}, {"plain"}),
        ({"name": {"$regex": "Hello", "$options": ""}}, {"plain"}),
        ({"name": {"$regex": "hello", "$options": "i"}}, {"plain", "small"}),
        ({"name": {"$options": "i", "$regex": "^hello"}}, {"plain", "small"}),
        ({"name": {"$regex": "World$"}}, {"plain"}),
        ({"name": {"$regex": "^two"}}, set()),
        ({"name": {"$regex": "^two", "$options": "m"}}, {"lines"}),
        ({"name": {"$regex": "one.two"}}, set()),
        ({"name": {"$regex": "one.two", "$options": "s"}}, {"lines"}),
        ({"name": {"$regex": "Hello # comment\n\\ W", "$options": "x"}}, {"plain"}),
        ({"name": {"$regex": "HELLO world", "$options": "ix"}}, set()),
        ({"name": {"$regex": "^[Hh].*d$"}}, {"plain", "small"}),
        ({"name": {"$regex": '"hi" \\\\ '}}, {"quotes"}),
        ({"name": {"$regex": "%_!"}}, {"percent"}),
        ({"name": {"$regex": "서울"}}, {"korean"}),
        ({"name": {"$regex": "20 k", "$options": "i"}}, {"kelvin"}),
        ({"name": {"$regex": "Hello", "$ne": "Hello World"}}, set()),
        ({"name": {"$regex": ""}}, {name for name, row in ROWS.items() if "name" in row}),
        ({"tags": {"$regex": "^Sp"}}, {"tagged"}),
        ({"tags.0": {"$regex": "^Sp"}}, set()),
        ({"address.city": {"$regex": "^Seo"}}, {"tagged"}),
        ({"any.label": {"$regex": "^s"}}, {"items"}),
        ({"any.0.label": {"$regex": "^F"}}, {"items"}),
        ({"any": {"$regex": "2025"}}, set()),
        ({"any": {"$regex": "label"}}, set()),
        ({"due": {"$regex": "2025"}}, set()),
        ({"createdAt": {"$regex": ""}}, set()),
        ({"id": {"$regex": "^plain$"}}, {"plain"}),
        ({"_id": {"$regex": "^(small|plain)$"}}, {"small", "plain"}),
        ({"createdBy": {"$regex": "^a", "$exists": True}}, set(ROWS)),
        ({"missing": {"$regex": ""}}, set()),
        ({"name": {"$contains": "HELLO"}}, {"plain", "small"}),
        ({"name": {"$contains": "o w"}}, {"plain", "small"}),
        ({"name": {"$contains": "e\nT"}}, {"lines"}),
        ({"name": {"$contains": '"HI"'}}, {"quotes"}),
        ({"name": {"$contains": "\\"}}, {"quotes"}),
        ({"name": {"$contains": "%"}}, {"percent"}),
        ({"name": {"$contains": "_"}}, {"percent"}),
        ({"name": {"$contains": "!"}}, {"percent"}),
        ({"name": {"$contains": ".*"}}, set()),
        ({"name": {"$contains": "서울"}}, {"korean", "jamo"}),
        ({"name": {"$contains": "\u1109\u1165\u110b\u116e\u11af"}}, {"korean", "jamo"}),
        ({"name": {"$contains": "STRASSE"}}, {"street"}),
        ({"name": {"$contains": "ß"}}, {"street"}),
        ({"name": {"$contains": "k"}}, {"kelvin"}),
        ({"name": {"$contains": "CAFÉ"}}, {"accent"}),
        ({"name": {"$contains": "cafe"}}, set()),
        ({"tags": {"$contains": "EWS"}}, {"tagged"}),
        ({"any.label": {"$contains": "IR"}}, {"items"}),
        ({"any": {"$contains": "treasure"}}, set()),
        ({"due": {"$contains": "2025"}}, set()),
        ({"days": {"$contains": "2025"}}, set()),
        ({"updatedAt": {"$contains": "1"}}, set()),
        ({"id": {"$contains": "PLAIN"}}, {"plain"}),
    ],
    ids=lambda value: repr(sorted(value) if isinstance(value, set) else value),
)
async def test_text_operators(listing: Listing, condition: Any, expected: set[str]) -> None:
    assert await listing.find({"andFilters": condition}) == expected
    assert await listing.find({"orFilters": [condition]}) == expected


async def test_repeated_patterns_share_their_options(listing: Listing) -> None:
    both = '{"name":{"$regex":"hello","$regex":"WORLD","$options":"i"}}'
    assert await listing.find({"andFilters": both}) == {"plain", "small"}


PATTERN_256 = "a" * 256


@pytest.mark.parametrize(
    ("operand", "rule"),
    [
        ({"$regex": "(a)\\1"}, "pattern"),
        ({"$regex": "(?=a)"}, "pattern"),
        ({"$regex": "(?<!a)"}, "pattern"),
        ({"$regex": "("}, "pattern"),
        ({"$regex": "a{2000}"}, "pattern"),
        ({"$regex": 5}, "operand"),
        ({"$regex": None}, "operand"),
        ({"$regex": ["a"]}, "operand"),
        ({"$regex": {"a": 1}}, "operand"),
        ({"$regex": PATTERN_256 + "a"}, "maxLength"),
        ({"$options": "i"}, "operand"),
        ({"$options": "i", "$eq": "a"}, "operand"),
        ({"$regex": "a", "$options": "g"}, "operand"),
        ({"$regex": "a", "$options": "I"}, "operand"),
        ({"$regex": "a", "$options": 1}, "operand"),
        ({"$regex": "a", "$options": None}, "operand"),
        ({"$regex": "a", "$options": ["i"]}, "operand"),
        ('{"a":{"$regex":"a","$options":"i","$options":"m"}}', "operand"),
        ({"$contains": ""}, "operand"),
        ({"$contains": 5}, "operand"),
        ({"$contains": None}, "operand"),
        ({"$contains": ["a"]}, "operand"),
        ('{"a":{"$contains":"\\ud800"}}', "format"),
        ('{"a":{"$regex":"\\ud800"}}', "pattern"),
    ],
    ids=lambda value: repr(sorted(value) if isinstance(value, set) else value),
)
async def test_what_is_no_pattern_or_text_is_refused(
    listing: Listing, operand: Any, rule: str
) -> None:
    filters = operand if isinstance(operand, str) else {"a": operand}
    for parameter in ("andFilters", "orFilters"):
        with pytest.raises(InvalidData) as refused:
            await listing.ask({parameter: filters})
        [detail] = refused.value.details
        assert (detail["field"], detail["rule"]) == (parameter, rule)


async def test_a_pattern_of_256_characters_is_taken(listing: Listing) -> None:
    assert await listing.find({"andFilters": {"name": {"$regex": PATTERN_256}}}) == set()


def test_refused_patterns_tell_nothing_of_the_engine() -> None:
    for pattern in ("(?=a)", "[", "x" * 300):
        query = query_string({"andFilters": {"a": {"$regex": pattern}}})
        with pytest.raises(InvalidData) as refused:
            plan_list(make_table(COLUMNS), View(""), query)
        text = refused.value.message.lower()
        assert "re2" not in text
        assert "sql" not in text


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"search": "hello"}, {"plain", "small"}),
        ({"search": "  HELLO "}, {"plain", "small"}),
        ({"search": "o w"}, {"plain", "small"}),
        ({"search": "hel*"}, set()),
        ({"search": "%"}, {"percent"}),
        ({"search": "strasse"}, {"street"}),
        ({"search": "서울"}, {"korean", "jamo"}),
        ({"search": "café"}, {"accent"}),
        ({"search": "SPORT"}, {"tagged"}),
        ({"search": "treasure"}, {"undeclared"}),
        ({"search": "seoul"}, set()),
        ({"search": "second"}, set()),
        ({"search": "label"}, set()),
        ({"search": "name"}, set()),
        ({"search": "2025"}, set()),
        ({"search": "12"}, set()),
        ({"search": "ada"}, set()),
        ({"search": "plain"}, set()),
        ({"search": "1970"}, set()),
        ({"search": ""}, set(ROWS)),
        ({"search": "   "}, set(ROWS)),
        ({"searchType": "name"}, set(ROWS)),
        ({"search": "hello", "searchType": "name"}, {"plain", "small"}),
        ({"search": "hello", "searchType": "tags"}, set()),
        ({"search": "hello", "searchType": " tags , name,"}, {"plain", "small"}),
        ({"search": "hello", "searchType": ","}, {"plain", "small"}),
        ({"search": "hello", "searchType": Each("tags", "name")}, {"plain", "small"}),
        ({"search": "SEOUL", "searchType": "address.city"}, {"tagged"}),
        ({"search": "second", "searchType": "any.label"}, {"items"}),
        ({"search": "treasure", "searchType": "any.deep"}, {"nested"}),
        ({"search": "treasure", "searchType": "nothing"}, set()),
        ({"search": "PLAI", "searchType": "id"}, {"plain"}),
        ({"search": "PLAI", "searchType": "_id"}, {"plain"}),
        ({"search": "AD", "searchType": "createdBy"}, set(ROWS)),
        ({"search": "1970", "searchType": "createdAt"}, set()),
        ({"search": "2025", "searchType": "due"}, set()),
        ({"search": "2025", "searchType": "days,due"}, set()),
        ({"search": "2025", "searchType": "any,level"}, set()),
        ({"search": Each("hello", "world")}, {"plain", "small"}),
        ({"search": Each("hello", "sport")}, set()),
        ({"search": "hello", "andFilters": {"name": "hello world"}}, {"small"}),
        ({"search": "hello", "orFilters": {"name": "x", "id": "plain"}}, {"plain"}),
    ],
    ids=lambda value: repr(sorted(value) if isinstance(value, set) else value),
)
async def test_search(listing: Listing, query: dict[str, Any], expected: set[str]) -> None:
    assert await listing.find({"limit": "100", **query}) == expected


async def test_search_has_256_characters_after_trimming(listing: Listing) -> None:
    await listing.hold(long={"name": "ß" * 256})
    assert await listing.find({"search": " " + "ß" * 256 + " "}) == {"long"}
    with pytest.raises(InvalidData) as refused:
        await listing.ask({"search": "a" * 257})
    assert refused.value.details[0]["field"] == "search"


@pytest.mark.parametrize("name", ["$name", "a..b", ".", "a" * 257, ".".join("abcdefghijk")])
async def test_a_malformed_place_to_search_is_refused(listing: Listing, name: str) -> None:
    with pytest.raises(InvalidData) as refused:
        await listing.ask({"search": "x", "searchType": name})
    assert refused.value.details[0]["field"] == "searchType"


async def test_places_to_search_count_as_conditions(listing: Listing) -> None:
    names = ",".join(f"f{number}" for number in range(100))
    assert await listing.find({"search": "x", "searchType": names}) == set()
    with pytest.raises(InvalidData):
        await listing.ask({"search": "x", "searchType": names + ",g"})
