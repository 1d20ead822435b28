"""Tables as a file declares them: applied where they came from, nothing changes; applied elsewhere,
the tables there become the same."""

from __future__ import annotations

from random import Random

import pytest

from bkend.query.row_filters import check_filter
from bkend.tables.declaration import declared_document
from bkend.tables.file import read_tables
from bkend.tables.layout import yaml_text
from bkend.tables.models import Table
from bkend.tables.plan import Copied, Plan, make_plan, take
from bkend.tables.service import Tables, definition_of
from tests.tables.designs import RICH, some_tables


async def apply(tables: Tables, text: str) -> Plan:
    plan = await make_plan(tables, read_tables(text.encode(), "bkend.yaml", check_filter))
    for change in plan.changes:
        await take(change, tables)
    return plan


async def pulled(tables: Tables) -> str:
    return yaml_text(declared_document(await tables.list()), 4)


async def empty(tables: Tables) -> None:
    for table in await tables.list():
        await tables.delete(table)


async def test_a_file_of_rich_tables_changes_nothing_where_it_came_from(tables: Tables) -> None:
    assert (await apply(tables, RICH)).changes
    text = await pulled(tables)
    assert (await apply(tables, text)).steps == []
    assert await pulled(tables) == text


async def test_elsewhere_it_makes_the_very_same_tables(tables: Tables) -> None:
    await apply(tables, RICH)
    text = await pulled(tables)
    before = [definition_of(table) for table in await tables.list()]
    await empty(tables)
    await apply(tables, text)
    assert [definition_of(table) for table in await tables.list()] == before
    assert await pulled(tables) == text


@pytest.mark.parametrize("seed", range(12))
async def test_tables_by_chance_replace_each_other_exactly(tables: Tables, seed: int) -> None:
    chance = Random(seed)
    await apply(tables, yaml_text(some_tables(chance), 3))
    first = await pulled(tables)
    assert (await apply(tables, first)).steps == []
    await empty(tables)
    await apply(tables, yaml_text(some_tables(chance), 3))
    await apply(tables, first)
    names = [declared.name for declared in read_tables(first.encode())]
    kept = [table for table in await tables.list() if table.name in names]
    wanted = {d.name: d.definition(None) for d in read_tables(first.encode())}
    for table in kept:
        found, want = definition_of(table), wanted[table.name]
        assert (found.schema, set(found.indexes)) == (want.schema, set(want.indexes))
        for part in ("permissions", "expression_permissions", "column_permissions", "row_filters"):
            assert getattr(found, part) == getattr(want, part)


async def test_what_another_environment_has_is_copied_whole(tables: Tables) -> None:
    await apply(tables, RICH)
    source: list[Table] = await tables.list()
    await empty(tables)
    await apply(tables, "version: 1\ntables:\n  everything: {fields: {mail: string, gone: date}}")
    plan = await make_plan(tables, [Copied(table) for table in source])
    assert ("everything", "removeField", "gone") in [
        (step.table, step.action, step.subject) for step in plan.steps
    ]
    for change in plan.changes:
        await take(change, tables)
    assert [definition_of(t) for t in await tables.list()] == [definition_of(t) for t in source]


def test_the_order_is_fixed() -> None:
    [everything] = (
        t for t in read_tables(RICH.encode(), "x", check_filter) if t.name == "everything"
    )
    definition = everything.definition(None)
    table = Table(
        id="tbl_x",
        name="everything",
        schema=definition.schema,
        indexes=definition.indexes,
        permissions=definition.permissions,
        display_name=None,
        description=None,
        schema_version=1,
        index_version=1,
        column_permissions=definition.column_permissions,
    )
    found = declared_document([table])["tables"]["everything"]
    assert list(found) == [
        "strict",
        "fields",
        "indexes",
        "permissions",
        "expressionPermissions",
        "columnPermissions",
        "rowFilters",
    ]
    assert list(found["permissions"]) == ["user", "self", "guest", "admin"]
    assert list(found["permissions"]["guest"]) == ["read", "list"]
    assert list(found["columnPermissions"]) == ["mail", "text", "undeclared"]
    assert [index["name"] for index in found["indexes"]] == ["once", "newest", "inside"]
    assert found["expressionPermissions"] is None
