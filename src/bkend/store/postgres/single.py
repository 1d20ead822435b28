"""Commits of one statement: one document added, changed or removed, or many added to a table.

Each is its own transaction, so it costs one round trip; an update costs two, because the new
document is made here from the stored one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg

from bkend.store.errors import Conflict, Missing
from bkend.store.interface import Result
from bkend.store.operations import Delete, Insert, Operation, Update
from bkend.store.postgres.apply import changed, duplicate
from bkend.store.postgres.news import CHANNEL, Changes, Origin, note, payload
from bkend.store.postgres.plans import Planner, text_leaves
from bkend.store.postgres.pool import Pool
from bkend.store.postgres.rows import MANY, ONE, Row, columns_of
from bkend.store.postgres.storable import data_of, escape

_MOST_TRIES = 3


class Single:
    """Carries out the commits that need no transaction of several statements."""

    def __init__(self, pool: Pool, origin: Origin) -> None:
        self._pool = pool
        self._origin = origin

    async def commit(
        self,
        planners: Mapping[str, Planner],
        operations: Sequence[Operation],
        rows: Sequence[Row | None],
        changes: Changes,
    ) -> list[Result] | None:
        """The results, or None when nothing was done because it takes a transaction."""
        op = operations[0]
        planner = planners[op.collection]
        if isinstance(op, Insert):
            if len(planners) > 1 or any(row is None for row in rows):
                return None
            inserted = [row for row in rows if row is not None]
            note(changes, op.collection, [row.id for row in inserted])
            return await self._insert(planner, inserted, changes)
        if len(operations) > 1:
            return None
        if isinstance(op, Update):
            if op.guard is not None and next(text_leaves(op.guard), None) is not None:
                return None
            note(changes, op.collection, [op.id])
            return await self._update(planner, op, changes)
        if isinstance(op, Delete) and op.guard is None:
            note(changes, op.collection, [op.id])
            return await self._delete(planner, op, changes)
        return None

    async def _insert(
        self, planner: Planner, rows: Sequence[Row], changes: Changes
    ) -> list[Result] | None:
        values = rows[0].values if len(rows) == 1 else columns_of(rows)
        try:
            await self._tell_of(
                f"INSERT INTO {planner.physical.table} {ONE if len(rows) == 1 else MANY} "
                f"RETURNING 1",
                values,
                changes,
            )
        except asyncpg.UniqueViolationError as error:
            if len(rows) > 1:
                return None  # a transaction finds out which one it was
            raise duplicate(planner, error, 0) from error
        return [row.body for row in rows]

    async def _update(self, planner: Planner, op: Update, changes: Changes) -> list[Result] | None:
        """Change the version that was read; None when others were quicker again and again."""
        table = planner.physical.table
        for _ in range(_MOST_TRIES):
            values: list[Any] = [escape(op.id)]
            guard = "TRUE" if op.guard is None else planner.test(op.guard, values)
            held = await self._pool.fetchrow(
                f"SELECT doc,created_by,created_at,updated_at,({guard}),xmin::text FROM {table} "
                f"WHERE id=$1::text",
                *values,
            )
            if held is None:
                raise Missing(op.collection, op.id)
            if held[4] is not True:
                raise Conflict(op.collection)
            body, updated_at = changed(op, held)
            try:
                done = await self._tell_of(
                    f"UPDATE {table} SET doc=$2::text,data=coalesce($3::text,$2::text)::jsonb,"
                    f"updated_at=$4::bigint WHERE id=$1::text AND xmin::text=$5::text RETURNING 1",
                    (escape(op.id), body.decode(), data_of(body), updated_at, held[5]),
                    changes,
                )
            except asyncpg.UniqueViolationError as error:
                raise duplicate(planner, error, 0) from error
            if done:
                return [body]
        return None

    async def _delete(self, planner: Planner, op: Delete, changes: Changes) -> list[Result]:
        sql = f"DELETE FROM {planner.physical.table} WHERE id=$1::text RETURNING 1"
        if not await self._tell_of(sql, (escape(op.id),), changes):
            raise Missing(op.collection, op.id)
        return [None]

    async def _tell_of(self, sql: str, values: Sequence[Any], changes: Changes) -> bool:
        """Run a changing statement that sends its own news; whether it changed anything."""
        told = payload(self._origin, changes)
        row = await self._pool.fetchrow(
            f"WITH done AS ({sql}) SELECT pg_notify(${len(values) + 1}::text,"
            f"${len(values) + 2}::text) FROM done LIMIT 1",
            *values,
            CHANNEL,
            told,
        )
        return row is not None
