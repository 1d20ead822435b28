"""The only place that decides which rows a list may show (design: the planner; 20 §4.4–§8)."""

from __future__ import annotations

from dataclasses import dataclass

from bkend.query.brackets import BracketParser
from bkend.query.fields import Fields
from bkend.query.filters import FilterParser
from bkend.query.parameters import Parameters, parse_select, query_parameters, whole_number
from bkend.query.searching import parse_search
from bkend.query.sorting import parse_sort
from bkend.store import Condition, Find, all_of
from bkend.store.conditions import Path
from bkend.tables.models import Table
from bkend.tables.view import View

__all__ = ["ListPlan", "parse_select", "plan_list", "query_parameters"]

DEFAULT_LIMIT = 20
MOST_ITEMS = 100
_LARGEST_OFFSET = 2**53


@dataclass(frozen=True, slots=True)
class ListPlan:
    """What a list request comes to: the query, and how to number its pages."""

    find: Find
    page: int
    limit: int
    offset: int
    select: tuple[Path, ...] | None


def plan_list(table: Table, view: View, query_string: str) -> ListPlan:
    """The plan of `GET /v1/data/:table`; raises InvalidData and RestrictedColumn."""
    parameters = query_parameters(query_string)
    fields = Fields(table, view)
    asked = _filters(parameters, fields)
    limit = min(whole_number(parameters, "limit", DEFAULT_LIMIT, least=1), MOST_ITEMS)
    page, offset = _position(parameters, limit)
    sort, descending = parse_sort(parameters, fields)
    where = all_of(view.rows, fields.rows(), asked)
    find = Find(table.collection, where, sort, descending, offset, limit)
    return ListPlan(find, page, limit, offset, parse_select(parameters))


def _filters(parameters: Parameters, fields: Fields) -> Condition:
    """Everything the client asks for; a client can only narrow (20 §5)."""
    parser = FilterParser(fields)
    parts = [parser.parse_and(text) for text in parameters.get("andFilters", ())]
    parts.extend(parser.parse_or(text) for text in parameters.get("orFilters", ()))
    parts.append(BracketParser(fields, parser.leaves).parse(parameters.items()))
    parts.append(parse_search(parameters, fields, parser.leaves))
    return all_of(*parts)


def _position(parameters: Parameters, limit: int) -> tuple[int, int]:
    """Page number and offset; `page` wins over `offset` (20 §9)."""
    if "offset" in parameters and "page" not in parameters:
        offset = whole_number(parameters, "offset", 0, least=0)
        return offset // limit + 1, offset
    page = whole_number(parameters, "page", 1, least=1)
    return page, min((page - 1) * limit, _LARGEST_OFFSET)
