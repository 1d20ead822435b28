"""Statements for pages and counts of one collection.

A condition on indexed paths is asked twice: of the plain rows, where the index decides alone,
and of the odd ones, which hold an array there and are few. The two sets of rows never overlap, so
that no answer depends on what the rows happen to hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from bkend.store.conditions import (
    And,
    Compare,
    Condition,
    Contains,
    Equals,
    Exists,
    Matches,
    Mentions,
    Not,
    OneOf,
    Or,
    Path,
)
from bkend.store.interface import Find
from bkend.store.postgres.compile import Compiler, TextLeaf, Texts, join
from bkend.store.postgres.keys import LONGEST_KEY, ODD, key_expression
from bkend.store.postgres.order import Order, order_of
from bkend.store.postgres.physical import Physical
from bkend.store.postgres.storable import LARGEST_INTEGER

_REMEMBERED = 512
_MOST_ROWS = 2**31
K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with its values: the page alone, and together with its total; the total alone.

    Each also returns `version`, the change counter read under the statement's own snapshot, and
    with a total `settled`: the same number once more unless somebody was writing just then.
    """

    page: str
    both: str
    total: str
    page_values: tuple[Any, ...]
    values: tuple[Any, ...]
    total_values: tuple[Any, ...]

    @property
    def total_key(self) -> tuple[str, tuple[Any, ...]]:
        """What two queries with the same total have in common."""
        return self.total, self.total_values


@dataclass(frozen=True, slots=True)
class _Parts:
    """Sets of rows that do not overlap: those of a page with the paths taken as plain there, and
    those to count, which are fewer when only the order tells odd rows apart."""

    rows: list[tuple[Mapping[Path, int], str]]
    counted: list[str]


class Planner:
    """Compiles the queries of one collection and remembers them."""

    def __init__(self, physical: Physical) -> None:
        self.physical = physical
        self.get = f"SELECT convert_to(doc,'UTF8') FROM {physical.table} WHERE id=$1::text"
        self._statements: dict[Find, Statement] = {}
        self._same: dict[int, tuple[Find, Statement]] = {}

    def remembered(self, query: Find) -> Statement | None:
        """The statement of an equal query, if there was one.

        Lists keep their compiled query, so it is mostly the same object: nothing is hashed then.
        """
        same = self._same.get(id(query))
        if same is not None and same[0] is query:
            return same[1]
        try:
            return self._statements.get(query)
        except TypeError:  # an object or array as operand cannot be hashed
            return None

    def statement(self, query: Find, texts: Texts | None = None) -> Statement:
        """The compiled query; one with texts, which hold for one snapshot, is not remembered."""
        if texts is not None:
            return _compile(self.physical, query, texts)
        held = self.remembered(query)
        if held is not None:
            return held
        fresh = _compile(self.physical, query, {})
        try:
            _put(self._statements, query, fresh)
        except TypeError:
            pass
        _put(self._same, id(query), (query, fresh))
        return fresh

    def test(self, condition: Condition, values: list[Any], texts: Texts | None = None) -> str:
        """A condition alone; its values are added to `values`."""
        keyed = _keyed(self.physical, condition)
        return join(" OR ", _parts(condition, keyed, texts or {}, values).counted, "FALSE")


def text_leaves(condition: Condition) -> Iterator[TextLeaf]:
    """Every condition on text, from left to right."""
    match condition:
        case Matches() | Contains() | Mentions():
            yield condition
        case And(parts) | Or(parts):
            for part in parts:
                yield from text_leaves(part)
        case Not(inner):
            yield from text_leaves(inner)
        case _:
            pass


def _compile(physical: Physical, query: Find, texts: Texts) -> Statement:
    values: list[Any] = []
    keyed = _keyed(physical, query.where, *(key.path for key in query.sort))
    parts = _parts(query.where, keyed, texts, values)
    total_values = tuple(values)
    table = physical.table
    counts = [f"(SELECT count(*) FROM {table} WHERE {where})" for where in parts.counted]
    items = _items(table, query, keyed, parts.rows, values) if query.limit else "'[]'"
    version = f"(SELECT last_value FROM {physical.changes}) AS version"
    selected = f"SELECT convert_to({items},'UTF8') AS items,{version}"
    total = f"{'+'.join(counts)} AS total,{_settled(physical)} AS settled"
    return Statement(
        page=selected,
        both=f"{selected},{total}",
        total=f"SELECT {version},{total}",
        page_values=tuple(values) if query.limit else (),
        values=tuple(values),
        total_values=total_values,
    )


def _items(
    table: str,
    query: Find,
    keyed: Mapping[Path, int],
    branches: list[tuple[Mapping[Path, int], str]],
    values: list[Any],
) -> str:
    """The page as a JSON array."""
    bind = Compiler(values=values).bind
    limit, offset = min(query.limit, _MOST_ROWS), min(query.offset, LARGEST_INTEGER - _MOST_ROWS)
    skipped = bind(offset, "bigint") if offset else ""
    rows: list[str] = []
    for paths, where in branches:
        order = order_of(query, paths, lambda path: keyed.get(path, LONGEST_KEY), bind)
        rows.append(_rows(table, where, order, limit, skipped, alone=len(branches) == 1))
    page = rows[0] if len(rows) == 1 else _together(rows, order, limit, skipped)
    return f"(SELECT '['||coalesce(string_agg(p.doc,','),'')||']' FROM ({page}) p)"


def _rows(table: str, where: str, order: Order, limit: int, skipped: str, *, alone: bool) -> str:
    """The rows of a page, or of a part of it that must hold the pages before it as well."""
    rows = (
        f"SELECT doc,{','.join(order.columns)} FROM {table}{order.source} WHERE {where} "
        f"ORDER BY {','.join(order.terms)}"
    )
    if not skipped:
        return f"{rows} LIMIT {limit}"
    return f"{rows} LIMIT {limit} OFFSET {skipped}" if alone else f"{rows} LIMIT {limit}+{skipped}"


def _together(rows: list[str], order: Order, limit: int, skipped: str) -> str:
    together = " UNION ALL ".join(f"({part})" for part in rows)
    offset = f" OFFSET {skipped}" if skipped else ""
    return f"SELECT doc FROM ({together}) u ORDER BY {','.join(order.terms)} LIMIT {limit}{offset}"


def _settled(physical: Physical) -> str:
    """The change counter, unless a transaction that may have moved it is still open.

    The counter is read first; who holds a write lock keeps it until its commit can be seen.
    """
    return (
        f"(SELECT CASE WHEN s.last_value>0 AND NOT EXISTS(SELECT 1 FROM pg_locks l "
        f"WHERE l.relation='{physical.table}'::regclass AND s.last_value>0 "
        f"AND l.database=(SELECT oid FROM pg_database WHERE datname=current_database()) "
        f"AND l.mode IN ('RowExclusiveLock','ShareRowExclusiveLock','ExclusiveLock',"
        f"'AccessExclusiveLock')) THEN s.last_value END FROM {physical.changes} s)"
    )


def _parts(
    condition: Condition, keyed: Mapping[Path, int], texts: Texts, values: list[Any]
) -> _Parts:
    """The condition over all rows, or over plain and odd ones, with the paths taken as plain."""
    anyhow = Compiler({}, texts, values)
    if not keyed:
        where = anyhow.condition(condition)
        return _Parts([({}, where)], [where])
    plain = Compiler(keyed, texts, values).condition(condition)
    asked = keyed.keys() & set(_paths(condition))
    decided = set(_conjuncts(condition))
    expressions = {path: key_expression(path, cut) for path, cut in keyed.items()}
    guards = [f"{expressions[path]}<{ODD}" for path in keyed if path not in decided]
    odd = join(" OR ", [f"{expression}={ODD}" for expression in expressions.values()], "FALSE")
    other = anyhow.condition(condition) if asked else plain
    rows: list[tuple[Mapping[Path, int], str]] = [
        (keyed, join(" AND ", [plain, *guards], "TRUE")),
        ({}, f"({odd} AND {other})"),
    ]
    return _Parts(rows, [where for _, where in rows] if asked else [plain])


def _conjuncts(condition: Condition) -> Iterator[Path]:
    """Paths whose key must be that of a value for the condition to hold."""
    match condition:
        case And(parts):
            for part in parts:
                yield from _conjuncts(part)
        case Equals(path) | OneOf(path) | Compare(path):
            yield path
        case _:
            pass


def _keyed(physical: Physical, condition: Condition, *paths: Path) -> dict[Path, int]:
    used = dict.fromkeys([*_paths(condition), *paths])
    return {path: cut for path, cut in physical.keyed.items() if path in used}


def _paths(condition: Condition) -> Iterator[Path]:
    match condition:
        case Equals(path) | OneOf(path) | Compare(path) | Exists(path):
            yield path
        case And(parts) | Or(parts):
            for part in parts:
                yield from _paths(part)
        case Not(inner):
            yield from _paths(inner)
        case _:
            pass


def _put(memory: dict[K, V], key: K, value: V) -> None:
    """Remember, forgetting the oldest when there is too much."""
    if len(memory) >= _REMEMBERED:
        del memory[next(iter(memory))]
    memory[key] = value
