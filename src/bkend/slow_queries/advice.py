"""The index that a slow query lacks."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from typing import Any

from bkend.slow_queries.shapes import Key, Shape
from bkend.store import Index
from bkend.store.documents import SYSTEM_FIELDS
from bkend.store.serving import SYSTEM_INDEXES, serves
from bkend.tables.models import Table, stored_type

_LONGEST_NAME = 64


def missing_index(shape: Shape, table: Table) -> Index | None:
    """The index that would serve queries of this shape; None when one does, or none could.

    First the columns that are equal, the telling ones before booleans and enumerations; then the
    compared one, since a list counts what matches; without one, the order of the list.
    """
    if is_served(shape, (*SYSTEM_INDEXES, *table.indexes)):
        return None
    head: list[Key] = [
        (name, 1) for name in sorted(shape.equals, key=lambda name: (_sameness(table, name), name))
    ]
    fields = (*head, *_following(shape))
    return named_apart(Index(_name(fields), fields), {index.name for index in table.indexes})


def is_served(shape: Shape, indexes: Collection[Index]) -> bool:
    """Whether one of the indexes does all that an index could do."""
    then = _following(shape)
    if "id" in shape.equals or not (shape.equals or then):
        return True
    return any(serves(index, frozenset(shape.equals), then) for index in indexes)


def _following(shape: Shape) -> tuple[Key, ...]:
    """The keys after those that are equal."""
    sort = tuple(key for key in shape.sort if key[0] not in shape.equals)
    if not shape.ranges:
        # Whoever has to look at every row gains nothing from their order.
        return sort if shape.equals or not shape.others else ()
    for key in sort[:1]:
        if key[0] in shape.ranges:
            return (key,)
    return ((shape.ranges[0], 1),)


def _sameness(table: Table, name: str) -> int:
    """How many rows are likely to share a value: the order of columns in an index."""
    if name in SYSTEM_FIELDS:
        return 0
    column: dict[str, Any] = table.schema
    for segment in name.split("."):
        column = column["properties"][segment]
    if stored_type(column) == "bool":
        return 2
    return 1 if "enum" in column else 0


def _name(fields: Collection[Key]) -> str:
    words = (re.sub(r"\W", "_", name) for name, _ in fields)
    return f"by_{'_'.join(words)}"[:_LONGEST_NAME]


def named_apart(index: Index, taken: Collection[str]) -> Index:
    """The index under a name that no other has."""
    number, name = 1, index.name
    while name in taken:
        number += 1
        name = f"{index.name[: _LONGEST_NAME - 4]}_{number}"
    return replace(index, name=name)
