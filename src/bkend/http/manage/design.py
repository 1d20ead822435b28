"""`…/tables/{table}/fields|indexes/manage` and the versions of both (51 §8, 40 §6.4)."""

from __future__ import annotations

import re
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from bkend.core import Core
from bkend.errors import InvalidParameters
from bkend.http.dependencies import REFUSALS, CurrentExchange
from bkend.http.exchange import Exchange
from bkend.http.manage.admission import CurrentCore, Reads, Room, Updates
from bkend.http.manage.bodies import (
    FieldsChange,
    IndexesChange,
    Page,
    answer,
    documented,
    read_body,
)
from bkend.http.manage.idempotency import Route
from bkend.http.manage.shapes.common import ListOf
from bkend.http.manage.shapes.tables import (
    FieldsApplied,
    IndexesApplied,
    IndexVersion,
    SchemaVersion,
)
from bkend.http.manage.tables import PREFIX
from bkend.http.openapi import answers, parameter
from bkend.tables.design import Designed
from bkend.tables.errors import (
    DuplicateValue,
    InvalidIndex,
    InvalidSchema,
    PreconditionFailed,
    SystemTableProtected,
    TableChanged,
    TableNotFound,
    VersionNotFound,
)
from bkend.tables.fields import FieldChanges, fields_given
from bkend.tables.shapes import index_shapes, version_shape
from bkend.tables.versions import Kind, Version, find_version, list_versions

router = APIRouter(
    prefix=f"{PREFIX}/{{table}}", tags=["tables"], responses=REFUSALS, route_class=Route
)

_IF_MATCH = {
    "parameters": [
        parameter(
            "If-Match",
            "header",
            {"type": "string", "pattern": '^(W/)?"?[1-9][0-9]{0,8}"?$'},
            "The schema version that the change is meant for; 412 for another one",
        )
    ]
}
_DESIGN = (TableNotFound, SystemTableProtected, TableChanged, PreconditionFailed)
_NUMBER = re.compile(r"[1-9][0-9]{0,8}\Z")


@router.post(
    "/fields/manage",
    responses=answers(200, FieldsApplied, *_DESIGN, InvalidSchema, InvalidIndex, DuplicateValue),
    openapi_extra=documented(FieldsChange) | _IF_MATCH,
)
async def manage_fields(table: str, room: Updates, exchange: CurrentExchange) -> Response:
    """Add, update and remove fields, all or none, in one new schema version."""
    body = await read_body(exchange, FieldsChange)
    changes = FieldChanges(
        define=fields_given(body.fieldsToAddOrUpdate or {}),
        remove=tuple(body.fieldsToRemove or ()),
        require=tuple(body.requiredFieldsToAdd or ()),
        release=tuple(body.requiredFieldsToRemove or ()),
        backfill=body.backfill,
        replaces=body.replace,
        strict=body.strict,
    )
    designed, applied = await room.services.design.manage_fields(
        table, changes, room.tenant.account_id, _expected(exchange)
    )
    return answer(
        {
            **_schema_result(room, designed),
            "appliedFields": {
                "added": applied.added,
                "updated": applied.updated,
                "removed": applied.removed,
            },
            "appliedRequired": {
                "added": applied.required_added,
                "removed": applied.required_removed,
            },
        }
    )


@router.post(
    "/indexes/manage",
    responses=answers(200, IndexesApplied, *_DESIGN, InvalidIndex, DuplicateValue),
    openapi_extra=documented(IndexesChange) | _IF_MATCH,
)
async def manage_indexes(table: str, room: Updates, exchange: CurrentExchange) -> Response:
    """Add, replace and remove indexes, all or none, in one new index version."""
    body = await read_body(exchange, IndexesChange)
    designed, applied = await room.services.design.manage_indexes(
        table,
        body.indexesToAddOrUpdate or [],
        body.indexesToRemove or [],
        room.tenant.account_id,
        _expected(exchange),
    )
    return answer(
        {
            **_index_result(room, designed),
            "appliedIndexes": {
                "added": applied.added,
                "updated": applied.updated,
                "removed": applied.removed,
            },
        }
    )


@router.get(
    "/schema/versions",
    responses=answers(200, ListOf[SchemaVersion], TableNotFound, SystemTableProtected),
)
async def list_schema_versions(table: str, room: Reads, core: CurrentCore, page: Page) -> Response:
    """The schema's versions, newest first."""
    return await _versions(table, room, core, page, "schema")


@router.get(
    "/schema/versions/{version}",
    responses=answers(
        200, SchemaVersion, TableNotFound, SystemTableProtected, VersionNotFound, InvalidParameters
    ),
)
async def get_schema_version(table: str, version: str, room: Reads, core: CurrentCore) -> Response:
    """One version of the schema."""
    return await _version(table, room, core, "schema", version)


@router.post(
    "/schema/versions/{version}/apply",
    responses=answers(200, FieldsApplied, *_DESIGN, VersionNotFound, InvalidSchema, DuplicateValue),
    openapi_extra=_IF_MATCH,
)
async def apply_schema_version(
    table: str, version: str, room: Updates, exchange: CurrentExchange
) -> Response:
    """Copy a version of the schema into a new one; no row is touched."""
    designed = await room.services.design.apply_version(
        table, "schema", _number(version), room.tenant.account_id, _expected(exchange)
    )
    old, new = designed.before.schema, designed.table.schema
    columns, held = new["properties"], old["properties"]
    return answer(
        {
            **_schema_result(room, designed),
            "appliedFields": {
                "added": [name for name in columns if name not in held],
                "updated": [n for n in columns if n in held and columns[n] != held[n]],
                "removed": [name for name in held if name not in columns],
            },
            "appliedRequired": {
                "added": [name for name in new["required"] if name not in old["required"]],
                "removed": [name for name in old["required"] if name not in new["required"]],
            },
        }
    )


@router.get(
    "/indexes/versions",
    responses=answers(200, ListOf[IndexVersion], TableNotFound, SystemTableProtected),
)
async def list_index_versions(table: str, room: Reads, core: CurrentCore, page: Page) -> Response:
    """The versions of the indexes, newest first."""
    return await _versions(table, room, core, page, "indexes")


@router.get(
    "/indexes/versions/{version}",
    responses=answers(
        200, IndexVersion, TableNotFound, SystemTableProtected, VersionNotFound, InvalidParameters
    ),
)
async def get_index_version(table: str, version: str, room: Reads, core: CurrentCore) -> Response:
    """One version of the indexes."""
    return await _version(table, room, core, "indexes", version)


@router.post(
    "/indexes/versions/{version}/apply",
    responses=answers(200, IndexesApplied, *_DESIGN, VersionNotFound, InvalidIndex, DuplicateValue),
    openapi_extra=_IF_MATCH,
)
async def apply_index_version(
    table: str, version: str, room: Updates, exchange: CurrentExchange
) -> Response:
    """Copy a version of the indexes into a new one, and build them."""
    designed = await room.services.design.apply_version(
        table, "indexes", _number(version), room.tenant.account_id, _expected(exchange)
    )
    before = {index.name: index for index in designed.before.indexes}
    after = {index.name: index for index in designed.table.indexes}
    return answer(
        {
            **_index_result(room, designed),
            "appliedIndexes": {
                "added": [name for name in after if name not in before],
                "updated": [n for n in after if n in before and after[n] != before[n]],
                "removed": [name for name in before if name not in after],
            },
        }
    )


async def _versions(table: str, room: Room, core: Core, page: Page, kind: Kind) -> Response:
    found = await room.services.design.table(table)
    versions, total = await list_versions(
        room.environment.store, found, kind, offset=page.offset, limit=page.limit
    )
    names = await _names(core, versions)
    return answer(page.shape([version_shape(found, kind, v, names) for v in versions], total))


async def _version(table: str, room: Room, core: Core, kind: Kind, number: str) -> Response:
    found = await room.services.design.table(table)
    version = await find_version(room.environment.store, found, kind, _number(number))
    if version is None:
        raise VersionNotFound(found.name, _number(number))
    names = await _names(core, [version])
    return answer(version_shape(found, kind, version, names))


async def _names(core: Core, versions: list[Version]) -> dict[str, str]:
    """What the accounts are called that made the versions."""
    accounts = await core.accounts.of(version.created_by for version in versions)
    return {id: account["name"] for id, account in accounts.items()}


def _schema_result(room: Room, designed: Designed) -> dict[str, Any]:
    table = designed.table
    return {
        **room.names(table),
        "schemaVersion": table.schema_version,
        "previousVersion": designed.before.schema_version,
        "indexVersion": table.index_version,
        "schema": table.schema,
        "warnings": designed.warnings,
        "updatedAt": table.updated_at,
    }


def _index_result(room: Room, designed: Designed) -> dict[str, Any]:
    table = designed.table
    return {
        **room.names(table),
        "indexVersion": table.index_version,
        "previousIndexVersion": designed.before.index_version,
        "indexes": index_shapes(table),
        "warnings": designed.warnings,
        "updatedAt": table.updated_at,
    }


def _number(text: str) -> int:
    if not _NUMBER.match(text):
        raise InvalidParameters("a version is a whole number of at least 1")
    return int(text)


def _expected(exchange: Exchange) -> int | None:
    """The schema version of `If-Match` (51 §6)."""
    given = exchange.headers.get("if-match")
    if given is None:
        return None
    return _number(given.strip().removeprefix("W/").strip('"'))
