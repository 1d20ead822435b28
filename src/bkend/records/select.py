"""What of a record goes out: columns withheld, branches selected (20 §8, 21 §7.1).

The slow path, taken only when something is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson

from bkend.store.conditions import Path
from bkend.store.documents import SYSTEM_FIELDS, wire_json

_Tree: TypeAlias = "dict[str, _Tree | None]"
"""What to keep of an object by name; None is the whole value."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The columns withheld: `never` from every record, `own_only` from those of others.

    With `only`, nothing but these columns goes out.
    """

    never: frozenset[str] = frozenset()
    own_only: frozenset[str] = frozenset()
    user_id: str = ""
    only: frozenset[str] | None = None

    def of(self, record: dict[str, Any]) -> dict[str, Any]:
        """The record without what is withheld."""
        hidden = self.never
        if self.own_only and not (self.user_id and record.get("createdBy") == self.user_id):
            hidden = hidden | self.own_only
        return {
            name: value
            for name, value in record.items()
            if name not in hidden and (self.only is None or name in self.only)
        }


def shape_item(body: bytes, shape: Shape | None, paths: Sequence[Path] | None) -> bytes:
    """One record with only the selected branches and the system fields, without what is
    withheld."""
    if shape is None and paths is None:
        return body
    record: dict[str, Any] = orjson.loads(body)
    return wire_json(_shaped(record, shape, None if paths is None else _tree(paths)))


def shape_items(items: bytes, shape: Shape | None, paths: Sequence[Path] | None) -> bytes:
    """A JSON array of records, each shaped."""
    if shape is None and paths is None:
        return items
    wanted = None if paths is None else _tree(paths)
    shaped = (wire_json(_shaped(record, shape, wanted)) for record in orjson.loads(items))
    return b"[" + b",".join(shaped) + b"]"


def _shaped(record: dict[str, Any], shape: Shape | None, wanted: _Tree | None) -> dict[str, Any]:
    """Withheld first: a selection chooses from what is left, and never widens it."""
    if shape is not None:
        record = shape.of(record)
    return record if wanted is None else _kept(record, wanted)


def _tree(paths: Sequence[Path]) -> _Tree:
    """The paths as a tree, so that a projection costs what the record holds, not what was asked."""
    root: _Tree = dict.fromkeys(SYSTEM_FIELDS)
    for path in paths:
        node = root
        for segment in path[:-1]:
            below = node.setdefault(segment, {})
            if below is None:
                break
            node = below
        else:
            node[path[-1]] = None
    return root


def _kept(record: dict[str, Any], wanted: _Tree) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in record.items():
        if name in wanted:
            branch = _branch(value, wanted[name])
            if branch is not _NOTHING:
                found[name] = branch
    return found


_NOTHING = object()


def _branch(value: Any, wanted: _Tree | None) -> Any:
    """The wanted part of a value; of an array, that of each element that has one."""
    if wanted is None:
        return value
    if isinstance(value, list):
        found = [_branch(item, wanted) for item in value]
        return [item for item in found if item is not _NOTHING]
    if not isinstance(value, dict):
        return _NOTHING
    return _kept(value, wanted) or _NOTHING
