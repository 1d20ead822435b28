"""`andFilters` and `orFilters` (20 §5, §12 items 4 to 8)."""

from __future__ import annotations

from typing import Any

import httpx
import orjson
import pytest

from tests.answers import names, ok, refusal
from tests.people import People

ROWS: dict[str, dict[str, Any]] = {
    "five": {"v": 5, "level": 1, "due": "2025-01-15"},
    "five again": {"v": 5.0, "level": 2, "due": "2025-01-15T10:30:00+02:00"},
    "ten": {"v": 10, "level": 3, "due": "2025-01-16T00:00:00Z"},
    "text": {"v": "5", "level": None},
    "upper": {"v": "Text", "days": ["2025-01-15", "2025-01-17T12:00:00+02:00"]},
    "lower": {"v": "text", "when": "2025-01-15"},
    "accent": {"v": "é😀"},
    "yes": {"v": True, "trip": {"start": "2025-01-15"}},
    "stops": {"v": {"s": 1}, "stops": [{"at": "2025-01-15"}, {"at": None}, {"at": "2025-02-01"}]},
    "no": {"v": False},
    "one": {"v": 1},
    "zero": {"v": 0},
    "null": {"v": None},
    "missing": {},
    "tags": {"v": ["x", "y"]},
    "nested tags": {"v": [["x"], "z"]},
    "numbers": {"v": [3, 30]},
    "empty": {"v": []},
    "object": {"v": {"a": 1, "b": [True]}},
    "people": {"v": [{"n": "ada", "age": 3}, {"n": "bob"}, 7]},
    "deep": {"v": {"n": "ada", "l": [{"m": [{"n": 1}]}]}},
    "dotted": {"o": {"a.b": 1}, "0": "zero", "select": "x' OR 1=1 --"},
}


@pytest.fixture(scope="module", autouse=True)
def _rows(admin: httpx.Client) -> None:
    """The only rows of the table `filters`."""
    body = [{"name": name, **fields} for name, fields in ROWS.items()]
    ok(admin.post("/v1/data/filters", json=body), 201)


def listed(client: httpx.Client, **parameters: Any) -> set[str]:
    """Names of the rows that satisfy the filters; text goes as it is, the rest as JSON."""
    sent = {
        name: value if isinstance(value, str) else orjson.dumps(value).decode()
        for name, value in parameters.items()
    }
    answer = client.get("/v1/data/filters", params={"limit": "100", **sent})
    found = names(answer)
    assert ok(answer)["pagination"]["total"] == len(found)
    return set(found)


ALL = set(ROWS)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        # equality keeps the classes apart
        ({"v": 5}, {"five", "five again"}),
        ({"v": "5"}, {"text"}),
        ({"v": "text"}, {"lower"}),
        ({"v": "text "}, set()),
        ({"v": "é😀"}, {"accent"}),
        ({"v": True}, {"yes"}),
        ({"v": 1}, {"one"}),
        ({"v": 0}, {"zero"}),
        ({"v": False}, {"no"}),
        ({"v": {"$eq": 5}}, {"five", "five again"}),
        ({"v": ""}, set()),
        # null and missing
        ({"v": None}, {"null", "missing", "dotted"}),
        ({"v": {"$ne": None}}, ALL - {"null", "missing", "dotted"}),
        ({"v": {"$gte": None}}, {"null", "missing", "dotted"}),
        ({"v": {"$lte": None}}, {"null", "missing", "dotted"}),
        ({"v": {"$gt": None}}, set()),
        ({"v": {"$exists": True}}, ALL - {"missing", "dotted"}),
        ({"v": {"$exists": False}}, {"missing", "dotted"}),
        ({"v": {"$exists": 1}}, ALL - {"missing", "dotted"}),
        ({"v": {"$exists": 0}}, {"missing", "dotted"}),
        ({"v": {"$ne": 5}}, ALL - {"five", "five again"}),
        # order within a class only
        ({"v": {"$gt": 5}}, {"ten", "numbers", "people"}),
        ({"v": {"$gte": 5}}, {"five", "five again", "ten", "numbers", "people"}),
        ({"v": {"$lt": 5}}, {"one", "zero", "numbers"}),
        ({"v": {"$gte": 4, "$lte": 6}}, {"five", "five again", "numbers"}),
        ({"v": {"$gt": "T"}}, {"upper", "lower", "accent", "tags", "nested tags"}),
        ({"v": {"$gt": "Text"}}, {"lower", "accent", "tags", "nested tags"}),
        ({"v": {"$lt": "U"}}, {"text", "upper"}),
        ({"v": {"$gt": False}}, {"yes"}),
        ({"v": {"$gte": False}}, {"yes", "no"}),
        # lists
        (
            {"v": {"$in": [5, "text", None]}},
            {"five", "five again", "lower", "null", "missing", "dotted"},
        ),
        ({"v": {"$in": []}}, set()),
        ({"v": {"$nin": []}}, ALL),
        ({"v": {"$nin": [5, None]}}, ALL - {"five", "five again", "null", "missing", "dotted"}),
        ({"v": {"$in": [[]]}}, {"empty"}),
        # arrays: an element, or the whole
        ({"v": "x"}, {"tags"}),
        ({"v": ["x"]}, {"nested tags"}),
        ({"v": ["x", "y"]}, {"tags"}),
        ({"v": ["y", "x"]}, set()),
        ({"v": []}, {"empty"}),
        ({"v": 3}, {"numbers"}),
        ({"v": {"$gt": 20, "$lt": 5}}, {"numbers"}),
        ({"v": {"$ne": "x"}}, ALL - {"tags"}),
        # objects, in any key order
        ({"v": {"b": [True], "a": 1.0}}, {"object"}),
        ({"v": {"a": 1}}, set()),
        ({"v": {"b": [1], "a": 1}}, set()),
        ({"v": {}}, set()),
        # paths
        ({"v.n": "ada"}, {"people", "deep"}),
        ({"v.n": None}, ALL - {"people", "deep"}),
        ({"v.age": {"$exists": True}}, {"people"}),
        ({"v.0.n": "ada"}, {"people"}),
        ({"v.1.n": "ada"}, set()),
        ({"v.0": "x"}, {"tags", "nested tags"}),
        ({"v.2": 7}, {"people"}),
        ({"v.l.m.n": 1}, {"deep"}),
        ({"v.l.0.m.0.n": 1}, {"deep"}),
        ({"v.b": True}, {"object"}),
        ({"o.a.b": 1}, set()),
        ({"0": "zero"}, {"dotted"}),
        ({"select": "x' OR 1=1 --"}, {"dotted"}),
        ({"nothing": "x"}, set()),
        ({"nothing": {"$ne": "x"}}, ALL),
        ({"nothing": None}, ALL),
        # an index answers alike
        ({"level": 2}, {"five again"}),
        ({"level": {"$gte": 2}}, {"five again", "ten"}),
        ({"level": None}, ALL - {"five", "five again", "ten"}),
        ({"level": {"$exists": True}}, {"five", "five again", "ten", "text"}),
        ({"level": {"$in": [1, "2", None]}}, ALL - {"five again", "ten"}),
        ({"level": "2"}, set()),
        # several
        ({"v": 5, "level": 1}, {"five"}),
        ([{"v": 5}, {"level": {"$gt": 1}}], {"five again"}),
        ({}, ALL),
        ([], ALL),
    ],
    ids=lambda value: repr(value) if not isinstance(value, set) else "",
)
def test_and_filters(admin: httpx.Client, condition: Any, expected: set[str]) -> None:
    assert listed(admin, andFilters=condition) == expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"v": 5, "level": 3}, {"five", "five again", "ten"}),
        ([{"v": 5, "level": 1}, {"v": "text"}], {"five", "lower"}),
        ({"v": {"$gte": 4, "$lte": 6}}, {"five", "five again", "numbers"}),
        ({}, ALL),
        ([], ALL),
        ({"v": {"$in": []}}, set()),
        ([{"v": {"$in": []}}, {"v": 10}], {"ten"}),
    ],
)
def test_or_filters(admin: httpx.Client, condition: Any, expected: set[str]) -> None:
    assert listed(admin, orFilters=condition) == expected


def test_both_together_are_an_intersection(admin: httpx.Client) -> None:
    found = listed(admin, andFilters={"v": 5}, orFilters={"level": 1, "name": "lower"})
    assert found == {"five"}


def test_repeated_keys_all_count(admin: httpx.Client) -> None:
    both = '{"v":{"$gte":1},"v":{"$lte":5}}'
    assert listed(admin, andFilters=both) == {"five", "five again", "one", "numbers"}
    assert listed(admin, andFilters='{"v":1,"v":5}') == set()
    assert listed(admin, orFilters='{"v":1,"v":10}') == {"one", "ten"}
    assert listed(admin, andFilters='{"v":{"$ne":1,"$ne":10,"$gt":0,"$lt":11}}') == {
        "five",
        "five again",
        "numbers",
        "people",
    }


def test_repeated_parameters_must_all_hold(admin: httpx.Client) -> None:
    both = {"andFilters": ['{"v":5}', '{"level":1}']}
    assert names(admin.get("/v1/data/filters", params=both)) == ["five"]
    both = {"orFilters": ['{"v":5,"v":10}', '{"level":3}']}
    assert names(admin.get("/v1/data/filters", params=both)) == ["ten"]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"due": "2025-01-15"}, {"five"}),
        ({"due": "2025-01-15T00:00:00.000Z"}, {"five"}),
        ({"due": "2025-01-15T01:00:00+01:00"}, {"five"}),
        ({"due": {"$gt": "2025-01-15"}}, {"five again", "ten"}),
        ({"due": {"$gte": "2025-01-15", "$lt": "2025-01-16"}}, {"five", "five again"}),
        ({"due": {"$in": ["2025-01-16", None]}}, ALL - {"five", "five again"}),
        ({"due": None}, ALL - {"five", "five again", "ten"}),
        ({"days": "2025-01-15"}, {"upper"}),
        ({"days": {"$gt": "2025-01-17T09:59:59Z"}}, {"upper"}),
        ({"days.1": "2025-01-17T10:00:00Z"}, {"upper"}),
        ({"days": ["2025-01-15", "2025-01-17T10:00:00Z"]}, {"upper"}),
        ({"trip.start": "2025-01-15"}, {"yes"}),
        ({"trip.start": {"$lt": "2025-01-16"}}, {"yes"}),
        ({"stops.at": "2025-02-01"}, {"stops"}),
        ({"stops.0.at": {"$lte": "2025-01-15"}}, {"stops"}),
        ({"when": "2025-01-15"}, {"lower"}),
        ({"when": {"$lt": "2025-01-15T00"}}, {"lower"}),
        ({"createdAt": {"$gt": "2020-01-01"}}, ALL),
        ({"createdAt": {"$lt": "2020-01-01T00:00:00+09:00"}}, set()),
        ({"updatedAt": {"$exists": True}}, ALL),
        ({"createdAt": None}, set()),
    ],
)
def test_dates_compare_as_instants_where_they_are_declared(
    admin: httpx.Client, condition: Any, expected: set[str]
) -> None:
    assert listed(admin, andFilters=condition) == expected


@pytest.mark.parametrize("path", ["due", "createdAt", "days", "days.0", "trip.start", "stops.at"])
@pytest.mark.parametrize("operand", [5, True, "", "soon", "15.01.2025", [1], {"a": 1}, 1736899200])
def test_what_is_no_date_is_refused_on_a_date(admin: httpx.Client, path: str, operand: Any) -> None:
    filters = orjson.dumps({path: operand}).decode()
    answer = admin.get("/v1/data/filters", params={"andFilters": filters})
    inner = refusal(answer, 400, "data/validation-error")
    assert inner["details"][0]["field"] == "andFilters"


def test_system_fields_are_paths_too(admin: httpx.Client) -> None:
    [row] = ok(admin.get('/v1/data/filters?andFilters={"name":"ten"}'))["items"]
    for name in ("id", "_id"):
        assert listed(admin, andFilters={name: row["id"]}) == {"ten"}
        assert listed(admin, andFilters={name: {"$in": [row["id"], "x", 5]}}) == {"ten"}
    assert listed(admin, andFilters={"createdBy": ""}) == ALL
    assert listed(admin, andFilters={"id": 5}) == set()
    assert listed(admin, andFilters={"createdAt": row["createdAt"]}) == ALL


def test_a_filter_cannot_escape_a_list_of_own_rows(people: People) -> None:
    with people.owner.client() as owner, people.other.client() as other:
        ok(owner.post("/v1/data/notes", json={"text": "hidden"}), 201)
        mine = ok(other.post("/v1/data/notes", json={"text": "hidden"}), 201)
        for filters in (
            {"andFilters": {"createdBy": people.owner.id}},
            {"orFilters": {"createdBy": people.owner.id, "text": "hidden"}},
            {"orFilters": [{"createdBy": people.owner.id}, {"id": {"$exists": True}}]},
            {"andFilters": {"createdBy": {"$ne": people.other.id}}},
        ):
            sent = {name: orjson.dumps(value).decode() for name, value in filters.items()}
            answer = other.get("/v1/data/notes", params={"limit": "100", **sent})
            assert {item["createdBy"] for item in ok(answer)["items"]} <= {people.other.id}
        listing = ok(other.get("/v1/data/notes?limit=100"))
        assert mine in listing["items"]
        assert listing["pagination"]["total"] == len(listing["items"])
