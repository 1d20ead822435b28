"""A table as it is stored and used (21 §1, 51 §3.6)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from bkend.store import Collection, Index
from bkend.store.documents import decode

TABLES = "tables"
TABLE_VERSIONS = "table_versions"

COLLECTIONS = (
    Collection(TABLES, (Index("name", (("nameKey", 1),), unique=True),)),
    Collection(TABLE_VERSIONS, (Index("table", (("tableId", 1), ("kind", 1), ("version", -1))),)),
)

TABLE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}\Z")
COLUMN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}\Z")
SYSTEM_TABLES = frozenset({"users", "accounts", "sessions", "files"})
ROUTE_WORDS = frozenset({"auth", "data", "health", "cdn", "img", "storage", "mcp", "docs"})
OPERATIONS = ("create", "read", "update", "delete", "list")


@dataclass(frozen=True, slots=True)
class Table:
    """One table's definition. `schema` is canonical; of the permission parts, None means not
    configured. `revision` counts the changes of the document."""

    id: str
    name: str
    schema: dict[str, Any]
    indexes: tuple[Index, ...]
    permissions: dict[str, dict[str, bool]] | None
    display_name: str | None
    description: str | None
    schema_version: int
    index_version: int
    expression_permissions: dict[str, str] | None = None
    column_permissions: dict[str, dict[str, str]] | None = None
    row_filters: list[dict[str, Any]] | None = None
    revision: int = 0

    @property
    def collection(self) -> str:
        """The collection that holds the rows: by id, so a re-created name starts empty."""
        return self.id

    @property
    def strict(self) -> bool:
        """Whether undeclared fields are refused (21 §3.4)."""
        return self.schema.get("additionalProperties") is False

    def column_type(self, name: str) -> str | None:
        """The declared stored type of a top-level column, None when undeclared."""
        column = self.schema["properties"].get(name)
        return stored_type(column) if column else None


def stored_type(column: dict[str, Any]) -> str:
    """The `bsonType` of a canonical column without its nullable mark."""
    kind = column["bsonType"]
    if isinstance(kind, list):
        return next(str(word) for word in kind if word != "null")
    return str(kind)


def table_from(body: bytes) -> Table:
    """A stored table document, decoded."""
    held = decode(body)
    return Table(
        id=held["id"],
        name=held["tableName"],
        schema=held["schema"],
        indexes=tuple(index_from(index) for index in held["indexes"]),
        permissions=held["permissions"],
        display_name=held["displayName"],
        description=held["description"],
        schema_version=held["schemaVersion"],
        index_version=held["indexVersion"],
        expression_permissions=held.get("expressionPermissions"),
        column_permissions=held.get("columnPermissions"),
        row_filters=held.get("rowFilters"),
        revision=held.get("revision", 0),
    )


def index_from(held: dict[str, Any]) -> Index:
    """An index from its wire form `{name, fields, unique, sparse}`."""
    return Index(
        name=held["name"],
        fields=tuple(held["fields"].items()),
        unique=held["unique"],
        sparse=held["sparse"],
    )


def index_shape(index: Index) -> dict[str, Any]:
    """The wire form of an index."""
    return {
        "name": index.name,
        "fields": dict(index.fields),
        "unique": index.unique,
        "sparse": index.sparse,
    }


def is_reserved(name: str) -> bool:
    """Whether nobody may create a table of this name."""
    return name.lower() in SYSTEM_TABLES | ROUTE_WORDS
