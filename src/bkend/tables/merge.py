"""Updates of columns, merged into their definitions (21 §4)."""

from __future__ import annotations

from typing import Any

from bkend.tables.models import stored_type
from bkend.tables.notation import (
    ALIASES,
    ALLOWED,
    ARRAY_OF,
    BOUNDS,
    COMMON,
    SCALARS,
    declared_type,
    stored_kind,
)


def merge_column(held: dict[str, Any], given: Any) -> Any:
    """An update of a column, merged into its canonical definition (21 §4).

    Each key that is given replaces the one held, null takes it away. With a new type, the rules
    that the type does not know go. What comes out is checked by `canonical_schema`.
    """
    if isinstance(given, str):
        given = {"type": given}
    if not isinstance(given, dict):
        return given
    given = {ALIASES.get(key, key): value for key, value in given.items()}
    merged = dict(held)
    word, _ = declared_type(given)
    kind = stored_kind(word) if word is not None else stored_type(held)
    if word is not None:
        merged["bsonType"] = given.get("bsonType", given.get("type"))
        known = ALLOWED.get(kind or "", set()) | COMMON | {"bsonType"}
        is_other = kind != stored_type(held)
        merged = {key: value for key, value in merged.items() if key in known}
        if is_other and kind not in SCALARS:
            merged.pop("unique", None)
        if is_other and "type" in given:
            merged.pop("ref", None)
        if isinstance(word, str) and ARRAY_OF.match(word):
            merged.pop("items", None)
    low, high = BOUNDS.get(kind or "", ("min", "max"))
    names = {"min": low, "max": high, "table": "ref"}
    for key, value in given.items():
        name = names.get(key, key)
        if key in ("type", "bsonType"):
            continue
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = value
    if "properties" in given and "required" not in given and isinstance(held.get("required"), list):
        merged["required"] = [name for name in held["required"] if name in merged["properties"]]
    return merged
