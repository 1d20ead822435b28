"""Inserts as rows: encoded once, on the way in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bkend.store.documents import LARGEST_DOCUMENT, encode
from bkend.store.errors import DocumentTooLarge
from bkend.store.operations import Insert, Operation
from bkend.store.postgres.storable import data_of, escape

ONE = "VALUES($1::text,$2::text,$3::bigint,$4::bigint,$5::text,coalesce($6::text,$5::text)::jsonb)"
MANY = (
    "SELECT i,b,c,u,d,coalesce(j,d)::jsonb FROM unnest($1::text[],$2::text[],$3::bigint[],"
    "$4::bigint[],$5::text[],$6::text[]) AS r(i,b,c,u,d,j)"
)


@dataclass(frozen=True, slots=True)
class Row:
    """A document as the table holds it."""

    id: str
    created_by: str
    created_at: int
    updated_at: int
    body: bytes

    @property
    def values(self) -> tuple[Any, ...]:
        """The values of `ONE`."""
        return (
            escape(self.id),
            escape(self.created_by),
            self.created_at,
            self.updated_at,
            self.body.decode(),
            data_of(self.body),
        )


def rows_of(operations: Sequence[Operation]) -> list[Row | None]:
    """The row of each insert. Together they keep the limit of one document: numbers that are
    written out must not make a small request a large one."""
    rows: list[Row | None] = []
    left = LARGEST_DOCUMENT
    for op in operations:
        if isinstance(op, Insert):
            row = _row(op)
            left -= len(row.body)
            if left < 0:
                raise DocumentTooLarge
            rows.append(row)
        else:
            rows.append(None)
    return rows


def columns_of(rows: Sequence[Row]) -> list[list[Any]]:
    """The values of `MANY`."""
    return [list(column) for column in zip(*(row.values for row in rows), strict=True)]


def _row(op: Insert) -> Row:
    body = encode(op.id, dict(op.fields), op.created_by, op.created_at, op.updated_at)
    return Row(op.id, op.created_by, op.created_at, op.updated_at, body)
