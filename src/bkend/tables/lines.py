"""Where in a file the thing stands that a refused definition points at."""

from __future__ import annotations

import re

from bkend.errors import Detail
from bkend.tables.source import Node

_STEP = re.compile(r"\[(\d*)\]|([^.\[\]]+)")
_PLACE = re.compile(r"\[(\d+)\]|([^.\[\]]+)")
_PARTS = ("expressionPermissions", "columnPermissions", "rowFilters")
_OTHER_NAMES = {
    "default": ("defaultValue",),
    "enum": ("values",),
    "minLength": ("min",),
    "maxLength": ("max",),
    "minimum": ("min",),
    "maximum": ("max",),
    "type": ("bsonType",),
    "field-not-found": ("fields",),
    "CANNOT_MODIFY_SYSTEM_INDEX": ("name",),
}


def column_line(fields: Node, detail: Detail) -> int:
    """The line of a problem of `canonical_schema`; its `field` is a column's path."""
    node = fields
    for step in _STEP.finditer(detail["field"]):
        number, name = step.groups()
        if name:
            rest = detail["field"][step.start() :]  # a name that is refused may hold dots
            found = _named(_columns(node), rest) or _named(_columns(node), name)
        elif number:
            found = _numbered(node, int(number))
        else:
            found = node.child("items")
        if found is None:
            return node.line
        node = found
    return _rule_line(node, detail)


def index_line(indexes: Node, detail: Detail) -> int:
    """The line of a problem of `check_indexes`; its `field` is `indexes[n]` or an index's name."""
    number = re.fullmatch(r"indexes\[(\d+)\]", detail["field"])
    node = _numbered(indexes, int(number[1])) if number else _named(indexes, detail["field"])
    return indexes.line if node is None else _rule_line(node, detail)


def permission_line(permissions: Node, detail: Detail) -> int:
    """The line of a problem in a permission part; its `field` is `group.operation`, or begins with
    the part's own name: `columnPermissions.title.read`, `rowFilters[2].filter`."""
    field = detail["field"]
    part = next((name for name in _PARTS if field.startswith(name)), "")
    node = permissions
    for number, name in _PLACE.findall(field[len(part) :]):
        node = (_numbered(node, int(number)) if number else node.child(name)) or node
    return node.line


def _columns(node: Node) -> Node:
    """The mapping that holds the columns: the `properties` of a definition, or the node itself."""
    properties = node.child("properties")
    return node if properties is None or properties.entries is None else properties


def _named(node: Node, name: str) -> Node | None:
    """The entry of that name, or the last list item whose `name` it is."""
    for item in reversed(node.items or []):
        own_name = item.child("name")
        if own_name is not None and own_name.scalar == name:
            return item
    return node.child(name)


def _numbered(node: Node, number: int) -> Node | None:
    items = node.items or []
    return items[number] if number < len(items) else None


def _rule_line(node: Node, detail: Detail) -> int:
    rule = detail.get("rule", "")
    for key in (rule, *_OTHER_NAMES.get(rule, ())):
        found = node.child(key)
        if found is not None:
            return found.line
    return node.line
