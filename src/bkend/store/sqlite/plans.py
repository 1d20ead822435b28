"""Compiled queries of one collection, and what they assume about its indexed values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import apsw

from bkend.store.conditions import Condition, Path
from bkend.store.interface import Find
from bkend.store.sqlite.compile import Compiler, Holding
from bkend.store.sqlite.ddl import Physical
from bkend.store.sqlite.numbers import LARGEST_INTEGER
from bkend.store.sqlite.order import order_by
from bkend.store.sqlite.paths import odd_class

_REMEMBERED = 512
K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with its values; `assumed` is what it takes indexed paths to hold."""

    page: str
    total: str
    page_values: tuple[Any, ...]
    total_values: tuple[Any, ...]
    assumed: tuple[tuple[Path, Holding], ...]


AHEAD = 16
"""How many documents are read where one is asked for and memory is free."""
_SHORT = 4096


class Planner:
    """Compiles conditions for one collection.

    An index can answer a condition alone only while every value it holds is null, a number or a
    string. A small partial index per indexed path lists the other rows; what it holds is asked
    once per snapshot. `snapshot` is None where nothing may be remembered: inside a transaction
    that writes, and off the event loop's thread.
    """

    def __init__(self, physical: Physical) -> None:
        self.physical = physical
        self.by_id = f"SELECT CAST(doc AS BLOB) FROM {physical.table} WHERE id=?"
        # One row whatever it holds: each row of an answer lets other threads run. Documents have
        # no control characters, which JSON writes otherwise.
        self.from_id = (
            "SELECT json_group_array(id),group_concat(doc,char(30)) FROM (SELECT id,doc FROM"
            f" {physical.table} WHERE id>=? ORDER BY id LIMIT {AHEAD})"
            f" WHERE id=? OR octet_length(doc)<{_SHORT}"
        )
        self._odd_index = physical.indexed_paths
        self._holding: dict[Path, Holding] = {}
        self._holding_at = -1
        self._statements: dict[Find, Statement] = {}
        self._same: dict[int, tuple[Find, Statement]] = {}

    def statement(
        self, connection: apsw.Connection, query: Find, snapshot: int | None
    ) -> Statement:
        """The compiled query, remembered while what it assumes still holds."""
        if snapshot is None:
            return self._compile(connection, query, snapshot)
        held = self.remembered(query)
        if held is not None and self.holds(connection, held, snapshot):
            return held
        fresh = self._compile(connection, query, snapshot)
        try:
            _put(self._statements, query, fresh)
        except TypeError:  # an object or array as operand cannot be hashed
            pass
        _put(self._same, id(query), (query, fresh))
        return fresh

    def remembered(self, query: Find) -> Statement | None:
        """The statement last compiled for an equal query, whatever it assumes.

        Lists keep their compiled query, so it is mostly the same object: nothing is hashed then.
        """
        same = self._same.get(id(query))
        if same is not None and same[0] is query:
            return same[1]
        try:
            return self._statements.get(query)
        except TypeError:
            return None

    def holds(
        self, connection: apsw.Connection, statement: Statement, snapshot: int | None
    ) -> bool:
        """Whether the statement's assumptions are true in this snapshot."""
        for path, assumed in statement.assumed:
            if self._holding_of(connection, path, snapshot) != assumed:
                return False
        return True

    def test(self, connection: apsw.Connection, condition: Condition) -> tuple[str, list[Any]]:
        """A condition alone, with its values, for use inside the writer's transaction."""
        compiler = Compiler(lambda path: self._holding_of(connection, path, None))
        return compiler.condition(condition), compiler.values

    def _compile(self, connection: apsw.Connection, query: Find, snapshot: int | None) -> Statement:
        assumed: dict[Path, Holding] = {}

        def holding(path: Path) -> Holding:
            if path not in assumed:
                assumed[path] = self._holding_of(connection, path, snapshot)
            return assumed[path]

        compiler = Compiler(holding)
        where = compiler.condition(query.where)
        table = self.physical.table
        total = f"SELECT count(*) FROM {table} WHERE {where}"
        total_values = tuple(compiler.values)
        order = order_by(query, lambda path: holding(path) == "plain", compiler.bind)
        limit = compiler.bind(min(query.limit, LARGEST_INTEGER))
        offset = compiler.bind(min(query.offset, LARGEST_INTEGER))
        page = f"SELECT doc FROM {table} WHERE {where} ORDER BY {order} "
        page += f"LIMIT {limit} OFFSET {offset}"
        return Statement(page, total, tuple(compiler.values), total_values, tuple(assumed.items()))

    def _holding_of(self, connection: apsw.Connection, path: Path, snapshot: int | None) -> Holding:
        index = self._odd_index.get(path)
        if index is None:
            return "any"
        if snapshot is None:
            return self._look(connection, path, index)
        if snapshot != self._holding_at:
            self._holding.clear()
            self._holding_at = snapshot
        known = self._holding.get(path)
        if known is None:
            known = self._holding[path] = self._look(connection, path, index)
        return known

    def _look(self, connection: apsw.Connection, path: Path, index: str) -> Holding:
        odd = odd_class(path)
        smallest = connection.execute(
            f"SELECT min({odd}) FROM {self.physical.table} INDEXED BY {index} "
            f"WHERE {odd} IS NOT NULL"
        ).get
        if smallest is None:
            return "plain"
        return "flat" if smallest == "b" else "any"


def _put(memory: dict[K, V], key: K, value: V) -> None:
    """Remember, forgetting the oldest when there is too much."""
    if len(memory) >= _REMEMBERED:
        del memory[next(iter(memory))]
    memory[key] = value
