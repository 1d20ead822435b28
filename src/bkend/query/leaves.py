"""One field, one operator, one operand: the leaves of a filter, however it is written (20 §5)."""

from __future__ import annotations

from typing import Any, NoReturn, Protocol

from bkend.query.errors import invalid_parameter
from bkend.store.conditions import (
    NEVER,
    Compare,
    Comparison,
    Condition,
    Contains,
    Equals,
    Exists,
    Matches,
    Not,
    OneOf,
    Path,
)
from bkend.store.text import FLAGS, InvalidPattern, compile_pattern, fold

MOST_LEAVES = 100
MOST_VALUES = 1000
DEEPEST_LITERAL = 8
LONGEST_PATTERN = 256
_SHOWN = 64
_COMPARISONS: dict[str, Comparison] = {"$gt": "gt", "$gte": "gte", "$lt": "lt", "$lte": "lte"}
_INT64 = 2**63


class JsonObject(list[tuple[str, Any]]):
    """A JSON object with its pairs as written: a repeated key is kept."""


class Columns(Protocol):
    """What is asked about paths; see `bkend.query.fields.Fields`."""

    def is_date(self, path: Path) -> bool:
        """Whether string operands on the path are instants."""

    def instant(self, parameter: str, path: Path, operand: Any) -> Any:
        """The operand on a date path in wire form; raises InvalidData."""

    def filter_by(self, parameter: str, path: Path) -> None:
        """Note that a condition depends on the path; raises RestrictedColumn."""


class Leaves:
    """Makes the leaves of one request; their limit counts over all its filters."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._count = 0
        self.parameter = ""

    def refuse(self, rule: str, message: str) -> NoReturn:
        """400, pointing at the parameter that is being read."""
        raise invalid_parameter(self.parameter, rule, message)

    def admit(self, path: Path) -> None:
        """Count a leaf on the path; raises RestrictedColumn."""
        self._columns.filter_by(self.parameter, path)
        self.count(1)

    def count(self, number: int) -> None:
        """Count leaves; raises InvalidData when there are too many."""
        self._count += number
        if self._count > MOST_LEAVES:
            self.refuse("maxConditions", f"filters have at most {MOST_LEAVES} conditions")

    def operators(self, path: Path, given: list[tuple[str, Any]]) -> list[Condition]:
        """The leaves of an operator object; `$options` belong to its every `$regex`."""
        options = [operand for name, operand in given if name == "$options"]
        others = [(name, operand) for name, operand in given if name != "$options"]
        if len(options) > 1 or (options and not any(name == "$regex" for name, _ in others)):
            self.refuse("operand", "$options stands once, beside a $regex")
        flags = options[0] if options else ""
        return [self.leaf(path, name, operand, flags) for name, operand in others]

    def leaf(self, path: Path, operator: str, operand: Any, flags: Any = "") -> Condition:
        """The condition of one operator, counted."""
        self.admit(path)
        return self.condition(path, operator, operand, flags)

    def condition(self, path: Path, operator: str, operand: Any, flags: Any = "") -> Condition:
        """The condition of one operator on an admitted path."""
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
            case "$regex":
                return self._regex(path, operand, flags)
            case "$contains":
                return self._contains(path, operand)
        comparison = _COMPARISONS.get(operator)
        if comparison is None:
            self.refuse("operator", f"{operator[:_SHOWN]!r} is not a known operator")
        return self._compare(path, operator, comparison, operand)

    def _compare(
        self, path: Path, operator: str, comparison: Comparison, operand: Any
    ) -> Condition:
        if operand is None:
            return Equals(path, None) if comparison in ("gte", "lte") else NEVER
        if isinstance(operand, list):
            self.refuse("operand", f"{operator} takes no array or object")
        return Compare(path, comparison, self._value(path, operand))

    def _exists(self, path: Path, operand: Any) -> Condition:
        if not (operand is True or operand is False or operand in (0, 1)):
            self.refuse("operand", "$exists takes true or false")
        return Exists(path) if operand else Not(Exists(path))

    def _regex(self, path: Path, pattern: Any, flags: Any) -> Condition:
        if not isinstance(pattern, str):
            self.refuse("operand", "$regex takes a string")
        if len(pattern) > LONGEST_PATTERN:
            self.refuse("maxLength", f"$regex takes at most {LONGEST_PATTERN} characters")
        if not isinstance(flags, str) or not set(flags) <= set(FLAGS):
            self.refuse("operand", f"$options takes letters of {FLAGS}")
        flags = "".join(sorted(set(flags)))
        try:
            compile_pattern(pattern, flags)
        except InvalidPattern as error:
            self.refuse("pattern", f"$regex is not a pattern that can be used: {error}")
        return NEVER if self._columns.is_date(path) else Matches(path, pattern, flags)

    def _contains(self, path: Path, text: Any) -> Condition:
        if not isinstance(text, str) or not text:
            self.refuse("operand", "$contains takes a string that is not empty")
        self._check_text(text)
        return NEVER if self._columns.is_date(path) else Contains(path, fold(text))

    # -- operands -------------------------------------------------------------------------

    def _values(self, path: Path, operator: str, operand: Any) -> tuple[Any, ...]:
        if not isinstance(operand, list) or isinstance(operand, JsonObject):
            self.refuse("operand", f"{operator} takes an array")
        if len(operand) > MOST_VALUES:
            self.refuse("maxValues", f"{operator} takes at most {MOST_VALUES} values")
        return tuple(self._value(path, value) for value in operand)

    def _value(self, path: Path, operand: Any) -> Any:
        value = self._plain(operand, 1)
        if value is not None and self._columns.is_date(path):
            return self._columns.instant(self.parameter, path, value)
        return value

    def _plain(self, operand: Any, depth: int) -> Any:
        if depth > DEEPEST_LITERAL + 1:
            self.refuse("depth", f"a literal nests at most {DEEPEST_LITERAL} deep")
        if isinstance(operand, JsonObject):
            return {self._key(key): self._plain(value, depth + 1) for key, value in operand}
        if isinstance(operand, list):
            return [self._plain(value, depth + 1) for value in operand]
        if isinstance(operand, str) and not operand.isascii():
            self._check_text(operand)
        if isinstance(operand, int) and not -_INT64 <= operand < _INT64:
            return self._float(operand)
        return operand

    def _key(self, key: str) -> str:
        """No document has a key that starts with `$`: there it is a misplaced operator."""
        if key.startswith("$"):
            self.refuse("operator", f"{key[:_SHOWN]!r} cannot stand inside a value")
        return key

    def _check_text(self, text: str) -> None:
        try:
            text.encode()
        except UnicodeEncodeError:
            self.refuse("format", "Invalid filter format")

    def _float(self, number: int) -> float:
        try:
            return float(number)
        except OverflowError:
            self.refuse("operand", "a number is out of range")
