"""A table as `bkend.yaml` declares it: what `bkend pull` writes and `bkend apply` reads (00 §9).

The declaration is exact. Reading it back gives the same table, so nothing that decides what rows
may hold or who may see them is left out: a permission part that is not configured stands there as
`null`. Labels that are not set are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bkend.store import Index
from bkend.tables.indexes import declared_indexes
from bkend.tables.models import OPERATIONS, Table, stored_type

VERSION = 1
_WORDS = {"double": "number", "int": "integer", "bool": "boolean"}
_GROUPS = ("user", "self", "guest", "admin")
_RULES = ("read", "write")
_RULE = ("expression", "filter")
_REWRITTEN = ("bsonType", "ref", "items", "properties", "required", "additionalProperties")


def declared_document(tables: Iterable[Table]) -> dict[str, Any]:
    """The whole file as plain data, tables by name."""
    in_order = sorted(tables, key=lambda table: table.name)
    return {"version": VERSION, "tables": {table.name: declared(table) for table in in_order}}


def declared(table: Table) -> dict[str, Any]:
    """One table as plain data; fields in their own order, everything else in a fixed one."""
    found: dict[str, Any] = {}
    if table.display_name is not None:
        found["displayName"] = table.display_name
    if table.description is not None:
        found["description"] = table.description
    if table.strict:
        found["strict"] = True
    found["fields"] = _fields(table.schema)
    found["indexes"] = [_index(one) for one in declared_indexes(table.indexes, table.schema)]
    found["permissions"] = _permissions(table.permissions)
    found["expressionPermissions"] = _in_order(table.expression_permissions, OPERATIONS)
    found["columnPermissions"] = _columns(table.column_permissions)
    found["rowFilters"] = _row_filters(table.row_filters)
    return found


def _fields(schema: Mapping[str, Any]) -> dict[str, Any]:
    columns = _columns_of(schema)
    # A field of this name would be taken for the key of a schema object (21 §2), unless it is one.
    return {"properties": columns} if "properties" in columns else columns


def _columns_of(schema: Mapping[str, Any]) -> dict[str, Any]:
    required = schema["required"]
    return {
        name: _column(column, required=name in required)
        for name, column in schema["properties"].items()
    }


def _column(column: Mapping[str, Any], *, required: bool = False) -> dict[str, Any]:
    kind = stored_type(dict(column))
    is_reference = kind == "string" and "ref" in column
    word = "reference" if is_reference else _WORDS.get(kind, kind)
    found: dict[str, Any] = {
        "type": [word, "null"] if isinstance(column["bsonType"], list) else word
    }
    if column.get("ref"):
        found["table" if is_reference else "ref"] = column["ref"]
    elif "ref" in column and not is_reference:
        found["ref"] = column["ref"]
    if required:
        found["required"] = True
    found |= {key: value for key, value in column.items() if key not in _REWRITTEN}
    if "items" in column:
        found["items"] = _column(column["items"])
    if column.get("properties"):
        found["properties"] = _columns_of(column)
    if column.get("additionalProperties") is False:
        found["additionalProperties"] = False
    return found


def _index(index: Index) -> dict[str, Any]:
    flags = {"unique": index.unique, "sparse": index.sparse}
    set_flags = {name: True for name, is_set in flags.items() if is_set}
    return {"name": index.name, "fields": dict(index.fields), **set_flags}


def _permissions(given: Mapping[str, Mapping[str, bool]] | None) -> dict[str, Any] | None:
    if given is None:
        return None
    return {group: _in_order(given[group], OPERATIONS) for group in _GROUPS if group in given}


def _columns(given: Mapping[str, Mapping[str, str]] | None) -> dict[str, Any] | None:
    return None if given is None else {n: _in_order(given[n], _RULES) for n in sorted(given)}


def _row_filters(given: Iterable[Mapping[str, Any]] | None) -> list[dict[str, Any]] | None:
    return None if given is None else [_in_order(rule, _RULE) or {} for rule in given]


def _in_order(given: Mapping[str, Any] | None, order: Iterable[str]) -> dict[str, Any] | None:
    """The same mapping, its keys in this order."""
    return None if given is None else {name: given[name] for name in order if name in given}
