"""Operations of a commit, carried out inside the writer's transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import apsw

from bkend.store.conditions import Condition
from bkend.store.documents import LARGEST_DOCUMENT, SYSTEM_FIELDS, decode, encode
from bkend.store.errors import Conflict, DocumentTooLarge, Duplicate, Missing
from bkend.store.interface import Result
from bkend.store.operations import Check, Delete, DeleteWhere, Insert, Operation, Update
from bkend.store.sqlite.insertions import Insertion, Row, insert_rows
from bkend.store.sqlite.paths import SYSTEM_COLUMNS
from bkend.store.sqlite.plans import Planner
from bkend.store.sqlite.writer import Changes

Planners: TypeAlias = Callable[[str], Planner]
Job: TypeAlias = Callable[[apsw.Connection, Changes], Any]


def job_of(planners: Planners, operations: Sequence[Operation]) -> Job:
    """The writer's job for a commit. Inserts are encoded here, on the caller's thread."""
    bodies = _bodies(operations)

    def run(connection: apsw.Connection, changes: Changes) -> list[Result]:
        if _insert_many(connection, planners, operations, bodies, changes):
            return list(bodies)
        results: list[Result] = []
        for position, (operation, body) in enumerate(zip(operations, bodies, strict=True)):
            planner = planners(operation.collection)
            match operation:
                case Insert():
                    _insert(connection, planner, _row(operation, body), position)
                    results.append(body)
                case Update():
                    results.append(_update(connection, planner, operation, position))
                case Delete():
                    _delete(connection, planner, operation, position)
                    results.append(None)
                case DeleteWhere():
                    results.append(_delete_where(connection, planner, operation, changes))
                    continue
                case Check():
                    results.append(_check(connection, planner, operation, position))
                    continue
            changed = changes.setdefault(operation.collection, [])
            if changed is not None:
                changed.append(operation.id)
        return results

    return run


def insertion_of(operations: Sequence[Operation]) -> Insertion | None:
    """The commit as one added document, None when it is anything else."""
    if len(operations) != 1 or not isinstance(operations[0], Insert):
        return None
    body = _encoded(operations[0])
    return Insertion(operations[0].collection, _row(operations[0], body), body)


def insertion_job(planners: Planners, insertion: Insertion) -> Job:
    """The writer's job for one added document when it is carried out alone."""

    def run(connection: apsw.Connection, changes: Changes) -> list[Result]:
        _insert(connection, planners(insertion.collection), insertion.row, 0)
        changes[insertion.collection] = [insertion.row[0]]
        return [insertion.body]

    return run


def _bodies(operations: Sequence[Operation]) -> list[bytes]:
    """The bodies of the inserts. Together they keep the limit of one document: numbers that are
    written out must not make a small request a large one."""
    bodies: list[bytes] = []
    left = LARGEST_DOCUMENT
    for op in operations:
        bodies.append(_encoded(op) if isinstance(op, Insert) else b"")
        left -= len(bodies[-1])
        if left < 0:
            raise DocumentTooLarge
    return bodies


def _encoded(op: Insert) -> bytes:
    return encode(op.id, dict(op.fields), op.created_by, op.created_at, op.updated_at)


def _row(op: Insert, body: bytes) -> Row:
    return (op.id, op.created_by, op.created_at, op.updated_at, body.decode())


def _insert_many(
    connection: apsw.Connection,
    planners: Planners,
    operations: Sequence[Operation],
    bodies: Sequence[bytes],
    changes: Changes,
) -> bool:
    """Carry out a commit of inserts into one collection at once.

    False when it is another commit, or when a row is refused: one by one it will show which.
    """
    inserts = [op for op in operations if isinstance(op, Insert)]
    if not 1 < len(inserts) == len(operations) or len({op.collection for op in inserts}) > 1:
        return False
    collection = inserts[0].collection
    rows = [_row(op, body) for op, body in zip(inserts, bodies, strict=True)]
    connection.execute("SAVEPOINT rows")
    try:
        insert_rows(connection, planners(collection).physical.table, rows)
    except apsw.ConstraintError:
        connection.execute("ROLLBACK TO rows")
        connection.execute("RELEASE rows")
        return False
    connection.execute("RELEASE rows")
    changes[collection] = [op.id for op in inserts]
    return True


def _insert(connection: apsw.Connection, planner: Planner, row: Row, position: int) -> None:
    try:
        connection.execute(f"INSERT INTO {planner.physical.table} VALUES(?,?,?,?,?)", row)
    except apsw.ConstraintError as error:
        raise _duplicate(planner, error, position) from error


def _update(connection: apsw.Connection, planner: Planner, op: Update, position: int) -> bytes:
    table = planner.physical.table
    held = connection.execute(
        f"SELECT doc,created_by,created_at,updated_at FROM {table} WHERE id=?", (op.id,)
    ).fetchone()
    if held is None:
        raise Missing(op.collection, op.id)
    _require(connection, planner, op.id, op.guard, position)
    doc, created_by, created_at, updated_at = held
    fields = {key: value for key, value in decode(doc).items() if key not in SYSTEM_FIELDS}
    fields.update(op.set)
    for name in op.unset:
        fields.pop(name, None)
    for name, amount in op.increment.items():
        fields[name] = (fields.get(name) or 0) + amount
    if op.updated_at is not None:
        updated_at = max(updated_at, op.updated_at)
    body = encode(op.id, fields, created_by, created_at, updated_at)
    try:
        connection.execute(
            f"UPDATE {table} SET doc=?,updated_at=? WHERE id=?",
            (body.decode(), updated_at, op.id),
        )
    except apsw.ConstraintError as error:
        raise _duplicate(planner, error, position) from error
    return body


def _delete(connection: apsw.Connection, planner: Planner, op: Delete, position: int) -> None:
    table = planner.physical.table
    if connection.execute(f"SELECT 1 FROM {table} WHERE id=?", (op.id,)).fetchone() is None:
        raise Missing(op.collection, op.id)
    _require(connection, planner, op.id, op.guard, position)
    connection.execute(f"DELETE FROM {table} WHERE id=?", (op.id,))


def _delete_where(
    connection: apsw.Connection, planner: Planner, op: DeleteWhere, changes: Changes
) -> int:
    test, values = planner.test(connection, op.where)
    ids = [
        id
        for (id,) in connection.execute(
            f"DELETE FROM {planner.physical.table} WHERE {test} RETURNING id", values
        )
    ]
    if ids:
        changed = changes.setdefault(op.collection, [])
        if changed is not None:
            changed.extend(ids)
    return len(ids)


def _check(connection: apsw.Connection, planner: Planner, op: Check, position: int) -> int:
    test, values = planner.test(connection, op.where)
    found: int = connection.execute(
        f"SELECT count(*) FROM {planner.physical.table} WHERE {test}", values
    ).get
    if found < op.at_least or (op.at_most is not None and found > op.at_most):
        raise Conflict(op.collection, position)
    return found


def _require(
    connection: apsw.Connection,
    planner: Planner,
    id: str,
    guard: Condition | None,
    position: int,
) -> None:
    if guard is None:
        return
    test, values = planner.test(connection, guard)
    values.append(id)
    row = connection.execute(
        f"SELECT 1 FROM {planner.physical.table} WHERE {test} AND id=?{len(values)}", values
    ).fetchone()
    if row is None:
        raise Conflict(planner.physical.collection.name, position)


def _duplicate(planner: Planner, error: apsw.ConstraintError, position: int) -> Exception:
    """What the refused value was. SQLite names an index that holds an expression, and the
    columns of one that does not."""
    physical = planner.physical
    name = physical.collection.name
    code: int = error.extendedresult  # type: ignore[attr-defined]  # the stub lacks it
    if code == apsw.SQLITE_CONSTRAINT_PRIMARYKEY:
        return Duplicate(name, ("id",), position)
    if code != apsw.SQLITE_CONSTRAINT_UNIQUE:
        return error
    text = str(error)
    for index in physical.collection.indexes:
        if not index.unique:
            continue
        columns = ", ".join(
            f"{physical.table}.{SYSTEM_COLUMNS.get(path, '')}" for path, _ in index.fields
        )
        if f"'{physical.index_names[index.name]}_uq'" in text or text.endswith(f": {columns}"):
            return Duplicate(name, tuple(path for path, _ in index.fields), position)
    return error
