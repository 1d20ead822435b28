"""What each change does to rows that are there: one test a row of the table in 21 §4; versions and
rolling back (21 §12, items 10 to 12)."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
import pytest_asyncio

from bkend.query.row_filters import check_filter
from bkend.store import Find, Insert, Store
from bkend.tables.design import Design
from bkend.tables.errors import (
    DuplicateValue,
    InvalidIndex,
    InvalidSchema,
    PreconditionFailed,
    VersionNotFound,
)
from bkend.tables.fields import FieldChanges
from bkend.tables.models import Table
from bkend.tables.schema import canonical_schema
from bkend.tables.service import Definition, Tables
from bkend.tables.versions import find_version, list_versions


@pytest_asyncio.fixture
async def design(tables: Tables, store: Store) -> Design:
    return Design(tables, store, check_filter)


async def make(tables: Tables, schema: Any) -> Table:
    return await tables.create(Definition("t", canonical_schema(schema)))


async def insert(store: Store, table: Table, *rows: dict[str, Any]) -> None:
    await store.commit(
        [Insert(table.collection, f"r{n}", row, 1000, 1000) for n, row in enumerate(rows)]
    )


async def rows(store: Store, table: Table) -> list[dict[str, Any]]:
    page = await store.find(Find(table.collection, descending=False, limit=100_000))
    found: list[dict[str, Any]] = orjson.loads(page.items)
    return found


async def fields(design: Design, author: str = "", **changes: Any) -> Table:
    return (await design.manage_fields("t", FieldChanges(**changes), author))[0].table


def own(row: dict[str, Any]) -> dict[str, Any]:
    system = ("id", "createdBy", "createdAt", "updatedAt")
    return {name: value for name, value in row.items() if name not in system}


async def problems(tables: Tables, body: dict[str, Any], *, creating: bool) -> list[str]:
    live = await tables.get("t")
    assert live is not None
    check = live.validator.create if creating else live.validator.update
    return [detail["rule"] for detail in check(body)[1]]


async def test_adding_an_optional_column_touches_nothing(
    tables: Tables, store: Store, design: Design
) -> None:
    table = await make(tables, {"a": "string"})
    await insert(store, table, {"a": "x"})
    before = await rows(store, table)
    changed = await fields(design, define={"n": {"type": "number", "default": 5}})
    assert await rows(store, table) == before
    assert (changed.schema_version, changed.index_version) == (2, 1)


async def test_a_default_is_filled_in_once_when_asked(
    tables: Tables, store: Store, design: Design
) -> None:
    table = await make(tables, {"a": "string"})
    many: list[dict[str, Any]] = [{"a": "x"} for _ in range(1200)] + [{"n": 1}, {"n": None}]
    await insert(store, table, *many)
    await fields(design, define={"n": {"type": "number", "default": 5}}, backfill=True)
    found = await rows(store, table)
    assert [row["n"] for row in found].count(5) == 1200
    assert {row["id"]: row["n"] for row in found}["r1200"] == 1
    assert {row["id"]: row["n"] for row in found}["r1201"] is None
    assert {row["updatedAt"] for row in found} == {"1970-01-01T00:00:01.000Z"}
    unique = {"type": "number", "default": 5, "unique": True}
    with pytest.raises(InvalidSchema):
        await fields(design, define={"m": unique}, backfill=True)


async def test_making_a_column_required_leaves_old_rows_editable(
    tables: Tables, store: Store, design: Design
) -> None:
    table = await make(tables, {"a": "string"})
    await insert(store, table, {"b": 1})
    before = await rows(store, table)
    await fields(design, define={"c": {"type": "string", "required": True}}, require=("a",))
    assert await rows(store, table) == before
    assert await problems(tables, {"b": 2}, creating=True) == ["required", "required"]
    assert await problems(tables, {"b": 2}, creating=False) == []
    assert await problems(tables, {"a": None}, creating=False) == ["required"]


async def test_tightening_is_checked_when_the_field_is_written_again(
    tables: Tables, store: Store, design: Design
) -> None:
    table = await make(tables, {"a": "string", "b": "string"})
    await insert(store, table, {"a": "longer than three"})
    before = await rows(store, table)
    await fields(design, define={"a": {"maxLength": 3, "pattern": "^[a-z]+$", "enum": ["abc"]}})
    assert await rows(store, table) == before
    assert await problems(tables, {"b": "x"}, creating=False) == []
    assert "maxLength" in await problems(tables, {"a": "longer than three"}, creating=False)


async def test_changing_a_type_keeps_values_as_they_are(
    tables: Tables, store: Store, design: Design
) -> None:
    table = await make(tables, {"a": "string"})
    await insert(store, table, {"a": "5"})
    await fields(design, define={"a": {"type": "number"}})
    assert own((await rows(store, table))[0]) == {"a": "5"}
    assert await problems(tables, {"a": "5"}, creating=False) == ["type"]
    assert await problems(tables, {"a": 5}, creating=False) == []


async def test_unique_over_duplicates_changes_nothing_and_names_them(
    tables: Tables, store: Store, design: Design
) -> None:
    table = await make(tables, {"a": "string", "b": "string"})
    await insert(store, table, {"a": "same", "b": "x"}, {"a": "same"}, {"a": "one"}, {}, {})
    with pytest.raises(DuplicateValue) as caught:
        await fields(design, define={"a": {"unique": True}}, remove=("b",))
    assert caught.value.status == 409
    assert '"same"' in caught.value.message
    assert [d["message"] for d in caught.value.details] == ['a: 2 rows hold "same"']
    assert await tables.find("t") == table
    assert own((await rows(store, table))[0]) == {"a": "same", "b": "x"}
    assert store.collection(table.collection).indexes == ()  # type: ignore[union-attr]


async def test_unique_leaves_rows_without_a_value_alone_and_a_plain_index_does_not(
    tables: Tables, store: Store, design: Design
) -> None:
    table = await make(tables, {"a": "string"})
    await insert(store, table, {}, {"a": None}, {"a": "x"})
    await fields(design, define={"a": {"unique": True}})
    index = {"name": "once", "fields": {"b": 1}, "unique": True}
    await fields(design, define={"b": "string"})
    with pytest.raises(DuplicateValue, match="null"):
        await design.manage_indexes("t", [index], (), "")
    changed, applied = await design.manage_indexes("t", [{**index, "sparse": True}], (), "")
    assert applied.added == ["once"]
    assert changed.table.index_version == 3


async def test_removing_a_column_empties_it_everywhere_for_good(
    tables: Tables, store: Store, design: Design
) -> None:
    table = await make(tables, {"a": "string", "b": {"type": "string", "unique": True}})
    await design.manage_indexes(
        "t",
        [{"name": "both", "fields": {"a": 1, "b": 1}}, {"name": "by_a", "fields": {"a": 1}}],
        (),
        "",
    )
    await insert(store, table, *({"a": "x", "b": f"b{n}"} for n in range(1200)), {"a": "y"})
    designed, _ = await design.manage_fields("t", FieldChanges(remove=("b",)), "")
    assert {"b" in row for row in await rows(store, table)} == {False}
    assert {row["updatedAt"] for row in await rows(store, table)} == {"1970-01-01T00:00:01.000Z"}
    assert [index.name for index in designed.table.indexes] == ["by_a"]
    assert (designed.table.schema_version, designed.table.index_version) == (2, 3)
    assert designed.warnings == ["the index both went with its field"]
    back = await design.apply_version("t", "schema", 1, "")
    assert {"b" in row for row in await rows(store, table)} == {False}
    assert [index.name for index in back.table.indexes] == ["by_a", "uq_b"]


async def test_undeclared_data_is_no_column_to_remove(
    tables: Tables, store: Store, design: Design
) -> None:
    table = await make(tables, {"a": "string"})
    await insert(store, table, {"loose": 1})
    with pytest.raises(InvalidSchema) as caught:
        await fields(design, remove=("loose",))
    assert caught.value.details[0]["rule"] == "FIELD_CONFLICT"
    assert own((await rows(store, table))[0]) == {"loose": 1}


async def test_rolling_back_copies_the_version_and_touches_no_row(
    tables: Tables, store: Store, design: Design
) -> None:
    table = await make(tables, {"a": {"type": "string", "unique": True}})
    await fields(design, "second", define={"a": {"unique": False}, "b": "string"})
    await insert(store, table, {"a": "x", "b": "kept"})
    before = await rows(store, table)
    designed = await design.apply_version("t", "schema", 1, "third")
    assert await rows(store, table) == before, "what is newer than version 1 is undeclared now"
    assert designed.table.schema == table.schema
    assert designed.table.schema_version == 3
    assert [index.name for index in designed.table.indexes] == ["uq_a"]
    versions, total = await list_versions(store, designed.table, "schema", offset=0, limit=10)
    assert [(v.number, v.created_by) for v in versions] == [(3, "third"), (2, "second"), (1, "")]
    assert total == 3
    assert versions[0].content == versions[2].content
    with pytest.raises(InvalidSchema, match="current"):
        await design.apply_version("t", "schema", 3, "")
    with pytest.raises(VersionNotFound):
        await design.apply_version("t", "schema", 4, "")
    assert await find_version(store, designed.table, "schema", 9) is None


async def test_rolling_back_to_a_unique_column_that_has_duplicates_by_now(
    tables: Tables, store: Store, design: Design
) -> None:
    table = await make(tables, {"a": {"type": "string", "unique": True}})
    changed = await fields(design, define={"a": {"unique": False}})
    await insert(store, table, {"a": "x"}, {"a": "x"})
    with pytest.raises(DuplicateValue):
        await design.apply_version("t", "schema", 1, "")
    assert await tables.find("t") == changed


async def test_index_versions_are_rolled_back_as_far_as_their_columns_are_declared(
    tables: Tables, store: Store, design: Design
) -> None:
    await make(tables, {"a": "string", "b": "string", "u": {"type": "string", "unique": True}})
    given = [{"name": "by_a", "fields": {"a": 1}}, {"name": "by_b", "fields": {"b": 1, "a": 1}}]
    await design.manage_indexes("t", given, (), "")
    await design.manage_indexes("t", [], ("by_a", "by_b"), "")
    await fields(design, remove=("b",), define={"u": {"unique": False}})
    designed = await design.apply_version("t", "indexes", 2, "")
    assert [index.name for index in designed.table.indexes] == ["by_a"]
    assert designed.warnings == ["by_b is left out: b is not declared"]
    with pytest.raises(InvalidIndex, match="current"):
        await design.apply_version("t", "indexes", designed.table.index_version, "")


async def test_a_call_that_changes_nothing_makes_no_version(tables: Tables, design: Design) -> None:
    table = await make(tables, {"a": {"type": "string", "maxLength": 5}})
    assert await fields(design, define={"a": {"maxLength": 5}}) == table


async def test_a_version_that_was_not_expected_is_refused(tables: Tables, design: Design) -> None:
    await make(tables, {"a": "string"})
    changes = FieldChanges(define={"b": "string"})
    await design.manage_fields("t", changes, "", 1)
    with pytest.raises(PreconditionFailed):
        await design.manage_fields("t", changes, "", 1)


async def test_parallel_changes_are_all_kept(tables: Tables, store: Store, design: Design) -> None:
    await make(tables, {"a": "string"})
    other = Tables(store, tables._clock)  # as another process would have it
    designs = (design, Design(other, store, check_filter))
    await asyncio.gather(
        *(
            designs[n % 2].manage_fields("t", FieldChanges(define={f"c{n}": "string"}), "")
            for n in range(6)
        ),
        design.set_labels("t", {"display_name": "T"}),
        designs[1].set_parts("t", {"permissions": {"user": {"read": True}}}),
        design.manage_indexes("t", [{"name": "by_a", "fields": {"a": 1}}], (), ""),
    )
    table = await tables.find("t")
    assert table is not None
    assert sorted(table.schema["properties"]) == ["a", *(f"c{n}" for n in range(6))]
    assert (table.schema_version, table.index_version) == (7, 2)
    assert (table.display_name, table.permissions) == ("T", {"user": {"read": True}})
    assert [index.name for index in table.indexes] == ["by_a"]
    assert store.collection(table.collection).indexes == table.indexes  # type: ignore[union-attr]
