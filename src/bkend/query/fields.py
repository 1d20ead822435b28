"""What a path means in one table for one requester (20 §5, 21 §7.1)."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from bkend.query.errors import RestrictedColumn, invalid_parameter
from bkend.store import ALWAYS, NEVER, Condition, Equals
from bkend.store.conditions import Path
from bkend.tables.models import Table, stored_type
from bkend.tables.validation import read_date
from bkend.tables.view import View

Kind: TypeAlias = Literal["string", "number", "boolean", "date", "undeclared"]

_SYSTEM: dict[str, Kind] = {
    "id": "string",
    "createdBy": "string",
    "createdAt": "date",
    "updatedAt": "date",
}
_KINDS: dict[str, Kind] = {
    "double": "number",
    "int": "number",
    "bool": "boolean",
    "date": "date",
    "mixed": "undeclared",
}
_SHOWN = 64


class Fields:
    """The columns of a table as a requester may use them; without a view, as the table's own
    rules may."""

    def __init__(self, table: Table, view: View | None = None) -> None:
        self._table = table
        self._view = view or View("")
        self._is_own_only = False

    # -- types ----------------------------------------------------------------------------

    def kind(self, path: Path) -> Kind:
        """The declared type of what stands at the path, or in arrays there."""
        if len(path) == 1 and path[0] in _SYSTEM:
            return _SYSTEM[path[0]]
        column = self._table.schema
        for segment in path:
            inner = _inside(column, segment)
            if inner is None:
                return "undeclared"
            column = inner
        return _KINDS.get(stored_type(_element(column)), "string")

    def is_date(self, path: Path) -> bool:
        """Declared dates, also in objects and arrays, and the two system times."""
        return self.kind(path) == "date"

    def instant(self, parameter: str, path: Path, operand: Any) -> Any:
        """An ISO 8601 operand, or an array of them, in wire form; anything else is refused."""
        if isinstance(operand, list):
            return [self.instant(parameter, path, value) for value in operand]
        found = read_date(operand)
        if found is None:
            name = ".".join(path)[:_SHOWN]
            message = f"{name} is compared with ISO 8601 dates, not {repr(operand)[:_SHOWN]}"
            raise invalid_parameter(parameter, "date", message)
        return found

    # -- permissions ----------------------------------------------------------------------

    def filter_by(self, parameter: str, path: Path) -> None:
        """Note that a condition depends on the path; raises RestrictedColumn."""
        if path[0] in self._view.hidden:
            raise RestrictedColumn(parameter, path[0], "filter")
        if path[0] in self._view.own_only:
            self._is_own_only = True

    def sort_by(self, parameter: str, path: Path) -> None:
        """Refuse an order that would tell of a column; raises RestrictedColumn."""
        if path[0] in self._view.hidden or path[0] in self._view.own_only:
            raise RestrictedColumn(parameter, path[0], "sort")

    def is_searched(self, path: Path) -> bool:
        """Whether search looks at the path: not at dates, nor at restricted columns (20 §6)."""
        restricted = path[0] in self._view.hidden or path[0] in self._view.own_only
        return not restricted and not self.is_date(path)

    def unsearched(self) -> frozenset[str]:
        """The top-level fields that search skips."""
        declared = self._table.schema["properties"]
        dates = {name for name in declared if self.is_date((name,))}
        return frozenset(dates) | self._view.hidden | self._view.own_only

    def rows(self) -> Condition:
        """What the use of columns readable on own rows alone limits the whole query to."""
        if not self._is_own_only:
            return ALWAYS
        owner = self._view.user_id
        return Equals(("createdBy",), owner) if owner else NEVER


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
