"""`GET /v1/data/:table/spec`: what a table is, for those who may read it (20 §4.6, 21 §5)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from bkend.tables.indexes import indexes_without
from bkend.tables.models import Table
from bkend.tables.permissions import effective_matrix
from bkend.tables.shapes import index_shapes, shown_parts


def table_spec(table: Table, *, is_admin: bool) -> dict[str, Any]:
    """The spec; `table` is what the requester may know of it (`without_hidden`)."""
    spec: dict[str, Any] = {
        "tableName": table.name,
        "schema": table.schema,
        "indexes": index_shapes(table),
        "permissions": effective_matrix(table),
    }
    if is_admin:
        spec |= {name: part for name, part in shown_parts(table).items() if name != "permissions"}
    return spec


def without_hidden(table: Table, hidden: Collection[str]) -> Table:
    """The table as somebody knows it who can never read these columns: they are in no schema, and
    no index that names one is told of."""
    if not hidden:
        return table
    schema = {
        **table.schema,
        "required": [name for name in table.schema["required"] if name not in hidden],
        "properties": {
            name: column
            for name, column in table.schema["properties"].items()
            if name not in hidden
        },
    }
    return replace(table, schema=schema, indexes=tuple(indexes_without(table.indexes, hidden)))
