"""`GET /v1/data/:table/openapi`: an OpenAPI document of one table's calls (20 §4.6)."""

from __future__ import annotations

from typing import Any

from bkend.tables.models import Table, stored_type

_JSON = "application/json"
_TYPES: dict[str, dict[str, Any]] = {
    "string": {"type": "string"},
    "objectId": {"type": "string", "minLength": 1, "maxLength": 64},
    "date": {"type": "string", "format": "date-time"},
    "double": {"type": "number"},
    "int": {"type": "integer", "format": "int64"},
    "bool": {"type": "boolean"},
    "object": {"type": "object"},
    "array": {"type": "array"},
    "mixed": {},
}
_COPIED = ("minLength", "maxLength", "pattern", "minimum", "maximum", "minItems", "maxItems")
_SYSTEM = {
    "id": {"type": "string", "readOnly": True},
    "createdBy": {"type": "string", "readOnly": True},
    "createdAt": {"type": "string", "format": "date-time", "readOnly": True},
    "updatedAt": {"type": "string", "format": "date-time", "readOnly": True},
}
_LIST_PARAMETERS: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("page", {"type": "integer", "minimum": 1, "default": 1}, "The page, from 1"),
    ("limit", {"type": "integer", "minimum": 1, "default": 20}, "Records on a page, at most 100"),
    ("sortBy", {"type": "string"}, "A field, or a path such as address.city"),
    ("sortDirection", {"type": "string", "enum": ["asc", "desc"], "default": "desc"}, "The way"),
    ("search", {"type": "string"}, "Text that some field holds"),
    ("andFilters", {"type": "string"}, "A JSON object; every condition holds"),
    ("orFilters", {"type": "string"}, "A JSON array of objects; one of them holds"),
    ("select", {"type": "string"}, "Fields to answer with, separated by commas"),
)


def table_openapi(table: Table) -> dict[str, Any]:
    """OpenAPI 3.0.0 with the paths of the table and of its records."""
    name = table.name
    return {
        "openapi": "3.0.0",
        "info": {
            "title": f"{name} API",
            "version": "1.0.0",
            "description": f"CRUD API for {name} table",
        },
        "paths": {
            f"/v1/data/{name}": {"get": _list(name), "post": _create(name)},
            f"/v1/data/{name}/{{id}}": {
                "get": _operation(name, "get", f"Read a record of {name}", _record(200), [_ID]),
                "patch": _operation(
                    name, "update", f"Change a record of {name}", _record(200), [_ID], "Update"
                ),
                "delete": _operation(name, "delete", f"Delete a record of {name}", _DONE, [_ID]),
            },
        },
        "components": {"schemas": _schemas(table), "securitySchemes": _SECURITY},
        "security": [{"apiKey": []}, {"apiKey": [], "bearer": []}],
    }


_SECURITY = {
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "bearer": {"type": "http", "scheme": "bearer"},
}
_ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _answer(status: int, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {str(status): {"description": description, "content": {_JSON: {"schema": schema}}}}


def _record(status: int) -> dict[str, Any]:
    return _answer(status, "The record", _ref("Record"))


_DONE = _answer(
    200,
    "It is deleted",
    {"type": "object", "required": ["success"], "properties": {"success": {"type": "boolean"}}},
)


def _operation(
    table: str,
    verb: str,
    summary: str,
    responses: dict[str, Any],
    parameters: list[dict[str, Any]],
    body: str | None = None,
) -> dict[str, Any]:
    error = {"content": {_JSON: {"schema": _ref("Error")}}}
    found: dict[str, Any] = {
        "operationId": f"{verb}_{table}",
        "summary": summary,
        "tags": [table],
        "parameters": parameters,
        "responses": {**responses, "default": {"description": "Refused", **error}},
    }
    if body is not None:
        found["requestBody"] = {"required": True, "content": {_JSON: {"schema": _ref(body)}}}
    return found


def list_parameters() -> list[dict[str, Any]]:
    """What a list of records may be asked for (20 §4)."""
    return [
        {"name": name, "in": "query", "schema": schema, "description": description}
        for name, schema, description in _LIST_PARAMETERS
    ]


def _list(table: str) -> dict[str, Any]:
    page = {
        "type": "object",
        "required": ["items", "pagination"],
        "properties": {
            "items": {"type": "array", "items": _ref("Record")},
            "pagination": _ref("Pagination"),
        },
    }
    responses = _answer(200, "A page of records", page)
    return _operation(table, "list", f"List records of {table}", responses, list_parameters())


def _create(table: str) -> dict[str, Any]:
    many: dict[str, Any] = {"type": "array", "minItems": 1, "maxItems": 1000}
    responses = _answer(
        201,
        "The record, or the array of them",
        {"oneOf": [_ref("Record"), {"type": "array", "items": _ref("Record")}]},
    )
    summary = f"Create a record of {table}, or many"
    found = _operation(table, "create", summary, responses, [])
    schema = {"oneOf": [_ref("Create"), {**many, "items": _ref("Create")}]}
    found["requestBody"] = {"required": True, "content": {_JSON: {"schema": schema}}}
    return found


def _schemas(table: Table) -> dict[str, Any]:
    own = _object(table.schema)
    required = [
        name
        for name in table.schema["required"]
        if "default" not in table.schema["properties"][name]
    ]
    return {
        "Record": {
            "type": "object",
            "required": list(_SYSTEM),
            "properties": {
                "id": _SYSTEM["id"],
                **own["properties"],
                **{name: _SYSTEM[name] for name in ("createdBy", "createdAt", "updatedAt")},
            },
        },
        "Create": _with_required({**own, "required": required}),
        "Update": {key: value for key, value in own.items() if key != "required"},
        "Pagination": _PAGINATION,
        "Error": _ERROR,
    }


def _object(schema: dict[str, Any]) -> dict[str, Any]:
    properties = schema.get("properties") or {}
    required = schema.get("required") or []
    shaped: dict[str, Any] = {
        "type": "object",
        "required": required,
        "properties": {
            name: _column(column, nullable=name not in required)
            for name, column in properties.items()
        },
    }
    if schema.get("additionalProperties") is False:
        shaped["additionalProperties"] = False
    return _with_required(shaped)


def _with_required(shaped: dict[str, Any]) -> dict[str, Any]:
    """OpenAPI 3.0 knows no empty `required`."""
    return {key: value for key, value in shaped.items() if key != "required" or value}


def _column(column: dict[str, Any], *, nullable: bool) -> dict[str, Any]:
    kind = stored_type(column)
    shaped: dict[str, Any] = dict(_TYPES[kind])
    if kind == "object":
        shaped = _object(column)
    if kind == "array":
        shaped["items"] = _column(column["items"], nullable=False) if "items" in column else {}
    shaped |= {key: column[key] for key in _COPIED if key in column}
    if "enum" in column:
        shaped["enum"] = [*column["enum"], None] if nullable else column["enum"]
    for key in ("description", "default"):
        if key in column and column[key] is not None:
            shaped[key] = column[key]
    if kind != "mixed" and (nullable or isinstance(column["bsonType"], list)):
        shaped["nullable"] = True
    return shaped


_COUNT = {"type": "integer"}
_FLAG = {"type": "boolean"}
_PAGINATION = {
    "type": "object",
    "properties": {
        **dict.fromkeys(("total", "page", "limit", "totalPages"), _COUNT),
        **dict.fromkeys(("hasNext", "hasPrev", "hasNextPage", "hasPrevPage"), _FLAG),
    },
}
_TEXT = {"type": "string"}
_DETAIL = {
    "type": "object",
    "required": ["field", "message"],
    "properties": {"field": _TEXT, "rule": _TEXT, "message": _TEXT},
}
_ERROR = {
    "type": "object",
    "required": ["success", "statusCode", "code", "message", "error"],
    "properties": {
        "success": _FLAG,
        "statusCode": _COUNT,
        "code": _TEXT,
        "message": _TEXT,
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                "code": _TEXT,
                "message": _TEXT,
                "details": {"type": "array", "items": _DETAIL},
            },
        },
    },
}
