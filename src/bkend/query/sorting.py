"""`sortBy`, `sortDirection` and their alias `sort` (20 §7, §9)."""

from __future__ import annotations

from bkend.query.errors import invalid_parameter
from bkend.query.fields import Fields
from bkend.query.parameters import Parameters, listed
from bkend.query.paths import parse_path
from bkend.store import Sort

_MOST_KEYS = 3
_DIRECTIONS = ("asc", "desc")


def parse_sort(parameters: Parameters, fields: Fields) -> tuple[tuple[Sort, ...], bool]:
    """Sort keys, and whether the order of creation is descending when there are none.

    Raises InvalidData and RestrictedColumn.
    """
    descending = _direction(parameters)
    by = parameters.get("sortBy")
    if by and (name := by[-1].strip()):
        return (_key("sortBy", name, descending, fields),), descending
    given = parameters.get("sort")
    keys = listed(given[-1:]) if given else []
    if len(keys) > _MOST_KEYS:
        raise invalid_parameter("sort", "maxKeys", f"sort takes at most {_MOST_KEYS} keys")
    return tuple(_short_key(key, fields) for key in keys), descending


def _short_key(text: str, fields: Fields) -> Sort:
    """`f`, `+f`, `-f`, `f:asc` or `f:desc`; an unencoded `+` has become a blank."""
    name, colon, way = text.rpartition(":")
    if not colon:
        name = text
    elif way.strip().lower() not in _DIRECTIONS:
        raise invalid_parameter("sort", "direction", "a sort direction is asc or desc")
    descending = way.strip().lower() == "desc" if colon else name.startswith("-")
    bare = name[1:] if name[:1] in ("-", "+") else name
    return _key("sort", bare.strip(), descending, fields)


def _key(parameter: str, text: str, descending: bool, fields: Fields) -> Sort:
    path = parse_path(parameter, text)
    fields.sort_by(parameter, path)
    return Sort(path, descending)


def _direction(parameters: Parameters) -> bool:
    given = parameters.get("sortDirection")
    word = given[-1].strip().lower() if given else ""
    if word and word not in _DIRECTIONS:
        raise invalid_parameter("sortDirection", "enum", "sortDirection is asc or desc")
    return word != "asc"
