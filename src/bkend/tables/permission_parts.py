"""The permission parts of a table: how each is checked, and what goes with a removed column.

A table carries four (21 §1); one that this server does not know yet is refused, never ignored.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping
from typing import Any

from bkend.errors import Detail
from bkend.tables.errors import InvalidPermissions, detail
from bkend.tables.models import OPERATIONS
from bkend.tables.permissions import check_permissions
from bkend.tables.service import Definition

NAMES = ("permissions", "expressionPermissions", "columnPermissions", "rowFilters")


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """One part: the field of `Table` and `Definition` that holds it, the check of what is given
    against the schema, and the value that is left once columns are removed."""

    attribute: str
    check: Callable[[Any, dict[str, Any]], Any]
    without: Callable[[Any, Collection[str]], Any] | None = None


PARTS: dict[str, Part] = {
    "permissions": Part("permissions", lambda given, schema: check_permissions(given)),
}


def with_parts(definition: Definition, given: Mapping[str, Any]) -> Definition:
    """The definition with each given part replaced whole, null for not configured.

    Raises InvalidPermissions with the details of all parts.
    """
    changed: dict[str, Any] = {}
    problems: list[Detail] = []
    for name, value in _sorted_out(given).items():
        part = PARTS.get(name)
        if part is None:
            if value is not None:
                message = f"{name} is not supported by this server"
                problems.append(detail(name, "unsupported", message))
            continue
        try:
            changed[part.attribute] = part.check(value, definition.schema)
        except InvalidPermissions as error:
            problems.extend(error.details)
    if problems:
        raise InvalidPermissions(problems)
    return dataclasses.replace(definition, **changed)


def without_columns(definition: Definition, removed: Collection[str]) -> Definition:
    """The definition without what its parts say of removed columns: a column that is made again
    under the same name must not inherit it."""
    changed = {
        part.attribute: part.without(getattr(definition, part.attribute), removed)
        for part in PARTS.values()
        if part.without is not None
    }
    return dataclasses.replace(definition, **changed)


def shown_parts(table: object) -> dict[str, Any]:
    """The four parts of a table, null when not configured."""
    return {
        name: getattr(table, PARTS[name].attribute) if name in PARTS else None for name in NAMES
    }


def _sorted_out(given: Mapping[str, Any]) -> dict[str, Any]:
    """`permissions` that map operations to texts are expressions (21 §1)."""
    parts = {name: given[name] for name in NAMES if name in given}
    boolean = parts.get("permissions")
    if (
        isinstance(boolean, dict)
        and boolean
        and boolean.keys() <= set(OPERATIONS)
        and all(isinstance(value, str) for value in boolean.values())
    ):
        del parts["permissions"]
        parts.setdefault("expressionPermissions", boolean)
    return parts
