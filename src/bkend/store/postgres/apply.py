"""Operations of a commit, carried out inside one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, TypeAlias

import asyncpg

from bkend.store.conditions import Condition
from bkend.store.documents import SYSTEM_FIELDS, decode, encode
from bkend.store.errors import Conflict, Duplicate, Missing
from bkend.store.interface import Result
from bkend.store.operations import Check, Delete, DeleteWhere, Insert, Operation, Update
from bkend.store.postgres.news import CHANNEL, Changes, Origin, note, payload
from bkend.store.postgres.plans import Planner, text_leaves
from bkend.store.postgres.pool import Connection, Isolation
from bkend.store.postgres.resolve import resolve
from bkend.store.postgres.rows import MANY, ONE, Row, columns_of
from bkend.store.postgres.storable import data_of, escape, unescape

Planners: TypeAlias = Callable[[str], Planner]


def isolation_of(operations: Sequence[Operation]) -> Isolation:
    """Serializable where a commit relies on rows that it does not lock."""
    for op in operations:
        if isinstance(op, Check):
            return "SERIALIZABLE"
        condition = op.where if isinstance(op, DeleteWhere) else getattr(op, "guard", None)
        if condition is not None and next(text_leaves(condition), None) is not None:
            return "SERIALIZABLE"
    return "READ COMMITTED"


async def carry_out(
    connection: Connection,
    planners: Planners,
    operations: Sequence[Operation],
    rows: Sequence[Row | None],
    changes: Changes,
) -> list[Result]:
    """Do all operations in order. Raises what the first refused one raises."""
    results: list[Result] = []
    kinds = groupby(
        enumerate(zip(operations, rows, strict=True)),
        lambda one: (isinstance(one[1][0], Insert), one[1][0].collection),
    )
    for (is_insert, collection), group in kinds:
        planner = planners(collection)
        together = list(group)
        if is_insert:
            inserted = [row for _, (_, row) in together if row is not None]
            await _insert(connection, planner, inserted, together[0][0])
            note(changes, collection, [row.id for row in inserted])
            results.extend(row.body for row in inserted)
            continue
        for position, (op, _) in together:
            results.append(await _one(connection, planner, op, position, changes))
    return results


async def tell(connection: Connection, origin: Origin, changes: Changes) -> None:
    """Send the news with the commit."""
    if changes:
        await connection.execute(
            "SELECT pg_notify($1::text,$2::text)", CHANNEL, payload(origin, changes)
        )


async def _one(
    connection: Connection, planner: Planner, op: Operation, position: int, changes: Changes
) -> Result:
    match op:
        case Update():
            body = await _update(connection, planner, op, position)
            note(changes, op.collection, [op.id])
            return body
        case Delete():
            await _delete(connection, planner, op, position)
            note(changes, op.collection, [op.id])
            return None
        case DeleteWhere():
            return await _delete_where(connection, planner, op, changes)
        case Check():
            return await _check(connection, planner, op, position)
        case Insert():
            raise AssertionError("inserts are done together")


async def _insert(
    connection: Connection, planner: Planner, rows: Sequence[Row], position: int
) -> None:
    """Insert the rows at once; when one is refused, one by one, which shows which it was."""
    table = planner.physical.table
    if len(rows) == 1:
        await _guarded(
            planner, position, connection.execute(f"INSERT INTO {table} {ONE}", *rows[0].values)
        )
        return
    await connection.execute("SAVEPOINT rows")
    try:
        await connection.execute(f"INSERT INTO {table} {MANY}", *columns_of(rows))
    except asyncpg.UniqueViolationError:
        await connection.execute("ROLLBACK TO rows")
        for place, row in enumerate(rows, start=position):
            await _insert(connection, planner, [row], place)


async def _update(connection: Connection, planner: Planner, op: Update, position: int) -> bytes:
    held = await _locked(connection, planner, op, position)
    body, updated_at = changed(op, held)
    await _guarded(
        planner,
        position,
        connection.execute(
            f"UPDATE {planner.physical.table} SET doc=$2::text,"
            f"data=coalesce($3::text,$2::text)::jsonb,updated_at=$4::bigint WHERE id=$1::text",
            escape(op.id),
            body.decode(),
            data_of(body),
            updated_at,
        ),
    )
    return body


def changed(op: Update, held: asyncpg.Record) -> tuple[bytes, int]:
    """The document after the update, and its time of change (ms)."""
    doc, created_by, created_at, updated_at = held[:4]
    fields = {key: value for key, value in decode(doc).items() if key not in SYSTEM_FIELDS}
    fields.update(op.set)
    for name in op.unset:
        fields.pop(name, None)
    for name, amount in op.increment.items():
        fields[name] = (fields.get(name) or 0) + amount
    if op.updated_at is not None:
        updated_at = max(updated_at, op.updated_at)
    return encode(op.id, fields, unescape(created_by), created_at, updated_at), updated_at


async def _delete(connection: Connection, planner: Planner, op: Delete, position: int) -> None:
    await _locked(connection, planner, op, position)
    await connection.execute(
        f"DELETE FROM {planner.physical.table} WHERE id=$1::text", escape(op.id)
    )


async def _locked(
    connection: Connection, planner: Planner, op: Update | Delete, position: int
) -> asyncpg.Record:
    """The row, which nobody else can change until the commit; raises Missing and Conflict."""
    values: list[Any] = [escape(op.id)]
    guard = await _test(connection, planner, op.guard, values, op.id)
    held: asyncpg.Record | None = await connection.fetchrow(
        f"SELECT doc,created_by,created_at,updated_at,{guard} FROM {planner.physical.table} "
        f"WHERE id=$1::text FOR UPDATE",
        *values,
    )
    if held is None:
        raise Missing(op.collection, op.id)
    if held[4] is not True:
        raise Conflict(op.collection, position)
    return held


async def _delete_where(
    connection: Connection, planner: Planner, op: DeleteWhere, changes: Changes
) -> int:
    values: list[Any] = []
    test = await _test(connection, planner, op.where, values)
    rows = await connection.fetch(
        f"DELETE FROM {planner.physical.table} WHERE {test} RETURNING id", *values
    )
    if rows:
        note(changes, op.collection, sorted(unescape(id) for (id,) in rows))
    return len(rows)


async def _check(connection: Connection, planner: Planner, op: Check, position: int) -> int:
    values: list[Any] = []
    test = await _test(connection, planner, op.where, values)
    found: int = await connection.fetchval(
        f"SELECT count(*) FROM {planner.physical.table} WHERE {test}", *values
    )
    if found < op.at_least or (op.at_most is not None and found > op.at_most):
        raise Conflict(op.collection, position)
    return found


async def _test(
    connection: Connection,
    planner: Planner,
    condition: Condition | None,
    values: list[Any],
    id: str | None = None,
) -> str:
    if condition is None:
        return "TRUE"
    texts = await resolve(connection, planner, condition, id)
    return f"({planner.test(condition, values, texts)})"


async def _guarded(planner: Planner, position: int, work: Any) -> None:
    try:
        await work
    except asyncpg.UniqueViolationError as error:
        raise duplicate(planner, error, position) from error


def duplicate(planner: Planner, error: asyncpg.UniqueViolationError, position: int) -> Exception:
    """Which fields hold the refused value."""
    fields = planner.physical.unique_fields.get(str(error.constraint_name))
    if fields is None:
        return error
    return Duplicate(planner.physical.collection.name, fields, position)
