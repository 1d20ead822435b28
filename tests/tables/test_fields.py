"""*Manage fields*, worked out without a store: merging and every refusal (21 §4)."""

from __future__ import annotations

from typing import Any

import pytest

from bkend.tables.errors import InvalidSchema
from bkend.tables.fields import AppliedFields, FieldChanges, apply_fields, fields_given
from bkend.tables.models import Table
from bkend.tables.schema import canonical_schema

SCHEMA = canonical_schema(
    {
        "title": {"type": "string", "required": True, "maxLength": 200, "description": "Shown"},
        "views": {"type": "number", "min": 0, "default": 0},
        "slug": {"type": "string", "unique": True},
        "author": {"type": "reference", "table": "people"},
        "place": {
            "type": "object",
            "properties": {"city": {"type": "string", "required": True}, "zip": "number"},
        },
        "tags": {"type": "array", "items": {"type": "string"}},
    }
)
TABLE = Table("tbl_1", "t", SCHEMA, (), None, None, None, 1, 1)
SYSTEM = ("id", "_id", "createdBy", "createdAt", "updatedAt")


def change(
    define: dict[str, Any] | None = None,
    remove: tuple[str, ...] = (),
    require: tuple[str, ...] = (),
    release: tuple[str, ...] = (),
) -> AppliedFields:
    return apply_fields(TABLE, FieldChanges(define or {}, remove, require, release))


def rules(**changes: Any) -> list[tuple[str, str]]:
    with pytest.raises(InvalidSchema) as caught:
        change(**changes)
    return [(detail["field"], detail["rule"]) for detail in caught.value.details]


@pytest.mark.parametrize(
    ("name", "given", "merged"),
    [
        ("title", {"minLength": 2}, {"bsonType": "string", "maxLength": 200, "minLength": 2}),
        ("title", {"max": 10}, {"bsonType": "string", "maxLength": 10}),
        ("title", {"maxLength": None, "description": None}, {"bsonType": "string"}),
        ("title", {"type": "String"}, {"bsonType": "string", "maxLength": 200}),
        ("title", {"type": "number"}, {"bsonType": "double"}),
        ("title", {"type": "number", "max": 5}, {"bsonType": "double", "maximum": 5}),
        ("title", "boolean", {"bsonType": "bool"}),
        (
            "title",
            {"bsonType": ["string", "null"]},
            {"bsonType": ["string", "null"], "maxLength": 200},
        ),
        ("views", {"default": 5}, {"bsonType": "double", "minimum": 0, "default": 5}),
        ("views", {"defaultValue": 6}, {"bsonType": "double", "minimum": 0, "default": 6}),
        ("views", {"default": None}, {"bsonType": "double", "minimum": 0}),
        ("views", {"type": "int"}, {"bsonType": "int", "minimum": 0, "default": 0}),
        ("views", {"min": 0}, {"bsonType": "double", "minimum": 0, "default": 0}),
        ("slug", {"unique": False}, {"bsonType": "string"}),
        ("slug", {"enum": ["a"]}, {"bsonType": "string", "unique": True, "enum": ["a"]}),
        ("slug", {"type": "array"}, {"bsonType": "array"}),
        ("author", {"description": "Who"}, {"bsonType": "string", "ref": "people"}),
        ("author", {"table": "users"}, {"bsonType": "string", "ref": "users"}),
        ("author", {"bsonType": "string"}, {"bsonType": "string", "ref": "people"}),
        ("author", {"type": "number"}, {"bsonType": "double"}),
        (
            "tags",
            {"maxItems": 3},
            {"bsonType": "array", "items": {"bsonType": "string"}, "maxItems": 3},
        ),
        ("tags", {"type": "Array(Number)"}, {"bsonType": "array", "items": {"bsonType": "double"}}),
    ],
)
def test_an_update_merges_into_the_definition(
    name: str, given: Any, merged: dict[str, Any]
) -> None:
    applied = change({name: given})
    found = applied.schema["properties"][name]
    found.pop("description", None)
    assert found == merged
    assert applied.schema["required"] == ["title"]
    assert applied.added == []


def test_only_what_differs_counts_as_updated() -> None:
    assert change({"title": {"maxLength": 200}, "views": {"min": 1, "default": 1}}).updated == [
        "views"
    ]


def test_an_objects_fields_are_replaced_whole() -> None:
    applied = change({"place": {"properties": {"city": "string", "street": "string"}}})
    assert applied.schema["properties"]["place"] == {
        "bsonType": "object",
        "required": ["city"],
        "properties": {"city": {"bsonType": "string"}, "street": {"bsonType": "string"}},
    }
    applied = change({"place": {"properties": {"street": "string"}}})
    assert applied.schema["properties"]["place"]["required"] == []


@pytest.mark.parametrize(
    ("changes", "added", "removed"),
    [
        ({"require": ("views",)}, ["views"], []),
        ({"require": ("title",)}, [], []),
        ({"release": ("title",)}, [], ["title"]),
        ({"release": ("views",)}, [], []),
        ({"define": {"title": {"required": False}}}, [], ["title"]),
        ({"define": {"views": {"required": True}}}, ["views"], []),
        ({"define": {"new": {"type": "string", "required": True}}}, ["new"], []),
        ({"define": {"new": "string"}, "require": ("new",)}, ["new"], []),
        ({"remove": ("title",)}, [], ["title"]),
        ({"remove": ("title",), "release": ("title",)}, [], ["title"]),
    ],
)
def test_required_marks(changes: dict[str, Any], added: list[str], removed: list[str]) -> None:
    applied = change(**changes)
    assert (applied.required_added, applied.required_removed) == (added, removed)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [("fieldsToAddOrUpdate", "required")]),
        ({"define": {"a": "string"}, "remove": ("a",)}, [("a", "FIELD_CONFLICT")]),
        ({"define": {"title": "string"}, "remove": ("title",)}, [("title", "FIELD_CONFLICT")]),
        ({"remove": ("undeclared",)}, [("undeclared", "FIELD_CONFLICT")]),
        ({"remove": ("place.city",)}, [("place.city", "FIELD_CONFLICT")]),
        ({"remove": ("Title",)}, [("Title", "FIELD_CONFLICT")]),
        ({"require": ("none",)}, [("none", "REQUIRED_CONFLICT")]),
        ({"release": ("none",)}, [("none", "REQUIRED_CONFLICT")]),
        ({"require": ("views",), "release": ("views",)}, [("views", "REQUIRED_CONFLICT")]),
        ({"remove": ("views",), "require": ("views",)}, [("views", "REQUIRED_CONFLICT")]),
        (
            {"define": {"views": {"required": True}}, "release": ("views",)},
            [("views", "REQUIRED_CONFLICT")],
        ),
        (
            {"define": {"views": {"required": False}}, "require": ("views",)},
            [("views", "REQUIRED_CONFLICT")],
        ),
        *[({"define": {n: "string"}}, [(n, "SYSTEM_FIELD_PROTECTED")]) for n in SYSTEM],
        *[({"remove": (n,)}, [(n, "SYSTEM_FIELD_PROTECTED")]) for n in SYSTEM],
        *[({"require": (n,)}, [(n, "SYSTEM_FIELD_PROTECTED")]) for n in SYSTEM],
        *[({"release": (n,)}, [(n, "SYSTEM_FIELD_PROTECTED")]) for n in SYSTEM],
        (
            {"remove": ("id", "none"), "require": ("nope",)},
            [
                ("id", "SYSTEM_FIELD_PROTECTED"),
                ("none", "FIELD_CONFLICT"),
                ("nope", "REQUIRED_CONFLICT"),
            ],
        ),
        ({"define": {"a": {"type": "binData"}}}, [("a", "type")]),
        ({"define": {"a": {}}}, [("a", "type")]),
        ({"define": {"a": 5}}, [("a", "type")]),
        ({"define": {"title": 5}}, [("title", "type")]),
        ({"define": {"a b": "string"}}, [("a b", "name")]),
        ({"define": {"a": {"type": "string", "uniqe": True}}}, [("a", "uniqe")]),
        ({"define": {"title": {"minimum": 5}}}, [("title", "minimum")]),
        ({"define": {"title": {"minLength": 300}}}, [("title", "minLength")]),
        ({"define": {"views": {"default": "x"}}}, [("views", "default")]),
        ({"define": {"views": {"minimum": 5}}}, [("views", "default")]),
        ({"define": {"views": {"type": "string"}}}, [("views", "default")]),
        ({"define": {"tags": {"unique": True}}}, [("tags", "unique")]),
        ({"define": {f"c{n}": "string" for n in range(200)}}, [("", "maxColumns")]),
    ],
)
def test_what_is_refused(changes: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert rules(**changes) == expected


def test_a_change_of_type_is_warned_of() -> None:
    [changed, lost] = change({"title": {"type": "number"}}).warnings
    assert "from string to number" in changed
    assert "maxLength" in lost


def test_fields_named_success_and_data_are_warned_of() -> None:
    assert "wrapper" in change({"success": "boolean", "data": "object"}).warnings[0]


def test_fields_may_come_as_a_list() -> None:
    given = [{"name": "a", "type": "string"}, {"name": "b", "bsonType": "int"}]
    assert fields_given(given) == {"a": {"type": "string"}, "b": {"bsonType": "int"}}
    with pytest.raises(InvalidSchema) as caught:
        fields_given([{"name": "a"}, {"name": "a"}, {}, 5])
    assert [d["rule"] for d in caught.value.details] == ["duplicate", "type", "type"]


def test_definitions_may_stand_in_place_of_those_held() -> None:
    define = {"title": {"bsonType": "string", "default": None}, "new": "date"}
    found = apply_fields(TABLE, FieldChanges(define, replaces=True))
    assert found.schema["properties"]["title"] == {"bsonType": "string", "default": None}
    assert found.schema["properties"]["new"] == {"bsonType": "date"}
    assert "title" in found.schema["required"]
    assert (found.added, found.updated) == (["new"], ["title"])


def test_strictness_is_a_change_of_its_own() -> None:
    strict = apply_fields(TABLE, FieldChanges(strict=True)).schema
    assert strict == {**SCHEMA, "additionalProperties": False}
    held = Table("tbl_1", "t", strict, (), None, None, None, 1, 1)
    assert apply_fields(held, FieldChanges(strict=False)).schema == SCHEMA
    assert apply_fields(held, FieldChanges(release=("title",))).schema["required"] == []
    assert (
        apply_fields(held, FieldChanges(release=("title",))).schema["additionalProperties"] is False
    )
