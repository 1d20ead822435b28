"""Which values stand in several rows, for whoever wants them to be unique (21 §4, §5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from bkend.store import Store
from bkend.store.walk import documents

_MOST_ROWS = 200_000
_MOST_SAMPLES = 5
_LONGEST_VALUE = 100


async def find_duplicates(
    store: Store, collection: str, fields: Sequence[str]
) -> list[tuple[str, int]]:
    """Up to five values of the fields, as JSON, each with the number of rows that hold it.

    Rows without any of the fields are left out, unless nothing else is there twice.
    """
    seen: dict[bytes, int] = {}
    paths = [path.split(".") for path in fields]
    left = _MOST_ROWS
    async for row in documents(store, collection):
        key = orjson.dumps([_value(row, path) for path in paths], option=orjson.OPT_SORT_KEYS)
        seen[key] = seen.get(key, 0) + 1
        left -= 1
        if not left:
            break
    nothing = orjson.dumps([None] * len(paths))
    found = [(key, count) for key, count in seen.items() if count > 1 and key != nothing]
    if not found and seen.get(nothing, 0) > 1:
        found = [(nothing, seen[nothing])]
    found.sort(key=lambda pair: -pair[1])
    return [(_shown(key, len(paths)), count) for key, count in found[:_MOST_SAMPLES]]


def _value(row: Any, path: Sequence[str]) -> Any:
    for segment in path:
        row = row.get(segment) if isinstance(row, dict) else None
    return row


def _shown(key: bytes, fields: int) -> str:
    text = key.decode()
    return (text[1:-1] if fields == 1 else text)[:_LONGEST_VALUE]
