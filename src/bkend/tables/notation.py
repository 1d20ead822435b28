"""The words that designers use for types and rules, and what they stand for (21 §2, §3.1)."""

from __future__ import annotations

import re
from typing import Any

TYPES = {
    "string": "string",
    "text": "string",
    "enum": "string",
    "number": "double",
    "float": "double",
    "decimal": "double",
    "double": "double",
    "integer": "int",
    "int": "int",
    "long": "int",
    "boolean": "bool",
    "bool": "bool",
    "date": "date",
    "datetime": "date",
    "timestamp": "date",
    "object": "object",
    "json": "object",
    "array": "array",
    "reference": "string",
    "objectid": "objectId",
    "mixed": "mixed",
    "any": "mixed",
}
ABSTRACT = {
    "string": "string",
    "double": "number",
    "int": "number",
    "bool": "boolean",
    "date": "date",
    "object": "object",
    "array": "array",
    "objectId": "reference",
    "mixed": "mixed",
}
ARRAY_OF = re.compile(r"array\(\s*(\w+)\s*\)\Z", re.IGNORECASE)
ALIASES = {"defaultValue": "default", "values": "enum"}
BOUNDS = {
    "string": ("minLength", "maxLength"),
    "double": ("minimum", "maximum"),
    "int": ("minimum", "maximum"),
    "array": ("minItems", "maxItems"),
}
COMMON = {"default", "unique", "description"}
ALLOWED: dict[str, set[str]] = {
    "string": {"pattern", "minLength", "maxLength", "enum", "ref"},
    "objectId": {"ref"},
    "double": {"minimum", "maximum", "enum"},
    "int": {"minimum", "maximum", "enum"},
    "bool": set(),
    "date": set(),
    "array": {"items", "minItems", "maxItems"},
    "object": {"properties", "required", "additionalProperties"},
    "mixed": set(),
}
SCALARS = {"string", "objectId", "double", "int", "bool", "date"}


def declared_type(given: dict[str, Any]) -> tuple[Any, bool]:
    """The declared type, and whether null stands next to it."""
    word = given.get("bsonType", given.get("type"))
    if not isinstance(word, list):
        return word, False
    rest = [part for part in word if part != "null"]
    return (rest[0] if len(rest) == 1 else word), "null" in word


def stored_kind(word: Any) -> str | None:
    """The stored type that a word means."""
    if not isinstance(word, str):
        return None
    return "array" if ARRAY_OF.match(word) else TYPES.get(word.lower())
