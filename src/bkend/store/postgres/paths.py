"""Paths into documents as SQL. Only safe segments are written into SQL text; others are bound."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from bkend.store.conditions import Path
from bkend.store.postgres.storable import escape, is_text

CONTROL = "bkend"
"""The schema of the control store and of the functions that all stores use."""

SYSTEM_COLUMNS = {
    "id": "id",
    "createdBy": "created_by",
    "createdAt": "created_at",
    "updatedAt": "updated_at",
}
TIME_COLUMNS = frozenset({"created_at", "updated_at"})
_SAFE_SEGMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}\Z")

Bind = Callable[[Any, str], str]
"""Binds a value of an SQL type and returns its place, with the cast."""


def system_column(path: Path) -> str | None:
    """The column of a system field, or None for a path into the document."""
    return SYSTEM_COLUMNS.get(path[0]) if len(path) == 1 else None


def is_safe(path: Path) -> bool:
    """Whether the path may be written into SQL text."""
    return all(_SAFE_SEGMENT.match(segment) for segment in path)


def value_at(path: Path, bind: Bind | None = None) -> str:
    """The SQL expression for the value at a path that leads through objects only.

    Without `bind` the path must be safe: it becomes part of an index.
    """
    steps = [
        f"'{segment}'" if _SAFE_SEGMENT.match(segment) else _bound(segment, bind)
        for segment in path
    ]
    return "(data" + "".join(f"->{step}" for step in steps) + ")"


def through_array(path: Path, bind: Bind | None = None) -> str:
    """Whether a path of several segments leads through an array, which `value_at` cannot."""
    tests = (
        f"jsonb_typeof({value_at(path[:depth], bind)})='array'" for depth in range(1, len(path))
    )
    return "coalesce(" + " OR ".join(tests) + ",FALSE)"


def reached(path: Path, bind: Bind) -> str:
    """Every value that any path reaches (20 §5), as an SQL array of jsonb."""
    return f"{CONTROL}.reached(data,{bound_path(path, bind)})"


def bound_path(path: Path, bind: Bind) -> str:
    """The path as a bound array of texts."""
    return bind([_storable(segment) for segment in path], "text[]")


def _bound(segment: str, bind: Bind | None) -> str:
    if bind is None:
        raise ValueError("an unsafe path cannot be written into an index")
    return bind(_storable(segment), "text")


def _storable(segment: str) -> str:
    """The segment as keys are held; one that no document can hold becomes one that none has."""
    return escape(segment) if is_text(segment) else "\1"
