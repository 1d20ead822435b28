"""The filters of row filters, read as `andFilters` are (21 §7.2)."""

from __future__ import annotations

from typing import Any

import orjson

from bkend.query.fields import Fields
from bkend.query.filters import FilterParser
from bkend.store import Condition
from bkend.tables.models import Table


def check_filter(schema: dict[str, Any], given: Any) -> None:
    """Require that the filter can be asked of a table with this schema; raises InvalidData."""
    as_table = Table("", "", schema, (), None, None, None, 1, 1)
    row_condition(as_table, given)


def row_condition(table: Table, given: Any) -> Condition:
    """The condition of a filter in which `$userId` is already replaced; raises InvalidData."""
    return FilterParser(Fields(table)).parse_and(orjson.dumps(given).decode())
