"""Conditions over documents: the typed tree that plans are made of (20 §5).

Values are JSON values. A path names a field from the document's root; `id`, `createdBy`,
`createdAt` and `updatedAt` are ordinary paths here. Times are compared in their wire form,
which sorts as the instants do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Path: TypeAlias = tuple[str, ...]
Comparison: TypeAlias = Literal["gt", "gte", "lt", "lte"]


@dataclass(frozen=True, slots=True)
class Always:
    """True for every document."""


@dataclass(frozen=True, slots=True)
class Never:
    """True for no document."""


@dataclass(frozen=True, slots=True)
class Equals:
    """Some candidate of the path equals the value; null also matches a missing path."""

    path: Path
    value: Any

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Equals) and self.path == other.path and _same(self.value, other.value)
        )


@dataclass(frozen=True, slots=True)
class OneOf:
    """Some element of the list satisfies `Equals`; an empty list matches nothing."""

    path: Path
    values: tuple[Any, ...]

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, OneOf)
            and self.path == other.path
            and len(self.values) == len(other.values)
            and all(map(_same, self.values, other.values))
        )


@dataclass(frozen=True, slots=True)
class Compare:
    """Some candidate of the operand's own type class compares so; missing never does."""

    path: Path
    operator: Comparison
    value: bool | int | float | str

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Compare)
            and self.path == other.path
            and self.operator == other.operator
            and _same(self.value, other.value)
        )


@dataclass(frozen=True, slots=True)
class Exists:
    """The path is present; a stored null counts as present."""

    path: Path


@dataclass(frozen=True, slots=True)
class Matches:
    """Some string candidate matches the pattern anywhere (`$regex`); see `bkend.store.text`."""

    path: Path
    pattern: str
    flags: str = ""


@dataclass(frozen=True, slots=True)
class Contains:
    """Some string candidate holds the text, which is given folded; see `bkend.store.text`."""

    path: Path
    text: str


@dataclass(frozen=True, slots=True)
class Mentions:
    """Some top-level string, or string element of a top-level array, holds the folded text.

    System fields and the top-level fields named in `without` are not looked at (20 §6).
    """

    text: str
    without: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Not:
    """The inner condition does not hold."""

    condition: Condition


@dataclass(frozen=True, slots=True)
class And:
    """Every part holds; an empty `And` always does."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Some part holds; an empty `Or` never does."""

    parts: tuple[Condition, ...]


Condition: TypeAlias = (
    "Always | Never | Equals | OneOf | Compare | Exists | Matches | Contains | Mentions "
    "| Not | And | Or"
)


def _same(one: Any, other: Any) -> bool:
    """Equality that keeps `True` and `1` apart: conditions are keys of remembered queries."""
    return type(one) is type(other) and bool(one == other)


ALWAYS = Always()
NEVER = Never()


def all_of(*parts: Condition) -> Condition:
    """`And` of the parts, flattened, without what is always true."""
    flat: list[Condition] = []
    for part in parts:
        if isinstance(part, And):
            flat.extend(part.parts)
        elif not isinstance(part, Always):
            flat.append(part)
    if any(isinstance(part, Never) for part in flat):
        return NEVER
    if not flat:
        return ALWAYS
    return flat[0] if len(flat) == 1 else And(tuple(flat))


def any_of(*parts: Condition) -> Condition:
    """`Or` of the parts, flattened, without what is never true."""
    flat: list[Condition] = []
    for part in parts:
        if isinstance(part, Or):
            flat.extend(part.parts)
        elif not isinstance(part, Never):
            flat.append(part)
    if any(isinstance(part, Always) for part in flat):
        return ALWAYS
    if not flat:
        return NEVER
    return flat[0] if len(flat) == 1 else Or(tuple(flat))
