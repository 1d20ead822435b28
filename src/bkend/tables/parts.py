"""The four permission parts of a table as designers write them: checked before they are stored.

Every function raises InvalidPermissions with one detail a problem (21 §1, §7, §8).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from bkend.errors import ApiError, Detail
from bkend.tables.errors import InvalidPermissions
from bkend.tables.expressions import InvalidExpression, parse_expression
from bkend.tables.models import COLUMN_NAME, OPERATIONS
from bkend.tables.permissions import GROUPS, is_expression_map
from bkend.tables.row_filters import FilterCheck, replace_user

PARTS = ("permissions", "expressionPermissions", "columnPermissions", "rowFilters")
MOST_ROW_FILTERS = 50
_COLUMN_PARTS = ("read", "write")
_RULE_KEYS = ("expression", "filter")
_SYSTEM_COLUMNS = frozenset({"id", "_id", "createdBy", "createdAt", "updatedAt"})
_SHOWN = 64


def check_parts(
    given: Mapping[str, Any], schema: dict[str, Any], check_filter: FilterCheck
) -> dict[str, Any]:
    """Those of the four parts that `given` holds, checked, under their wire names.

    A `permissions` object that maps operations to texts comes back as `expressionPermissions`.
    """
    parts = {name: given[name] for name in PARTS if name in given}
    if is_expression_map(parts.get("permissions")):
        if parts.get("expressionPermissions") is not None:
            message = "permissions holds expressions, and expressionPermissions stands beside it"
            raise InvalidPermissions([_detail("permissions", "type", message)])
        parts["expressionPermissions"] = parts.pop("permissions")
    checks: dict[str, Callable[[Any], Any]] = {
        "permissions": check_permissions,
        "expressionPermissions": check_expressions,
        "columnPermissions": check_columns,
        "rowFilters": lambda rules: check_row_filters(rules, schema, check_filter),
    }
    problems: list[Detail] = []
    checked: dict[str, Any] = {}
    for name, part in parts.items():
        try:
            checked[name] = checks[name](part)
        except InvalidPermissions as error:
            problems += error.details
    if problems:
        raise InvalidPermissions(problems)
    return checked


def check_permissions(given: Any) -> dict[str, dict[str, bool]] | None:
    """Boolean mode: groups to operations to true or false; None is "not configured"."""
    if given is None:
        return None
    problems: list[Detail] = []
    if not isinstance(given, dict):
        raise InvalidPermissions([_detail("", "type", "permissions map groups to operations")])
    for group, operations in given.items():
        if group not in GROUPS:
            problems.append(
                _detail(str(group), "group", f"{group!r} is no group; use {', '.join(GROUPS)}")
            )
        elif not isinstance(operations, dict):
            problems.append(_detail(group, "type", f"{group} maps operations to true or false"))
        else:
            problems.extend(_operation_problems(group, operations))
    if problems:
        raise InvalidPermissions(problems)
    return {group: dict(operations) for group, operations in given.items()}


def _operation_problems(group: str, operations: dict[Any, Any]) -> list[Detail]:
    problems: list[Detail] = []
    for operation, value in operations.items():
        place = f"{group}.{operation}"
        if operation not in OPERATIONS:
            problems.append(_detail(place, "operation", _no_operation(operation)))
        elif not isinstance(value, bool):
            problems.append(_detail(place, "type", f"{place} is true or false"))
    return problems


def check_expressions(given: Any) -> dict[str, str] | None:
    """Expression mode: operations to expressions; None is "not configured"."""
    if given is None:
        return None
    if not isinstance(given, dict):
        message = "expressionPermissions map operations to expressions"
        raise InvalidPermissions([_detail("expressionPermissions", "type", message)])
    problems: list[Detail] = []
    for operation, text in given.items():
        place = f"expressionPermissions.{operation}"
        if operation not in OPERATIONS:
            problems.append(_detail(place, "operation", _no_operation(operation)))
        else:
            problems += _expression_problems(place, text)
    if problems:
        raise InvalidPermissions(problems)
    return dict(given)


def check_columns(given: Any) -> dict[str, dict[str, str]] | None:
    """Column permissions: columns to `read` and `write` expressions. Columns need not be
    declared: undeclared fields may be guarded too."""
    if given is None:
        return None
    if not isinstance(given, dict):
        message = "columnPermissions map columns to read and write"
        raise InvalidPermissions([_detail("columnPermissions", "type", message)])
    problems: list[Detail] = []
    for name, rules in given.items():
        place = f"columnPermissions.{name}"
        if name in _SYSTEM_COLUMNS:
            message = f"{name} is a system field; everybody who sees the record may read it"
            problems.append(_detail(place, "SYSTEM_FIELD_PROTECTED", message))
        elif not isinstance(name, str) or not COLUMN_NAME.match(name):
            problems.append(_detail(place, "name", f"{str(name)[:_SHOWN]!r} is no column name"))
        elif not isinstance(rules, dict):
            problems.append(_detail(place, "type", f"{place} holds read and write"))
        else:
            problems += _column_problems(place, rules)
    if problems:
        raise InvalidPermissions(problems)
    return {name: dict(rules) for name, rules in given.items()}


def _column_problems(place: str, rules: dict[Any, Any]) -> list[Detail]:
    problems: list[Detail] = []
    for part, text in rules.items():
        if part not in _COLUMN_PARTS:
            message = f"{str(part)[:_SHOWN]!r} is no column permission; use read, write"
            problems.append(_detail(f"{place}.{part}", "unknown", message))
        else:
            problems += _expression_problems(f"{place}.{part}", text)
    return problems


def check_row_filters(
    given: Any, schema: dict[str, Any], check_filter: FilterCheck | None
) -> list[dict[str, Any]] | None:
    """Row filters: a list of `{expression, filter}`. Without `check_filter`, what the filters say
    is not looked at."""
    if given is None:
        return None
    if not isinstance(given, list):
        message = "rowFilters is a list of rules, each with expression and filter"
        raise InvalidPermissions([_detail("rowFilters", "type", message)])
    if len(given) > MOST_ROW_FILTERS:
        message = f"a table has at most {MOST_ROW_FILTERS} row filters"
        raise InvalidPermissions([_detail("rowFilters", "maxItems", message)])
    problems: list[Detail] = []
    for number, rule in enumerate(given):
        place = f"rowFilters[{number}]"
        if not isinstance(rule, dict):
            problems.append(_detail(place, "type", f"{place} holds expression and filter"))
            continue
        for key in rule:
            if key not in _RULE_KEYS:
                message = f"unknown key {str(key)[:_SHOWN]!r} in {place}; use expression, filter"
                problems.append(_detail(f"{place}.{key}", "unknown", message))
        problems += _expression_problems(f"{place}.expression", rule.get("expression"))
        problems += _filter_problems(f"{place}.filter", rule.get("filter"), schema, check_filter)
    if problems:
        raise InvalidPermissions(problems)
    return [dict(rule) for rule in given]


def _filter_problems(
    place: str, given: Any, schema: dict[str, Any], check_filter: FilterCheck | None
) -> list[Detail]:
    """As with a user's id in place of `$userId`: what could not be asked then is refused now."""
    if not isinstance(given, (dict, list)):
        return [_detail(place, "type", f"{place} is an object as in andFilters")]
    if check_filter is None:
        return []
    try:
        check_filter(schema, replace_user(given))
    except RecursionError:
        return [_detail(place, "depth", f"{place} is nested too deep")]
    except ApiError as error:
        rule = error.details[0].get("rule", "filter") if error.details else "filter"
        return [_detail(place, rule, f"{place}: {error.message}")]
    return []


def columns_without(
    columns: dict[str, dict[str, str]] | None, removed: Collection[str]
) -> dict[str, dict[str, str]] | None:
    """What is left of column permissions when columns go (21 §4): one that is made again under
    the same name must not inherit them."""
    return columns and {name: rules for name, rules in columns.items() if name not in removed}


def _expression_problems(place: str, text: Any) -> list[Detail]:
    if not isinstance(text, str):
        return [_detail(place, "type", f"{place} is an expression such as 'user & self'")]
    try:
        parse_expression(text)
    except InvalidExpression as error:
        return [_detail(place, "expression", f"{place}: {error}")]
    return []


def _no_operation(operation: Any) -> str:
    return f"{str(operation)[:_SHOWN]!r} is no operation; use {', '.join(OPERATIONS)}"


def _detail(field: str, rule: str, message: str) -> Detail:
    return {"field": field, "rule": rule, "message": message}
