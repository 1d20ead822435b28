"""Query strings to parameters, and the plain ones among them (20 §4.4)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias
from urllib.parse import parse_qsl

from bkend.query.errors import InvalidData, invalid_parameter
from bkend.query.paths import parse_path
from bkend.store.conditions import Path

Parameters: TypeAlias = Mapping[str, Sequence[str]]

_MOST_PARAMETERS = 200
_WHOLE_NUMBER = re.compile(r"-?[0-9]+\Z", re.ASCII)
_MOST_DIGITS = 15  # of a longer number the rest cannot matter: it is past any page


def query_parameters(query_string: str) -> dict[str, list[str]]:
    """Parameters by name in order; an empty value counts as absent. Raises InvalidData."""
    try:
        pairs = parse_qsl(query_string, max_num_fields=_MOST_PARAMETERS, errors="strict")
    except ValueError:
        raise InvalidData(
            f"the query string is not valid UTF-8 or has more than {_MOST_PARAMETERS} parameters"
        ) from None
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def whole_number(parameters: Parameters, name: str, default: int, *, least: int) -> int:
    """An integer parameter, by default `default`; raises InvalidData below `least`."""
    given = parameters.get(name)
    if not given:
        return default
    text = given[-1].strip()
    if not _WHOLE_NUMBER.match(text) or (number := int(text[:_MOST_DIGITS])) < least:
        raise invalid_parameter(name, "minimum", f"{name} is a whole number of at least {least}")
    return number


def listed(texts: Sequence[str]) -> list[str]:
    """The names in comma-separated texts, trimmed, without empty ones."""
    names = (part.strip() for text in texts for part in text.split(","))
    return [name for name in names if name]


def parse_select(parameters: Parameters) -> tuple[Path, ...] | None:
    """`select`, else its alias `fields`: csv, repeated, or `select[]=` (20 §8)."""
    for name in ("select", "fields"):
        given = [*parameters.get(name, ()), *parameters.get(f"{name}[]", ())]
        if given:
            return tuple(parse_path(name, part) for part in listed(given))
    return None
