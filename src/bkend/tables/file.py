"""`bkend.yaml`: the tables that an environment should have (00 §9).

The file declares what should be. What it leaves out of a table is not declared: `permissions`,
`indexes`, `fields`, `displayName` or `description` that do not stand there stay as they are in an
existing table, and so does each of `expressionPermissions`, `columnPermissions` and `rowFilters`; a
new table gets none, and permissions that are not configured (21 §7). `strict` belongs to `fields`:
where fields stand without it, the table is not strict. A permission part that is `null` means "not
configured" again. Tables that the file does not name are left alone.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from bkend.errors import ApiError, Detail
from bkend.tables.declared import LEFT_OUT, DeclaredTable, FileProblem, Undeclared
from bkend.tables.errors import InvalidPermissions, InvalidSchema
from bkend.tables.lines import column_line, permission_line
from bkend.tables.models import TABLE_NAME, is_reserved
from bkend.tables.parts import PARTS, check_columns, check_expressions, check_permissions
from bkend.tables.permissions import is_expression_map
from bkend.tables.row_filters import FilterCheck
from bkend.tables.schema import canonical_schema
from bkend.tables.source import Node, SourceProblem, read_source

T = TypeVar("T")

VERSION = 1
_TABLE_KEYS = ("fields", "indexes", *PARTS, "strict", "displayName", "description")


def read_tables(
    text: bytes, name: str = "bkend.yaml", check_filter: FilterCheck | None = None
) -> list[DeclaredTable]:
    """The tables that the text declares; `name` is what problems call the file.

    `check_filter` looks at the filters of row filters. Raises FileProblem with every problem found.
    """
    try:
        root = read_source(text)
    except SourceProblem as problem:
        raise FileProblem(name, [(problem.line, str(problem))]) from None
    reader = _Reader(name, check_filter)
    tables = reader.document(root)
    if reader.problems:
        raise FileProblem(name, reader.problems)
    return tables


class _Reader:
    """Walks the document and collects every problem with its line."""

    def __init__(self, file: str, check_filter: FilterCheck | None) -> None:
        self.file = file
        self.check_filter = check_filter
        self.problems: list[tuple[int, str]] = []

    def problem(self, node: Node, message: str) -> None:
        self.problems.append((node.line, message))

    def document(self, root: Node) -> list[DeclaredTable]:
        if root.entries is None:
            self.problem(root, "the file is a mapping with version and tables")
            return []
        self._unknown_keys(root, ("version", "tables"), "at the top")
        version = root.child("version")
        if version is None:
            self.problem(root, f"version is missing; begin with version: {VERSION}")
        elif version.scalar is True or version.scalar != VERSION:
            self.problem(version, f"version {version.plain()!r} is not known; write {VERSION}")
        tables = root.child("tables")
        if tables is None:
            self.problem(root, "tables is missing")
        elif tables.entries is not None:
            self._table_names(tables.entries)
            found = [self._table(name, node) for name, node in tables.entries.items()]
            for table in found:
                self._against_columns(table)
            return found
        elif tables.plain() is not None:
            self.problem(tables, "tables maps names to their definitions")
        return []

    def _table_names(self, entries: dict[str, Node]) -> None:
        seen: dict[str, str] = {}
        for name, node in entries.items():
            if not TABLE_NAME.match(name):
                self.problem(
                    node,
                    f"{name!r} cannot be a table name: a letter, then letters, digits, _ or -, "
                    f"at most 64 characters",
                )
            elif is_reserved(name):
                self.problem(node, f"{name!r} is a reserved name; choose another one")
            elif name.lower() in seen:
                other = seen[name.lower()]
                self.problem(node, f"tables {other!r} and {name!r} differ only in case")
            seen.setdefault(name.lower(), name)

    def _table(self, name: str, node: Node) -> DeclaredTable:
        if node.entries is None and node.plain() is not None:
            self.problem(node, f"table {name} is a mapping with fields, indexes and permissions")
        self._unknown_keys(node, _TABLE_KEYS, f"in table {name}")
        strict = self._strict(node)
        indexes = node.child("indexes")
        permissions, expressions = self._permissions(node)
        row_filters = node.child("rowFilters")
        return DeclaredTable(
            file=self.file,
            source=node,
            name=name,
            schema=self._schema(node, strict),
            strict=strict,
            indexes=LEFT_OUT if indexes is None else _or_empty(indexes.plain(), []),
            permissions=permissions,
            expression_permissions=expressions,
            column_permissions=self._part(node, "columnPermissions", check_columns),
            row_filters=LEFT_OUT if row_filters is None else row_filters.plain(),
            check_filter=self.check_filter,
            display_name=self._label(node, "displayName"),
            description=self._label(node, "description"),
        )

    def _strict(self, table: Node) -> bool | Undeclared:
        node = table.child("strict")
        if node is None:
            return LEFT_OUT
        if isinstance(node.scalar, bool):
            return node.scalar
        self.problem(node, "strict is true or false")
        return LEFT_OUT

    def _schema(self, table: Node, strict: bool | Undeclared) -> dict[str, Any] | Undeclared:
        fields = table.child("fields")
        if fields is None:
            return LEFT_OUT
        try:
            schema = canonical_schema(_or_empty(fields.plain(), {}))
        except InvalidSchema as error:
            self._details(error, lambda detail: column_line(fields, detail))
            return LEFT_OUT
        if strict is True:
            schema["additionalProperties"] = False
        elif strict is False and "additionalProperties" in schema:
            self.problem(fields, "strict: false contradicts additionalProperties: false")
        return schema

    def _against_columns(self, table: DeclaredTable) -> None:
        """Check indexes and row filters against the columns, where the file declares these."""
        if table.schema is not LEFT_OUT:
            self.problems += table.problems()

    def _permissions(self, table: Node) -> tuple[Any, Any]:
        """Boolean mode and expressions, which may stand under `permissions` as well (21 §1)."""
        expressions = self._part(table, "expressionPermissions", check_expressions)
        node = table.child("permissions")
        if node is None or not is_expression_map(node.plain()):
            return self._part(table, "permissions", check_permissions), expressions
        if table.child("expressionPermissions") is not None:
            self.problem(node, "permissions holds expressions; expressionPermissions does so too")
        return LEFT_OUT, self._part(table, "permissions", check_expressions)

    def _part(self, table: Node, key: str, check: Callable[[Any], T]) -> T | Undeclared:
        node = table.child(key)
        if node is None:
            return LEFT_OUT
        try:
            return check(node.plain())
        except InvalidPermissions as error:
            self._details(error, lambda detail: permission_line(node, detail))
            return LEFT_OUT

    def _label(self, table: Node, key: str) -> str | Undeclared | None:
        node = table.child(key)
        if node is None:
            return LEFT_OUT
        value = node.plain()
        if value is None or isinstance(value, str):
            return value
        self.problem(node, f"{key} is a text")
        return LEFT_OUT

    def _unknown_keys(self, node: Node, known: Iterable[str], place: str) -> None:
        for key, child in (node.entries or {}).items():
            if key not in known:
                near = difflib.get_close_matches(key, list(known), 1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                self.problem(child, f"unknown key {key!r} {place}{hint}")

    def _details(self, error: ApiError, line_of: Callable[[Detail], int]) -> None:
        self.problems += [(line_of(detail), detail["message"]) for detail in error.details]


def _or_empty(value: Any, empty: Any) -> Any:
    """An entry with nothing after the colon declares that there is none."""
    return empty if value is None else value
