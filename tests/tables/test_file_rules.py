"""The permission parts in `bkend.yaml` (00 §9, 21 §1)."""

from __future__ import annotations

from typing import Any

import pytest

from bkend.tables.declared import FileProblem
from bkend.tables.schema import canonical_schema
from tests.tables.test_file import declared, existing


def test_the_four_permission_parts() -> None:
    body = (
        "permissions: {user: {read: true}}\n"
        "expressionPermissions: {read: user & self | role:editor}\n"
        "columnPermissions: {a: {read: admin, write: self}, undeclared: {read: user}}\n"
        "rowFilters:\n"
        "  - {expression: guest, filter: {a: x}}\n"
        "  - {expression: user, filter: {c: {$gte: 1}, b: {$in: [$userId]}}}"
    )
    definition = declared(body).definition(existing())
    assert definition.permissions == {"user": {"read": True}}
    assert definition.expression_permissions == {"read": "user & self | role:editor"}
    assert definition.column_permissions == {
        "a": {"read": "admin", "write": "self"},
        "undeclared": {"read": "user"},
    }
    assert definition.row_filters == [
        {"expression": "guest", "filter": {"a": "x"}},
        {"expression": "user", "filter": {"c": {"$gte": 1}, "b": {"$in": ["$userId"]}}},
    ]


def test_permissions_with_operations_are_expressions() -> None:
    definition = declared("permissions: {read: user, list: public}").definition(existing())
    assert definition.expression_permissions == {"read": "user", "list": "public"}
    assert definition.permissions == existing().permissions


PARTS: dict[str, Any] = {
    "expression_permissions": {"read": "user"},
    "column_permissions": {"a": {"read": "admin"}, "b": {"read": "user"}},
    "row_filters": [{"expression": "user", "filter": {}}],
}


def test_permission_parts_that_are_left_out_stay_and_null_removes_them() -> None:
    held = existing(**PARTS)
    kept = declared("").definition(held)
    assert {name: getattr(kept, name) for name in PARTS} == PARTS
    body = "expressionPermissions: null\ncolumnPermissions: null\nrowFilters: null"
    gone = declared(body).definition(held)
    assert [getattr(gone, name) for name in PARTS] == [None, None, None]


def test_column_permissions_of_columns_that_go_go_too() -> None:
    held = existing(**PARTS)
    definition = declared("fields: {a: string}").definition(held)
    assert definition.column_permissions == {"a": {"read": "admin"}}
    table = declared("fields: {a: string}\ncolumnPermissions:\n  b: {read: user}")
    with pytest.raises(FileProblem, match="line 6: b has column permissions, but"):
        table.definition(held)


def test_row_filters_are_checked_against_the_columns_of_the_existing_table() -> None:
    held = existing(schema=canonical_schema({"due": "date"}), indexes=())
    table = declared("rowFilters:\n  - {expression: user, filter: {due: soon}}")
    with pytest.raises(FileProblem, match=r"line 5: .*due is compared with ISO 8601 dates"):
        table.definition(held)
