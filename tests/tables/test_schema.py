"""Column definitions: every notation, every constraint, every refusal (21 §2, §3.1)."""

from __future__ import annotations

from typing import Any

import pytest

from bkend.errors import Detail
from bkend.tables.errors import InvalidSchema
from bkend.tables.schema import abstract_type, canonical_schema

TYPES = [
    ("string", "string"),
    ("String", "string"),
    ("text", "string"),
    ("Enum", "string"),
    ("number", "double"),
    ("Number", "double"),
    ("float", "double"),
    ("decimal", "double"),
    ("double", "double"),
    ("integer", "int"),
    ("int", "int"),
    ("long", "int"),
    ("boolean", "bool"),
    ("bool", "bool"),
    ("Boolean", "bool"),
    ("date", "date"),
    ("DateTime", "date"),
    ("timestamp", "date"),
    ("object", "object"),
    ("json", "object"),
    ("array", "array"),
    ("reference", "string"),
    ("objectId", "objectId"),
    ("mixed", "mixed"),
    ("Mixed", "mixed"),
    ("any", "mixed"),
]

REFUSED: list[tuple[Any, str, str]] = [
    ({"type": "binData"}, "a", "type"),
    ({"type": "regex"}, "a", "type"),
    ({"type": 5}, "a", "type"),
    ({}, "a", "type"),
    (5, "a", "type"),
    (None, "a", "type"),
    ({"bsonType": ["string", "int"]}, "a", "type"),
    ({"bsonType": []}, "a", "type"),
    ({"type": "string", "requird": True}, "a", "requird"),
    ({"type": "string", "requird": None}, "a", "requird"),
    ({"type": "string", "required": "yes"}, "a", "required"),
    ({"type": "string", "minItems": 1}, "a", "minItems"),
    ({"type": "bool", "min": 1}, "a", "min"),
    ({"type": "bool", "enum": [True]}, "a", "enum"),
    ({"type": "date", "minimum": 1}, "a", "minimum"),
    ({"type": "mixed", "pattern": "x"}, "a", "pattern"),
    ({"type": "string", "minLength": -1}, "a", "minLength"),
    ({"type": "string", "minLength": 1.5}, "a", "minLength"),
    ({"type": "string", "minLength": "1"}, "a", "minLength"),
    ({"type": "string", "maxLength": True}, "a", "maxLength"),
    ({"type": "string", "minLength": 3, "maxLength": 2}, "a", "minLength"),
    ({"type": "number", "minimum": "1"}, "a", "minimum"),
    ({"type": "number", "min": 3, "max": 2}, "a", "minimum"),
    ({"type": "array", "minItems": 3, "maxItems": 2}, "a", "minItems"),
    ({"type": "string", "pattern": "("}, "a", "pattern"),
    ({"type": "string", "pattern": "(?=x)"}, "a", "pattern"),
    ({"type": "string", "pattern": r"(x)\1"}, "a", "pattern"),
    ({"type": "string", "pattern": "x" * 501}, "a", "pattern"),
    ({"type": "string", "pattern": 5}, "a", "pattern"),
    ({"type": "string", "enum": []}, "a", "enum"),
    ({"type": "string", "enum": "draft"}, "a", "enum"),
    ({"type": "string", "enum": ["a", 1]}, "a", "enum"),
    ({"type": "number", "enum": [1, "a"]}, "a", "enum"),
    ({"type": "number", "enum": [True]}, "a", "enum"),
    ({"type": "string", "unique": "yes"}, "a", "unique"),
    ({"type": "array", "unique": True}, "a", "unique"),
    ({"type": "object", "unique": True}, "a", "unique"),
    ({"type": "mixed", "unique": True}, "a", "unique"),
    ({"type": "string", "description": 5}, "a", "description"),
    ({"type": "string", "default": 5}, "a", "default"),
    ({"type": "string", "maxLength": 2, "default": "abc"}, "a", "default"),
    ({"type": "string", "enum": ["x"], "default": "y"}, "a", "default"),
    ({"type": "int", "default": 1.5}, "a", "default"),
    ({"type": "date", "default": "soon"}, "a", "default"),
    ({"type": "mixed", "default": {"$x": 1}}, "a", "default"),
    ({"type": "array", "items": {"type": "strng"}}, "a[]", "type"),
    ({"type": "array", "items": 5}, "a[]", "type"),
    ({"type": "object", "properties": {"b": {"type": "strng"}}}, "a.b", "type"),
    ({"type": "object", "properties": {"1b": {"type": "string"}}}, "a.1b", "name"),
    ({"type": "object", "properties": ["b"]}, "a", "properties"),
    ({"type": "object", "required": ["b"]}, "a.b", "required"),
    ({"type": "object", "required": [5]}, "a", "required"),
    ({"type": "object", "additionalProperties": {}}, "a", "additionalProperties"),
]


def column(definition: Any) -> Any:
    return canonical_schema({"a": definition})["properties"]["a"]


def refusals(given: Any) -> list[Detail]:
    with pytest.raises(InvalidSchema) as caught:
        canonical_schema(given)
    assert caught.value.status == 400
    assert caught.value.code == "table/invalid-schema"
    assert caught.value.message == caught.value.details[0]["message"]
    return caught.value.details


@pytest.mark.parametrize(("word", "stored"), TYPES)
def test_every_type_word_has_a_stored_type(word: str, stored: str) -> None:
    assert column({"type": word})["bsonType"] == stored
    assert column({"bsonType": word})["bsonType"] == stored
    assert column(word)["bsonType"] == stored


def test_the_notations_mean_the_same() -> None:
    canonical = {
        "bsonType": "object",
        "required": ["title"],
        "properties": {
            "title": {"bsonType": "string", "maxLength": 200},
            "views": {"bsonType": "double", "default": 0},
            "slug": {"bsonType": "string", "unique": True},
        },
    }
    abstract_map = {
        "title": {"type": "string", "required": True, "maxLength": 200},
        "views": {"type": "number", "default": 0},
        "slug": {"type": "string", "unique": True},
    }
    abstract_list = [
        {"name": "title", "type": "string", "required": True, "max": 200},
        {"name": "views", "type": "Number", "defaultValue": 0},
        {"name": "slug", "type": "text", "unique": True, "required": False},
    ]
    field_map = {
        "title": {"bsonType": "string", "required": True, "maxLength": 200},
        "views": {"bsonType": "double", "default": 0.0},
        "slug": {"bsonType": "string", "unique": True},
    }
    for given in (canonical, abstract_map, abstract_list, field_map):
        assert canonical_schema(given) == canonical
    assert list(canonical_schema(abstract_list)["properties"]) == ["title", "views", "slug"]


@pytest.mark.parametrize("given", [{}, [], {"properties": {}}])
def test_a_table_may_have_no_columns(given: Any) -> None:
    assert canonical_schema(given) == {"bsonType": "object", "required": [], "properties": {}}


def test_aliases_become_the_one_name() -> None:
    assert column({"type": "string", "min": 1, "max": 3}) == {
        "bsonType": "string",
        "minLength": 1,
        "maxLength": 3,
    }
    assert column({"type": "number", "min": 1, "max": 3}) == {
        "bsonType": "double",
        "minimum": 1,
        "maximum": 3,
    }
    assert column({"type": "array", "min": 1, "max": 3}) == {
        "bsonType": "array",
        "minItems": 1,
        "maxItems": 3,
    }
    assert column({"type": "Enum", "values": ["a", "b"]}) == {
        "bsonType": "string",
        "enum": ["a", "b"],
    }
    assert column("Array(String)") == {"bsonType": "array", "items": {"bsonType": "string"}}
    assert column({"type": "reference", "table": "posts"}) == {"bsonType": "string", "ref": "posts"}
    assert column({"type": "reference", "ref": "posts"}) == {"bsonType": "string", "ref": "posts"}


def test_null_may_stand_next_to_one_type() -> None:
    assert column({"bsonType": ["string", "null"]})["bsonType"] == ["string", "null"]
    assert column({"type": ["reference", "null"], "table": "posts"}) == {
        "bsonType": ["string", "null"],
        "ref": "posts",
    }


def test_nested_columns_keep_their_own_required() -> None:
    given = {
        "type": "object",
        "required": ["zip"],
        "properties": {"city": {"type": "string", "required": True}, "zip": {"type": "string"}},
        "additionalProperties": False,
    }
    assert column(given) == {
        "bsonType": "object",
        "required": ["city", "zip"],
        "properties": {"city": {"bsonType": "string"}, "zip": {"bsonType": "string"}},
        "additionalProperties": False,
    }


def test_absent_and_null_rules_are_left_out() -> None:
    given = {"type": "string", "maxLength": None, "unique": False, "description": None}
    assert column(given) == {"bsonType": "string"}


def test_defaults_are_brought_to_wire_form() -> None:
    assert column({"type": "date", "default": "2024-01-15"})["default"] == (
        "2024-01-15T00:00:00.000Z"
    )
    assert column({"type": "int", "default": 5.0})["default"] == 5
    assert column({"type": "string", "default": None})["default"] is None


def test_canonical_is_its_own_canonical_form() -> None:
    given = {
        "when": {"type": "date", "default": "2024-01-15"},
        "who": {"type": "reference"},
        "tags": {"type": "array", "items": {"type": "Enum", "values": ["a"]}, "max": 3},
        "place": {"type": "object", "properties": {"city": {"type": "string", "required": True}}},
        "maybe": {"type": ["int", "null"], "required": True},
    }
    once = canonical_schema(given)
    assert canonical_schema(once) == once


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("text", "string"),
        ("int", "number"),
        ("double", "number"),
        ("bool", "boolean"),
        ("reference", "reference"),
        ("objectId", "reference"),
        ("json", "object"),
        ("any", "mixed"),
    ],
)
def test_types_are_shown_back_in_the_designers_words(word: str, shown: str) -> None:
    assert abstract_type(column(word)) == shown
    assert abstract_type(column({"bsonType": [word, "null"]})) == shown


@pytest.mark.parametrize(("definition", "field", "rule"), REFUSED)
def test_malformed_columns_are_refused(definition: Any, field: str, rule: str) -> None:
    [detail] = refusals({"a": definition})
    assert (detail["field"], detail["rule"]) == (field, rule)


@pytest.mark.parametrize(
    "name", ["", "1a", "_a", "a-b", "a.b", "a b", "ä", "$a", "a" * 65, "a\n", "a\0"]
)
def test_malformed_column_names_are_refused(name: str) -> None:
    [detail] = refusals({name: {"type": "string"}})
    assert detail["rule"] == "name"


@pytest.mark.parametrize("name", ["a", "A", "a1", "a_b", "a" * 64])
def test_column_names(name: str) -> None:
    assert name in canonical_schema({name: "string"})["properties"]


@pytest.mark.parametrize("name", ["id", "createdBy", "createdAt", "updatedAt"])
def test_system_fields_cannot_be_declared(name: str) -> None:
    [detail] = refusals({name: {"type": "string"}})
    assert (detail["field"], detail["rule"]) == (name, "SYSTEM_FIELD_PROTECTED")


@pytest.mark.parametrize("given", [None, "x", 5, True])
def test_a_schema_is_a_map(given: Any) -> None:
    [detail] = refusals(given)
    assert detail["rule"] == "type"


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ([{"type": "string"}], "type"),
        ([5], "type"),
        ([{"name": "a", "type": "string"}, {"name": "a", "type": "int"}], "duplicate"),
    ],
)
def test_a_list_of_columns_needs_names_that_differ(given: Any, rule: str) -> None:
    assert refusals(given)[0]["rule"] == rule


def test_a_required_column_must_be_declared() -> None:
    [detail] = refusals({"properties": {"a": {"type": "string"}}, "required": ["b"]})
    assert (detail["field"], detail["rule"]) == ("b", "required")


def test_keys_next_to_properties_are_not_overlooked() -> None:
    [detail] = refusals({"properties": {"a": {"type": "string"}}, "requird": ["a"]})
    assert detail["rule"] == "requird"


def test_at_most_200_columns() -> None:
    canonical_schema({f"c{number}": "string" for number in range(200)})
    [detail] = refusals({f"c{number}": "string" for number in range(201)})
    assert detail["rule"] == "maxColumns"


def nested(depth: int, wrap: str) -> dict[str, Any]:
    inner: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        if wrap == "items":
            inner = {"type": "array", "items": inner}
        else:
            inner = {"type": "object", "properties": {"a": inner}}
    return {"a": inner}


@pytest.mark.parametrize("wrap", ["properties", "items"])
def test_columns_nest_at_most_ten_deep(wrap: str) -> None:
    canonical_schema(nested(9, wrap))
    assert {detail["rule"] for detail in refusals(nested(12, wrap))} == {"depth"}
    assert {detail["rule"] for detail in refusals(nested(300, wrap))} == {"depth"}


def test_every_problem_is_named_in_the_order_of_the_columns() -> None:
    given = {"b": {"type": "x"}, "a": {"type": "string", "min": -1}, "id": {"type": "string"}}
    assert [(d["field"], d["rule"]) for d in refusals(given)] == [
        ("b", "type"),
        ("a", "minLength"),
        ("id", "SYSTEM_FIELD_PROTECTED"),
    ]


def test_a_misspelt_rule_gets_a_suggestion() -> None:
    [detail] = refusals({"a": {"type": "string", "requird": True}})
    assert detail["message"] == "unknown key 'requird' in field a; did you mean 'required'?"


@pytest.mark.parametrize(
    ("given", "field", "rule"),
    [
        ({"_id": "string"}, "_id", "SYSTEM_FIELD_PROTECTED"),
        ({"properties": {"_id": {"bsonType": "string"}}}, "_id", "SYSTEM_FIELD_PROTECTED"),
        ([{"name": "_id", "type": "string"}], "_id", "SYSTEM_FIELD_PROTECTED"),
        (
            {"o": {"type": "object", "properties": {"a": {"type": "string", "unique": True}}}},
            "o.a",
            "unique",
        ),
        ({"l": {"type": "array", "items": {"type": "string", "unique": True}}}, "l[]", "unique"),
        ({"a": {"bsonType": ["string", "int"]}}, "a", "type"),
        ({"a": {"bsonType": ["null"]}}, "a", "type"),
        ({"a": {"bsonType": []}}, "a", "type"),
        ({"a": {"type": "regex"}}, "a", "type"),
    ],
)
def test_what_would_never_be_checked_is_refused(given: Any, field: str, rule: str) -> None:
    with pytest.raises(InvalidSchema) as caught:
        canonical_schema(given)
    assert [(d["field"], d["rule"]) for d in caught.value.details] == [(field, rule)]


def test_a_field_inside_may_be_called_like_a_system_field() -> None:
    schema = canonical_schema({"o": {"type": "object", "properties": {"id": "string"}}})
    assert schema["properties"]["o"]["properties"] == {"id": {"bsonType": "string"}}
