"""Projection of records onto selected paths (20 §8): the slow path, taken only when asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from bkend.store.conditions import Path

_ALWAYS = ("createdBy", "createdAt", "updatedAt")


def select_item(body: bytes, paths: Sequence[Path]) -> bytes:
    """One record with only the selected branches and the system fields."""
    return orjson.dumps(_project(orjson.loads(body), paths))


def select_items(items: bytes, paths: Sequence[Path]) -> bytes:
    """A JSON array of records, each projected."""
    return orjson.dumps([_project(record, paths) for record in orjson.loads(items)])


def _project(record: dict[str, Any], paths: Sequence[Path]) -> dict[str, Any]:
    chosen: dict[str, Any] = {"id": record["id"]}
    wanted: dict[str, list[Path]] = {}
    for path in paths:
        wanted.setdefault(path[0], []).append(path[1:])
    for name, value in record.items():
        if name in wanted and name not in _ALWAYS and name != "id":
            branch = _branch(value, wanted[name])
            if branch is not _NOTHING:
                chosen[name] = branch
    for name in _ALWAYS:
        chosen[name] = record[name]
    return chosen


_NOTHING = object()


def _branch(value: Any, rests: Sequence[Path]) -> Any:
    """The part of a value that the remaining paths reach."""
    if any(not rest for rest in rests):
        return value
    if isinstance(value, list):
        found = [_branch(item, rests) for item in value]
        return [item for item in found if item is not _NOTHING]
    if not isinstance(value, dict):
        return _NOTHING
    wanted: dict[str, list[Path]] = {}
    for rest in rests:
        wanted.setdefault(rest[0], []).append(rest[1:])
    kept = {}
    for name, deeper in wanted.items():
        if name in value:
            branch = _branch(value[name], deeper)
            if branch is not _NOTHING:
                kept[name] = branch
    return kept if kept else _NOTHING
