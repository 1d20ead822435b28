"""What queries have in common: which columns are compared how, and never with what.

A shape holds names of declared columns only. A filter may name anything, also what a person typed
or who a person is; such a path counts as "something else".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from bkend.store import Find
from bkend.store.conditions import Always, And, Compare, Condition, Equals, OneOf, Or, Path
from bkend.store.documents import SYSTEM_FIELDS
from bkend.store.interface import Direction
from bkend.tables.models import Table, stored_type
from bkend.tables.notation import SCALARS

Key: TypeAlias = tuple[str, Direction]


@dataclass(frozen=True, slots=True)
class Shape:
    """Columns that are compared for equality, for order, and sorted by; `others` says that rows
    are told apart by more, which no index helps with."""

    equals: tuple[str, ...] = ()
    ranges: tuple[str, ...] = ()
    sort: tuple[Key, ...] = ()
    others: bool = False

    def as_json(self) -> dict[str, Any]:
        """`{equals, ranges, sort, others}`; `sort` maps columns to 1 or -1, in order."""
        return {
            "equals": list(self.equals),
            "ranges": list(self.ranges),
            "sort": dict(self.sort),
            "others": self.others,
        }

    @classmethod
    def from_json(cls, held: Mapping[str, Any]) -> Shape:
        """The inverse of `as_json`."""
        return cls(
            equals=tuple(held["equals"]),
            ranges=tuple(held["ranges"]),
            sort=tuple(held["sort"].items()),
            others=held["others"],
        )

    def __str__(self) -> str:
        """For people: `equal status, compared views, sorted by title descending`."""
        parts = []
        if self.equals:
            parts.append(f"equal {' and '.join(self.equals)}")
        if self.ranges:
            parts.append(f"compared {' and '.join(self.ranges)}")
        if self.others:
            parts.append("other conditions")
        if self.sort:
            keys = (f"{name}{' descending' if way < 0 else ''}" for name, way in self.sort)
            parts.append(f"sorted by {', '.join(keys)}")
        return ", ".join(parts) or "everything"


def shape_of(query: Find, table: Table) -> Shape:
    """The shape of a list query. An order that is not asked for is none."""
    equals: set[str] = set()
    ranges: set[str] = set()
    others = False
    for condition in _conjuncts(query.where):
        path = _equal_path(condition)
        if path is not None and is_indexable(table, path):
            equals.add(".".join(path))
        elif isinstance(condition, Compare) and is_indexable(table, condition.path):
            ranges.add(".".join(condition.path))
        else:
            others = True
    sort: dict[str, Direction] = {}
    for key in query.sort:
        sort.setdefault(".".join(key.path), -1 if key.descending else 1)
    if not all(is_indexable(table, key.path) for key in query.sort):
        sort, others = {}, True
    return Shape(tuple(sorted(equals)), tuple(sorted(ranges - equals)), tuple(sort.items()), others)


def is_indexable(table: Table, path: Path) -> bool:
    """Whether an index on the path can serve: a system field, or a declared column that holds one
    plain value."""
    if len(path) == 1 and path[0] in SYSTEM_FIELDS:
        return True
    column: dict[str, Any] = table.schema
    for segment in path:
        inner = (column.get("properties") or {}).get(segment)
        if inner is None:
            return False
        column = inner
    return stored_type(column) in SCALARS


def _conjuncts(condition: Condition) -> tuple[Condition, ...]:
    if isinstance(condition, And):
        return tuple(inner for part in condition.parts for inner in _conjuncts(part))
    return () if isinstance(condition, Always) else (condition,)


def _equal_path(condition: Condition) -> Path | None:
    """The one path that has to have one of some values, if that is what the condition says."""
    if isinstance(condition, (Equals, OneOf)):
        return condition.path
    if isinstance(condition, Or):
        paths = {_equal_path(part) for part in condition.parts}
        return paths.pop() if len(paths) == 1 else None
    return None
