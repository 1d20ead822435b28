"""Columns, indexes and permissions in a few words, for plans that people read."""

from __future__ import annotations

from typing import Any

import orjson

from bkend.store import Index
from bkend.tables.models import OPERATIONS, stored_type
from bkend.tables.permissions import GROUPS
from bkend.tables.schema import abstract_type

_CONSTRAINTS = (
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "pattern",
    "enum",
    "default",
)


def describe_column(column: dict[str, Any], *, required: bool) -> str:
    """`string, required, maxLength 200`."""
    parts = [type_words(column)]
    if required:
        parts.append("required")
    if column.get("unique"):
        parts.append("unique")
    parts += [f"{key} {_value(column[key])}" for key in _CONSTRAINTS if key in column]
    if column.get("additionalProperties") is False:
        parts.append("strict")
    return ", ".join(parts)


def describe_change(old: dict[str, Any], new: dict[str, Any], *, was: bool, becomes: bool) -> str:
    """What differs: `maxLength 100 -> 200, no longer required`."""
    parts: list[str] = []
    if type_words(old) != type_words(new):
        parts.append(f"{type_words(old)} -> {type_words(new)} (stored values stay as they are)")
    if was != becomes:
        parts.append("required" if becomes else "no longer required")
    if old.get("unique", False) != new.get("unique", False):
        parts.append("unique" if new.get("unique") else "no longer unique")
    for key in _CONSTRAINTS:
        if old.get(key) == new.get(key) and (key in old) == (key in new):
            continue
        if key not in new:
            parts.append(f"no {key}")
        elif key not in old:
            parts.append(f"{key} {_value(new[key])}")
        else:
            parts.append(f"{key} {_value(old[key])} -> {_value(new[key])}")
    for key, words in (
        ("properties", "fields inside"),
        ("required", "required fields inside"),
        ("additionalProperties", "undeclared fields inside"),
        ("items", "elements"),
        ("description", "description"),
    ):
        if _sorted_required(old).get(key) != _sorted_required(new).get(key):
            parts.append(f"other {words}")
    return ", ".join(dict.fromkeys(parts))


def same_column(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether two canonical columns mean the same; the order of what is required does not count."""
    return bool(_sorted_required(old) == _sorted_required(new))


def type_words(column: dict[str, Any]) -> str:
    """`string`, `integer or null`, `array of number`, `reference to posts`."""
    word = "integer" if stored_type(column) == "int" else abstract_type(column)
    if word == "array" and "items" in column:
        word = f"array of {type_words(column['items'])}"
    if column.get("ref"):
        word = f"reference to {column['ref']}"
    return f"{word} or null" if isinstance(column["bsonType"], list) else word


def describe_index(index: Index) -> str:
    """`status, createdAt descending, unique`."""
    parts = [path if way == 1 else f"{path} descending" for path, way in index.fields]
    if index.unique:
        parts.append("unique")
    if index.sparse:
        parts.append("sparse")
    return ", ".join(parts)


def describe_permissions(
    old: dict[str, dict[str, bool]] | None, new: dict[str, dict[str, bool]] | None
) -> str:
    """What may be done from now on, by group; of a change, only the groups that differ."""
    if new is None:
        return "not configured, the defaults apply"
    if not new:
        return "nobody but admins may do anything"
    parts: list[str] = []
    for group in GROUPS:
        before, after = (old or {}).get(group), new.get(group)
        if old is not None and before == after:
            continue
        if after is not None:
            parts.append(f"{group} {_granted(after)}")
        elif before is not None:
            parts.append(f"{group} nothing")
    return "; ".join(parts)


def describe_expressions(old: dict[str, str] | None, new: dict[str, str] | None) -> str:
    """What differs: `read: user & self; list: no longer, permissions apply`."""
    if not new:
        return "none, permissions apply"
    before = old or {}
    changed = [word for word in OPERATIONS if new.get(word) != before.get(word)]
    return "; ".join(f"{word}: {new.get(word, 'none, permissions apply')}" for word in changed)


def describe_columns(
    old: dict[str, dict[str, str]] | None, new: dict[str, dict[str, str]] | None
) -> str:
    """What differs: `secret read admin, write admin; mail open`."""
    before, after = old or {}, new or {}
    if not after:
        return "none, every column is as open as its record"
    parts: list[str] = []
    for name in dict.fromkeys((*after, *before)):
        if after.get(name) != before.get(name):
            rules = ", ".join(f"{part} {text}" for part, text in after.get(name, {}).items())
            parts.append(f"{name} {rules or 'open'}")
    return "; ".join(parts)


def describe_row_filters(new: list[dict[str, Any]] | None) -> str:
    """`public {"published":true}; self {}`."""
    if not new:
        return "none, lists show every row that may be read"
    return "; ".join(f"{rule['expression']} {_value(rule['filter'])}" for rule in new)


def _granted(operations: dict[str, bool]) -> str:
    """The operations that are true, and `list` when it is denied against `read`."""
    words = [word for word in OPERATIONS if operations.get(word)]
    if operations.get("read") and operations.get("list") is False:
        words.append("but not list")
    return " ".join(words) or "nothing"


def _value(value: Any) -> str:
    return orjson.dumps(value).decode()


def _sorted_required(value: Any) -> Any:
    """The value with every `required` list in order, at every depth."""
    if isinstance(value, dict):
        return {
            key: sorted(item)
            if key == "required" and isinstance(item, list)
            else _sorted_required(item)
            for key, item in value.items()
        }
    return value
