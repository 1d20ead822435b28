"""The hot lane: `/v1/data/:table[/:id]` and its shorthand as one plain ASGI endpoint (20 §1.1)."""

from __future__ import annotations

from bkend.errors import MethodNotAllowed, NotFound
from bkend.http.exchange import Exchange
from bkend.records.door import TableDoor
from bkend.records.errors import TableNotFound
from bkend.store import UnknownCollection
from bkend.tables.permissions import Operation

_COLLECTION_METHODS = ("GET", "HEAD", "POST", "OPTIONS")
_RECORD_METHODS = ("GET", "HEAD", "PATCH", "DELETE", "OPTIONS")
_WRITES: dict[str, Operation] = {"POST": "create", "PATCH": "update", "DELETE": "delete"}


async def handle_records(exchange: Exchange, door: TableDoor, path: str) -> None:
    """Answer a request; `path` is what follows `/v1/data/` or, in the shorthand, `/v1/`."""
    name, _, id = path.partition("/")
    if not name or "/" in id:
        raise NotFound
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
            answer, status = await records.create(access, await exchange.body()), 201
        elif method == "PATCH":
            answer = await records.update(access, id, await exchange.body())
        else:
            answer = await records.delete(access, id)
    except UnknownCollection:  # the table was dropped meanwhile
        raise TableNotFound(name) from None
    await exchange.answer(status, answer)


def _operation(method: str, is_record: bool) -> Operation:
    if method in ("GET", "HEAD"):
        return "read" if is_record else "list"
    return _WRITES[method]
