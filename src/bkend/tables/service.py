"""The tables of one environment: looking them up, making and changing them (21 §1, §4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import orjson

from bkend.clock import Clock
from bkend.ids import prefixed
from bkend.store import (
    ALWAYS,
    Check,
    Collection,
    Compare,
    Delete,
    DeleteWhere,
    Duplicate,
    Equals,
    Exists,
    Find,
    Index,
    Insert,
    Missing,
    Operation,
    Sort,
    Store,
    Update,
    all_of,
    any_of,
)
from bkend.tables.errors import (
    DuplicateValue,
    InvalidTableName,
    ReservedTableName,
    TableExists,
)
from bkend.tables.models import (
    TABLE_NAME,
    TABLE_VERSIONS,
    TABLES,
    Table,
    index_shape,
    is_reserved,
    table_from,
)
from bkend.tables.parts import columns_without
from bkend.tables.permissions import Permissions
from bkend.tables.validation import RowValidator
from bkend.tables.view import View

Erased: TypeAlias = Callable[[int], None]
"""Told how many rows have been gone through so far."""

_BATCH = 500


@dataclass(frozen=True, slots=True)
class Definition:
    """A table as a designer wants it: everything already checked and canonical."""

    name: str
    schema: dict[str, Any]
    indexes: tuple[Index, ...] = ()
    permissions: dict[str, dict[str, bool]] | None = None
    display_name: str | None = None
    description: str | None = None
    expression_permissions: dict[str, str] | None = None
    column_permissions: dict[str, dict[str, str]] | None = None
    row_filters: list[dict[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class LiveTable:
    """A table with what requests need of it, compiled once per version."""

    table: Table
    permissions: Permissions
    validator: RowValidator
    plans: dict[Any, Any] = field(default_factory=dict)
    """Compiled list queries of this version, owned by the records service."""
    views: dict[Any, View] = field(default_factory=dict)
    """What requesters may see of this version's rows, likewise."""
    answers: dict[Any, tuple[int, bytes]] = field(default_factory=dict)
    """Bodies of small lists with the change counter they were true at, likewise."""


class Tables:
    """Table definitions in one environment's store."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._live: dict[str, LiveTable] = {}
        store.listen(self._forget)

    def _forget(self, collection: str, ids: Sequence[str] | None) -> None:
        if collection in (TABLES, "*"):
            self._live.clear()

    def cached(self, name: str) -> LiveTable | None:
        """The table of this name if it was looked up before and nothing changed since."""
        return self._live.get(name)

    async def get(self, name: str) -> LiveTable | None:
        """The table of this name (case matters), or None."""
        held = self._live.get(name)
        if held is not None:
            return held
        if not TABLE_NAME.match(name):
            return None
        counter = self._store.changes(TABLES)
        page = await self._store.find(Find(TABLES, Equals(("nameKey",), name.lower()), limit=1))
        found = orjson.loads(page.items)
        if not found or found[0]["tableName"] != name:
            return None
        table = table_from(orjson.dumps(found[0]))
        live = LiveTable(table, Permissions(table), RowValidator(table.schema))
        if self._store.changes(TABLES) == counter:
            self._live[name] = live
        return live

    async def list(self) -> list[Table]:
        """All tables by name."""
        found: list[Table] = []
        while True:
            page = await self._store.find(
                Find(TABLES, ALWAYS, descending=False, offset=len(found), limit=200)
            )
            items = orjson.loads(page.items)
            found.extend(table_from(orjson.dumps(item)) for item in items)
            if not items or len(found) >= page.total:
                return sorted(found, key=lambda table: table.name)

    async def create(self, definition: Definition, author: str = "") -> Table:
        """Make a table. Raises InvalidTableName, ReservedTableName, TableExists."""
        if not TABLE_NAME.match(definition.name):
            raise InvalidTableName
        if is_reserved(definition.name):
            raise ReservedTableName(definition.name)
        if await self._store.count(TABLES, Equals(("nameKey",), definition.name.lower())):
            raise TableExists(definition.name)
        id = prefixed("tbl")
        now = self._clock.now_ms()
        await self._store.define(Collection(id, definition.indexes))
        fields = {
            "tableName": definition.name,
            "nameKey": definition.name.lower(),
            "schemaVersion": 1,
            "indexVersion": 1,
            "revision": 1,
            **_fields(definition),
        }
        try:
            results = await self._store.commit(
                [
                    Insert(TABLES, id, fields, now, now, author),
                    _schema_version(id, 1, definition, now, author),
                    _index_version(id, 1, definition, now, author),
                ]
            )
        except Duplicate as error:
            await self._store.drop(id)
            raise TableExists(definition.name) from error
        assert isinstance(results[0], bytes)
        return table_from(results[0])

    async def update(
        self,
        table: Table,
        definition: Definition,
        author: str = "",
        *,
        erased: Erased | None = None,
    ) -> Table:
        """Bring a table to the definition, writing new versions of what changed (21 §4).

        Values of removed columns are erased from every row: before the new version is written, so
        that a change that was cut short is found and finished by the next one, and of rows written
        meanwhile after it. Column permissions of removed columns go too, so that they do not hold
        for a later column of that name. Raises DuplicateValue when a unique index meets duplicates,
        nothing is changed then; and Conflict when `table` is not what is stored any more.
        """
        kept = definition.schema["properties"]
        removed = [name for name in table.schema["properties"] if name not in kept]
        column_permissions = columns_without(definition.column_permissions, removed)
        definition = replace(definition, column_permissions=column_permissions)
        guard = Equals(("revision",), table.revision or None)
        is_current = all_of(Equals(("id",), table.id), guard)
        await self._store.commit([Check(TABLES, is_current, at_least=1)])
        changes = {**_fields(definition), "revision": table.revision + 1}
        operations: list[Operation] = []
        now = self._clock.now_ms()
        if definition.schema != table.schema:
            version = table.schema_version + 1
            changes["schemaVersion"] = version
            operations.append(_schema_version(table.id, version, definition, now, author))
        if definition.indexes != table.indexes:
            await self._build_indexes(table, definition)
            version = table.index_version + 1
            changes["indexVersion"] = version
            operations.append(_index_version(table.id, version, definition, now, author))
        if removed:
            await self.erase(table, removed, erased)
        results = await self._store.commit(
            [Update(TABLES, table.id, set=changes, updated_at=now, guard=guard), *operations]
        )
        holds_some = any_of(*(Exists((name,)) for name in removed))
        if removed and await self._store.count(table.collection, holds_some):
            await self.erase(table, removed)
        assert isinstance(results[0], bytes)
        return table_from(results[0])

    async def _build_indexes(self, table: Table, definition: Definition) -> None:
        try:
            await self._store.define(Collection(table.collection, definition.indexes))
        except Duplicate as error:
            names = ", ".join(error.fields)
            raise DuplicateValue(
                f"a unique index on {names} of {table.name!r} meets rows with equal values",
                details=[
                    {
                        "field": ",".join(error.fields),
                        "rule": "unique",
                        "message": f"{names} has equal values in several rows",
                    }
                ],
            ) from error

    async def erase(
        self, table: Table, columns: Sequence[str], erased: Erased | None = None
    ) -> None:
        """Remove the columns' values from every row; `updatedAt` stays."""
        last, done = "", 0
        while True:
            later = Find(
                table.collection, Compare(("id",), "gt", last), (Sort(("id",)),), limit=_BATCH
            )
            rows = orjson.loads((await self._store.find(later)).items)
            if not rows:
                return
            try:
                await self._store.commit(
                    [
                        Update(table.collection, row["id"], unset=tuple(columns))
                        for row in rows
                        if any(column in row for column in columns)
                    ]
                )
            except Missing:
                continue  # a row was deleted meanwhile; look again
            last, done = rows[-1]["id"], done + len(rows)
            if erased:
                erased(done)

    async def delete(self, table: Table) -> None:
        """Drop the table with its rows, indexes and history, for good."""
        await self._store.commit(
            [
                Delete(TABLES, table.id),
                DeleteWhere(TABLE_VERSIONS, Equals(("tableId",), table.id)),
            ]
        )
        await self._store.drop(table.collection)

    async def count_rows(self, table: Table) -> int:
        """How many rows the table has."""
        return await self._store.count(table.collection)

    async def count_holding(self, table: Table, column: str) -> int:
        """How many rows hold a value, null included, in the column."""
        return await self._store.count(table.collection, Exists((column,)))


def _fields(definition: Definition) -> dict[str, Any]:
    return {
        "schema": definition.schema,
        "indexes": [index_shape(index) for index in definition.indexes],
        "permissions": definition.permissions,
        "expressionPermissions": definition.expression_permissions,
        "columnPermissions": definition.column_permissions,
        "rowFilters": definition.row_filters,
        "displayName": definition.display_name,
        "description": definition.description,
    }


def _schema_version(id: str, version: int, new: Definition, now: int, author: str) -> Insert:
    held = {"tableId": id, "kind": "schema", "version": version, "schema": new.schema}
    return Insert(TABLE_VERSIONS, f"{id}.s{version}", held, now, now, author)


def _index_version(id: str, version: int, new: Definition, now: int, author: str) -> Insert:
    indexes = [index_shape(index) for index in new.indexes]
    held = {"tableId": id, "kind": "indexes", "version": version, "indexes": indexes}
    return Insert(TABLE_VERSIONS, f"{id}.i{version}", held, now, now, author)
