"""The hot lane: `/v1/data/:table[/:id]` and its shorthand as one plain ASGI endpoint (20 §1.1)."""

from __future__ import annotations

from collections.abc import Awaitable

from bkend.errors import MethodNotAllowed, NotFound
from bkend.http.exchange import Exchange
from bkend.query.parameters import query_parameters
from bkend.records.access import Access
from bkend.records.describe import openapi_of, spec_of
from bkend.records.door import TableDoor
from bkend.records.errors import TableNotFound
from bkend.records.imports import RESERVED_IDS
from bkend.records.service import Records
from bkend.store import UnknownCollection
from bkend.store.documents import wire_json
from bkend.tables.permissions import Operation

_COLLECTION_METHODS = ("GET", "HEAD", "POST", "OPTIONS")
_RECORD_METHODS = ("GET", "HEAD", "PATCH", "DELETE", "OPTIONS")
_DOCUMENT_METHODS = ("GET", "HEAD", "OPTIONS")
_IMPORT = "import="
_COLLECTION_OPERATIONS: dict[str, Operation] = {"GET": "list", "HEAD": "list", "POST": "create"}
_RECORD_OPERATIONS: dict[str, Operation] = {
    "GET": "read",
    "HEAD": "read",
    "PATCH": "update",
    "DELETE": "delete",
}


def handle_records(exchange: Exchange, door: TableDoor, path: str) -> Awaitable[None] | None:
    """Answer a request; `path` is what follows `/v1/data/` or, in the shorthand, `/v1/`.

    What is returned, if anything, is to be waited for: what needs no waiting is answered at once.
    """
    name, _, id = path.partition("/")
    if not name or "/" in id:
        raise NotFound
    if id in RESERVED_IDS:
        return _describe(exchange, door, name, id)
    method = exchange.method
    if id:
        exchange.route = "/v1/data/{table}/{id}"
        operation = _RECORD_OPERATIONS.get(method)
    else:
        exchange.route = "/v1/data/{table}"
        operation = _COLLECTION_OPERATIONS.get(method)
    if operation is None:
        raise MethodNotAllowed(method, _RECORD_METHODS if id else _COLLECTION_METHODS)
    admitted = door.remembered(exchange, name, operation)
    if admitted is not None:
        records, access = admitted
        body = None
        if operation == "list":
            body = records.list_at_once(access, exchange.query_string)
        elif operation == "read" and not exchange.query_string:
            body = records.get_at_once(access, id)
        if body is not None:
            return exchange.respond(200, exchange.wrap(body))
    return _work(exchange, door, name, id, operation, admitted)


async def _work(
    exchange: Exchange,
    door: TableDoor,
    name: str,
    id: str,
    operation: Operation,
    admitted: tuple[Records, Access] | None,
) -> None:
    records, access = admitted or await door.admit(exchange, name, operation)
    status = 200
    try:
        if operation == "read":
            answer = await records.get(access, id, exchange.query_string)
        elif operation == "list":
            answer = await records.list(access, exchange.query_string)
        elif operation == "create":
            imports = _IMPORT in exchange.query_string and _asks_to_import(exchange)
            answer = await records.create(access, await exchange.body(), imports=imports)
            status = 201
        elif operation == "update":
            answer = await records.update(access, id, await exchange.body())
        else:
            answer = await records.delete(access, id)
    except UnknownCollection:  # the table was dropped meanwhile
        raise TableNotFound(name) from None
    await exchange.succeed(status, answer)


async def _describe(exchange: Exchange, door: TableDoor, name: str, word: str) -> None:
    """`spec` and `openapi`, for those who have signed in and may read (20 §4.6)."""
    exchange.route = f"/v1/data/{{table}}/{word}"
    if exchange.method not in _DOCUMENT_METHODS:
        raise MethodNotAllowed(exchange.method, _DOCUMENT_METHODS)
    access = await door.admit_signed_in(exchange, name)
    body = spec_of(access) if word == "spec" else openapi_of(access)
    await exchange.succeed(200, wire_json(body))


def _asks_to_import(exchange: Exchange) -> bool:
    """`?import=true` (20 §2); whether the caller may is for the service to say."""
    return query_parameters(exchange.query_string).get("import", [""])[-1].lower() == "true"
