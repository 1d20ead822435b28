"""Designing tables: fields, indexes, permissions, labels, versions (21 §4, §5).

Each change reads the table, works out the new definition and writes it under a guard. A change
that somebody else made in between is seen and the work done again on what there is then, so that
no change is lost.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, TypeVar

from bkend.store import (
    Check,
    Conflict,
    Exists,
    Missing,
    OneOf,
    Operation,
    Store,
    Update,
    all_of,
)
from bkend.store.walk import anew, pages
from bkend.tables.errors import (
    InvalidIndex,
    InvalidSchema,
    PreconditionFailed,
    SystemTableProtected,
    TableChanged,
    TableNotFound,
    VersionNotFound,
    detail,
)
from bkend.tables.fields import AppliedFields, FieldChanges, apply_fields
from bkend.tables.indexes import (
    AppliedIndexes,
    change_indexes,
    check_indexes,
    declared_indexes,
    indexes_without,
)
from bkend.tables.models import SYSTEM_TABLES, Table, index_from, index_shape
from bkend.tables.parts import check_parts
from bkend.tables.row_filters import FilterCheck
from bkend.tables.service import Definition, Tables, definition_of
from bkend.tables.versions import Kind, Version, current_version, find_version

_ATTEMPTS = 20
_LONGEST_PAUSE_MS = 50
_PART_FIELDS = {
    "permissions": "permissions",
    "expressionPermissions": "expression_permissions",
    "columnPermissions": "column_permissions",
    "rowFilters": "row_filters",
}

Outcome = TypeVar("Outcome")
Change: TypeAlias = Callable[[Table], tuple[Definition, Outcome]]


@dataclass(frozen=True, slots=True)
class Designed:
    """A table after a change, the one before it, and what people should know."""

    table: Table
    before: Table
    warnings: list[str] = field(default_factory=list)


class Design:
    """The changes that designers make to one environment's tables."""

    def __init__(self, tables: Tables, store: Store, check_filter: FilterCheck) -> None:
        self._tables = tables
        self._store = store
        self._check_filter = check_filter

    async def table(self, id_or_name: str) -> Table:
        """The table; raises SystemTableProtected, TableNotFound."""
        if id_or_name in SYSTEM_TABLES:
            raise SystemTableProtected(id_or_name)
        table = await self._tables.find(id_or_name)
        if table is None:
            raise TableNotFound(id_or_name)
        return table

    # -- changes ----------------------------------------------------------------------------

    async def manage_fields(
        self, name: str, changes: FieldChanges, author: str, expected: int | None = None
    ) -> tuple[Designed, AppliedFields]:
        """Add, update and remove columns in one new version (21 §4).

        Raises InvalidSchema, InvalidIndex, DuplicateValue, PreconditionFailed, TableChanged.
        """

        def work(table: Table) -> tuple[Definition, AppliedFields]:
            applied = apply_fields(table, changes)
            if changes.backfill:
                _check_backfill(applied, changes)
            return _with_schema(table, applied.schema), applied

        before, table, applied = await self._change(name, work, author, expected)
        warnings = [*applied.warnings, *_index_warnings(before, table)]
        if changes.backfill:
            await self._backfill(table, changes.define)
        return Designed(table, before, warnings), applied

    async def manage_indexes(
        self,
        name: str,
        define: Any,
        remove: Sequence[str],
        author: str,
        expected: int | None = None,
    ) -> tuple[Designed, AppliedIndexes]:
        """Add, replace and remove indexes in one new index version (21 §5).

        Raises InvalidIndex, DuplicateValue, PreconditionFailed, TableChanged.
        """

        def work(table: Table) -> tuple[Definition, AppliedIndexes]:
            applied = change_indexes(table.indexes, table.schema, define, remove)
            return replace(definition_of(table), indexes=applied.indexes), applied

        before, table, applied = await self._change(name, work, author, expected)
        return Designed(table, before), applied

    async def set_parts(self, name: str, parts: Mapping[str, Any]) -> Table:
        """Replace the permission parts that are given; raises InvalidPermissions."""

        def work(table: Table) -> tuple[Definition, None]:
            return self.with_parts(definition_of(table), parts), None

        return (await self._change(name, work))[1]

    def with_parts(self, definition: Definition, parts: Mapping[str, Any]) -> Definition:
        """The definition with each given part replaced whole, null for not configured.

        Raises InvalidPermissions with the details of all parts.
        """
        checked = check_parts(parts, definition.schema, self._check_filter)
        changed = {_PART_FIELDS[name]: part for name, part in checked.items()}
        return replace(definition, **changed)

    async def set_labels(self, name: str, labels: Mapping[str, Any]) -> Table:
        """Change `display_name`, `description`: those that are given."""

        def work(table: Table) -> tuple[Definition, None]:
            return replace(definition_of(table), **labels), None

        return (await self._change(name, work))[1]

    async def apply_version(
        self, name: str, kind: Kind, number: int, author: str, expected: int | None = None
    ) -> Designed:
        """Copy an old version into a new one; no row is touched (21 §4).

        Raises VersionNotFound, DuplicateValue; InvalidSchema or InvalidIndex when it is current.
        """
        version = await self._version(await self.table(name), kind, number)

        def work(table: Table) -> tuple[Definition, list[str]]:
            _require_old(table, kind, number)
            if kind == "schema":
                return _with_schema(table, version.content), []
            return _with_indexes(table, version.content)

        before, table, warnings = await self._change(name, work, author, expected, erases=False)
        if kind == "schema":
            warnings = _index_warnings(before, table)
        return Designed(table, before, warnings)

    async def delete(self, name: str) -> Table:
        """Drop a table for good."""
        table = await self.table(name)
        await self._tables.delete(table)
        return table

    async def _version(self, table: Table, kind: Kind, number: int) -> Version:
        version = await find_version(self._store, table, kind, number)
        if version is None:
            raise VersionNotFound(table.name, number)
        return version

    async def _change(
        self,
        name: str,
        work: Change[Outcome],
        author: str = "",
        expected: int | None = None,
        *,
        erases: bool = True,
    ) -> tuple[Table, Table, Outcome]:
        """The table before and after, and what `work` said; done again when somebody else was
        faster. `expected` is the schema version that the caller has seen."""
        id = (await self.table(name)).id
        async with self._tables.turns.of(id):
            for attempt in range(_ATTEMPTS):
                if attempt:  # so that two processes do not meet again and again
                    await asyncio.sleep(secrets.randbelow(_LONGEST_PAUSE_MS) / 1000)
                before = await self.table(id)
                if expected is not None and expected != before.schema_version:
                    raise PreconditionFailed(before.schema_version)
                definition, outcome = work(before)
                try:
                    after = await self._tables.update(before, definition, author, erases=erases)
                except Conflict:
                    continue
                return before, after, outcome
        raise TableChanged

    # -- backfill ---------------------------------------------------------------------------

    async def _backfill(self, table: Table, names: Mapping[str, Any]) -> None:
        """Put the defaults of these columns into every row that lacks them; times stay."""
        columns = table.schema["properties"]
        defaults = {n: columns[n]["default"] for n in names if "default" in columns.get(n, {})}
        if not defaults:
            return
        async for page in pages(self._store, table.collection):
            rows = page
            while not await self._filled(table, rows, defaults):
                rows = await anew(self._store, table.collection, rows)

    async def _filled(
        self, table: Table, rows: Sequence[Mapping[str, Any]], defaults: Mapping[str, Any]
    ) -> bool:
        """Fill these rows; False when one of them was written or deleted meanwhile."""
        try:
            await self._store.commit(_filling(table.collection, rows, defaults))
        except (Conflict, Missing):
            return False
        return True


def _filling(
    collection: str, rows: Sequence[Mapping[str, Any]], defaults: Mapping[str, Any]
) -> list[Operation]:
    """The writes that fill rows; they are refused if a row has come to hold one of the values."""
    operations: list[Operation] = []
    for name in defaults:
        lacking = tuple(row["id"] for row in rows if name not in row)
        if lacking:
            holds = all_of(OneOf(("id",), lacking), Exists((name,)))
            operations.append(Check(collection, holds, at_most=0))
    for row in rows:
        missing = {name: value for name, value in defaults.items() if name not in row}
        if missing:
            operations.append(Update(collection, row["id"], set=missing))
    return operations


def _check_backfill(applied: AppliedFields, changes: FieldChanges) -> None:
    columns = applied.schema["properties"]
    problems = [
        detail(name, "backfill", f"{name} is unique: its default cannot be put into every row")
        for name in changes.define
        if columns[name].get("unique") and "default" in columns[name]
    ]
    if problems:
        raise InvalidSchema(problems)


def _with_schema(table: Table, schema: dict[str, Any]) -> Definition:
    """The table with another schema. Indexes that name a column which is not declared any more
    go; those of unique columns follow the new schema."""
    gone = table.schema["properties"].keys() - schema["properties"].keys()
    kept = indexes_without(declared_indexes(table.indexes, table.schema), gone)
    indexes = check_indexes([index_shape(index) for index in kept], schema)
    return replace(definition_of(table), schema=schema, indexes=indexes)


def _with_indexes(table: Table, held: list[dict[str, Any]]) -> tuple[Definition, list[str]]:
    """The table with the indexes of an old version, as far as its columns are still declared."""
    columns = table.schema["properties"]
    kept, warnings = [], []
    for index in map(index_from, held):
        tops = [path.split(".")[0] for path, _ in index.fields]
        missing = [t for t in tops if t not in columns and t not in ("id", *_TIMES)]
        if index.unique and index.sparse and index.name == f"uq_{tops[0]}" and len(tops) == 1:
            continue  # follows from the column, which may not be unique any more
        if missing:
            warnings.append(f"{index.name} is left out: {', '.join(missing)} is not declared")
            continue
        kept.append(index_shape(index))
    indexes = check_indexes(kept, table.schema)
    return replace(definition_of(table), indexes=indexes), warnings


_TIMES = ("createdAt", "updatedAt", "createdBy")


def _require_old(table: Table, kind: Kind, number: int) -> None:
    if current_version(table, kind) != number:
        return
    problem = detail("version", "current", f"version {number} is the current one")
    raise InvalidSchema([problem]) if kind == "schema" else InvalidIndex([problem])


def _index_warnings(before: Table, after: Table) -> list[str]:
    kept = {index.name for index in after.indexes}
    generated = check_indexes([], before.schema)
    return [
        f"the index {index.name} went with its field"
        for index in before.indexes
        if index.name not in kept and index not in generated
    ]
