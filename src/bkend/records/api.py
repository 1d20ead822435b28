"""The hot lane: `/v1/data/:table[/:id]` and its shorthand as one plain ASGI endpoint (20 §1.1)."""

from __future__ import annotations

from bkend.errors import MethodNotAllowed, NotFound
from bkend.http.exchange import Exchange
from bkend.query.parameters import query_parameters
from bkend.records.describe import openapi_of, spec_of
from bkend.records.door import TableDoor
from bkend.records.errors import TableNotFound
from bkend.records.imports import RESERVED_IDS
from bkend.store import UnknownCollection
from bkend.store.documents import wire_json
from bkend.tables.permissions import Operation

_COLLECTION_METHODS = ("GET", "HEAD", "POST", "OPTIONS")
_RECORD_METHODS = ("GET", "HEAD", "PATCH", "DELETE", "OPTIONS")
_DOCUMENT_METHODS = ("GET", "HEAD", "OPTIONS")
_IMPORT = "import="
_WRITES: dict[str, Operation] = {"POST": "create", "PATCH": "update", "DELETE": "delete"}


async def handle_records(exchange: Exchange, door: TableDoor, path: str) -> None:
    """Answer a request; `path` is what follows `/v1/data/` or, in the shorthand, `/v1/`."""
    name, _, id = path.partition("/")
    if not name or "/" in id:
        raise NotFound
    if id in RESERVED_IDS:
        await _describe(exchange, door, name, id)
        return
    method = exchange.method
    is_record = bool(id)
    exchange.route = "/v1/data/{table}/{id}" if is_record else "/v1/data/{table}"
    allowed = _RECORD_METHODS if is_record else _COLLECTION_METHODS
    if method not in allowed:
        raise MethodNotAllowed(method, allowed)
    operation = _operation(method, is_record)
    admitted = door.remembered(exchange, name, operation)
    records, access = admitted or await door.admit(exchange, name, operation)
    status = 200
    try:
        if method in ("GET", "HEAD"):
            query = exchange.query_string
            answer = await (
                records.get(access, id, query) if is_record else records.list(access, query)
            )
        elif method == "POST":
            imports = _IMPORT in exchange.query_string and _asks_to_import(exchange)
            answer = await records.create(access, await exchange.body(), imports=imports)
            status = 201
        elif method == "PATCH":
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


def _operation(method: str, is_record: bool) -> Operation:
    if method in ("GET", "HEAD"):
        return "read" if is_record else "list"
    return _WRITES[method]
