"""All rows of a table as a stream: JSON, one JSON object a line, or CSV (51 §8)."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from typing import Any

from bkend.store import Store
from bkend.store.documents import SYSTEM_FIELDS, wire_json
from bkend.store.walk import pages
from bkend.tables.models import Table

FORMATS = {
    "json": "application/json; charset=utf-8",
    "ndjson": "application/x-ndjson; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
}


async def export_rows(store: Store, table: Table, form: str) -> AsyncIterator[bytes]:
    """The rows by id, a few hundred at a time: nothing holds the whole table."""
    if form == "csv":
        columns = await _columns(store, table)
        yield _csv_line(columns)
        async for rows in pages(store, table.collection):
            yield b"".join(_csv_line([_cell(row.get(name)) for name in columns]) for row in rows)
    elif form == "ndjson":
        async for rows in pages(store, table.collection):
            yield b"".join(wire_json(row) + b"\n" for row in rows)
    else:
        before = b"["
        async for rows in pages(store, table.collection):
            yield before + b",".join(wire_json(row) for row in rows)
            before = b","
        yield b"]" if before == b"," else b"[]"


async def _columns(store: Store, table: Table) -> list[str]:
    """`id`, declared columns, those that only rows have, then the other system fields."""
    names = dict.fromkeys(table.schema["properties"])
    async for rows in pages(store, table.collection):
        for row in rows:
            names.update(dict.fromkeys(row))
    own = [name for name in names if name not in SYSTEM_FIELDS]
    return ["id", *own, "createdBy", "createdAt", "updatedAt"]


def _csv_line(cells: list[str]) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue().encode()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else wire_json(value).decode()
