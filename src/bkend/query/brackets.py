"""Filters in bracket form: `filter[f]=v`, `andFilters[f][$gte]=v` (20 §9)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from bkend.query.fields import Fields
from bkend.query.filters import check_length
from bkend.query.leaves import Leaves
from bkend.query.paths import parse_path
from bkend.store.conditions import Condition, Path, all_of, any_of

_NAME = re.compile(
    r"(?P<group>andFilters|filter)\[(?P<field>[^\[\]]+)\](?:\[(?P<op>[^\[\]]+)\])?\Z"
)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?\Z", re.ASCII)
_BOOLEANS = {"true": True, "false": False}
_YES_OR_NO = {**_BOOLEANS, "1": True, "0": False}
_PREFIXES = ("andFilters[", "filter[", "orFilters[")
_LISTS = ("$in", "$nin")
_NEGATED = ("$ne", "$nin")
_SHOWN = 64


class BracketParser:
    """Reads bracket forms with the leaves, and under the limits, of the JSON filters."""

    def __init__(self, fields: Fields, leaves: Leaves) -> None:
        self._fields = fields
        self._leaves = leaves

    def parse(self, parameters: Iterable[tuple[str, Sequence[str]]]) -> Condition:
        """All bracket parameters of a request; every one must hold."""
        parts: list[Condition] = []
        patterns: dict[tuple[str, str], list[tuple[str, str, str]]] = {}
        for name, values in parameters:
            if not name.startswith(_PREFIXES):
                continue
            self._leaves.parameter = name
            match = _NAME.match(name)
            if match is None:
                self._leaves.refuse("format", f"{name[:_SHOWN]!r} is not a filter[field][operator]")
            field = match["field"]
            operator = "$" + (match["op"] or "eq").removeprefix("$")
            for text in values:
                check_length(self._leaves, text)
                if operator in ("$regex", "$options"):
                    pair = (name, operator, text)
                    patterns.setdefault((match["group"], field), []).append(pair)
                else:
                    parts.append(self._leaf(parse_path(name, field), operator, text))
        parts.extend(self._patterns(field, given) for (_, field), given in patterns.items())
        return all_of(*parts)

    def _patterns(self, field: str, given: list[tuple[str, str, str]]) -> Condition:
        self._leaves.parameter = given[0][0]
        path = parse_path(given[0][0], field)
        return all_of(*self._leaves.operators(path, [(op, text) for _, op, text in given]))

    def _leaf(self, path: Path, operator: str, text: str) -> Condition:
        if operator == "$exists":
            return self._leaves.leaf(path, operator, _YES_OR_NO.get(text, text))
        if operator == "$contains":
            return self._leaves.leaf(path, operator, text)
        self._leaves.admit(path)  # before any value is read: a refusal of one tells the type
        operands: list[Any]
        if operator in _LISTS:
            readings = [self._readings(path, one) for one in text.split(",")]
            operands = [[one[0] for one in readings], [one[1] for one in readings if one[1:]]]
        else:
            operands = self._readings(path, text)
        parts = [self._leaves.condition(path, operator, operand) for operand in operands]
        return all_of(*parts) if operator in _NEGATED else any_of(*parts)

    def _readings(self, path: Path, text: str) -> list[Any]:
        """The value a text means on the path; where no type is declared, the text itself and
        what it spells in JSON."""
        kind = self._fields.kind(path)
        if kind == "undeclared":
            return [text, *_scalar(text)]
        if text == "null":
            return [None]
        if kind == "number":
            return [self._number(text)]
        if kind == "boolean":
            if text not in _BOOLEANS:
                self._leaves.refuse("boolean", f"{text[:_SHOWN]!r} is neither true nor false")
            return [_BOOLEANS[text]]
        return [text]

    def _number(self, text: str) -> Any:
        found = _scalar(text.strip())
        if not found or not isinstance(found[0], (int, float)) or isinstance(found[0], bool):
            self._leaves.refuse("number", f"{text[:_SHOWN]!r} is not a number")
        return found[0]


def _scalar(text: str) -> list[Any]:
    """The JSON number, boolean, null or string that the text spells, if it spells one."""
    if not (_NUMBER.match(text) or text in ("true", "false", "null") or text[:1] == '"'):
        return []
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return []
    if isinstance(value, float):
        if value in (float("inf"), float("-inf")):
            return []
        return [int(value)] if value.is_integer() and abs(value) < 2**63 else [value]
    if isinstance(value, str) and not _is_text(value):
        return []
    return [value]


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
