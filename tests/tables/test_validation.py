"""Rows against a schema: coercion, null, defaults, every rule by its name (21 §3)."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest

from bkend.tables.schema import canonical_schema
from bkend.tables.validation import MOST_DETAILS, RowValidator, read_date

# definition, value: accepted as it is
ACCEPTED: list[tuple[Any, Any]] = [
    ("string", ""),
    ("string", "ü" * 1000),
    ("number", 5),
    ("number", 5.5),
    ("number", -1e300),
    ("int", 2**63 - 1),
    ("int", -(2**63) + 1),
    ("bool", True),
    ("bool", False),
    ("object", {}),
    ("object", {"a": [{"b": None}]}),
    ("array", []),
    ("array", [1, "a", None, {}]),
    ("mixed", None),
    ("mixed", [1, {"a": 2}]),
    ("reference", "x"),
    ("reference", "x" * 64),
    ("objectId", "5f1d7c"),
    ({"type": "string", "minLength": 2, "maxLength": 2}, "👍👍"),
    ({"type": "string", "pattern": "b"}, "abc"),
    ({"type": "string", "pattern": "^a+$"}, "aaa"),
    ({"type": "string", "enum": ["draft", "published"]}, "draft"),
    ({"type": "number", "enum": [1, 2.5]}, 2.5),
    ({"type": "number", "minimum": 1, "maximum": 3}, 1),
    ({"type": "number", "minimum": 1, "maximum": 3}, 3),
    ({"type": "array", "minItems": 1, "maxItems": 2}, [1, 2]),
    ({"type": "array", "items": "string"}, ["a", ""]),
    ({"type": "array", "items": {"type": ["string", "null"]}}, ["a", None]),
    ({"type": "object", "properties": {"city": "string"}}, {"city": "Rome", "more": 1}),
    ({"type": "object", "properties": {"city": "string"}}, {"city": None}),
]

# definition, value, rule, field
REFUSED: list[tuple[Any, Any, str, str]] = [
    ("string", 123, "type", "a"),
    ("string", True, "type", "a"),
    ("string", {}, "type", "a"),
    ("string", ["a"], "type", "a"),
    ("number", "5", "type", "a"),
    ("number", True, "type", "a"),
    ("number", "NaN", "type", "a"),
    ("int", 5.5, "type", "a"),
    ("int", "5", "type", "a"),
    ("int", True, "type", "a"),
    ("int", 2**63, "maximum", "a"),
    ("int", 1e300, "maximum", "a"),
    ("int", -1e19, "minimum", "a"),
    ("bool", "true", "type", "a"),
    ("bool", 0, "type", "a"),
    ("bool", 1, "type", "a"),
    ("date", 1705314600000, "type", "a"),
    ("date", "", "type", "a"),
    ("date", "15/01/2024", "type", "a"),
    ("date", "2024-13-01", "type", "a"),
    ("date", "2024-02-30", "type", "a"),
    ("date", True, "type", "a"),
    ("object", "x", "type", "a"),
    ("object", [], "type", "a"),
    ("array", "a,b", "type", "a"),
    ("array", {}, "type", "a"),
    ("reference", 5, "type", "a"),
    ("reference", "", "minLength", "a"),
    ("reference", "x" * 65, "maxLength", "a"),
    ("objectId", "", "minLength", "a"),
    ({"type": "string", "minLength": 3}, "👍👍", "minLength", "a"),
    ({"type": "string", "maxLength": 2}, "abc", "maxLength", "a"),
    ({"type": "string", "pattern": "^b"}, "abc", "pattern", "a"),
    ({"type": "string", "enum": ["draft"]}, "Draft", "enum", "a"),
    ({"type": "number", "enum": [1]}, 2, "enum", "a"),
    ({"type": "number", "minimum": 1}, 0.999, "minimum", "a"),
    ({"type": "number", "maximum": 1}, 1.001, "maximum", "a"),
    ({"type": "array", "minItems": 1}, [], "minItems", "a"),
    ({"type": "array", "maxItems": 1}, [1, 2], "maxItems", "a"),
    ({"type": "array", "items": "string"}, ["a", "b", 5], "type", "a[2]"),
    ({"type": "array", "items": "string"}, [None], "type", "a[0]"),
    ({"type": "array", "items": "date"}, ["2024-01-01", "x"], "type", "a[1]"),
    (
        {"type": "array", "items": {"type": "string", "maxLength": 1}},
        ["a", "bc"],
        "maxLength",
        "a[1]",
    ),
    ({"type": "object", "properties": {"city": "string"}}, {"city": 5}, "type", "a.city"),
    (
        {"type": "object", "properties": {"city": {"type": "string", "required": True}}},
        {},
        "required",
        "a.city",
    ),
    (
        {"type": "object", "properties": {"city": {"type": "string", "required": True}}},
        {"city": None},
        "required",
        "a.city",
    ),
    (
        {"type": "object", "properties": {}, "additionalProperties": False},
        {"city": 1},
        "additionalProperties",
        "a.city",
    ),
    (
        {"type": "array", "items": {"type": "object", "properties": {"b": "int"}}},
        [{"b": 1}, {"b": "x"}],
        "type",
        "a[1].b",
    ),
    ({"type": "mixed", "required": True}, None, "required", "a"),
    ({"type": "string", "required": True}, None, "required", "a"),
]

DATES = [
    ("2024-01-15", "2024-01-15T00:00:00.000Z"),
    ("2024-01-15T10:30:00Z", "2024-01-15T10:30:00.000Z"),
    ("2024-01-15T10:30:00z", "2024-01-15T10:30:00.000Z"),
    ("2024-01-15T10:30", "2024-01-15T10:30:00.000Z"),
    ("2024-01-15 10:30:00", "2024-01-15T10:30:00.000Z"),
    ("2024-01-15T10:30:00.1239Z", "2024-01-15T10:30:00.123Z"),
    ("2024-01-15T10:30:00.5", "2024-01-15T10:30:00.500Z"),
    ("2024-01-15T10:30:00+02:00", "2024-01-15T08:30:00.000Z"),
    ("2024-01-15T10:30:00-0530", "2024-01-15T16:00:00.000Z"),
    ("2023-12-31T23:30:00-01:00", "2024-01-01T00:30:00.000Z"),
    ("1969-07-20T20:17:40.001Z", "1969-07-20T20:17:40.001Z"),
    ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
]
NO_DATES = [
    None,
    5,
    "",
    "now",
    "2024",
    "2024-01",
    "15.01.2024",
    "01/15/2024",
    "Mon, 15 Jan 2024",
    "2024-01-15+02:00",
    "2024-01-15x10:30",
    "2024-01-15T",
    "2024-01-15T25:00",
    "2024-01-15T10:30:00+99:00",
    "0001-01-01T00:00:00+10:00",
    "9999-12-31T23:59:59-10:00",
    "1705314600000",
    "-2024-01-15",
]


def validator(fields: Any, **extra: Any) -> RowValidator:
    return RowValidator(canonical_schema(fields) | extra)


@pytest.mark.parametrize(("definition", "value"), ACCEPTED)
def test_values_that_fit_are_stored_unchanged(definition: Any, value: Any) -> None:
    rows = validator({"a": definition})
    assert rows.create({"a": copy.deepcopy(value)}) == ({"a": value}, [])
    assert rows.update({"a": copy.deepcopy(value)}) == ({"a": value}, [])


@pytest.mark.parametrize(("definition", "value", "rule", "field"), REFUSED)
def test_values_that_do_not_fit_are_refused(
    definition: Any, value: Any, rule: str, field: str
) -> None:
    rows = validator({"a": definition})
    for check in (rows.create, rows.update):
        _, details = check({"a": copy.deepcopy(value)})
        assert [(detail["field"], detail.get("rule")) for detail in details] == [(field, rule)]
        assert details[0]["message"].startswith(f"{field} ")


@pytest.mark.parametrize(
    ("definition", "given", "stored"),
    [
        ("int", 5.0, 5),
        ("number", 5.0, 5),
        ("number", -0.0, 0),
        ("mixed", {"a": [5.0]}, {"a": [5]}),
        ("date", "2024-01-15", "2024-01-15T00:00:00.000Z"),
        (
            {"type": "array", "items": "date"},
            ["2024-01-15"],
            ["2024-01-15T00:00:00.000Z"],
        ),
        (
            {"type": "object", "properties": {"at": "date", "tags": "array", "in": "object"}},
            {"at": "2024-01-15", "tags": [1], "in": {"x": 1}},
            {"at": "2024-01-15T00:00:00.000Z", "tags": [1], "in": {"x": 1}},
        ),
    ],
)
def test_the_coercions_that_there_are(definition: Any, given: Any, stored: Any) -> None:
    fields, details = validator({"a": definition}).create({"a": given})
    assert not details
    assert orjson.dumps(fields["a"]) == orjson.dumps(stored)


@pytest.mark.parametrize(("given", "instant"), DATES)
def test_dates_become_instants(given: str, instant: str) -> None:
    assert read_date(given) == instant


@pytest.mark.parametrize("given", NO_DATES)
def test_what_is_no_date(given: Any) -> None:
    assert read_date(given) is None


@pytest.mark.parametrize(
    "definition",
    [
        "string",
        "number",
        "int",
        "bool",
        "date",
        "object",
        "array",
        "reference",
        "mixed",
        {"type": "string", "minLength": 3, "pattern": "x", "enum": ["xxx"]},
        {"type": "number", "minimum": 5},
        {"type": "array", "minItems": 1},
    ],
)
def test_an_optional_column_takes_null_and_skips_its_rules(definition: Any) -> None:
    rows = validator({"a": definition})
    assert rows.create({"a": None}) == ({"a": None}, [])
    assert rows.update({"a": None}) == ({"a": None}, [])


def test_a_required_column_must_be_there_on_create() -> None:
    rows = validator({"a": {"type": "string", "required": True}})
    for body in ({}, {"a": None}):
        _, details = rows.create(dict(body))
        assert details == [{"field": "a", "rule": "required", "message": "a is required"}]
    assert rows.create({"a": ""}) == ({"a": ""}, [])


def test_a_required_column_may_be_left_out_of_an_update_but_not_become_null() -> None:
    rows = validator({"a": {"type": "string", "required": True}, "b": "string"})
    assert rows.update({"b": "x"}) == ({"b": "x"}, [])
    _, [detail] = rows.update({"a": None})
    assert (detail["field"], detail.get("rule")) == ("a", "required")


def test_a_required_nullable_column_takes_null() -> None:
    rows = validator({"a": {"type": ["string", "null"], "required": True}})
    assert rows.create({"a": None}) == ({"a": None}, [])
    assert rows.create({})[1][0].get("rule") == "required"


def test_defaults_fill_what_is_absent_on_create_only() -> None:
    rows = validator({"a": {"type": "string", "default": "x"}, "b": "string"})
    assert rows.create({"b": "1"})[0] == {"b": "1", "a": "x"}
    assert rows.create({"a": None})[0] == {"a": None}
    assert rows.create({"a": ""})[0] == {"a": ""}
    assert rows.update({"b": "1"})[0] == {"b": "1"}


def test_a_default_satisfies_required() -> None:
    rows = validator({"a": {"type": "string", "required": True, "default": "x"}})
    assert rows.create({}) == ({"a": "x"}, [])


def test_a_default_is_not_shared_between_rows() -> None:
    rows = validator({"a": {"type": "array", "default": []}})
    first, _ = rows.create({})
    first["a"].append(1)
    assert rows.create({})[0] == {"a": []}


def test_defaults_inside_objects_fill_objects_that_are_sent() -> None:
    inside = {"type": "object", "properties": {"b": {"type": "number", "default": 1}}}
    rows = validator({"a": inside, "list": {"type": "array", "items": inside}})
    assert rows.create({"a": {}})[0] == {"a": {"b": 1}}
    assert rows.create({})[0] == {}
    assert rows.create({"list": [{}, {"b": 2}]})[0] == {"list": [{"b": 1}, {"b": 2}]}


def test_undeclared_fields_are_stored_unchanged() -> None:
    body = {"a": 1, "zip-code": "x", "ünï": [None], "_x": {"y": True}}
    assert validator({"b": "string"}).create(dict(body)) == (body, [])


def test_a_strict_table_refuses_undeclared_fields() -> None:
    rows = validator({"b": "string"}, additionalProperties=False)
    _, details = rows.create({"x": 1, "b": "ok", "y": 2})
    assert {(detail["field"], detail.get("rule")) for detail in details} == {
        ("x", "additionalProperties"),
        ("y", "additionalProperties"),
    }
    assert rows.update({"b": "x"}) == ({"b": "x"}, [])


def test_system_fields_are_dropped() -> None:
    rows = validator({}, additionalProperties=False)
    body = {"id": "x", "_id": "y", "createdBy": 5, "createdAt": "z", "updatedAt": None}
    assert rows.create(body) == ({}, [])


def test_details_stand_in_the_order_of_the_columns_then_undeclared_ones() -> None:
    rows = validator(
        {
            "title": {"type": "string", "required": True},
            "when": "date",
            "views": {"type": "number", "minimum": 0, "enum": [1]},
            "tags": {"type": "array", "items": "string"},
        },
        additionalProperties=False,
    )
    body = {"extra": 1, "tags": [1], "views": -1, "when": "x"}
    _, details = rows.create(body)
    assert [detail["field"] for detail in details] == [
        "title",
        "when",
        "views",
        "views",
        "tags[0]",
        "extra",
    ]


def test_at_most_100_details() -> None:
    rows = validator({"a": {"type": "array", "items": "string"}})
    _, details = rows.create({"a": list(range(500))})
    assert len(details) == MOST_DETAILS == 100
