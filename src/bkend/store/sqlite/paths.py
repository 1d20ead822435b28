"""Paths into documents as SQL: how each is spelled, so that queries and indexes spell it alike.

Only safe segments are ever written into SQL text; others are bound values. SQLite uses an index
on an expression only for the very same expression, so both come from here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from bkend.store.conditions import Path

SYSTEM_COLUMNS = {
    "id": "id",
    "createdBy": "created_by",
    "createdAt": "created_at",
    "updatedAt": "updated_at",
}
_SAFE_SEGMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}\Z")


def system_column(path: Path) -> str | None:
    """The column of a system field, or None for a path into the document."""
    return SYSTEM_COLUMNS.get(path[0]) if len(path) == 1 else None


def is_safe(path: Path) -> bool:
    """Whether the path may be written into SQL text."""
    return all(_SAFE_SEGMENT.match(segment) for segment in path)


def json_path(path: Path) -> str:
    """A safe path as a quoted SQL literal of SQLite's JSON path language."""
    return "'$" + "".join(f'."{segment}"' for segment in path) + "'"


def extract(path: Path) -> str:
    """The SQL expression for the value at a safe path, or the system column it names."""
    return system_column(path) or f"json_extract(doc,{json_path(path)})"


def type_of(path: Path) -> str:
    """The SQL expression for SQLite's JSON type at a safe document path."""
    return f"json_type(doc,{json_path(path)})"


def through_array(path: Path) -> str:
    """Whether a safe path of several segments leads through an array, which `extract` cannot."""
    steps = (path[:depth] for depth in range(1, len(path)))
    return "(" + " OR ".join(f"{type_of(step)} IS 'array'" for step in steps) + ")"


def odd_class(path: Path) -> str:
    """What makes the value at a safe path odd: 'b' a boolean, 'a' an array or object, or an
    array on the way; NULL for null, missing, numbers and strings."""
    kind = (
        f"CASE {type_of(path)} WHEN 'true' THEN 'b' WHEN 'false' THEN 'b' "
        f"WHEN 'array' THEN 'a' WHEN 'object' THEN 'a' END"
    )
    return kind if len(path) == 1 else f"CASE WHEN {through_array(path)} THEN 'a' ELSE {kind} END"


def reached(path: Path, bind: Callable[[Any], str]) -> str:
    """Common table expressions that end in `n(type,value)`: every value the path reaches
    (20 §5), for any path. One walk for all steps: the text grows with the path, not faster."""
    first = f"SELECT 1,c.type,c.value FROM json_each(doc) c WHERE c.key={bind(path[0])}"
    if len(path) == 1:
        return f"w(k,type,value) AS ({first}),n AS (SELECT type,value FROM w)"
    key = _nth([bind(segment) for segment in path[1:]])
    walk = [
        first,
        f"SELECT k+1,c.type,c.value FROM w,json_each({_as('object', 'w')}) c WHERE c.key={key}",
        f"SELECT k+1,c.type,c.value FROM w,json_each({_as('array', 'w')}) x,"
        f"json_each({_as('object', 'x')}) c WHERE c.key={key}",
    ]
    if any(_is_decimal(segment) for segment in path[1:]):
        index = _nth(
            [bind(int(segment)) if _is_decimal(segment) else "NULL" for segment in path[1:]]
        )
        walk.append(
            f"SELECT k+1,c.type,c.value FROM w,json_each({_as('array', 'w')}) c WHERE c.key={index}"
        )
    return (
        f"RECURSIVE w(k,type,value) AS ({' UNION ALL '.join(walk)}),"
        f"n AS (SELECT type,value FROM w WHERE k={len(path)})"
    )


def _nth(values: Sequence[str]) -> str:
    """The value for the walk's next step; NULL, which equals nothing, after the last."""
    cases = " ".join(f"WHEN {step} THEN {value}" for step, value in enumerate(values, start=1))
    return f"CASE w.k {cases} END"


def _is_decimal(segment: str) -> bool:
    return segment.isascii() and segment.isdigit()


def _as(kind: str, row: str) -> str:
    """The row's value where it is of the kind, else an empty one: json_each refuses scalars."""
    empty = "'{}'" if kind == "object" else "'[]'"
    return f"CASE {row}.type WHEN '{kind}' THEN {row}.value ELSE {empty} END"
