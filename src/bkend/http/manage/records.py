"""`…/tables/{table}/records`: rows as the data API has them, for tenants (51 §8, 40 §6.4).

A tenant acts as the group admin, and records are created in the name of the tenant's account. Of
the system tables, `users` and `files` may be read, none written.
"""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from bkend.errors import ConfirmationRequired
from bkend.http.dependencies import REFUSALS, CurrentExchange
from bkend.http.manage.admission import (
    CreatesRecords,
    DeletesRecords,
    ReadsRecords,
    Room,
    UpdatesRecords,
)
from bkend.http.manage.bodies import (
    BulkDelete,
    answer,
    documented,
    read_body,
    require_confirmation,
)
from bkend.http.manage.idempotency import Route
from bkend.http.manage.shapes.common import Deleted, DeletedMany, JsonObject
from bkend.http.manage.shapes.tables import NewRecords, Row, RowList
from bkend.http.manage.tables import PREFIX
from bkend.http.openapi import answers, parameter
from bkend.query.errors import InvalidData, RestrictedColumn
from bkend.records.access import Access
from bkend.records.errors import PermissionDenied, RecordNotFound
from bkend.tables.errors import DuplicateValue, SystemTableProtected, TableNotFound
from bkend.tables.models import SYSTEM_TABLES
from bkend.tables.openapi import list_parameters
from bkend.tables.permissions import Operation

router = APIRouter(
    prefix=f"{PREFIX}/{{table}}/records", tags=["records"], responses=REFUSALS, route_class=Route
)

_ACCESS = (
    TableNotFound,
    SystemTableProtected,
    InvalidData,
    RestrictedColumn,
    PermissionDenied,
)
_LISTING = {"parameters": list_parameters()}
_SELECTING = {
    "parameters": [
        parameter("select", "query", {"type": "string"}, "Fields to answer with, with commas")
    ]
}
_READABLE = frozenset({"users", "files"})


@router.get("", responses=answers(200, RowList, *_ACCESS), openapi_extra=_LISTING)
async def list_records(table: str, room: ReadsRecords, exchange: CurrentExchange) -> Response:
    """A page of records; parameters as in `GET /v1/data/{table}`."""
    access = await _admit(room, table, "list")
    return answer(await room.services.records.list(access, exchange.query_string))


@router.post(
    "",
    responses=answers(201, Row | list[Row], *_ACCESS, DuplicateValue),
    openapi_extra=documented(NewRecords),
)
async def create_records(table: str, room: CreatesRecords, exchange: CurrentExchange) -> Response:
    """Create a record, or with an array many of them."""
    access = await _admit(room, table, "create")
    return answer(await room.services.records.create(access, await exchange.body()), 201)


@router.post(
    "/bulk-delete",
    responses=answers(200, DeletedMany, *_ACCESS, ConfirmationRequired),
    openapi_extra=documented(BulkDelete),
)
async def delete_records(table: str, room: DeletesRecords, exchange: CurrentExchange) -> Response:
    """Delete up to 100 records in one step; `confirm` is the table's name."""
    access = await _admit(room, table, "delete")
    body = await read_body(exchange, BulkDelete)
    require_confirmation(body.confirm, access.live.table.name)
    deleted = await room.services.records.delete_many(access, body.ids)
    return answer({"deleted": True, "count": deleted})


@router.get(
    "/{id}", responses=answers(200, Row, *_ACCESS, RecordNotFound), openapi_extra=_SELECTING
)
async def get_record(
    table: str, id: str, room: ReadsRecords, exchange: CurrentExchange
) -> Response:
    """One record."""
    access = await _admit(room, table, "read")
    return answer(await room.services.records.get(access, id, exchange.query_string))


@router.patch(
    "/{id}",
    responses=answers(200, Row, *_ACCESS, RecordNotFound, DuplicateValue),
    openapi_extra=documented(JsonObject),
)
async def update_record(
    table: str, id: str, room: UpdatesRecords, exchange: CurrentExchange
) -> Response:
    """Replace the listed fields."""
    access = await _admit(room, table, "update")
    return answer(await room.services.records.update(access, id, await exchange.body()))


@router.delete("/{id}", responses=answers(200, Deleted, *_ACCESS, RecordNotFound))
async def delete_record(table: str, id: str, room: DeletesRecords) -> Response:
    """Delete a record for good."""
    access = await _admit(room, table, "delete")
    await room.services.records.delete(access, id)
    return answer({"deleted": True, "id": id})


async def _admit(room: Room, table: str, operation: Operation) -> Access:
    if table in SYSTEM_TABLES:
        if table not in _READABLE or operation not in ("read", "list"):
            raise SystemTableProtected(table)
        name = table
    else:
        name = (await room.services.design.table(table)).name
    return await room.services.records.admit(room.caller, name, operation)
