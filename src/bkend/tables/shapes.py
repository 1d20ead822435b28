"""Tables, indexes and versions as the management side shows them (51 §3.6, 40 §6.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bkend.store import Index
from bkend.tables.indexes import SYSTEM_INDEXES
from bkend.tables.models import SYSTEM_TABLES, Table, index_shape
from bkend.tables.versions import Kind, Version, current_version

_DEFAULTS = (
    Index("idx_createdAt_desc", (("createdAt", -1),)),
    Index("idx_updatedAt_desc", (("updatedAt", -1),)),
    Index("idx_createdBy", (("createdBy", 1),)),
)
assert tuple(index.name for index in _DEFAULTS) == SYSTEM_INDEXES


def table_shape(table: Table, names: dict[str, str], rows: int) -> dict[str, Any]:
    """The table object; `names` are id, project, environment and table name. Nobody has made the
    system tables: they have no times."""
    return {
        **names,
        "displayName": table.display_name,
        "description": table.description,
        "status": "deployed",
        "isSystem": table.name in SYSTEM_TABLES,
        "schema": table.schema,
        "indexes": index_shapes(table),
        **shown_parts(table),
        "schemaVersion": table.schema_version,
        "indexVersion": table.index_version,
        "documentCount": rows,
        "createdAt": table.created_at or None,
        "updatedAt": table.updated_at or None,
    }


def shown_parts(table: Table) -> dict[str, Any]:
    """The four permission parts of a table, null when not configured."""
    return {
        "permissions": table.permissions,
        "expressionPermissions": table.expression_permissions,
        "columnPermissions": table.column_permissions,
        "rowFilters": table.row_filters,
    }


def index_shapes(table: Table) -> list[dict[str, Any]]:
    """All indexes, those that every table has first (21 §5)."""
    return [_index(index, is_default=True) for index in _DEFAULTS] + [
        _index(index, is_default=False) for index in table.indexes
    ]


def _index(index: Index, *, is_default: bool) -> dict[str, Any]:
    shape = index_shape(index)
    return {
        "name": index.name,
        "key": shape["fields"],
        "fields": shape["fields"],
        "unique": index.unique,
        "sparse": index.sparse,
        "isDefault": is_default,
    }


def version_shape(
    table: Table, kind: Kind, version: Version, names: Mapping[str, str]
) -> dict[str, Any]:
    """One version of the schema or the indexes; `names` are those of accounts by id."""
    is_current = version.number == current_version(table, kind)
    return {
        "id": f"{table.id}.{kind[0]}{version.number}",
        "version": version.number,
        kind: version.content,
        "isCurrent": is_current,
        "isActive": is_current,
        "createdAt": version.created_at,
        "createdBy": version.created_by,
        "createdByName": names.get(version.created_by),
    }
