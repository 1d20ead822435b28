"""The data API's filters and sort orders (20 §5, §7) in plain Python: slow, short, obvious.

Engines must agree with this. Documents are dictionaries with their system fields.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from bkend.store import (
    Compare,
    Condition,
    Contains,
    Equals,
    Exists,
    Find,
    Matches,
    Mentions,
    Not,
    OneOf,
)
from bkend.store.conditions import Always, And, Never, Or, Path
from bkend.store.documents import SYSTEM_FIELDS, parse_time
from bkend.store.text import compile_pattern, fold

TIMES = (("createdAt",), ("updatedAt",))
Document = dict[str, Any]


# -- conditions ------------------------------------------------------------------------------


def matches(condition: Condition, document: Document) -> bool:
    """Whether the document satisfies the condition."""
    match condition:
        case Always():
            return True
        case Never():
            return False
        case And(parts):
            return all(matches(part, document) for part in parts)
        case Or(parts):
            return any(matches(part, document) for part in parts)
        case Not(inner):
            return not matches(inner, document)
        case Equals(path, value):
            return _equals(document, path, value)
        case OneOf(path, values):
            return any(_equals(document, path, value) for value in values)
        case Exists(path):
            return bool(reached(document, path))
        case Compare(path, operator, value):
            wanted = _operand(path, value)
            return any(
                found[0] == wanted[0] and _compare(found[1], operator, wanted[1])
                for found in _candidates(document, path)
            )
        case Matches(path, pattern, flags):
            expression = compile_pattern(pattern, flags)
            return any(expression.search(text) for text in _texts(document, path))
        case Contains(path, text):
            return any(text in fold(found) for found in _texts(document, path))
        case Mentions(text, without):
            return any(
                text in fold(found)
                for name in document.keys() - SYSTEM_FIELDS - without
                for found in _texts(document, (name,))
            )


def _equals(document: Document, path: Path, value: Any) -> bool:
    if value is None and not reached(document, path):
        return True
    return _operand(path, value) in _candidates(document, path)


def _compare(found: Any, operator: str, wanted: Any) -> bool:
    match operator:
        case "gt":
            return bool(found > wanted)
        case "gte":
            return bool(found >= wanted)
        case "lt":
            return bool(found < wanted)
        case _:
            return bool(found <= wanted)


# -- paths -----------------------------------------------------------------------------------


def reached(document: Document, path: Path) -> list[Any]:
    """Every value the path reaches; empty when it is missing."""
    values: list[Any] = [document]
    for depth, segment in enumerate(path):
        values = [found for value in values for found in _step(value, segment, depth)]
    return values


def _step(value: Any, segment: str, depth: int) -> Iterator[Any]:
    if isinstance(value, dict):
        if segment in value:
            yield value[segment]
    elif isinstance(value, list):
        for element in value:
            if isinstance(element, dict) and segment in element:
                yield element[segment]
        if segment.isascii() and segment.isdigit() and int(segment) < len(value):
            yield value[int(segment)]


def _candidates(document: Document, path: Path) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for value in reached(document, path):
        found.append(_operand(path, value))
        if isinstance(value, list):
            found.extend(_operand(path, element) for element in value)
    return found


def _texts(document: Document, path: Path) -> list[str]:
    """The strings among the candidates; times are none."""
    return [value for kind, value in _candidates(document, path) if kind == "string"]


# -- values ----------------------------------------------------------------------------------


def _operand(path: Path, value: Any) -> tuple[str, Any]:
    """The value with its class; what a time field is compared with is an instant."""
    if path in TIMES:
        try:
            return ("date", parse_time(value))
        except (TypeError, ValueError, OverflowError):
            return ("no time", None)
    return classed(value)


def classed(value: Any) -> tuple[str, Any]:
    """A value with its class, so that values of different classes are never equal."""
    match value:
        case None:
            return ("null", None)
        case bool():
            return ("boolean", value)
        case int() | float():
            return ("number", _number(value))
        case str():
            return ("string", value) if _is_text(value) else ("no text", None)
        case list():
            return ("array", [classed(item) for item in value])
        case _:
            return ("object", {key: classed(item) for key, item in value.items()})


def _number(value: int | float) -> int | float:
    """Integers beyond 64 bits count as the float nearest to them."""
    if isinstance(value, float) or -(2**63) <= value < 2**63:
        return value
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _is_text(value: str) -> bool:
    """Whether the string can be in a document: half a surrogate pair cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


# -- order -----------------------------------------------------------------------------------

_RANKS = {"null": 1, "number": 2, "string": 3, "object": 4, "array": 4, "boolean": 5, "date": 6}
_SORTED_BY_VALUE = {"number", "string", "boolean", "date"}
_EMPTY_ARRAY = (0, 0)
_MISSING = (1, 0)


def ordered(documents: Iterable[Document], query: Find) -> list[Document]:
    """The matching documents in the query's order, before its page is cut out."""
    found = [document for document in documents if matches(query.where, document)]
    if not query.sort:
        found.sort(key=lambda d: (d["createdAt"], d["id"]), reverse=query.descending)
        return found
    found.sort(key=lambda d: str(d["id"]), reverse=query.sort[-1].descending)
    for key in reversed(query.sort):
        path, descending = key.path, key.descending
        found.sort(key=lambda d: _place(d, path, descending), reverse=descending)
    return found


def page(documents: Iterable[Document], query: Find) -> tuple[list[str], int]:
    """The ids on the query's page in order, and the exact total."""
    found = ordered(documents, query)
    shown = found[query.offset : query.offset + query.limit]
    return [str(document["id"]) for document in shown], len(found)


def _place(document: Document, path: Path, descending: bool) -> tuple[int, Any]:
    places = [
        place
        for value in reached(document, path)
        for place in (_of_array(value) if isinstance(value, list) else [_of(path, value)])
    ]
    if not places:
        return _MISSING
    return max(places) if descending else min(places)


def _of_array(values: Sequence[Any]) -> list[tuple[int, Any]]:
    return [_of((), value) for value in values] or [_EMPTY_ARRAY]


def _of(path: Path, value: Any) -> tuple[int, Any]:
    kind, held = _operand(path, value)
    return (_RANKS[kind], held if kind in _SORTED_BY_VALUE else 0)
