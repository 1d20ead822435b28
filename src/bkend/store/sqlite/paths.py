"""Paths into documents as SQL: how each is spelled, so that queries and indexes spell it alike.

Only safe segments are ever written into SQL text; others are bound values. SQLite uses an index
on an expression only for the very same expression, so both come from here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
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
    """Every value that any path reaches (20 §5): what stands after FROM to get it as rows `n`,
    open for more conditions.

    One join for all steps. Common table expressions would read better, but SQLite counts each
    use of one against a limit of the whole statement.
    """
    names = [*(f"c{step}" for step in range(1, len(path))), "n"]
    tables = [f"json_each(doc) {names[0]}"]
    tests = [f"{names[0]}.key={bind(path[0])}"]
    for before, name, segment in zip(names[:-1], names[1:], path[1:], strict=True):
        holder, key = f"{name}x", bind(segment)
        tables.append(f"json_each({_holders(before)}) {holder}")
        inside = f"CASE {holder}.type WHEN 'object' THEN {holder}.value ELSE '{{}}' END"
        if segment.isascii() and segment.isdigit():
            # An element is reached by its number, and may itself hold a field of that name.
            index = bind(int(segment))
            chosen = f"{before}.type='array' AND {holder}.key={index}"
            own = f"CASE {holder}.type WHEN 'object' THEN {holder}.value->{key} END"
            both = (
                f"'{{\"!\":'||({before}.value->{index})"
                f"||coalesce(',\"{segment}\":'||({own}),'')||'}}'"
            )
            inside = f"CASE WHEN {chosen} THEN {both} ELSE {inside} END"
            tests.append(f"({name}.key={key} OR ({name}.key='!' AND {chosen}))")
        else:
            tests.append(f"{name}.key={key}")
        tables.append(f"json_each({inside}) {name}")
    return f"{','.join(tables)} WHERE {' AND '.join(tests)}"


def _holders(row: str) -> str:
    """The objects a step may start from, as a JSON array: the value, or an array's elements."""
    return (
        f"CASE {row}.type WHEN 'object' THEN '['||{row}.value||']' "
        f"WHEN 'array' THEN {row}.value ELSE '[]' END"
    )
