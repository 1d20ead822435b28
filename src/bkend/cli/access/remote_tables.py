"""Tables at a server: read, and changed by the calls that designers have (51 §8 "Database").

The API changes fields, indexes, permissions and labels of a table one after the other. Before the
first call the table must be what the plan has seen, and the calls that make versions name the one
that they build on, so a change of somebody else is refused and not overwritten.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableSequence
from typing import Any
from urllib.parse import quote

import orjson

from bkend.cli.access.places import RemotePlace, everything
from bkend.cli.access.remote import Remote, RemoteRefusal
from bkend.cli.commands import Refused
from bkend.tables.describe import same_column
from bkend.tables.errors import TableChanged
from bkend.tables.indexes import declared_indexes
from bkend.tables.models import Table, index_from, index_shape
from bkend.tables.plan import TableChange
from bkend.tables.service import Definition, Erased, definition_of

_CHANGED = ("common/precondition-failed", "table/changed-meanwhile", "table/not-found")


class TakenInPart(Refused):
    """A table was changed in some parts when something kept it from the others."""

    def __init__(self, reason: str, parts: list[str]) -> None:
        super().__init__(reason)
        self.parts = parts


class RemoteTables:
    """The tables of an environment at a server. See `access.tables.DesignedTables`."""

    def __init__(self, remote: Remote, place: RemotePlace) -> None:
        self._remote = remote
        self._path = f"{place.path}/tables"
        self.place = place.name

    async def list(self) -> list[Table]:
        """All tables by name."""
        found = [_table(one) async for one in everything(self._remote, self._path)]
        return sorted(found, key=lambda table: table.name)

    async def count_rows(self, table: Table) -> int:
        """How many rows the table has."""
        shape = await self._remote.call("GET", self._of(table))
        return int(shape["documentCount"])

    async def count_holding(self, table: Table, column: str) -> int:
        """How many rows hold a value; needs the right to read records."""
        wanted = orjson.dumps({column: {"$exists": True}}).decode()
        query = {"limit": "1", "andFilters": wanted}
        found = await self._remote.call("GET", f"{self._of(table)}/records", query=query)
        return int(found["pagination"]["total"])

    async def take(self, change: TableChange, erased: Erased | None = None) -> None:
        """Make or change a table; the server does not tell how far it is with erasing."""
        if change.existing is None:
            await self._remote.call("POST", self._path, _creation(change.definition))
            return
        done: list[str] = []
        try:
            await self._change(change.existing, change.definition, done)
        except (Refused, TableChanged) as error:
            is_change = isinstance(error, RemoteRefusal) and error.code in _CHANGED
            error = TableChanged() if is_change else error
            if done:
                raise TakenInPart(str(error), done) from None
            raise error from None

    async def _change(self, seen: Table, wanted: Definition, done: MutableSequence[str]) -> None:
        """One part after the other; `done` tells those that were changed."""
        path, held = self._of(seen), await self._table(seen)
        if definition_of(held) != definition_of(seen):
            raise TableChanged
        in_the_way = _in_the_way(held, wanted)
        if in_the_way:
            call, body = f"{path}/indexes/manage", {"indexesToRemove": in_the_way}
            await self._remote.call("POST", call, body, if_match=held.schema_version)
            done.append("indexes")
            held = await self._table(seen)
        fields = _fields_change(held, wanted)
        if fields:
            call = f"{path}/fields/manage"
            made = await self._remote.call("POST", call, fields, if_match=held.schema_version)
            done.append("fields")
            held = await self._table(seen)
            if held.schema_version != made["schemaVersion"]:
                raise TableChanged
        indexes = _indexes_change(held, wanted)
        if indexes:
            call = f"{path}/indexes/manage"
            await self._remote.call("POST", call, indexes, if_match=held.schema_version)
            done.append("indexes")
        parts = _different(_parts(definition_of(held)), _parts(wanted))
        if parts:
            await self._remote.call("PUT", f"{path}/permissions", parts)
            done.append("permissions")
        labels = _different(_labels(definition_of(held)), _labels(wanted))
        if labels:
            await self._remote.call("PATCH", path, labels)
            done.append("labels")

    async def _table(self, table: Table) -> Table:
        return _table(await self._remote.call("GET", self._of(table)))

    def _of(self, table: Table) -> str:
        return f"{self._path}/{quote(table.id, safe='')}"


def _table(shape: Mapping[str, Any]) -> Table:
    """A table from the object of 51 §3.6."""
    return Table(
        id=shape["id"],
        name=shape["tableName"],
        schema=shape["schema"],
        indexes=tuple(index_from(one) for one in shape["indexes"] if not one["isDefault"]),
        permissions=shape["permissions"],
        display_name=shape["displayName"],
        description=shape["description"],
        schema_version=shape["schemaVersion"],
        index_version=shape["indexVersion"],
        expression_permissions=shape["expressionPermissions"],
        column_permissions=shape["columnPermissions"],
        row_filters=shape["rowFilters"],
        created_at=shape["createdAt"],
        updated_at=shape["updatedAt"],
    )


def _creation(wanted: Definition) -> dict[str, Any]:
    return {
        "tableName": wanted.name,
        "schema": wanted.schema,
        "indexes": [index_shape(index) for index in wanted.indexes],
        **_parts(wanted),
        **_labels(wanted),
    }


def _fields_change(held: Table, wanted: Definition) -> dict[str, Any]:
    """The body that brings the schema to what is wanted; empty when it is that already."""
    old, new = held.schema["properties"], wanted.schema["properties"]
    was, becomes = held.schema["required"], wanted.schema["required"]
    strict = wanted.schema.get("additionalProperties") is False
    found: dict[str, Any] = {
        "fieldsToAddOrUpdate": {
            name: column
            for name, column in new.items()
            if name not in old or not same_column(old[name], column)
        },
        "fieldsToRemove": [name for name in old if name not in new],
        "requiredFieldsToAdd": [name for name in becomes if name not in was],
        "requiredFieldsToRemove": [name for name in was if name in new and name not in becomes],
    }
    if held.strict != strict:
        found["strict"] = strict
    found = {name: value for name, value in found.items() if value or name == "strict"}
    return found and found | {"replace": True}


def _in_the_way(held: Table, wanted: Definition) -> list[str]:
    """Indexes of one's own under the names of those that unique fields will bring along."""
    kept = declared_indexes(wanted.indexes, wanted.schema)
    brought = {index.name for index in wanted.indexes if index not in kept}
    mine = declared_indexes(held.indexes, held.schema)
    return [index.name for index in mine if index.name in brought]


def _indexes_change(held: Table, wanted: Definition) -> dict[str, Any]:
    """The body that brings the indexes to what is wanted; those of unique fields follow these."""
    old = {index.name: index for index in declared_indexes(held.indexes, held.schema)}
    new = {index.name: index for index in declared_indexes(wanted.indexes, wanted.schema)}
    found: dict[str, Any] = {
        "indexesToAddOrUpdate": [
            index_shape(index) for name, index in new.items() if old.get(name) != index
        ],
        "indexesToRemove": [name for name in old if name not in new],
    }
    return found if any(found.values()) else {}


def _parts(given: Definition) -> dict[str, Any]:
    return {
        "permissions": given.permissions,
        "expressionPermissions": given.expression_permissions,
        "columnPermissions": given.column_permissions,
        "rowFilters": given.row_filters,
    }


def _labels(given: Definition) -> dict[str, Any]:
    return {"displayName": given.display_name, "description": given.description}


def _different(held: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in wanted.items() if held[name] != value}
