"""Random documents and query strings that are likely to meet each other.

Plain `random` rather than Hypothesis strategies: it makes a query in microseconds, and a few
thousand queries are asked on every run.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any
from urllib.parse import urlencode

COLUMNS = {
    "s": {"type": "string"},
    "n": {"type": "number"},
    "b": {"type": "boolean"},
    "d": {"type": "date"},
    "l": {"type": "array", "items": {"type": "string"}},
    "ds": {"type": "array", "items": {"type": "date"}},
    "o": {"type": "object", "properties": {"s": {"type": "string"}, "d": {"type": "date"}}},
    "m": {"type": "mixed"},
}

# Letters with twins, letters that fold to several, marks that combine, what JSON and LIKE escape.
LETTERS = 'aAbkK\u212asSſßfiﬁéÉe\u0301i\u0307İ1 "\\\n%_!.서울\u1109\u1165\u0000😀'
WORDS = ["", "a", "A", "kilo", "\u212aILO", "straße", "STRASSE", "Café", "cafe\u0301", "서울"]
WORDS += ["\u1109\u1165\u110b\u116e\u11af", "100%", 'say "hi"', "a\\b", "fi", "ﬁ", "null", "true"]
WORDS += ["1", "2.0", "[1]", '{"a":1}', "a,b", "\u0000", "one\ntwo", "ſ", "\u0301", "_", "!"]
SHORT = ["a", "s", "k", "K", "서울", "1", "%", "_", "é", "ﬁ", "ss", "Ca", '"', "\\", "i", "e", "ß"]
NUMBERS = [0.5, -0.5, 1e-7, 1e21, 1e22, 2**53, 2**53 + 1, 2**63 - 1, -(2**63), 1e300, 2.0]
DATES = [
    "1970-01-01T00:00:00.001Z",
    "1970-01-01T00:00:00.002Z",
    "2024-02-29T23:59:59.999Z",
    "2025-01-15T00:00:00.000Z",
    "2025-01-15T12:30:00.000Z",
]
DATE_OPERANDS = [*DATES, "2025-01-15", "2025-01-15T09:00:00+09:00", "1970-01-01"]
NAMES = ["s", "n", "m", "x", "0", "1", "제목"]
UNDATED = ["s", "s", "n", "b", "l", "m", "x", "제목", "id", "_id", "createdBy", "o", "o.s", "o.x"]
UNDATED += ["l.0", "m.0", "m.1.x", "x.0.0", "제목.s", "제목.0.n", "none", "s.s", "m.n.x", "m.s"]
DATED = ["d", "ds", "ds.0", "o.d", "createdAt", "updatedAt"]
SEARCHED = ["s", "l", "o.s", "m", "x", "id", "createdBy", "d", "none", "제목.s"]
PATTERN_PIECES = [".", ".*", "^", "$", "\\.", "[a-k]", "(a|s)", "a?", "s+", "\\s", " ", "#"]
OPERATORS = ["$eq", "$ne", "$in", "$nin", "$gt", "$gte", "$lt", "$lte", "$exists"]
OPERATORS += ["$contains", "$contains", "$regex", "$regex"]
BRACKET_OPERATORS = ["", "[eq]", "[ne]", "[gt]", "[$gte]", "[lt]", "[in]", "[$nin]", "[contains]"]


class Maker:
    """Makes documents and queries of one seed."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.words: list[str] = [*WORDS, *SHORT]
        self.seen: dict[str, list[Any]] = {}

    def _one(self, *makers: Callable[[], Any]) -> Any:
        return self.random.choice(makers)()

    def _chance(self, part: float) -> bool:
        return self.random.random() < part

    # -- values ---------------------------------------------------------------------------

    def text(self) -> str:
        if self._chance(0.5):
            return self.random.choice(WORDS)
        return "".join(self.random.choices(LETTERS, k=self.random.randint(0, 5)))

    def number(self) -> int | float:
        few = self._chance(0.7)
        return self.random.randint(-2, 3) if few else self.random.choice(NUMBERS)

    def date(self) -> str:
        return self.random.choice(DATES)

    def scalar(self) -> Any:
        return self._one(lambda: None, lambda: self._chance(0.5), self.number, self.text, self.text)

    def value(self, depth: int = 2) -> Any:
        if depth == 0 or self._chance(0.6):
            return self.scalar()
        count = self.random.randint(0, 3)
        if self._chance(0.5):
            return [self.value(depth - 1) for _ in range(count)]
        return {self.random.choice(NAMES): self.value(depth - 1) for _ in range(count)}

    def _many(self, make: Callable[[], Any]) -> list[Any]:
        return [make() for _ in range(self.random.randint(0, 3))]

    # -- documents ------------------------------------------------------------------------

    def body(self) -> dict[str, Any]:
        """The fields of a row: mostly as declared, some as before the declaration."""
        makers: dict[str, Callable[[], Any]] = {
            "s": lambda: self._one(self.text, self.text, self.text, self.value),
            "n": lambda: self._one(self.number, self.number, self.number, self.value),
            "b": lambda: self._one(lambda: self._chance(0.5), lambda: None),
            "d": lambda: self._one(self.date, self.date, lambda: None),
            "l": lambda: self._many(self.text),
            "ds": lambda: self._many(self.date),
            "o": lambda: {"s": self.text(), "d": self.date(), "x": self.scalar()},
            "m": self.value,
            "x": self.value,
            "제목": lambda: self._one(self.text, lambda: self._many(lambda: {"s": self.text()})),
        }
        chosen = {name: make() for name, make in makers.items() if self._chance(0.6)}
        for name, value in chosen.items():
            self.seen.setdefault(name, []).append(value)
            self.words += [part for part in _parts(value) if isinstance(part, str)]
        return chosen

    def owner(self) -> str:
        return self.random.choice(["", "ada", "Bob"])

    # -- filters --------------------------------------------------------------------------

    def path(self) -> str:
        return self.random.choice(DATED if self._chance(0.2) else UNDATED)

    def wanted(self) -> str:
        """A text that is not empty, often a part of a stored one, in some case."""
        word = self.random.choice(self.words)
        start = self.random.randint(0, len(word))
        part = word[start : start + self.random.randint(1, 3)] or self.random.choice(SHORT)
        return self.random.choice([part, part, part.upper(), part.lower()])

    def pattern(self) -> str:
        pieces = SHORT[:11] if self._chance(0.6) else [*SHORT[:11], *PATTERN_PIECES]
        return "".join(self.random.choices(pieces, k=self.random.randint(0, 3)))

    def operators(self, operand: Callable[[], Any]) -> list[tuple[str, Any]]:
        """One or two operators; they may repeat."""
        found: list[tuple[str, Any]] = []
        for _ in range(self.random.choice([1, 1, 2])):
            word = self.random.choice(OPERATORS)
            if word in ("$in", "$nin"):
                value: Any = self._many(operand)
            elif word == "$exists":
                value = self.random.choice([True, False, 0, 1])
            elif word == "$contains":
                value = self.wanted()
            elif word == "$regex":
                value = self.pattern()
            else:
                value = operand()
                if word[1] in "gl" and isinstance(value, (list, dict)):
                    value = None
            found.append((word, value))
        if any(word == "$regex" for word, _ in found) and self._chance(0.5):
            found.append(("$options", self.random.choice(["i", "s", "m", "x", "im", "isx"])))
        return found

    def pair(self) -> str:
        """One pair of a filter object, as JSON."""
        path = self.path()

        def operand() -> Any:
            if path in DATED:
                return self.random.choice([*DATE_OPERANDS, None])
            known = self.seen.get(path.partition(".")[0])
            if known and self._chance(0.7):
                value = self.random.choice(known)
                return value if self._chance(0.3) else self.random.choice(_parts(value))
            return self._one(self.scalar, self.value)

        if self._chance(0.4):
            return f"{json.dumps(path)}:{json.dumps(operand())}"
        inner = (f'"{word}":{json.dumps(value)}' for word, value in self.operators(operand))
        return f"{json.dumps(path)}:{{{','.join(inner)}}}"

    def object(self) -> str:
        count = self.random.choice([1, 1, 2, 3])
        return "{" + ",".join(self.pair() for _ in range(count)) + "}"

    def filters(self) -> str:
        """A filter parameter: an object, its keys may repeat, or an array of them."""
        if self._chance(0.7):
            return self.object()
        return "[" + ",".join(self._many(self.object)) + "]"

    # -- queries --------------------------------------------------------------------------

    def query(self) -> str:
        """A list's query string: filters of every form, search, sort and page."""
        sent: list[tuple[str, str]] = []
        if self._chance(0.5):
            sent.append(("andFilters", self.filters()))
        if self._chance(0.35):
            sent.append(("orFilters", self.filters()))
        if self._chance(0.15):
            operator = self.random.choice(BRACKET_OPERATORS)
            value = self._one(self.wanted, lambda: str(self.number()), self.date)
            sent.append((f"filter[{self.path()}]{operator}", value))
        if self._chance(0.2):
            sent.append(("search", self.wanted()))
            if self._chance(0.5):
                sent.append(("searchType", ",".join(self.random.choices(SEARCHED, k=2))))
        return urlencode([*sent, *self._order(), *self._place()])

    def _order(self) -> list[tuple[str, str]]:
        if self._chance(0.2):
            keys = [
                self.random.choice(["", "-", "+"]) + self.path()
                for _ in range(self.random.randint(1, 3))
            ]
            return [("sort", ",".join(keys))]
        sent = [("sortBy", self.path())] if self._chance(0.6) else []
        return [*sent, ("sortDirection", "asc")] if self._chance(0.5) else sent

    def _place(self) -> list[tuple[str, str]]:
        if self._chance(0.5):
            return []
        word = self.random.choice(["page", "offset"])
        return [("limit", str(self.random.randint(1, 5))), (word, str(self.random.randint(1, 3)))]


def _parts(value: Any) -> list[Any]:
    """The value and everything inside it."""
    found = [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in inner:
        found += _parts(item)
    return found
