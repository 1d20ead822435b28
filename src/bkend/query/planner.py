"""The only place that decides which rows a list may show (design: the planner; 20 §4.4–§8)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from bkend.query.errors import InvalidData, invalid_parameter
from bkend.query.filters import FilterParser, parse_path
from bkend.store import Condition, Find, Sort, all_of
from bkend.store.conditions import Path
from bkend.tables.models import Table, stored_type
from bkend.tables.validation import read_date
from bkend.tables.view import View

DEFAULT_LIMIT = 20
MOST_ITEMS = 100
_MOST_PARAMETERS = 200
_LARGEST_OFFSET = 2**53
_MOST_SORT_KEYS = 3
_WHOLE_NUMBER = re.compile(r"-?[0-9]+\Z", re.ASCII)
_MOST_DIGITS = 15  # of a longer number the rest cannot matter: it is past any page
_DATES = frozenset({"createdAt", "updatedAt"})


@dataclass(frozen=True, slots=True)
class ListPlan:
    """What a list request comes to: the query, and how to number its pages."""

    find: Find
    page: int
    limit: int
    offset: int
    select: tuple[Path, ...] | None


def plan_list(table: Table, view: View, query_string: str) -> ListPlan:
    """The plan of `GET /v1/data/:table`; raises InvalidData."""
    parameters = query_parameters(query_string)
    fields = TableFields(table)
    parser = FilterParser(fields)
    parts: list[Condition] = [view.rows]
    parts.extend(parser.parse_and(text) for text in parameters.get("andFilters", ()))
    parts.extend(parser.parse_or(text) for text in parameters.get("orFilters", ()))
    _refuse_unsupported(parameters)
    limit = min(_integer(parameters, "limit", DEFAULT_LIMIT, least=1), MOST_ITEMS)
    page, offset = _position(parameters, limit)
    sort, descending = _sort(parameters)
    find = Find(table.collection, all_of(*parts), sort, descending, offset, limit)
    return ListPlan(find, page, limit, offset, parse_select(parameters))


class TableFields:
    """The paths of a table, as the filter parser asks for them."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def is_date(self, path: Path) -> bool:
        """Declared dates, also in objects and arrays, and the two system times."""
        if len(path) == 1 and path[0] in _DATES:
            return True
        column = self._table.schema
        for segment in path:
            inner = _inside(column, segment)
            if inner is None:
                return False
            column = inner
        return stored_type(_element(column)) == "date"

    def instant(self, parameter: str, path: Path, operand: Any) -> Any:
        """An ISO 8601 operand, or an array of them, in wire form; anything else is refused."""
        if isinstance(operand, list):
            return [self.instant(parameter, path, value) for value in operand]
        found = read_date(operand)
        if found is None:
            name = ".".join(path)
            message = f"{name} is compared with ISO 8601 dates, not {repr(operand)[:64]}"
            raise invalid_parameter(parameter, "date", message)
        return found


def _inside(column: dict[str, Any], segment: str) -> dict[str, Any] | None:
    """The declared column that a path's next segment reaches, None when undeclared."""
    if stored_type(column) == "array" and segment.isascii() and segment.isdigit():
        return _items(column)
    return (_element(column).get("properties") or {}).get(segment)


def _element(column: dict[str, Any]) -> dict[str, Any]:
    """The column itself, or what its arrays hold in the end."""
    while stored_type(column) == "array":
        column = _items(column)
    return column


def _items(column: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = column.get("items", {"bsonType": "mixed"})
    return found


def _refuse_unsupported(parameters: Mapping[str, Sequence[str]]) -> None:
    """What would narrow the list is refused rather than ignored: ignoring shows too much."""
    for name in parameters:
        if name == "search" or name.startswith(("andFilters[", "filter[", "orFilters[")):
            shown = name[:64]
            message = f"{shown} is not supported by this server"
            raise invalid_parameter(shown, "unsupported", message)


def parse_select(parameters: Mapping[str, Sequence[str]]) -> tuple[Path, ...] | None:
    """`select`, else its alias `fields`: csv, repeated, or `select[]=` (20 §8)."""
    for name in ("select", "fields"):
        given = [*parameters.get(name, ()), *parameters.get(f"{name}[]", ())]
        if given:
            names = [part.strip() for text in given for part in text.split(",")]
            return tuple(parse_path(name, part) for part in names if part)
    return None


def query_parameters(query_string: str) -> dict[str, list[str]]:
    """Parameters by name in order; an empty value counts as absent. Raises InvalidData."""
    try:
        pairs = parse_qsl(query_string, max_num_fields=_MOST_PARAMETERS, errors="strict")
    except ValueError:
        raise InvalidData(
            f"the query string is not valid UTF-8 or has more than {_MOST_PARAMETERS} parameters"
        ) from None
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def _integer(
    parameters: Mapping[str, Sequence[str]], name: str, default: int, *, least: int
) -> int:
    given = parameters.get(name)
    if not given:
        return default
    text = given[-1].strip()
    if not _WHOLE_NUMBER.match(text) or (number := int(text[:_MOST_DIGITS])) < least:
        raise invalid_parameter(name, "minimum", f"{name} is a whole number of at least {least}")
    return number


def _position(parameters: Mapping[str, Sequence[str]], limit: int) -> tuple[int, int]:
    """Page number and offset; `page` wins over `offset` (20 §9)."""
    if "offset" in parameters and "page" not in parameters:
        offset = _integer(parameters, "offset", 0, least=0)
        return offset // limit + 1, offset
    page = _integer(parameters, "page", 1, least=1)
    return page, min((page - 1) * limit, _LARGEST_OFFSET)


def _sort(parameters: Mapping[str, Sequence[str]]) -> tuple[tuple[Sort, ...], bool]:
    """Sort keys and the direction of creation order when there are none (20 §7, §9)."""
    descending = _direction(parameters)
    by = parameters.get("sortBy")
    if by:
        return (Sort(parse_path("sortBy", by[-1].strip()), descending),), descending
    given = parameters.get("sort")
    if not given:
        return (), descending
    keys = [part.strip() for part in given[-1].split(",") if part.strip()]
    if len(keys) > _MOST_SORT_KEYS:
        raise invalid_parameter("sort", "maxKeys", f"sort takes at most {_MOST_SORT_KEYS} keys")
    return tuple(_sort_key(key) for key in keys), descending


def _sort_key(text: str) -> Sort:
    name, _, way = text.partition(":")
    if way and way.lower() not in ("asc", "desc"):
        raise invalid_parameter("sort", "direction", "a sort direction is asc or desc")
    descending = way.lower() == "desc" or (not way and name.startswith("-"))
    return Sort(parse_path("sort", name.removeprefix("-").removeprefix("+").strip()), descending)


def _direction(parameters: Mapping[str, Sequence[str]]) -> bool:
    given = parameters.get("sortDirection")
    if not given:
        return True
    word = given[-1].strip().lower()
    if word not in ("asc", "desc"):
        raise invalid_parameter("sortDirection", "enum", "sortDirection is asc or desc")
    return word == "desc"
