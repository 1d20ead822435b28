"""Conditions to SQL over one collection table. Every value is bound, never written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

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
from bkend.store.documents import SYSTEM_FIELDS
from bkend.store.postgres.keys import class_bounds, key_expression, key_of
from bkend.store.postgres.paths import (
    TIME_COLUMNS,
    reached,
    system_column,
    through_array,
    value_at,
)
from bkend.store.postgres.storable import escape, instant, is_text, number_of, operand

OPERATORS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
TextLeaf: TypeAlias = Matches | Contains | Mentions
Texts: TypeAlias = Mapping[TextLeaf, Sequence[str]]
"""Of each text condition, the strings found to satisfy it that SQL alone could not decide on."""
_Test: TypeAlias = Callable[[str], str]
"""The SQL test of one candidate, given the expression for it."""

PLAIN_TEXT = "octet_length({0})=length({0}) AND strpos({0},chr(1))=0"
"""Whether lower-casing folds a string: it is ASCII and holds nothing escaped."""


@dataclass(slots=True)
class Compiler:
    """Collects SQL text and bound values of one query.

    `keyed` names the paths whose rows are taken to be plain, each with the cut of its index.
    """

    keyed: Mapping[Path, int] = field(default_factory=dict)
    texts: Texts = field(default_factory=dict)
    values: list[Any] = field(default_factory=list)

    def bind(self, value: Any, kind: str) -> str:
        """Bind a value of an SQL type; lists as tuples, since values are keys of what is kept."""
        self.values.append(tuple(value) if isinstance(value, list) else value)
        return f"${len(self.values)}::{kind}"

    def condition(self, condition: Condition) -> str:
        """The SQL test of a condition; NULL counts as false."""
        match condition:
            case Always():
                return "TRUE"
            case Never():
                return "FALSE"
            case And(parts):
                return join(" AND ", [self.condition(part) for part in parts], "TRUE")
            case Or(parts):
                return join(" OR ", [self.condition(part) for part in parts], "FALSE")
            case Not(inner):
                return f"(({self.condition(inner)}) IS NOT TRUE)"
            case Equals(path, value):
                return self._one_of(path, (value,))
            case OneOf(path, values):
                return self._one_of(path, values)
            case Compare(path, operator, value):
                return self._compare(path, OPERATORS[operator], value)
            case Exists(path):
                return self._exists(path)
            case Matches():
                return self._text(condition)
            case Contains():
                return f"({self._may_hold(condition.text)} AND {self._text(condition)})"
            case Mentions():
                return f"({self._may_hold(condition.text)} AND {self._mentions(condition)})"

    # -- equality ---------------------------------------------------------------------------

    def _one_of(self, path: Path, values: tuple[Any, ...]) -> str:
        column = system_column(path)
        if column is not None:
            return self._system_one_of(column, values)
        held = [(value, text) for value in values if (text := operand(value)) is not None]
        if not held:
            return "FALSE"
        if path in self.keyed:
            return self._keyed_one_of(path, held)
        wanted = self._listed([text for _, text in held], "jsonb")
        test = self._some_candidate(path, lambda one: f"{one}{wanted}")
        if any(value is None for value in values):
            return f"({test} OR NOT {self._exists(path)})"
        return test

    def _system_one_of(self, column: str, values: tuple[Any, ...]) -> str:
        """System columns always hold one string or instant; other classes never match."""
        texts = [value for value in values if isinstance(value, str) and is_text(value)]
        if column in TIME_COLUMNS:
            instants = [found for text in texts if (found := instant(text)) is not None]
            return f"{column}{self._listed(instants, 'bigint')}" if instants else "FALSE"
        return f"{column}{self._listed([*map(escape, texts)], 'text')}" if texts else "FALSE"

    def _keyed_one_of(self, path: Path, held: Sequence[tuple[Any, str]]) -> str:
        cut = self.keyed[path]
        keys = [(key_of(value, cut), text) for value, text in held]
        found = [(key[0], key[1], text) for key, text in keys if key is not None]
        if not found:
            return "FALSE"
        test = f"{key_expression(path, cut)}{self._listed([key for key, _, _ in found], 'text')}"
        if all(decides for _, decides, _ in found):
            return test
        exact = f"{value_at(path)}{self._listed([text for _, _, text in found], 'jsonb')}"
        if any(text == "null" for _, _, text in found):
            exact = f"({exact} OR {value_at(path)} IS NULL)"
        return f"({test} AND {exact})"

    def _listed(self, values: Sequence[Any], kind: str) -> str:
        """The right side of a test for one of the values. A list is one bound value, so that
        the statement stays short however long the list is."""
        if len(values) == 1:
            return f"={self.bind(values[0], kind)}"
        return f"=ANY({self.bind(list(values), kind + '[]')})"

    # -- order ------------------------------------------------------------------------------

    def _compare(self, path: Path, operator: str, value: bool | int | float | str) -> str:
        if isinstance(value, str) and not is_text(value):
            return "FALSE"
        column = system_column(path)
        if column is not None:
            return self._system_compare(column, operator, value)
        if path in self.keyed:
            return self._keyed_compare(path, operator, value)
        return self._some_candidate(path, self._candidate_compare(operator, value))

    def _system_compare(self, column: str, operator: str, value: Any) -> str:
        if not isinstance(value, str):
            return "FALSE"
        if column not in TIME_COLUMNS:
            return f"{column}{operator}{self.bind(escape(value), 'text')}"
        moment = instant(value)
        return "FALSE" if moment is None else f"{column}{operator}{self.bind(moment, 'bigint')}"

    def _candidate_compare(self, operator: str, value: bool | int | float | str) -> _Test:
        if isinstance(value, str):
            text = self.bind(escape(value), "text")
            return lambda one: (
                f"(jsonb_typeof({one})='string' AND ({one}#>>'{{}}') COLLATE \"C\"{operator}{text})"
            )
        kind = "boolean" if isinstance(value, bool) else "number"
        literal = operand(value)
        if literal is None:  # beyond all numbers: smaller than none of them, or than all
            above = number_of(value) > 0
            return lambda one: (
                f"jsonb_typeof({one})='number'" if above == (operator[0] == "<") else "FALSE"
            )
        bound = self.bind(literal, "jsonb")
        return lambda one: f"(jsonb_typeof({one})='{kind}' AND {one}{operator}{bound})"

    def _keyed_compare(self, path: Path, operator: str, value: bool | int | float | str) -> str:
        cut = self.keyed[path]
        expression = key_expression(path, cut)
        low, high = class_bounds(value)
        over, under, decides = ">=", "<", False
        edge = key_of(value, cut)
        if edge is not None:
            key, decides = edge
            if operator[0] == ">":
                low, over = key, operator if decides else ">="
            else:
                high, under = key, operator if decides else "<="
        between = (
            f"{expression}{over}{self.bind(low, 'text')} AND "
            f"{expression}{under}{self.bind(high, 'text')}"
        )
        if decides:
            return f"({between})"
        return f"({between} AND {self._candidate_compare(operator, value)(value_at(path))})"

    # -- text -------------------------------------------------------------------------------

    def _text(self, leaf: Matches | Contains) -> str:
        column = system_column(leaf.path)
        if column in TIME_COLUMNS:
            return "FALSE"  # times are no texts
        test = self.text_test(leaf)
        if column is not None:
            return test(column)
        return self._some_candidate(leaf.path, lambda one: _string_test(one, test))

    def text_test(self, leaf: TextLeaf) -> _Test:
        """The test of one string: by SQL where that is exact, else among those looked at."""
        decided = self.texts.get(leaf, ())
        among = f" IN (SELECT unnest({self.bind(list(decided), 'text[]')}))" if decided else ""
        if isinstance(leaf, Matches) or not leaf.text.isascii():
            return lambda text: f'({text} COLLATE "C"{among})' if among else "FALSE"
        needle = self.bind(escape(leaf.text), "text")

        def test(text: str) -> str:
            plain = PLAIN_TEXT.format(text)
            found = f'({plain} AND strpos(lower({text} COLLATE "C"),{needle})>0)'
            return f'({found} OR {text} COLLATE "C"{among})' if among else found

        return test

    def _may_hold(self, text: str) -> str:
        """What spares most rows the look at each string: the document as text, where JSON spells
        the text as it is and the document's letters fold as SQL folds them."""
        if not text.isprintable() or not text.isascii() or '"' in text or "\\" in text:
            return "TRUE"
        found = f'strpos(lower(doc COLLATE "C"),{self.bind(text, "text")})>0'
        return f"({found} OR octet_length(doc)<>length(doc))"

    def _mentions(self, leaf: Mentions) -> str:
        test = self.text_test(leaf)
        skipped = self.bind([*map(escape, sorted(SYSTEM_FIELDS | leaf.without))], "text[]")
        return (
            f"EXISTS(SELECT 1 FROM jsonb_each(data) f CROSS JOIN LATERAL jsonb_array_elements("
            f"CASE jsonb_typeof(f.value) WHEN 'array' THEN f.value "
            f"WHEN 'string' THEN jsonb_build_array(f.value) ELSE '[]' END) e "
            f"WHERE f.key<>ALL({skipped}) AND {_string_test('e', test)})"
        )

    # -- candidates (20 §5: every value reached and, where that is an array, its elements) ----

    def _some_candidate(self, path: Path, test: _Test) -> str:
        direct = _candidates(value_at(path, self.bind), test)
        if len(path) == 1:
            return direct
        nodes = reached(path, self.bind)
        walked = f"EXISTS(SELECT 1 FROM unnest({nodes}) n WHERE {_candidates('n', test)})"
        return f"(CASE WHEN {through_array(path, self.bind)} THEN {walked} ELSE {direct} END)"

    def _exists(self, path: Path) -> str:
        if system_column(path) is not None:
            return "TRUE"
        here = f"{value_at(path, self.bind)} IS NOT NULL"
        if len(path) == 1 or path in self.keyed:
            return f"({here})"
        walked = f"cardinality({reached(path, self.bind)})>0"
        return f"(CASE WHEN {through_array(path, self.bind)} THEN {walked} ELSE {here} END)"


def _candidates(value: str, test: _Test) -> str:
    """The test of a value and, where it is an array, of its elements."""
    array = f"CASE WHEN jsonb_typeof({value})='array' THEN {value} ELSE '[]' END"
    inside = f"EXISTS(SELECT 1 FROM jsonb_array_elements({array}) e WHERE {test('e')})"
    return f"({test(value)} OR (jsonb_typeof({value})='array' AND {inside}))"


def _string_test(value: str, test: _Test) -> str:
    """The test of a text, of a value that is a string."""
    text = f"({value}#>>'{{}}')"
    return f"(jsonb_typeof({value})='string' AND {test(text)})"


def join(glue: str, parts: Sequence[str], empty: str) -> str:
    """The parts as one SQL expression."""
    if len(parts) == 1:
        return parts[0]
    return f"({glue.join(parts)})" if parts else empty
