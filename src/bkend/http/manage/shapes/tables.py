"""Tables, indexes, versions, what changes of them answer (51 §3.6, 21, 40 §6)."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypeAlias

from pydantic import WithJsonSchema
from typing_extensions import TypedDict

from bkend.auth.shapes import Pagination
from bkend.http.manage.shapes.common import Count, Time


class TableNames(TypedDict):
    """What every answer about a table begins with."""

    id: str
    projectId: str
    environment: str
    tableName: str


class PermissionParts(TypedDict):
    """The four parts, null where not configured (21 §6 to §9)."""

    permissions: dict[str, Any] | None
    expressionPermissions: dict[str, Any] | None
    columnPermissions: dict[str, Any] | None
    rowFilters: list[dict[str, Any]] | None


class TablePermissions(TableNames, PermissionParts):
    """The permissions of a table."""


class TableIndex(TypedDict):
    """An index; `key` repeats `fields`. Default ones are of every table."""

    name: str
    key: dict[str, Literal[1, -1]]
    fields: dict[str, Literal[1, -1]]
    unique: bool
    sparse: bool
    isDefault: bool


class TableSchema(TypedDict):
    """Columns in canonical notation (21 §2)."""

    bsonType: Literal["object"]
    required: list[str]
    properties: dict[str, dict[str, Any]]
    additionalProperties: NotRequired[Literal[False]]


class TableView(TableNames, PermissionParts):
    """A table. The times of system tables are null."""

    displayName: str | None
    description: str | None
    status: Literal["deployed", "deploying", "updating", "failed"]
    error: NotRequired[str]
    isSystem: bool
    schema: TableSchema
    indexes: list[TableIndex]
    schemaVersion: Count
    indexVersion: Count
    documentCount: Count
    createdAt: Time | None
    updatedAt: Time | None


class _Version(TypedDict):
    id: str
    version: Count
    isCurrent: bool
    isActive: bool
    createdAt: Time
    createdBy: str
    createdByName: str | None


class SchemaVersion(_Version):
    """A version of a table's schema; `isActive` repeats `isCurrent`."""

    schema: TableSchema


class StoredIndex(TypedDict):
    """An index as versions keep it."""

    name: str
    fields: dict[str, Literal[1, -1]]
    unique: bool
    sparse: bool


class IndexVersion(_Version):
    """A version of a table's own indexes; `isActive` repeats `isCurrent`."""

    indexes: list[StoredIndex]


class Applied(TypedDict):
    """Names of what is new, other than before, gone."""

    added: list[str]
    updated: list[str]
    removed: list[str]


class AppliedRequired(TypedDict):
    """Names of fields that are required from now on, or no more."""

    added: list[str]
    removed: list[str]


class FieldsApplied(TableNames):
    """A table's new schema, and how it differs from the one before."""

    schemaVersion: Count
    previousVersion: Count
    indexVersion: Count
    schema: TableSchema
    warnings: list[str]
    updatedAt: Time
    appliedFields: Applied
    appliedRequired: AppliedRequired


class IndexesApplied(TableNames):
    """A table's new indexes, and how they differ from those before."""

    indexVersion: Count
    previousIndexVersion: Count
    indexes: list[TableIndex]
    warnings: list[str]
    updatedAt: Time
    appliedIndexes: Applied


class Example(TypedDict):
    """A call of an app, as curl and as JavaScript."""

    method: Literal["GET", "POST", "PATCH", "DELETE"]
    path: str
    summary: str
    body: NotRequired[dict[str, Any]]
    curl: str
    javascript: str


class ApiDocs(TableNames):
    """How an app calls a table."""

    baseUrl: str
    endpoints: list[Example]


Row: TypeAlias = Annotated[
    dict[str, Any],
    WithJsonSchema(
        {
            "type": "object",
            "description": "A record: the system fields, and the columns of its table",
            "properties": {
                "id": {"type": "string"},
                "createdBy": {"type": "string"},
                "createdAt": {"type": "string", "format": "date-time"},
                "updatedAt": {"type": "string", "format": "date-time"},
            },
            "additionalProperties": True,
        }
    ),
]
"""With `select` in the query, only what is asked for."""


NewRecords: TypeAlias = Annotated[
    dict[str, Any] | list[dict[str, Any]],
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "object"},
                {"type": "array", "items": {"type": "object"}, "minItems": 1, "maxItems": 1000},
            ]
        }
    ),
]
"""A record's columns, or those of many."""


class RowList(TypedDict):
    """A page of records."""

    items: list[Row]
    pagination: Pagination
