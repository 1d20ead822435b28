"""The JSON of `andFilters` and `orFilters` to conditions (20 §5, §10)."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from bkend.query.leaves import Columns, JsonObject, Leaves
from bkend.query.paths import parse_path
from bkend.store.conditions import Condition, all_of, any_of

LONGEST_FILTER = 32 * 1024
MOST_ALTERNATIVES = 50
_SHOWN = 64
_INT64 = 2**63


class FilterParser:
    """Parses the filters of one request; the leaf limit counts over all of them."""

    def __init__(self, columns: Columns) -> None:
        self.leaves = Leaves(columns)

    def parse_and(self, text: str) -> Condition:
        """`andFilters`: every pair of every object must hold."""
        given = self._read("andFilters", text)
        if isinstance(given, JsonObject):
            return all_of(*self._pairs(given))
        return all_of(*(all_of(*self._pairs(element)) for element in self._elements(given)))

    def parse_or(self, text: str) -> Condition:
        """`orFilters`: an object's pairs, or an array's elements, are alternatives."""
        given = self._read("orFilters", text)
        if isinstance(given, JsonObject):
            parts = self._pairs(given)
            return any_of(*parts) if parts else all_of()
        elements = self._elements(given)
        if len(elements) > MOST_ALTERNATIVES:
            message = f"orFilters has at most {MOST_ALTERNATIVES} elements"
            self.leaves.refuse("maxAlternatives", message)
        if not elements:
            return all_of()
        return any_of(*(all_of(*self._pairs(element)) for element in elements))

    def _read(self, parameter: str, text: str) -> Any:
        self.leaves.parameter = parameter
        check_length(self.leaves, text)
        try:
            given = json.loads(
                text, object_pairs_hook=_object, parse_constant=_no_constant, parse_float=_float
            )
        except (ValueError, RecursionError):
            given = None
        if not isinstance(given, list):
            self.leaves.refuse("format", "Invalid filter format")
        return given

    def _elements(self, given: list[Any]) -> list[JsonObject]:
        for element in given:
            if not isinstance(element, JsonObject):
                self.leaves.refuse(
                    "format", f"every element of {self.leaves.parameter} is an object"
                )
            if not element:
                self.leaves.refuse("format", f"an element of {self.leaves.parameter} is empty")
        return given

    def _pairs(self, given: JsonObject) -> list[Condition]:
        return [self._pair(key, operand) for key, operand in given]

    def _pair(self, key: str, operand: Any) -> Condition:
        if key.startswith("$"):
            message = f"{key[:_SHOWN]!r} cannot stand in place of a field"
            self.leaves.refuse("operator", message)
        path = parse_path(self.leaves.parameter, key)
        if not isinstance(operand, JsonObject):
            return self.leaves.leaf(path, "$eq", operand)
        marked = [name for name, _ in operand if name.startswith("$")]
        if not marked:
            return self.leaves.leaf(path, "$eq", operand)
        if len(marked) != len(operand):
            message = f"{key[:_SHOWN]}: operators and plain keys cannot be mixed"
            self.leaves.refuse("operator", message)
        return all_of(*self.leaves.operators(path, operand))


def check_length(leaves: Leaves, text: str) -> None:
    """Refuse a parameter over its limit, before anything makes more of it (20 §10)."""
    if len(text.encode("utf-8", "replace")) > LONGEST_FILTER:
        leaves.refuse("maxLength", f"{leaves.parameter[:_SHOWN]} is longer than 32 KiB")


def _object(pairs: list[tuple[str, Any]]) -> JsonObject:
    for key, _ in pairs:
        if not key.isascii():
            key.encode()  # half a surrogate pair is a ValueError, as malformed JSON is
    return JsonObject(pairs)


def _no_constant(word: str) -> NoReturn:
    raise ValueError(word)


def _float(text: str) -> int | float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return int(value) if value.is_integer() and abs(value) < _INT64 else value
