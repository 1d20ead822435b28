"""Row filters: which rules count for a requester, and their filter with `$userId` (21 §7.2).

What a filter means is the query language's matter; here it stays JSON.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from bkend.caller import Standing
from bkend.tables.expressions import Expression, stored_expression

USER_ID = "$userId"
_ANY_USER = "u" * 64

FilterCheck: TypeAlias = Callable[[dict[str, Any], Any], None]
"""Given a table's schema and a filter; raises an ApiError that says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class RowFilter:
    """The filter of one rule in the `andFilters` grammar, and whether it names the requester."""

    number: int
    filter: Any
    names_user: bool

    def of(self, user_id: str) -> Any:
        """The filter with the requester's id in place of `$userId`."""
        return replace_user(self.filter, user_id) if self.names_user else self.filter


@dataclass(frozen=True, slots=True)
class CountedRule:
    """A rule that counts for a requester; with `own`, only for rows of its own."""

    filter: RowFilter
    own: bool


class RowFilters:
    """The rules of one table version."""

    def __init__(self, rules: list[dict[str, Any]] | None) -> None:
        self._rules: list[tuple[Expression, RowFilter]] = []
        for number, rule in enumerate(rules or ()):
            held = rule.get("filter")
            row_filter = RowFilter(number, held, names_user(held))
            self._rules.append((stored_expression(rule.get("expression")), row_filter))

    def counted(self, standing: Standing) -> tuple[CountedRule, ...] | None:
        """The rules that count; None when no rule restricts the requester. An empty tuple means
        that rules exist and none counts: no rows."""
        if standing.group == "admin" or not self._rules:
            return None
        counted: list[CountedRule] = []
        for expression, row_filter in self._rules:
            verdict = expression.reduce(standing)
            if verdict == "no" or (row_filter.names_user and not standing.signed_in):
                continue
            counted.append(CountedRule(row_filter, own=verdict == "own"))
        return tuple(counted)


def names_user(value: Any) -> bool:
    """Whether a string value, at any depth, is exactly `$userId`."""
    if isinstance(value, dict):
        return any(names_user(item) for item in value.values())
    if isinstance(value, list):
        return any(names_user(item) for item in value)
    return bool(value == USER_ID)


def replace_user(value: Any, user_id: str = _ANY_USER) -> Any:
    """The value with the id in place of `$userId`; keys are left alone."""
    if isinstance(value, dict):
        return {key: replace_user(item, user_id) for key, item in value.items()}
    if isinstance(value, list):
        return [replace_user(item, user_id) for item in value]
    return user_id if value == USER_ID else value
