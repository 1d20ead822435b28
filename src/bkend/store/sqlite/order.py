"""Sort keys to SQL: the type order of 20 §7, and how an array takes its place in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bkend.store.conditions import Path
from bkend.store.interface import Find
from bkend.store.sqlite.paths import (
    extract,
    is_safe,
    json_path,
    reached,
    system_column,
    through_array,
    type_of,
)


def order_by(query: Find, plain: Callable[[Path], bool], bind: Callable[[Any], str]) -> str:
    """The ORDER BY list; ties follow `id` in the direction of the last key (20 §7)."""
    if not query.sort:
        way = "DESC" if query.descending else "ASC"
        return f"created_at {way},id {way}"
    terms: list[str] = []
    for key in query.sort:
        way = "DESC" if key.descending else "ASC"
        if system_column(key.path) is not None or plain(key.path):
            terms.append(f"{extract(key.path)} {way}")
        else:
            terms.extend(f"{term} {way}" for term in _rank_and_value(key.path, way, bind))
    way = "DESC" if query.sort[-1].descending else "ASC"
    if terms[-1] != f"id {way}":
        terms.append(f"id {way}")
    return ",".join(terms)


def _rank_and_value(path: Path, way: str, bind: Callable[[Any], str]) -> tuple[str, str]:
    if not is_safe(path):
        return _of_all(path, way, bind)
    direct = _of_one(path, way)
    if len(path) == 1:
        return direct
    through = through_array(path)
    rank, value = _of_all(path, way, bind)
    return (
        f"CASE WHEN {through} THEN {rank} ELSE {direct[0]} END",
        f"CASE WHEN {through} THEN {value} ELSE {direct[1]} END",
    )


def _of_one(path: Path, way: str) -> tuple[str, str]:
    """Of the one value at a safe path that leads through no array."""
    kind = type_of(path)
    first = (
        f"(SELECT %s FROM json_each(doc,{json_path(path)}) e "
        f"ORDER BY {_rank('e.type')} {way},{_comparable('e.type', 'e.value')} {way} LIMIT 1)"
    )
    of_array = first % _rank("e.type"), first % _comparable("e.type", "e.value")
    return (
        f"CASE {kind} WHEN 'array' THEN coalesce({of_array[0]},0) ELSE {_rank(kind)} END",
        f"CASE {kind} WHEN 'array' THEN {of_array[1]} ELSE {_comparable(kind, extract(path))} END",
    )


def _of_all(path: Path, way: str, bind: Callable[[Any], str]) -> tuple[str, str]:
    """Of the smallest (descending: largest) of all values that any path reaches."""
    nodes = reached(path, bind)
    held = (
        f"SELECT n.type,n.value FROM {nodes} AND n.type<>'array' "
        f"UNION ALL SELECT 'empty',NULL FROM {nodes} AND n.type='array' AND n.value='[]' "
        f"UNION ALL SELECT e.type,e.value FROM (SELECT n.value FROM {nodes} AND n.type='array') a,"
        f"json_each(a.value) e"
    )
    first = (
        f"(SELECT %s FROM ({held}) e "
        f"ORDER BY {_rank('e.type')} {way},{_comparable('e.type', 'e.value')} {way} LIMIT 1)"
    )
    return (
        f"coalesce({first % _rank('e.type')},1)",
        first % _comparable("e.type", "e.value"),
    )


def _rank(kind: str) -> str:
    """Empty array 0, null or missing 1, number 2, string 3, object 4, boolean 5."""
    return (
        f"CASE {kind} WHEN 'integer' THEN 2 WHEN 'real' THEN 2 WHEN 'text' THEN 3 "
        f"WHEN 'object' THEN 4 WHEN 'array' THEN 4 WHEN 'true' THEN 5 WHEN 'false' THEN 5 "
        f"WHEN 'empty' THEN 0 ELSE 1 END"
    )


def _comparable(kind: str, value: str) -> str:
    return f"CASE WHEN {kind} IN ('object','array','null') THEN NULL ELSE {value} END"
