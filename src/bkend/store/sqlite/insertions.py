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

MOST_AT_ONCE = 64
"""Rows of one statement."""
_PLACES = "(?,?,?,?,?)"


@dataclass(frozen=True, slots=True)
class Insertion:
    """A commit that does nothing but add one document."""

    collection: str
    row: Row
    body: bytes


def insert_rows(connection: apsw.Connection, table: str, rows: Sequence[Row]) -> None:
    """Add the rows; ConstraintError when one is refused, some may then have been added."""
    for start in range(0, len(rows), MOST_AT_ONCE):
        some = rows[start : start + MOST_AT_ONCE]
        values = [value for row in some for value in row]
        places = ",".join([_PLACES] * len(some))
        connection.execute(f"INSERT INTO {table} VALUES{places}", values)
