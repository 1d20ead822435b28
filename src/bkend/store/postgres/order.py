"""Sort keys to SQL: the type order of 20 §7, and how an array takes its place in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bkend.store.conditions import Path
from bkend.store.interface import Find, Sort
from bkend.store.postgres.keys import key_expression
from bkend.store.postgres.paths import (
    CONTROL,
    Bind,
    reached,
    system_column,
    through_array,
    value_at,
)


@dataclass(frozen=True, slots=True)
class Order:
    """What a page is ordered by: columns to select, what they are read from, and the ORDER BY."""

    columns: tuple[str, ...]
    source: str
    terms: tuple[str, ...]


def order_of(
    query: Find, keyed: Mapping[Path, int], cuts: Callable[[Path], int], bind: Bind
) -> Order:
    """The order of a query; ties follow `id` in the direction of the last key (20 §7).

    Each sort key is selected as `s1`, `s2` …, so that parts of a page can be put together.
    """
    if not query.sort:
        way = _way(query.descending)
        return Order(("created_at AS s1", "id AS s2"), "", (f"s1 {way}", f"s2 {way}"))
    columns: list[str] = []
    ways: list[str] = []
    sources: list[str] = []
    for key in query.sort:
        for expression in _expressions(key, keyed, cuts, sources, bind):
            columns.append(expression)
            ways.append(_way(key.descending))
    if columns[-1] != "id":
        columns.append("id")
        ways.append(_way(query.sort[-1].descending))
    named = tuple(f"{column} AS s{place}" for place, column in enumerate(columns, start=1))
    terms = tuple(f"s{place} {way}" for place, way in enumerate(ways, start=1))
    source = f" CROSS JOIN LATERAL (SELECT {','.join(sources)} OFFSET 0) o" if sources else ""
    return Order(named, source, terms)


def _expressions(
    key: Sort,
    keyed: Mapping[Path, int],
    cuts: Callable[[Path], int],
    sources: list[str],
    bind: Bind,
) -> list[str]:
    """Class and beginning, then the number or the string where those leave a tie."""
    column = system_column(key.path)
    if column is not None:
        return [column]
    if key.path in keyed:
        first, value = key_expression(key.path, keyed[key.path]), value_at(key.path)
    else:
        value = f"o.x{len(sources) + 1}"
        sources.append(f"{_place(key, bind)} AS x{len(sources) + 1}")
        rank = f"{CONTROL}.key({value},{cuts(key.path)})"
        first = f"(CASE WHEN {value}='[]' THEN '0' ELSE {rank} END COLLATE \"C\")"
    number = f"CASE WHEN jsonb_typeof({value})='number' THEN {value}::numeric END"
    string = f"(CASE WHEN jsonb_typeof({value})='string' THEN {value}#>>'{{}}' END COLLATE \"C\")"
    return [first, number, string]


def _place(key: Sort, bind: Bind) -> str:
    """What stands for the path's values: the smallest of all, descending the largest."""
    path = key.path
    largest = "TRUE" if key.descending else "FALSE"
    here = value_at(path, bind)
    extreme = f"{CONTROL}.extreme(ARRAY[{here}],{largest})"
    direct = f"CASE WHEN jsonb_typeof({here})='array' THEN {extreme} ELSE {here} END"
    if len(path) == 1:
        return direct
    walked = f"{CONTROL}.extreme({reached(path, bind)},{largest})"
    return f"CASE WHEN {through_array(path, bind)} THEN {walked} ELSE {direct} END"


def _way(descending: bool) -> str:
    return "DESC" if descending else "ASC"
