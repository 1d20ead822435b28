"""What a caller may do with a table: yes, no, or only with own rows (21 §6 to §9).

`Permissions` is compiled once per table version from the four parts of a table; what it says of a
standing is worked out once and kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from bkend.caller import Standing
from bkend.store.documents import SYSTEM_FIELDS
from bkend.tables.expressions import DENIED, Expression, Verdict, stored_expression
from bkend.tables.models import OPERATIONS, Table
from bkend.tables.row_filters import CountedRule, RowFilters

Operation: TypeAlias = Literal["create", "read", "update", "delete", "list"]
Decision: TypeAlias = Verdict

GROUPS = ("admin", "user", "guest", "self")

DEFAULTS: dict[str, dict[str, bool]] = {
    "user": {"create": True, "read": True, "list": True},
    "guest": {"read": True, "list": True},
    "self": {"read": True, "update": True, "delete": True, "list": True},
}
_NONE: frozenset[str] = frozenset()
_MOST_STANDINGS = 1000


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns withheld from a requester: of every row, and of rows that are not its own."""

    never: frozenset[str] = _NONE
    own_only: frozenset[str] = _NONE


NO_COLUMNS = Columns()


@dataclass(frozen=True, slots=True)
class Sight:
    """What a requester of some standing sees of a table in a list.

    Requesters with equal sights may be given the same answer, unless it is `personal`: then it
    depends on the user as well. `number` tells unequal sights of one table version apart. `rules`
    None means that no row filter applies.
    """

    decision: Decision
    columns: Columns
    rules: tuple[CountedRule, ...] | None
    personal: bool
    number: int


class Permissions:
    """The permissions of one table version."""

    def __init__(self, table: Table) -> None:
        self._matrix = effective_matrix(table)
        self._expressions = {
            operation: stored_expression(text)
            for operation, text in (table.expression_permissions or {}).items()
        }
        columns = table.column_permissions or {}
        self._columns = {part: _column_rules(columns, part) for part in ("read", "write")}
        self._row_filters = RowFilters(table.row_filters)
        self._decisions: dict[tuple[Operation, Standing], Decision] = {}
        self._readable: dict[Standing, Columns] = {}
        self._sights: dict[Standing, Sight] = {}
        self._numbers: dict[Any, int] = {}
        self.are_configured = not (
            table.permissions is None and table.expression_permissions is None
        )

    def decide(self, operation: Operation, standing: Standing) -> Decision:
        """The answer that needs no row. `own` is only ever given to somebody signed in."""
        key = (operation, standing)
        found = self._decisions.get(key)
        if found is None:
            found = self._decide(operation, standing)
            _keep(self._decisions, key, found)
        return found

    def _decide(self, operation: Operation, standing: Standing) -> Decision:
        """Precedence of 21 §8: its expression, for list else that of read, else boolean mode."""
        if standing.group == "admin":
            return "yes"
        expression = self._expressions.get(operation)
        if expression is None and operation == "list":
            expression = self._expressions.get("read")
        if expression is not None:
            owned: Verdict = "yes" if operation == "create" else "own"
            return expression.reduce(standing, owned=owned)
        if _granted(self._matrix.get(standing.group), operation):
            return "yes"
        by_self = operation != "create" and _granted(self._matrix.get("self"), operation)
        return "own" if by_self and standing.signed_in else "no"

    def unreadable(self, standing: Standing) -> Columns:
        """The columns to leave out of records (21 §7.1)."""
        if standing.group == "admin" or not self._columns["read"]:
            return NO_COLUMNS
        found = self._readable.get(standing)
        if found is None:
            found = self._withheld("read", standing, "own")
            _keep(self._readable, standing, found)
        return found

    def unwritable(self, operation: Operation, standing: Standing) -> Columns:
        """The columns that a body must not contain; on create, `self` holds for anybody signed
        in (21 §7.1)."""
        if standing.group == "admin" or not self._columns["write"]:
            return NO_COLUMNS
        return self._withheld("write", standing, "yes" if operation == "create" else "own")

    def _withheld(self, part: str, standing: Standing, owned: Verdict) -> Columns:
        verdicts = {
            name: expression.reduce(standing, owned=owned)
            for name, expression in self._columns[part].items()
        }
        return Columns(
            frozenset(name for name, verdict in verdicts.items() if verdict == "no"),
            frozenset(name for name, verdict in verdicts.items() if verdict == "own"),
        )

    def sight(self, standing: Standing) -> Sight:
        """What a list shows to a requester of this standing."""
        found = self._sights.get(standing)
        if found is None:
            found = self._sight(standing)
            _keep(self._sights, standing, found)
        return found

    def _sight(self, standing: Standing) -> Sight:
        decision = self.decide("list", standing)
        columns = self.unreadable(standing)
        rules = self._row_filters.counted(standing)
        personal = (
            decision == "own"
            or bool(columns.own_only)
            or any(rule.own or rule.filter.names_user for rule in rules or ())
        )
        counted = None if rules is None else tuple((rule.filter.number, rule.own) for rule in rules)
        seen = (decision, columns, counted)
        number = self._numbers.setdefault(seen, len(self._numbers))
        return Sight(decision, columns, rules, personal, number)


def effective_matrix(table: Table) -> dict[str, dict[str, bool]]:
    """The boolean permissions as they hold: the defaults where none are configured (21 §5)."""
    return DEFAULTS if table.permissions is None else table.permissions


def _column_rules(columns: dict[str, Any], part: str) -> dict[str, Expression]:
    """The rules of the columns that have one; system fields have none (21 §7.1)."""
    found: dict[str, Expression] = {}
    for name, rules in columns.items():
        if name in SYSTEM_FIELDS:
            continue
        if not isinstance(rules, dict):
            found[name] = DENIED
        elif part in rules:
            found[name] = stored_expression(rules[part])
    return found


def is_expression_map(given: Any) -> bool:
    """Whether an object given as `permissions` maps operations to texts, so that it means
    `expressionPermissions` (21 §1)."""
    return (
        isinstance(given, Mapping)
        and bool(given)
        and all(key in OPERATIONS and isinstance(value, str) for key, value in given.items())
    )


def _granted(operations: dict[str, bool] | None, operation: str) -> bool:
    if not operations:
        return False
    if operation == "list" and "list" not in operations:
        return operations.get("read", False)
    return operations.get(operation, False)


def _keep(memory: dict[Any, Any], key: Any, value: Any) -> None:
    """Remember; custom roles are few, but nothing here bounds them."""
    if len(memory) >= _MOST_STANDINGS:
        memory.clear()
    memory[key] = value
