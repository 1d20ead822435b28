"""Many documents added by one statement.

Each statement gives up the interpreter and must win it back from the busy event loop, which costs
far more than the insert itself; so neighbouring inserts are carried out together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import apsw

Row: TypeAlias = tuple[str, str, int, int, str]
"""id, created_by, created_at, updated_at, doc."""

_MOST_AT_ONCE = 32
_PLACES = "(?,?,?,?,?)"


@dataclass(frozen=True, slots=True)
class Insertion:
    """A commit that does nothing but add one document."""

    collection: str
    row: Row
    body: bytes


def insert_rows(connection: apsw.Connection, table: str, rows: Sequence[Row]) -> None:
    """Add the rows; ConstraintError when one is refused, some may then have been added.

    Sizes are powers of two, so that a handful of prepared statements serves every number.
    """
    start, size = 0, _MOST_AT_ONCE
    while start < len(rows):
        while size > len(rows) - start:
            size //= 2
        values = [value for row in rows[start : start + size] for value in row]
        places = ",".join([_PLACES] * size)
        connection.execute(f"INSERT INTO {table} VALUES{places}", values)
        start += size
