"""The tables of one environment: looking them up, making and changing them (21 §1, §4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeAlias

import orjson

from bkend.clock import Clock
from bkend.ids import prefixed
from bkend.store import (
    ALWAYS,
    Check,
    Collection,
    Conflict,
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
    Store,
    Update,
    all_of,
    any_of,
)
from bkend.store.walk import anew, pages
from bkend.tables.duplicates import find_duplicates
from bkend.tables.errors import (
    DuplicateValue,
    InvalidTableName,
    ReservedTableName,
    TableExists,
    TableNotFound,
    detail,
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
from bkend.tables.turns import Turns
from bkend.tables.validation import RowValidator
from bkend.tables.view import View

Erased: TypeAlias = Callable[[int], None]
"""Told how many rows have been gone through so far."""


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


def definition_of(table: Table) -> Definition:
    """The table as it is, to be changed with `dataclasses.replace`."""
    return Definition(**{field.name: getattr(table, field.name) for field in fields(Definition)})


class Tables:
    """Table definitions in one environment's store."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._live: dict[str, LiveTable] = {}
        self.turns = Turns()
        """Whose turn it is to change a table; other processes meet the guard."""
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

    async def find(self, id_or_name: str) -> Table | None:
        """The table as it is stored now, by id or name, or None."""
        body = await self._store.get(TABLES, id_or_name)
        if body is not None:
            return table_from(body)
        live = await self.get(id_or_name)
        return live.table if live else None

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
        erases: bool = True,
    ) -> Table:
        """Bring a table to the definition, writing new versions of what changed (21 §4).

        Values of removed columns are erased from every row: before the new version is written, so
        that a change that was cut short is found and finished by the next one, and of rows written
        meanwhile after it; unless `erases` is False, which leaves them as undeclared data.

        Column permissions of erased columns go too, so that they do not hold for a later column of
        that name. Raises DuplicateValue when a unique index meets duplicates, nothing is changed
        then; and Conflict when `table` is not what is stored any more.
        """
        async with self.turns.of(table.id):
            return await self._update(table, definition, author, erased, erases=erases)

    async def _update(
        self,
        table: Table,
        definition: Definition,
        author: str,
        erased: Erased | None,
        *,
        erases: bool,
    ) -> Table:
        kept = definition.schema["properties"]
        removed = [name for name in table.schema["properties"] if erases and name not in kept]
        column_permissions = columns_without(definition.column_permissions, removed)
        definition = replace(definition, column_permissions=column_permissions)
        held, wanted = _fields(definition_of(table)), _fields(definition)
        changes = {
            name: value
            for name, value in wanted.items()
            if orjson.dumps(value) != orjson.dumps(held[name])
        }
        if not changes:
            return table
        guard = Equals(("revision",), table.revision or None)
        is_current = all_of(Equals(("id",), table.id), guard)
        await self._store.commit([Check(TABLES, is_current, at_least=1)])
        changes["revision"] = table.revision + 1
        operations: list[Operation] = []
        now = self._clock.now_ms()
        if definition.schema != table.schema:
            version = table.schema_version + 1
            changes["schemaVersion"] = version
            operations.append(_schema_version(table.id, version, definition, now, author))
        await self._build_indexes(table, definition.indexes)
        if definition.indexes != table.indexes:
            version = table.index_version + 1
            changes["indexVersion"] = version
            operations.append(_index_version(table.id, version, definition, now, author))
        if removed:
            await self.erase(table, removed, erased)
        change = Update(TABLES, table.id, set=changes, updated_at=now, guard=guard)
        try:
            results = await self._store.commit([change, *operations])
        except (Conflict, Duplicate):
            await self._restore_indexes(table)
            raise Conflict(TABLES) from None
        except Missing:
            raise TableNotFound(table.name) from None
        if removed:
            await self._erase_stragglers(table, removed)
        assert isinstance(results[0], bytes)
        return table_from(results[0])

    async def _erase_stragglers(self, table: Table, removed: Sequence[str]) -> None:
        """Erase what requests wrote that were checked against the schema of before.

        They stand in the store's queue by now: whoever is checked later sees the new version. So
        one more commit comes after all of them.
        """
        await self._store.commit([Check(TABLES, Equals(("id",), table.id))])
        if await self._store.count(
            table.collection, any_of(*(Exists((name,)) for name in removed))
        ):
            await self.erase(table, removed)

    async def _build_indexes(self, table: Table, indexes: tuple[Index, ...]) -> None:
        """Bring the store's indexes to these, if they are not; raises DuplicateValue."""
        wanted = Collection(table.collection, indexes)
        if self._store.collection(wanted.name) == wanted:
            return
        try:
            await self._store.define(wanted)
        except Duplicate as error:
            raise await self._duplicates(table, error.fields) from None

    async def _restore_indexes(self, table: Table) -> None:
        """After a change that lost: the store's indexes as the stored definition has them."""
        current = await self.find(table.id)
        if current is not None:
            await self._build_indexes(current, current.indexes)

    async def _duplicates(self, table: Table, fields: Sequence[str]) -> DuplicateValue:
        """The refusal of a unique index, with some of the values that are there twice."""
        samples = await find_duplicates(self._store, table.collection, fields)
        name = ",".join(fields)
        message = f"a unique index on {name} of {table.name!r} meets rows with equal values"
        details = [
            detail(name, "unique", f"{name}: {count} rows hold {value}") for value, count in samples
        ]
        return DuplicateValue(
            f"{message}, for example {samples[0][0]}" if samples else message,
            details=details or [detail(name, "unique", message)],
        )

    async def erase(
        self, table: Table, columns: Sequence[str], erased: Erased | None = None
    ) -> None:
        """Remove the columns' values from every row; `updatedAt` stays."""
        done = 0
        async for page in pages(self._store, table.collection):
            rows = page
            while not await self._erased(table, columns, rows):
                rows = await anew(self._store, table.collection, rows)
            done += len(page)
            if erased:
                erased(done)

    async def _erased(
        self, table: Table, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]
    ) -> bool:
        """Remove the columns from these rows; False when one of them was deleted meanwhile."""
        changes = [
            Update(table.collection, row["id"], unset=tuple(columns))
            for row in rows
            if any(column in row for column in columns)
        ]
        try:
            await self._store.commit(changes)
        except Missing:
            return False
        return True

    async def delete(self, table: Table) -> None:
        """Drop the table with its rows, indexes and history, for good. Raises TableNotFound."""
        async with self.turns.of(table.id):
            try:
                await self._store.commit(
                    [
                        Delete(TABLES, table.id),
                        DeleteWhere(TABLE_VERSIONS, Equals(("tableId",), table.id)),
                    ]
                )
            except Missing:
                raise TableNotFound(table.name) from None
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
