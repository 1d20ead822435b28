"""`…/environments/{env}/tables`: the tables themselves, their permissions, documents about them
(51 §8 "Database", 40 §6.4)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse

from bkend.errors import ConfirmationRequired, InvalidParameters
from bkend.http.base import base_url
from bkend.http.dependencies import REFUSALS, CurrentExchange
from bkend.http.manage.admission import Creates, Deletes, Reads, ReadsRecords, Room, Updates
from bkend.http.manage.bodies import (
    NewTable,
    Page,
    PermissionParts,
    TableUpdate,
    answer,
    documented,
    read_body,
    read_confirmation,
    require_confirmation,
)
from bkend.http.manage.export import FORMATS, export_rows
from bkend.http.manage.idempotency import Route
from bkend.http.manage.shapes.common import Deleted, JsonObject, ListOf
from bkend.http.manage.shapes.tables import ApiDocs, Row, TablePermissions, TableView
from bkend.http.openapi import answers
from bkend.tables.errors import (
    InvalidIndex,
    InvalidPermissions,
    InvalidSchema,
    InvalidTableName,
    ReservedTableName,
    SystemTableProtected,
    TableChanged,
    TableExists,
    TableNotFound,
)
from bkend.tables.examples import api_examples
from bkend.tables.indexes import check_indexes
from bkend.tables.models import SYSTEM_TABLES, Table
from bkend.tables.openapi import table_openapi
from bkend.tables.schema import canonical_schema
from bkend.tables.service import Definition
from bkend.tables.shapes import shown_parts, table_shape

PREFIX = "/manage/v1/projects/{project}/environments/{env}/tables"

router = APIRouter(prefix=PREFIX, tags=["tables"], responses=REFUSALS, route_class=Route)

_Format = Query(alias="format", json_schema_extra={"enum": list(FORMATS)})
_SORTS = {
    "tableName": lambda table: table.name,
    "displayName": lambda table: table.display_name or "",
    "createdAt": lambda table: table.created_at,
    "updatedAt": lambda table: table.updated_at,
}


@router.get("", responses=answers(200, ListOf[TableView]))
async def list_tables(
    room: Reads,
    page: Page,
    search: str = "",
    includeSystem: bool = False,
    sortBy: str = "tableName",
    sortDirection: str = "asc",
) -> Response:
    """The tables of the environment, by name."""
    if sortBy not in _SORTS or sortDirection.lower() not in ("asc", "desc"):
        raise InvalidParameters(f"sortBy is {', '.join(_SORTS)}; sortDirection is asc or desc")
    tables = await room.services.tables.list()
    tables.sort(key=_SORTS[sortBy], reverse=sortDirection.lower() == "desc")
    if includeSystem:
        tables += [await system_table(room, name) for name in sorted(SYSTEM_TABLES)]
    wanted = search.strip().lower()
    found = [t for t in tables if wanted in f"{t.name}\n{t.display_name or ''}".lower()]
    shown = [await _shape(room, t) for t in found[page.offset : page.offset + page.limit]]
    return answer(page.shape(shown, len(found)))


@router.post(
    "",
    responses=answers(
        201,
        TableView,
        InvalidTableName,
        ReservedTableName,
        TableExists,
        InvalidSchema,
        InvalidIndex,
        InvalidPermissions,
    ),
    openapi_extra=documented(NewTable),
)
async def create_table(room: Creates, exchange: CurrentExchange) -> Response:
    """Make a table, with its fields, indexes and permissions."""
    body = await read_body(exchange, NewTable)
    schema = canonical_schema(_with_required(body.definition, body.required))
    definition = Definition(
        name=body.tableName,
        schema=schema,
        indexes=check_indexes(body.indexes, schema),
        display_name=body.displayName,
        description=body.description,
    )
    definition = room.services.design.with_parts(definition, body.given())
    table = await room.services.tables.create(definition, room.tenant.account_id)
    return answer(await _shape(room, table), 201)


@router.get("/{table}", responses=answers(200, TableView, TableNotFound))
async def get_table(table: str, room: Reads) -> Response:
    """One table, by id or name; system tables too."""
    return answer(await _shape(room, await readable(room, table)))


@router.patch(
    "/{table}",
    responses=answers(
        200, TableView, TableNotFound, SystemTableProtected, InvalidPermissions, TableChanged
    ),
    openapi_extra=documented(TableUpdate),
)
async def update_table(table: str, room: Updates, exchange: CurrentExchange) -> Response:
    """Change labels, and permission parts when they are sent along."""
    body = await read_body(exchange, TableUpdate)
    design = room.services.design
    labels = {
        attribute: getattr(body, name)
        for name, attribute in (("displayName", "display_name"), ("description", "description"))
        if name in body.model_fields_set
    }
    changed = await design.set_labels(table, labels) if labels else await design.table(table)
    if body.given():
        changed = await design.set_parts(changed.id, body.given())
    return answer(await _shape(room, changed))


@router.delete(
    "/{table}",
    responses=answers(
        200, Deleted, TableNotFound, SystemTableProtected, ConfirmationRequired, TableChanged
    ),
)
async def delete_table(
    table: str, room: Deletes, exchange: CurrentExchange, confirm: str | None = None
) -> Response:
    """Drop a table with its rows, indexes and history, for good; `confirm` is its name."""
    found = await room.services.design.table(table)
    require_confirmation(await read_confirmation(exchange, confirm), found.name)
    await room.services.design.delete(found.id)
    return answer({"deleted": True, "id": found.id})


@router.get(
    "/{table}/permissions",
    responses=answers(200, TablePermissions, TableNotFound, SystemTableProtected),
)
async def get_permissions(table: str, room: Reads) -> Response:
    """The four permission parts, null where not configured."""
    found = await room.services.design.table(table)
    return answer({**room.names(found), **shown_parts(found)})


@router.put(
    "/{table}/permissions",
    responses=answers(
        200, TablePermissions, TableNotFound, SystemTableProtected, InvalidPermissions, TableChanged
    ),
    openapi_extra=documented(PermissionParts),
)
async def put_permissions(table: str, room: Updates, exchange: CurrentExchange) -> Response:
    """Replace each part that is given whole; null brings the default back."""
    body = await read_body(exchange, PermissionParts)
    if not body.given():
        raise InvalidParameters("Send at least one of the four permission parts")
    found = await room.services.design.set_parts(table, body.given())
    return answer({**room.names(found), **shown_parts(found)})


@router.get(
    "/{table}/api-docs", responses=answers(200, ApiDocs, TableNotFound, SystemTableProtected)
)
async def get_api_docs(table: str, room: Reads, request: Request) -> Response:
    """How an app calls this table: one example a call, as curl and as JavaScript."""
    found = await room.services.design.table(table)
    return answer({**room.names(found), **api_examples(found, base_url(request))})


@router.get(
    "/{table}/openapi", responses=answers(200, JsonObject, TableNotFound, SystemTableProtected)
)
async def get_openapi(table: str, room: Reads) -> Response:
    """The OpenAPI document of the table's calls under `/v1/data`."""
    return answer(table_openapi(await room.services.design.table(table)))


@router.get(
    "/{table}/export",
    responses={
        **answers(200, list[Row], TableNotFound, SystemTableProtected),
        200: {
            "model": list[Row],
            "content": {
                kind.partition(";")[0]: {"schema": {"type": "string"}}
                for form, kind in FORMATS.items()
                if form != "json"
            },
        },
    },
)
async def export(
    table: str, room: ReadsRecords, form: Annotated[str, _Format] = "json"
) -> Response:
    """All records as a stream: `format` is `json`, `ndjson` or `csv`."""
    if form not in FORMATS:
        raise InvalidParameters(f"format is {', '.join(FORMATS)}")
    found = await room.services.design.table(table)
    return StreamingResponse(
        export_rows(room.environment.store, found, form),
        media_type=FORMATS[form],
        headers={
            "Cache-Control": "no-store",
            "Content-Disposition": f'attachment; filename="{found.name}.{form}"',
        },
    )


async def readable(room: Room, id_or_name: str) -> Table:
    """A table to look at; raises TableNotFound."""
    if id_or_name in SYSTEM_TABLES:
        return await system_table(room, id_or_name)
    return await room.services.design.table(id_or_name)


async def system_table(room: Room, name: str) -> Table:
    """One of the server's own tables, with the columns that admins may see."""
    return (await room.services.records.admit(room.caller, name, "read")).live.table


async def _shape(room: Room, table: Table) -> dict[str, Any]:
    store = room.environment.store
    rows = 0
    if store.collection(table.collection) is not None:
        rows = await store.count(table.collection)
    return table_shape(table, room.names(table), rows)


def _with_required(schema: Any, required: list[str]) -> Any:
    """The columns with the `required` list that may stand beside them (40 §6.3)."""
    if not required or not isinstance(schema, (dict, list)):
        return schema
    if isinstance(schema, dict) and isinstance(schema.get("properties"), dict):
        held = schema.get("required") or []
        return {**schema, "required": [*held, *required] if isinstance(held, list) else held}
    if isinstance(schema, list):
        named = [
            one for one in schema if isinstance(one, dict) and isinstance(one.get("name"), str)
        ]
        if len(named) < len(schema):
            return schema
        schema = {one["name"]: {k: v for k, v in one.items() if k != "name"} for one in named}
    return {"properties": schema, "required": required}


def require_no_system_table(name: str) -> None:
    """Raises SystemTableProtected."""
    if name in SYSTEM_TABLES:
        raise SystemTableProtected(name)
