"""The filter language: text of `andFilters` and `orFilters` to conditions (20 §5, §10).

Syntax and limits live here; what a path means to this caller and table is asked of `Fields`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, NoReturn, Protocol

from bkend.query.errors import invalid_parameter
from bkend.store.conditions import (
    NEVER,
    Compare,
    Comparison,
    Condition,
    Equals,
    Exists,
    Not,
    OneOf,
    Path,
    all_of,
    any_of,
)

LONGEST_FILTER = 32 * 1024
MOST_LEAVES = 100
MOST_ALTERNATIVES = 50
MOST_VALUES = 1000
DEEPEST_LITERAL = 8
MOST_SEGMENTS = 10
LONGEST_PATH = 256
_SHOWN = 64
_COMPARISONS: dict[str, Comparison] = {"$gt": "gt", "$gte": "gte", "$lt": "lt", "$lte": "lte"}
_INT64 = 2**63


class Fields(Protocol):
    """What the planner knows of paths."""

    def is_date(self, path: Path) -> bool:
        """Whether string operands on the path are instants."""

    def instant(self, parameter: str, path: Path, operand: Any) -> Any:
        """The operand on a date path in wire form; raises InvalidData."""


class _Object(list[tuple[str, Any]]):
    """A JSON object with its pairs as written: a repeated key is kept."""


def parse_path(parameter: str, text: str) -> Path:
    """A dotted path; `_id` means `id`. Raises InvalidData on a malformed one."""
    segments = tuple(text.split("."))
    if len(text) > LONGEST_PATH or len(segments) > MOST_SEGMENTS:
        message = f"a path has at most {MOST_SEGMENTS} parts and {LONGEST_PATH} characters"
        raise invalid_parameter(parameter, "path", message)
    if not all(segments) or text[0] == "$" or "\0" in text:
        raise invalid_parameter(parameter, "path", f"{text!r} is not a field path")
    if any(segment[0] == "$" for segment in segments):
        raise invalid_parameter(parameter, "path", f"{text!r} is not a field path")
    return ("id",) if segments == ("_id",) else segments


class FilterParser:
    """Parses the filters of one request; the leaf limit counts over all of them."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields
        self._leaves = 0
        self._parameter = ""

    def parse_and(self, text: str) -> Condition:
        """`andFilters`: every pair of every object must hold."""
        self._parameter = "andFilters"
        given = self._read(text)
        if isinstance(given, _Object):
            return all_of(*self._pairs(given))
        return all_of(*(all_of(*self._pairs(element)) for element in self._elements(given)))

    def parse_or(self, text: str) -> Condition:
        """`orFilters`: an object's pairs, or an array's elements, are alternatives."""
        self._parameter = "orFilters"
        given = self._read(text)
        if isinstance(given, _Object):
            parts = self._pairs(given)
            return any_of(*parts) if parts else all_of()
        elements = self._elements(given)
        if len(elements) > MOST_ALTERNATIVES:
            self._refuse("maxAlternatives", f"orFilters has at most {MOST_ALTERNATIVES} elements")
        if not elements:
            return all_of()
        return any_of(*(all_of(*self._pairs(element)) for element in elements))

    # -- syntax ---------------------------------------------------------------------------

    def _refuse(self, rule: str, message: str) -> NoReturn:
        raise invalid_parameter(self._parameter, rule, message)

    def _read(self, text: str) -> Any:
        if len(text.encode("utf-8", "replace")) > LONGEST_FILTER:
            self._refuse("maxLength", f"{self._parameter} is longer than 32 KiB")
        try:
            given = json.loads(
                text, object_pairs_hook=_object, parse_constant=_no_constant, parse_float=_float
            )
        except (ValueError, RecursionError):
            given = None
        if not isinstance(given, list):
            self._refuse("format", "Invalid filter format")
        return given

    def _elements(self, given: list[Any]) -> list[_Object]:
        for element in given:
            if not isinstance(element, _Object):
                self._refuse("format", f"every element of {self._parameter} is an object")
            if not element:
                self._refuse("format", f"an element of {self._parameter} is empty")
        return given

    def _pairs(self, given: _Object) -> list[Condition]:
        return [self._pair(key, operand) for key, operand in given]

    def _pair(self, key: str, operand: Any) -> Condition:
        if key.startswith("$"):
            self._refuse("operator", f"{key[:_SHOWN]} cannot stand in place of a field")
        path = parse_path(self._parameter, key)
        if not isinstance(operand, _Object):
            return self._leaf(path, "$eq", operand)
        marked = [name for name, _ in operand if name.startswith("$")]
        if not marked:
            return self._leaf(path, "$eq", operand)
        if len(marked) != len(operand):
            self._refuse("operator", f"{key}: operators and plain keys cannot be mixed")
        return all_of(*(self._leaf(path, name, value) for name, value in operand))

    # -- leaves ---------------------------------------------------------------------------

    def _leaf(self, path: Path, operator: str, operand: Any) -> Condition:
        self._leaves += 1
        if self._leaves > MOST_LEAVES:
            self._refuse("maxConditions", f"filters have at most {MOST_LEAVES} conditions")
        match operator:
            case "$eq":
                return Equals(path, self._value(path, operand))
            case "$ne":
                return Not(Equals(path, self._value(path, operand)))
            case "$in":
                return OneOf(path, self._values(path, operator, operand))
            case "$nin":
                return Not(OneOf(path, self._values(path, operator, operand)))
            case "$exists":
                return self._exists(path, operand)
        comparison = _COMPARISONS.get(operator)
        if comparison is None:
            self._refuse("operator", f"{operator[:_SHOWN]} is not a known operator")
        return self._compare(path, operator, comparison, operand)

    def _compare(
        self, path: Path, operator: str, comparison: Comparison, operand: Any
    ) -> Condition:
        if operand is None:
            return Equals(path, None) if comparison in ("gte", "lte") else NEVER
        if isinstance(operand, list):
            self._refuse("operand", f"{operator} takes no array or object")
        return Compare(path, comparison, self._value(path, operand))

    def _exists(self, path: Path, operand: Any) -> Condition:
        if not (operand is True or operand is False or operand in (0, 1)):
            self._refuse("operand", "$exists takes true or false")
        return Exists(path) if operand else Not(Exists(path))

    def _values(self, path: Path, operator: str, operand: Any) -> tuple[Any, ...]:
        if not isinstance(operand, list) or isinstance(operand, _Object):
            self._refuse("operand", f"{operator} takes an array")
        if len(operand) > MOST_VALUES:
            self._refuse("maxValues", f"{operator} takes at most {MOST_VALUES} values")
        return tuple(self._value(path, value) for value in operand)

    def _value(self, path: Path, operand: Any) -> Any:
        value = self._plain(operand, 1)
        if value is not None and self._fields.is_date(path):
            return self._fields.instant(self._parameter, path, value)
        return value

    def _plain(self, operand: Any, depth: int) -> Any:
        if depth > DEEPEST_LITERAL + 1:
            self._refuse("depth", f"a literal nests at most {DEEPEST_LITERAL} deep")
        if isinstance(operand, _Object):
            return {key: self._plain(value, depth + 1) for key, value in operand}
        if isinstance(operand, list):
            return [self._plain(value, depth + 1) for value in operand]
        if isinstance(operand, str) and not operand.isascii():
            self._check_text(operand)
        if isinstance(operand, int) and not -_INT64 <= operand < _INT64:
            return self._finite(float, operand)
        return operand

    def _check_text(self, text: str) -> None:
        try:
            text.encode()
        except UnicodeEncodeError:
            self._refuse("format", "Invalid filter format")

    def _finite(self, convert: Callable[[int], float], number: int) -> float:
        try:
            return convert(number)
        except OverflowError:
            self._refuse("operand", "a number is out of range")


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    for key, _ in pairs:
        if not key.isascii():
            key.encode()  # half a surrogate pair is a ValueError, as malformed JSON is
    return _Object(pairs)


def _no_constant(word: str) -> NoReturn:
    raise ValueError(word)


def _float(text: str) -> int | float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return int(value) if value.is_integer() and abs(value) < _INT64 else value
