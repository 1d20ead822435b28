"""Expressions, column permissions and row filters in plans, and two changes at a time."""

from __future__ import annotations

import pytest

from bkend.store import Conflict
from bkend.tables.plan import take
from bkend.tables.service import Tables
from tests.tables.test_plan import apply, plan_of

RULES = """
fields: {a: string, b: string}
expressionPermissions: {read: user, update: self}
columnPermissions: {a: {read: admin}, b: {write: self}}
rowFilters: [{expression: user, filter: {}}]
"""
RULE_CHANGES: list[tuple[str, str, list[tuple[str, str]]]] = [
    ("read: user, ", "", [("setExpressionPermissions", "read: none, permissions apply")]),
    ("{read: user, update: self}", "{}", [("setExpressionPermissions", "none, permissions apply")]),
    ("update: self", "update: user", [("setExpressionPermissions", "update: user")]),
    ("a: {read: admin}, ", "", [("setColumnPermissions", "a open")]),
    (
        "{a: {read: admin}, b: {write: self}}",
        "null",
        [("setColumnPermissions", "none, every column is as open as its record")],
    ),
    (
        "[{expression: user, filter: {}}]",
        "[]",
        [("setRowFilters", "none, lists show every row that may be read")],
    ),
]


@pytest.mark.parametrize(("old", "new", "steps"), RULE_CHANGES)
async def test_changes_of_rules_are_told_and_taken(
    tables: Tables, old: str, new: str, steps: list[tuple[str, str]]
) -> None:
    await apply(tables, t=RULES)
    plan = await apply(tables, t=RULES.replace(old, new))
    assert [(step.action, step.detail) for step in plan.steps] == steps
    assert (await plan_of(tables, t=RULES.replace(old, new))).changes == ()


async def test_the_rules_of_a_field_go_with_it(tables: Tables) -> None:
    await apply(tables, t=RULES)
    fields = "fields: {a: string, c: string}"
    plan = await apply(tables, t=fields)
    assert [(step.action, step.subject or step.detail) for step in plan.steps] == [
        ("removeField", "b"),
        ("addField", "c"),
        ("setColumnPermissions", "b open"),
    ]
    assert (await plan_of(tables, t=fields)).changes == ()


async def test_a_new_table_gets_its_rules(tables: Tables) -> None:
    plan = await apply(tables, t=RULES)
    assert [step.action for step in plan.steps][-3:] == [
        "setExpressionPermissions",
        "setColumnPermissions",
        "setRowFilters",
    ]
    found = await tables.get("t")
    assert found is not None
    assert found.table.expression_permissions == {"read": "user", "update": "self"}
    assert found.table.column_permissions == {"a": {"read": "admin"}, "b": {"write": "self"}}
    assert found.table.row_filters == [{"expression": "user", "filter": {}}]


@pytest.mark.parametrize(
    "change",
    ["permissions: {guest: {}}", "rowFilters: []", "displayName: X", "fields: {a: string}"],
)
async def test_a_change_of_a_table_that_was_changed_meanwhile_is_refused(
    tables: Tables, change: str
) -> None:
    await apply(tables, t=RULES)
    late = await plan_of(tables, t=change)
    await apply(tables, t="permissions: {user: {read: true}}")
    with pytest.raises(Conflict):
        await take(late.changes[0], tables)
    found = await tables.get("t")
    assert found is not None
    assert found.table.permissions == {"user": {"read": True}}
    assert "b" in found.table.schema["properties"]
