"""From the tables that there are to those that a file declares: the steps, and taking them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from bkend.store import Index
from bkend.tables.describe import (
    describe_change,
    describe_column,
    describe_columns,
    describe_expressions,
    describe_index,
    describe_permissions,
    describe_row_filters,
    same_column,
)
from bkend.tables.errors import TableExists
from bkend.tables.models import Table
from bkend.tables.service import Definition, Erased, Tables, definition_of

Action: TypeAlias = Literal[
    "createTable",
    "addField",
    "changeField",
    "removeField",
    "createIndex",
    "replaceIndex",
    "removeIndex",
    "setPermissions",
    "setExpressionPermissions",
    "setColumnPermissions",
    "setRowFilters",
    "setStrict",
    "setLabels",
]


@dataclass(frozen=True, slots=True)
class Step:
    """One change, in words; `subject` is the field or index it is about, else empty."""

    table: str
    action: Action
    subject: str
    detail: str
    loses_data: bool = False


@dataclass(frozen=True, slots=True)
class TableChange:
    """The steps of one table, which is made or changed by them as a whole."""

    existing: Table | None
    definition: Definition
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done; tables that already are as declared do not appear in `changes`."""

    changes: tuple[TableChange, ...]
    untouched: tuple[str, ...]
    """Tables that the file does not name."""

    @property
    def steps(self) -> list[Step]:
        """All steps, in the order in which they are taken."""
        return [step for change in self.changes for step in change.steps]

    @property
    def loses_data(self) -> bool:
        """Whether some step erases stored values."""
        return any(step.loses_data for step in self.steps)


class Wanted(Protocol):
    """A table as it should become: declared in a file, or as another environment has it."""

    @property
    def name(self) -> str:
        """The table's name."""
        ...

    def definition(self, existing: Table | None) -> Definition:
        """What it makes of the table that exists. Raises FileProblem."""
        ...


class ExistingTables(Protocol):
    """The tables of an environment, in a store or at a server."""

    async def list(self) -> list[Table]:
        """All of them by name."""
        ...

    async def count_holding(self, table: Table, column: str) -> int:
        """How many rows hold a value, null included, in the column."""
        ...


@dataclass(frozen=True, slots=True)
class Copied:
    """A table as another environment has it, whole."""

    table: Table

    @property
    def name(self) -> str:
        """The table's name."""
        return self.table.name

    def definition(self, existing: Table | None) -> Definition:
        """The same, whatever exists."""
        return definition_of(self.table)


async def make_plan(tables: ExistingTables, declared: Sequence[Wanted]) -> Plan:
    """Compare. Raises FileProblem (indexes that do not fit) and TableExists (names that differ
    from existing ones only in case)."""
    existing = {table.name: table for table in await tables.list()}
    by_key = {name.lower(): name for name in existing}
    changes: list[TableChange] = []
    for wanted in declared:
        held = existing.get(wanted.name)
        if held is None and wanted.name.lower() in by_key:
            raise TableExists(by_key[wanted.name.lower()])
        definition = wanted.definition(held)
        steps = _creation(definition) if held is None else await _steps(tables, held, definition)
        if steps:
            changes.append(TableChange(held, definition, tuple(steps)))
    names = {wanted.name for wanted in declared}
    return Plan(tuple(changes), tuple(name for name in existing if name not in names))


async def take(change: TableChange, tables: Tables, erased: Erased | None = None) -> Table:
    """Make or change the table. Raises what `Tables.create` and `Tables.update` raise."""
    if change.existing is None:
        return await tables.create(change.definition)
    return await tables.update(change.existing, change.definition, erased=erased)


def _creation(definition: Definition) -> list[Step]:
    columns = definition.schema["properties"]
    required = definition.schema["required"]
    name = definition.name
    steps = [Step(name, "createTable", "", f"{_count(columns, 'field')}{_strict(definition)}")]
    steps += [
        Step(name, "addField", field, describe_column(column, required=field in required))
        for field, column in columns.items()
    ]
    steps += _index_steps(name, (), definition.indexes)
    if definition.permissions is not None:
        detail = describe_permissions(None, definition.permissions)
        steps.append(Step(name, "setPermissions", "", detail))
    return steps + _rule_steps(name, None, definition)


def _rule_steps(name: str, held: Table | None, wanted: Definition) -> list[Step]:
    """The permission parts besides boolean mode, where they differ."""
    steps: list[Step] = []
    columns = held.column_permissions if held else None
    expressions = held.expression_permissions if held else None
    filters = held.row_filters if held else None
    if expressions != wanted.expression_permissions:
        detail = describe_expressions(expressions, wanted.expression_permissions)
        steps.append(Step(name, "setExpressionPermissions", "", detail))
    if columns != wanted.column_permissions:
        detail = describe_columns(columns, wanted.column_permissions)
        steps.append(Step(name, "setColumnPermissions", "", detail))
    if filters != wanted.row_filters:
        steps.append(Step(name, "setRowFilters", "", describe_row_filters(wanted.row_filters)))
    return steps


async def _steps(tables: ExistingTables, held: Table, wanted: Definition) -> list[Step]:
    steps = await _column_steps(tables, held, wanted)
    steps += _index_steps(held.name, held.indexes, wanted.indexes)
    if held.permissions != wanted.permissions:
        detail = describe_permissions(held.permissions, wanted.permissions)
        steps.append(Step(held.name, "setPermissions", "", detail))
    steps += _rule_steps(held.name, held, wanted)
    strict = wanted.schema.get("additionalProperties") is False
    if held.strict != strict:
        detail = "undeclared fields are refused" if strict else "undeclared fields are accepted"
        steps.append(Step(held.name, "setStrict", "", detail))
    labels = [
        word
        for word, old, new in (
            ("displayName", held.display_name, wanted.display_name),
            ("description", held.description, wanted.description),
        )
        if old != new
    ]
    if labels:
        steps.append(Step(held.name, "setLabels", "", " and ".join(labels)))
    return steps


async def _column_steps(tables: ExistingTables, held: Table, wanted: Definition) -> list[Step]:
    old, new = held.schema["properties"], wanted.schema["properties"]
    was, becomes = held.schema["required"], wanted.schema["required"]
    steps: list[Step] = []
    for name in old.keys() - new.keys():
        rows = await tables.count_holding(held, name)
        detail = "no row holds a value"
        if rows:
            detail = f"{_number(rows, 'row')} hold a value; it is erased for good"
        steps.append(Step(held.name, "removeField", name, detail, loses_data=rows > 0))
    steps.sort(key=lambda step: list(old).index(step.subject))
    for name, column in new.items():
        required = name in becomes
        if name not in old:
            detail = describe_column(column, required=required)
            steps.append(Step(held.name, "addField", name, detail))
        elif (name in was) != required or not same_column(old[name], column):
            detail = describe_change(old[name], column, was=name in was, becomes=required)
            steps.append(Step(held.name, "changeField", name, detail))
    return steps


def _index_steps(table: str, old: Sequence[Index], new: Sequence[Index]) -> list[Step]:
    held = {index.name: index for index in old}
    wanted = {index.name: index for index in new}
    steps = [
        Step(table, "removeIndex", name, describe_index(index))
        for name, index in held.items()
        if name not in wanted
    ]
    for name, index in wanted.items():
        if name not in held:
            steps.append(Step(table, "createIndex", name, describe_index(index)))
        elif held[name] != index:
            steps.append(Step(table, "replaceIndex", name, describe_index(index)))
    return steps


def _strict(definition: Definition) -> str:
    return ", strict" if definition.schema.get("additionalProperties") is False else ""


def _count(things: Sequence[object] | dict[str, object], word: str) -> str:
    return _number(len(things), word)


def _number(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"
