"""The four permission parts as designers give them (21 §1, §7, §8): what is stored and refused."""

from __future__ import annotations

from typing import Any

import pytest

from bkend.query.row_filters import check_filter
from bkend.tables.errors import InvalidPermissions
from bkend.tables.parts import MOST_ROW_FILTERS, check_parts, columns_without
from bkend.tables.schema import canonical_schema

SCHEMA = canonical_schema({"title": "string", "due": "date"})


def checked(**given: Any) -> dict[str, Any]:
    return check_parts(given, SCHEMA, check_filter)


def refused(**given: Any) -> list[tuple[str, str]]:
    with pytest.raises(InvalidPermissions) as caught:
        checked(**given)
    assert caught.value.status == 400
    assert caught.value.code == "table/invalid-permissions"
    assert all(detail["message"] for detail in caught.value.details)
    return [(detail["field"], detail.get("rule", "")) for detail in caught.value.details]


def test_only_the_parts_that_are_given_come_back() -> None:
    assert checked() == {}
    assert checked(rowFilters=None, displayName="x") == {"rowFilters": None}
    parts = {
        "permissions": {"user": {"read": True}},
        "expressionPermissions": {"read": " user&self "},
        "columnPermissions": {"title": {"read": "admin"}, "undeclared": {}},
        "rowFilters": [{"expression": "user", "filter": {"due": {"$gte": "2025-01-01"}}}],
    }
    assert checked(**parts) == parts
    assert checked(**dict.fromkeys(parts)) == dict.fromkeys(parts)


def test_permissions_that_map_operations_to_texts_are_expressions() -> None:
    expressions = {"read": "user", "list": "public"}
    assert checked(permissions=expressions) == {"expressionPermissions": expressions}
    assert refused(permissions={"read": "usr"}) == [("expressionPermissions.read", "expression")]
    assert refused(permissions=expressions, expressionPermissions={"create": "user"}) == [
        ("permissions", "type")
    ]
    assert refused(permissions={"read": "user", "user": {}}) == [("read", "group")]


EXPRESSIONS: list[tuple[Any, str, str]] = [
    ([], "expressionPermissions", "type"),
    ("user", "expressionPermissions", "type"),
    ({"red": "user"}, "expressionPermissions.red", "operation"),
    ({"read": True}, "expressionPermissions.read", "type"),
    ({"read": None}, "expressionPermissions.read", "type"),
    ({"read": {"$ne": None}}, "expressionPermissions.read", "type"),
    ({"read": ["user"]}, "expressionPermissions.read", "type"),
    ({"read": ""}, "expressionPermissions.read", "expression"),
    ({"read": "User"}, "expressionPermissions.read", "expression"),
    ({"read": "user" + " " * 510}, "expressionPermissions.read", "expression"),
]
COLUMNS: list[tuple[Any, str, str]] = [
    ([], "columnPermissions", "type"),
    ({"title": "admin"}, "columnPermissions.title", "type"),
    ({"title": None}, "columnPermissions.title", "type"),
    ({"title": {"list": "admin"}}, "columnPermissions.title.list", "unknown"),
    ({"title": {"read": False}}, "columnPermissions.title.read", "type"),
    ({"title": {"write": "nobody"}}, "columnPermissions.title.write", "expression"),
    ({"id": {"read": "admin"}}, "columnPermissions.id", "SYSTEM_FIELD_PROTECTED"),
    ({"_id": {"read": "admin"}}, "columnPermissions._id", "SYSTEM_FIELD_PROTECTED"),
    ({"createdBy": {"write": "self"}}, "columnPermissions.createdBy", "SYSTEM_FIELD_PROTECTED"),
    ({"a.b": {"read": "admin"}}, "columnPermissions.a.b", "name"),
    ({"": {"read": "admin"}}, "columnPermissions.", "name"),
]
FILTERS: list[tuple[Any, str, str]] = [
    ({}, "rowFilters", "type"),
    ([[]], "rowFilters[0]", "type"),
    ([{"expression": "user"}], "rowFilters[0].filter", "type"),
    ([{"filter": {}}], "rowFilters[0].expression", "type"),
    ([{"expression": "user", "filter": "all"}], "rowFilters[0].filter", "type"),
    ([{"expression": "user", "filter": None}], "rowFilters[0].filter", "type"),
    ([{"expression": "user", "filter": {}, "x": 1}], "rowFilters[0].x", "unknown"),
    ([{"expression": "user", "filter": {"$or": []}}], "rowFilters[0].filter", "operator"),
    ([{"expression": "user", "filter": {"a": {"$in": "x"}}}], "rowFilters[0].filter", "operand"),
    ([{"expression": "user", "filter": {"due": "soon"}}], "rowFilters[0].filter", "date"),
    ([{"expression": "user", "filter": {"due": "$userId"}}], "rowFilters[0].filter", "date"),
    ([{"expression": "user", "filter": {"a": {"$gt": {}}}}], "rowFilters[0].filter", "operand"),
]


@pytest.mark.parametrize(("given", "field", "rule"), EXPRESSIONS)
def test_malformed_expressions(given: Any, field: str, rule: str) -> None:
    assert refused(expressionPermissions=given) == [(field, rule)]


@pytest.mark.parametrize(("given", "field", "rule"), COLUMNS)
def test_malformed_column_permissions(given: Any, field: str, rule: str) -> None:
    assert refused(columnPermissions=given) == [(field, rule)]


@pytest.mark.parametrize(("given", "field", "rule"), FILTERS)
def test_malformed_row_filters(given: Any, field: str, rule: str) -> None:
    assert refused(rowFilters=given) == [(field, rule)]


def test_every_problem_of_every_part_is_told() -> None:
    found = refused(
        permissions={"nobody": {}},
        expressionPermissions={"read": "usr", "red": "user"},
        columnPermissions={"title": {"read": "usr", "write": "usr"}},
        rowFilters=[{"expression": "usr", "filter": {"a": {"$x": 1}}}, 5],
    )
    assert [field for field, _ in found] == [
        "nobody",
        "expressionPermissions.read",
        "expressionPermissions.red",
        "columnPermissions.title.read",
        "columnPermissions.title.write",
        "rowFilters[0].expression",
        "rowFilters[0].filter",
        "rowFilters[1]",
    ]


def test_row_filters_are_bounded() -> None:
    rule = {"expression": "user", "filter": {}}
    assert len(checked(rowFilters=[rule] * MOST_ROW_FILTERS)["rowFilters"]) == MOST_ROW_FILTERS
    assert refused(rowFilters=[rule] * (MOST_ROW_FILTERS + 1)) == [("rowFilters", "maxItems")]


def test_a_filter_nested_without_end_is_refused() -> None:
    deep: Any = "x"
    for _ in range(5000):
        deep = [deep]
    [(field, _)] = refused(rowFilters=[{"expression": "user", "filter": {"a": deep}}])
    assert field == "rowFilters[0].filter"
    endless: Any = {"a": 1}
    for _ in range(500):
        endless = {"a": endless}
    [(field, _)] = refused(rowFilters=[{"expression": "user", "filter": endless}])
    assert field == "rowFilters[0].filter"


def test_columns_that_go_take_their_permissions_along() -> None:
    assert columns_without(None, ["a"]) is None
    assert columns_without({"a": {}, "b": {"read": "user"}}, ["a", "c"]) == {"b": {"read": "user"}}
