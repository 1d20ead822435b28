"""A table as `bkend.yaml` declares it, and what it makes of a table that exists."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Literal, TypeAlias, TypeVar

from bkend.store import Index
from bkend.tables.errors import InvalidIndex, InvalidPermissions
from bkend.tables.indexes import check_indexes
from bkend.tables.lines import index_line, permission_line
from bkend.tables.models import Table, index_shape
from bkend.tables.parts import check_row_filters, columns_without
from bkend.tables.row_filters import FilterCheck
from bkend.tables.schema import canonical_schema
from bkend.tables.service import Definition
from bkend.tables.source import Node

T = TypeVar("T")


class LeftOut(Enum):
    """The type of LEFT_OUT, which marks what a file does not declare."""

    LEFT_OUT = "left out"


LEFT_OUT: Final = LeftOut.LEFT_OUT
Undeclared: TypeAlias = Literal[LeftOut.LEFT_OUT]


class FileProblem(Exception):
    """The file cannot be used: one line per problem, each naming its line in the file."""

    def __init__(self, name: str, problems: Iterable[tuple[int, str]]) -> None:
        self.problems = sorted(dict.fromkeys(problems))
        super().__init__(
            "\n".join(f"{name} line {line}: {message}" for line, message in self.problems)
        )


@dataclass(frozen=True, slots=True)
class DeclaredTable:
    """One table of a file. `schema` is canonical, `indexes` and `row_filters` still as written:
    they are checked against the columns, which the file may leave to the existing table."""

    file: str
    source: Node
    name: str
    schema: dict[str, Any] | Undeclared
    strict: bool | Undeclared
    indexes: Any | Undeclared
    permissions: dict[str, dict[str, bool]] | Undeclared | None
    display_name: str | Undeclared | None
    description: str | Undeclared | None
    expression_permissions: dict[str, str] | Undeclared | None = LEFT_OUT
    column_permissions: dict[str, dict[str, str]] | Undeclared | None = LEFT_OUT
    row_filters: Any | Undeclared = LEFT_OUT
    check_filter: FilterCheck | None = None

    def definition(self, existing: Table | None) -> Definition:
        """The table as it should become. Raises FileProblem for indexes, column permissions and
        row filters that do not fit it."""
        schema = self._schema(existing)
        return Definition(
            name=self.name,
            schema=schema,
            indexes=self._indexes(existing, schema),
            permissions=_or(self.permissions, existing.permissions if existing else None),
            display_name=_or(self.display_name, existing.display_name if existing else None),
            description=_or(self.description, existing.description if existing else None),
            expression_permissions=_or(
                self.expression_permissions, existing.expression_permissions if existing else None
            ),
            column_permissions=self._column_permissions(existing, schema),
            row_filters=self._row_filters(existing, schema),
        )

    def problems(self) -> list[tuple[int, str]]:
        """What does not fit the columns that the file declares."""
        found: list[tuple[int, str]] = []
        schema = self._schema(None)
        for part in (self._indexes, self._row_filters):
            try:
                part(None, schema)
            except FileProblem as problem:
                found += problem.problems
        return found

    def _column_permissions(
        self, existing: Table | None, schema: dict[str, Any]
    ) -> dict[str, dict[str, str]] | None:
        """Those of columns that go, go too: declaring one of them is a contradiction."""
        removed: set[str] = set()
        if existing is not None:
            removed = existing.schema["properties"].keys() - schema["properties"].keys()
        if self.column_permissions is LEFT_OUT:
            return columns_without(existing.column_permissions if existing else None, removed)
        for name in self.column_permissions or ():
            if name in removed:
                message = f"{name} has column permissions, but stands no longer under fields"
                place = self.source.child("columnPermissions") or self.source
                line = (place.child(name) or place).line
                raise FileProblem(self.file, [(line, message)])
        return self.column_permissions

    def _row_filters(
        self, existing: Table | None, schema: dict[str, Any]
    ) -> list[dict[str, Any]] | None:
        if self.row_filters is LEFT_OUT:
            return existing.row_filters if existing else None
        try:
            return check_row_filters(self.row_filters, schema, self.check_filter)
        except InvalidPermissions as error:
            place = self.source.child("rowFilters") or self.source
            raise FileProblem(
                self.file,
                [(permission_line(place, detail), detail["message"]) for detail in error.details],
            ) from error

    def _schema(self, existing: Table | None) -> dict[str, Any]:
        if self.schema is not LEFT_OUT:
            return self.schema
        schema = dict(existing.schema) if existing else canonical_schema({})
        if self.strict is not LEFT_OUT:
            schema.pop("additionalProperties", None)
            if self.strict:
                schema["additionalProperties"] = False
        return schema

    def _indexes(self, existing: Table | None, schema: dict[str, Any]) -> tuple[Index, ...]:
        if self.indexes is LEFT_OUT:
            kept = _kept(existing, schema) if existing else []
            return check_indexes([index_shape(index) for index in kept], schema)
        try:
            return check_indexes(self.indexes, schema)
        except InvalidIndex as error:
            place = self.source.child("indexes") or self.source
            raise FileProblem(
                self.file,
                [(index_line(place, detail), detail["message"]) for detail in error.details],
            ) from error


def _kept(existing: Table, schema: dict[str, Any]) -> list[Index]:
    """The indexes that stay when a file declares none: not those that follow from columns."""
    generated = check_indexes([], existing.schema)
    removed = existing.schema["properties"].keys() - schema["properties"].keys()
    return [
        index
        for index in existing.indexes
        if index not in generated
        and not any(path.split(".")[0] in removed for path, _ in index.fields)
    ]


def _or(declared: T | Undeclared, existing: T) -> T:
    return existing if declared is LEFT_OUT else declared
