"""Rows against their schema, over HTTP (21 §3, §12 item 13)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.answers import ok, problems

NOT_A_STRING: list[Any] = [5, True, ["x"], {"x": 1}]
NOT_A_BOOLEAN: list[Any] = ["true", 0, 1, "", [], {}]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        # required, and texts
        ({"title": ...}, [("title", "required")]),
        ({"title": None}, [("title", "required")]),
        ({"must": None}, [("must", "required")]),
        *[({"title": value}, [("title", "type")]) for value in NOT_A_STRING],
        ({"title": "a"}, [("title", "minLength")]),
        ({"title": "abcdef"}, [("title", "maxLength")]),
        ({"title": "Abc"}, [("title", "pattern")]),
        ({"title": ""}, [("title", "minLength"), ("title", "pattern")]),
        ({"kind": "c"}, [("kind", "enum")]),
        ({"kind": "A"}, [("kind", "enum")]),
        # numbers
        ({"count": 5.5}, [("count", "type")]),
        ({"count": "5"}, [("count", "type")]),
        ({"count": True}, [("count", "type")]),
        ({"count": -1}, [("count", "minimum")]),
        ({"count": 11}, [("count", "maximum")]),
        ({"big": 2**63}, [("big", "maximum")]),
        ({"big": -(10**19)}, [("big", "minimum")]),
        ({"big": 1e300}, [("big", "maximum")]),
        ({"price": "5"}, [("price", "type")]),
        ({"price": False}, [("price", "type")]),
        # booleans
        *[({"done": value}, [("done", "type")]) for value in NOT_A_BOOLEAN],
        # dates
        *[
            ({"due": value}, [("due", "type")])
            for value in (
                *(0, 1736899200, 1736899200000, True, "", "soon", "15.01.2025", "2025-1-5"),
                *("2025-13-01", "2025-02-30", "2025", "2025-01", "01/15/2025", "20250115"),
                *("2025-01-15T25:00:00Z", ["2025-01-15"], {"date": 0}),
            )
        ],
        # arrays
        *[({"tags": value}, [("tags", "type")]) for value in ("a,b", "", {"0": "a"}, 5, True)],
        ({"tags": []}, [("tags", "minItems")]),
        ({"tags": ["a", "b", "c", "d"]}, [("tags", "maxItems")]),
        ({"tags": ["a", 5, None]}, [("tags[1]", "type"), ("tags[2]", "type")]),
        ({"tags": ["long"]}, [("tags[0]", "maxLength")]),
        ({"dates": ["2025-01-15", "x", 5]}, [("dates[1]", "type"), ("dates[2]", "type")]),
        # objects
        ({"address": "x"}, [("address", "type")]),
        ({"address": []}, [("address", "type")]),
        ({"address": {}}, [("address.city", "required")]),
        ({"address": {"city": None}}, [("address.city", "required")]),
        (
            {"address": {"city": 5, "zip": "x"}},
            [("address.city", "type"), ("address.zip", "type")],
        ),
        # references are not looked up, but are ids
        ({"author": 5}, [("author", "type")]),
        ({"author": ""}, [("author", "minLength")]),
        ({"author": "x" * 65}, [("author", "maxLength")]),
        # everything at once, in the order of the schema
        (
            {"must": 1, "done": 1, "count": "x", "title": None, "kind": 5},
            [
                ("title", "required"),
                ("kind", "enum"),
                ("kind", "type"),
                ("count", "type"),
                ("done", "type"),
                ("must", "type"),
            ],
        ),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_wrong_values_are_refused_and_pointed_at(
    admin: httpx.Client, fields: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    body = {name: value for name, value in ({"title": "abc"} | fields).items() if value is not ...}
    answer = admin.post("/v1/data/typed", json=body)
    assert sorted(problems(answer)) == sorted(expected)
    places = [place.partition("[")[0].partition(".")[0] for place, _ in problems(answer)]
    assert places == [place.partition("[")[0].partition(".")[0] for place, _ in expected]
    assert answer.json()["message"] == answer.json()["error"]["details"][0]["message"]
    if ... not in fields.values():
        made = ok(admin.post("/v1/data/typed", json={"title": "abc"}), 201)
        patched = admin.patch(f"/v1/data/typed/{made['id']}", json=fields)
        assert sorted(problems(patched)) == sorted(expected)


@pytest.mark.parametrize(
    ("fields", "stored"),
    [
        ({"title": "é😀"}, {}),
        ({"title": "aéééé"}, {}),
        ({"kind": "b"}, {}),
        ({"kind": None}, {}),
        ({"count": 5.0}, {"count": 5}),
        ({"count": 0}, {}),
        ({"count": 10}, {}),
        ({"big": 2**63 - 1}, {}),
        ({"big": -(2**63) + 1}, {}),
        ({"price": 5}, {}),
        ({"price": 5.25}, {}),
        ({"price": -1e-7}, {}),
        ({"done": True}, {}),
        ({"done": None}, {}),
        ({"due": "2025-01-15"}, {"due": "2025-01-15T00:00:00.000Z"}),
        ({"due": "2025-01-15T10:30:00"}, {"due": "2025-01-15T10:30:00.000Z"}),
        ({"due": "2025-01-15T10:30:00Z"}, {"due": "2025-01-15T10:30:00.000Z"}),
        ({"due": "2025-01-15T10:30:00.1Z"}, {"due": "2025-01-15T10:30:00.100Z"}),
        ({"due": "2025-01-15T10:30:00.123999Z"}, {"due": "2025-01-15T10:30:00.123Z"}),
        ({"due": "2025-01-15T10:30:00+09:00"}, {"due": "2025-01-15T01:30:00.000Z"}),
        ({"due": "2025-01-01T00:30:00+01:00"}, {"due": "2024-12-31T23:30:00.000Z"}),
        ({"due": "1969-12-31T23:59:59.999Z"}, {}),
        ({"due": "2024-02-29"}, {"due": "2024-02-29T00:00:00.000Z"}),
        ({"due": None}, {}),
        ({"tags": ["a", "éé😀"]}, {}),
        ({"tags": None}, {}),
        ({"dates": ["2025-01-15"]}, {"dates": ["2025-01-15T00:00:00.000Z"]}),
        ({"dates": []}, {}),
        (
            {"address": {"city": "x", "zip": 1.0, "more": [1]}},
            {"address": {"city": "x", "zip": 1, "more": [1]}},
        ),
        ({"address": {"city": "", "zip": None}}, {}),
        ({"author": "x" * 64}, {}),
        ({"author": "no such row"}, {}),
        *[({"any": value}, {}) for value in (5, "x", True, None, [1], {"a": 1})],
    ],
    ids=lambda value: repr(value)[:50],
)
def test_good_values_are_stored(
    admin: httpx.Client, fields: dict[str, Any], stored: dict[str, Any]
) -> None:
    record = ok(admin.post("/v1/data/typed", json={"title": "abc", **fields}), 201)
    expected = {**fields, **stored}
    assert {name: record[name] for name in fields} == expected
    assert [type(record[name]) for name in fields] == [type(expected[name]) for name in fields]
    patched = ok(admin.patch(f"/v1/data/typed/{record['id']}", json=fields))
    assert {name: patched[name] for name in fields} == expected


def test_message_names_the_first_failing_field(admin: httpx.Client) -> None:
    answer = admin.post("/v1/data/typed", json={"count": "x"})
    assert answer.json()["message"] == "title is required"


def test_strict_tables_refuse_undeclared_fields(admin: httpx.Client) -> None:
    answer = admin.post("/v1/data/strict", json={"title": "x", "b": 1, "a": None})
    assert sorted(problems(answer)) == [
        ("a", "additionalProperties"),
        ("b", "additionalProperties"),
    ]
    record = ok(admin.post("/v1/data/strict", json={"title": "x", "id": "y", "createdBy": ""}), 201)
    path = f"/v1/data/strict/{record['id']}"
    assert problems(admin.patch(path, json={"b": 1})) == [("b", "additionalProperties")]
    assert ok(admin.patch(path, json={**record, "title": "y"}))["title"] == "y"


def test_at_most_a_hundred_details_are_listed(admin: httpx.Client) -> None:
    body = {f"f{number}": 1 for number in range(300)}
    assert len(problems(admin.post("/v1/data/strict", json=body))) == 100
