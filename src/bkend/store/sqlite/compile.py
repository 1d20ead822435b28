"""Conditions to SQL over one collection table. Every value is bound, never written."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import orjson

from bkend.store.conditions import (
    Always,
    And,
    Compare,
    Condition,
    Contains,
    Equals,
    Exists,
    Matches,
    Mentions,
    Never,
    Not,
    OneOf,
    Or,
    Path,
)
from bkend.store.documents import parse_time
from bkend.store.sqlite.numbers import stored_number
from bkend.store.sqlite.paths import (
    extract,
    is_safe,
    json_path,
    reached,
    system_column,
    through_array,
    type_of,
)
from bkend.store.sqlite.screens import folded_screen, pattern_screen
from bkend.store.text import compile_pattern

_TIME_COLUMNS = frozenset({"created_at", "updated_at"})
_OPERATORS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
# Values of one class stand together in SQLite's order: numbers, then text. This bounds both.
_FIRST_TEXT = "''"

Holding: TypeAlias = Literal["plain", "flat", "any"]
"""What a path holds throughout the collection, as its index shows: null, numbers and strings
only (plain); also booleans (flat); or arrays and objects, or no index that could tell (any)."""

_Test: TypeAlias = Callable[[str], dict[str, str]]
"""The SQL tests of one candidate by its JSON type, given the expression for its value; values of
other types fail."""


@dataclass(slots=True)
class Compiler:
    """Collects SQL text and bound values of one query."""

    holding: Callable[[Path], Holding]
    values: list[Any] = field(default_factory=list)

    def bind(self, value: Any) -> str:
        """Bind a value. What no document can hold becomes NULL, which equals nothing."""
        self.values.append(_bindable(value))
        return f"?{len(self.values)}"

    def condition(self, condition: Condition) -> str:
        """The SQL test of a condition; NULL counts as false."""
        match condition:
            case Always():
                return "1"
            case Never():
                return "0"
            case And(parts):
                return _join(" AND ", [self.condition(part) for part in parts], "1")
            case Or(parts):
                return _join(" OR ", [self.condition(part) for part in parts], "0")
            case Not(inner):
                return f"NOT coalesce({self.condition(inner)},0)"
            case Equals(path, value):
                return self._one_of(path, (value,))
            case OneOf(path, values):
                return self._one_of(path, values)
            case Compare(path, operator, value):
                return self._compare(path, _OPERATORS[operator], value)
            case Exists(path):
                return self._some_node(path) if system_column(path) is None else "1"
            case Matches(path, pattern, flags):
                return self._matches(path, pattern, flags)
            case Contains(path, text):
                screen = folded_screen(text, self.bind)
                return self._some_text(path, f"text_contains(%s,{self.bind(text)})", screen)
            case Mentions(text, without):
                return self._mentions(text, without)

    # -- leaves ---------------------------------------------------------------------------

    def _one_of(self, path: Path, values: tuple[Any, ...]) -> str:
        column = system_column(path)
        if column is not None:
            return self._system_one_of(column, values)
        wanted = _Wanted.of(values)
        holding = self.holding(path)
        if holding != "any":
            return self._indexed_one_of(path, wanted, holding)
        test = self._candidate_test(wanted)
        parts = [self._some_candidate(path, test)] if test is not None else []
        if wanted.null:
            parts.append(f"NOT {self._some_node(path)}")
        return _join(" OR ", parts, "0")

    def _system_one_of(self, column: str, values: tuple[Any, ...]) -> str:
        """System columns always hold one string or instant; other classes never match."""
        texts = _Wanted.of(values).strings
        if column in _TIME_COLUMNS:
            instants = [_instant(text) for text in texts]
            return self._among(column, [instant for instant in instants if instant is not None])
        return self._among(column, texts)

    def _indexed_one_of(self, path: Path, wanted: _Wanted, holding: Holding) -> str:
        expression, kind = extract(path), type_of(path)
        parts: list[str] = []
        if holding == "plain":
            parts.append(self._among(expression, wanted.strings + wanted.numbers))
        else:
            parts.append(self._among(expression, wanted.strings))
            if wanted.numbers:
                among = self._among(expression, wanted.numbers)
                parts.append(f"({among} AND {kind} IN ('integer','real'))")
            parts.extend(
                f"({expression}={int(value)} AND {kind}='{'true' if value else 'false'}')"
                for value in wanted.booleans
            )
        if wanted.null:
            parts.append(f"{expression} IS NULL")
        return _join(" OR ", [part for part in parts if part != "0"], "0")

    def _candidate_test(self, wanted: _Wanted) -> _Test | None:
        strings = self._listed(wanted.strings)
        numbers = self._listed(wanted.numbers)
        literals = self.bind(f"[{','.join(wanted.literals)}]") if wanted.literals else ""

        def test(value: str) -> dict[str, str]:
            tests = {"true" if boolean else "false": "1" for boolean in wanted.booleans}
            if wanted.null:
                tests["null"] = "1"
            if strings:
                tests["text"] = f"{value}{strings}"
            if numbers:
                tests["integer"] = tests["real"] = f"{value}{numbers}"
            if literals:
                tests["object"] = f"json_among({value},{literals})"
                tests["array"] = tests["object"]
            return tests

        return test if test("") else None

    def _compare(self, path: Path, operator: str, value: bool | int | float | str) -> str:
        column = system_column(path)
        if column is not None:
            if not isinstance(value, str):
                return "0"
            bound = self.bind(_instant(value) if column in _TIME_COLUMNS else value)
            return f"{column}{operator}{bound}"
        bound, kinds, holding = self.bind(value), _kinds_of(value), self.holding(path)
        if holding == "any":
            return self._some_candidate(
                path, lambda got: dict.fromkeys(kinds, f"{got}{operator}{bound}")
            )
        expression = extract(path)
        if isinstance(value, bool) or (holding == "flat" and not isinstance(value, str)):
            listed = ",".join(f"'{kind}'" for kind in kinds)
            return f"({expression}{operator}{bound} AND {type_of(path)} IN ({listed}))"
        if isinstance(value, str):
            edge = f" AND {expression}>={_FIRST_TEXT}" if operator[0] == "<" else ""
        else:
            edge = f" AND {expression}<{_FIRST_TEXT}" if operator[0] == ">" else ""
        return f"({expression}{operator}{bound}{edge})"

    # -- text: Python decides, about documents that a cheap screen lets through ---------------

    def _matches(self, path: Path, pattern: str, flags: str) -> str:
        compile_pattern(pattern, flags)  # what is malformed is said here, not for some row
        screen = pattern_screen(pattern, flags, self.bind)
        exact = f"text_matches(%s,{self.bind(pattern)},{self.bind(flags)})"
        return self._some_text(path, exact, screen)

    def _some_text(self, path: Path, exact: str, screen: str) -> str:
        """Whether the exact test holds for some text; times are no texts. CASE, unlike AND,
        never calls a function in vain."""
        column = system_column(path)
        if column is not None:
            return "0" if column in _TIME_COLUMNS else exact % column

        some = self._some_candidate(path, lambda value: {"text": exact % value})
        return f"CASE WHEN {screen} THEN {some} ELSE 0 END"

    def _mentions(self, text: str, without: frozenset[str]) -> str:
        skipped = self.bind(orjson.dumps(sorted(without)).decode())
        exact = f"text_mentions(doc,{self.bind(text)},{skipped})"
        return f"CASE WHEN {folded_screen(text, self.bind)} THEN {exact} ELSE 0 END"

    def _among(self, expression: str, values: list[Any]) -> str:
        return f"{expression}{self._listed(values)}" if values else "0"

    def _listed(self, values: list[Any]) -> str:
        """The right side of a test for one of the values; "" for none. A list is one bound
        value, so that the statement stays short however long the list is."""
        if not values:
            return ""
        if len(values) == 1:
            return f"={self.bind(values[0])}"
        return f" IN (SELECT value FROM json_each({self.bind(orjson.dumps(values).decode())}))"

    # -- candidates (20 §5: every value reached and, where that is an array, its elements) ----

    def _some_candidate(self, path: Path, test: _Test) -> str:
        if not is_safe(path):
            return self._some_reached(path, test)
        elements = f"json_each(doc,{json_path(path)})"
        direct = _some_of(type_of(path), extract(path), elements, test)
        if len(path) == 1:
            return direct
        return f"({direct} OR ({through_array(path)} AND {self._some_reached(path, test)}))"

    def _some_reached(self, path: Path, test: _Test) -> str:
        some = _some_of("n.type", "n.value", "json_each(n.value)", test)
        return f"EXISTS(SELECT 1 FROM {reached(path, self.bind)} AND {some})"

    def _some_node(self, path: Path) -> str:
        if not is_safe(path):
            return f"EXISTS(SELECT 1 FROM {reached(path, self.bind)})"
        direct = f"{type_of(path)} IS NOT NULL"
        if len(path) == 1:
            return f"({direct})"
        walked = f"EXISTS(SELECT 1 FROM {reached(path, self.bind)})"
        return f"({direct} OR ({through_array(path)} AND {walked}))"


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Operands by class, without those no document can hold; `literals` are JSON texts."""

    strings: list[str]
    numbers: list[int | float]
    booleans: list[bool]
    literals: list[str]
    null: bool

    @classmethod
    def of(cls, values: tuple[Any, ...]) -> _Wanted:
        wanted = cls([], [], [], [], any(value is None for value in values))
        for value in values:
            if isinstance(value, bool):
                wanted.booleans.append(value)
            elif isinstance(value, str):
                if _bindable(value) is not None:
                    wanted.strings.append(value)
            elif isinstance(value, (int, float)):
                number = stored_number(value)
                if math.isfinite(number):
                    wanted.numbers.append(number)
            elif value is not None and (literal := _literal(value)) is not None:
                wanted.literals.append(literal)
        return wanted


def _bindable(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return stored_number(value)
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:  # half a surrogate pair: no stored string holds one
            return None
    return value


def _instant(text: str) -> int | None:
    """Milliseconds, or None for what is no time and so equals none."""
    try:
        return parse_time(text)
    except (ValueError, OverflowError):
        return None


def _literal(value: Any) -> str | None:
    """An object or array as JSON, or None when no document could hold it."""
    try:
        return orjson.dumps(_storable(value)).decode()
    except (TypeError, ValueError):
        return None


def _storable(value: Any) -> Any:
    if type(value) in (int, float):
        number = stored_number(value)
        if not math.isfinite(number):
            raise ValueError("too large for a JSON number")
        return number
    if isinstance(value, dict):
        return {key: _storable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_storable(item) for item in value]
    return value


def _kinds_of(value: bool | int | float | str) -> tuple[str, ...]:
    if isinstance(value, bool):
        return ("true", "false")
    return ("text",) if isinstance(value, str) else ("integer", "real")


def _some_of(kind: str, value: str, elements: str, test: _Test) -> str:
    """The test of a value and, if it is an array, of its elements. The type is asked once: of
    all that such a test does, looking into the document takes the longest."""
    tests = test(value)
    inside = f"EXISTS(SELECT 1 FROM {elements} e WHERE {_case('e.type', test('e.value'))})"
    itself = tests.get("array")
    tests["array"] = f"({itself} OR {inside})" if itself else inside
    return _case(kind, tests)


def _case(kind: str, tests: dict[str, str]) -> str:
    cases = " ".join(f"WHEN '{name}' THEN {test}" for name, test in tests.items())
    return f"CASE {kind} {cases} ELSE 0 END"


def _join(glue: str, parts: list[str], empty: str) -> str:
    if len(parts) == 1:
        return parts[0]
    return f"({glue.join(parts)})" if parts else empty
