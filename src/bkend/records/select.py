"""Projection of records onto selected paths (20 §8): the slow path, taken only when asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import orjson

from bkend.store.conditions import Path
from bkend.store.documents import wire_json

_SYSTEM = ("id", "createdBy", "createdAt", "updatedAt")

_Tree: TypeAlias = "dict[str, _Tree | None]"
"""What to keep of an object by name; None is the whole value."""


def select_item(body: bytes, paths: Sequence[Path]) -> bytes:
    """One record with only the selected branches and the system fields."""
    return wire_json(_kept(orjson.loads(body), _tree(paths)))


def select_items(items: bytes, paths: Sequence[Path]) -> bytes:
    """A JSON array of records, each projected."""
    wanted = _tree(paths)
    kept = (wire_json(_kept(record, wanted)) for record in orjson.loads(items))
    return b"[" + b",".join(kept) + b"]"


def _tree(paths: Sequence[Path]) -> _Tree:
    """The paths as a tree, so that a projection costs what the record holds, not what was asked."""
    root: _Tree = dict.fromkeys(_SYSTEM)
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
