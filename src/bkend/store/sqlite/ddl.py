"""Tables and indexes of collections, and the registry that names them.

A collection `posts` lives in a table of a generated name (`c7`); its indexes are `c7_i3`. Names
that people chose never reach SQL text.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

import apsw
import orjson

from bkend.store.conditions import Path
from bkend.store.errors import Duplicate, StoreRefused
from bkend.store.interface import Collection, Direction, Index
from bkend.store.sqlite.paths import SYSTEM_COLUMNS, extract, is_safe, odd_class, type_of

FORMAT = 1

_REGISTRY = """
CREATE TABLE IF NOT EXISTS bkend_format(version INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS bkend_collections(
  number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS bkend_indexes(
  number INTEGER PRIMARY KEY AUTOINCREMENT, collection INTEGER NOT NULL, name TEXT NOT NULL,
  definition TEXT NOT NULL, UNIQUE(collection, name));
"""


@dataclass(frozen=True, slots=True)
class Physical:
    """A collection with the names its table and indexes have in the file."""

    collection: Collection
    table: str
    index_names: dict[str, str]

    @property
    def indexed_paths(self) -> dict[Path, str]:
        """Every indexed document path → SQL name of the one index of its odd values."""
        found: dict[Path, str] = {}
        for index in self.collection.indexes:
            for place, (path, _) in enumerate(index.fields):
                if path not in SYSTEM_COLUMNS:
                    name = f"{self.index_names[index.name]}_odd{place or ''}"
                    found.setdefault(tuple(path.split(".")), name)
        return found


def prepare(connection: apsw.Connection) -> None:
    """Create the registry; refuse a file of a newer format."""
    connection.execute(_REGISTRY)
    row = connection.execute("SELECT version FROM bkend_format").fetchone()
    if row is None:
        connection.execute("INSERT INTO bkend_format VALUES(?)", (FORMAT,))
    elif row[0] > FORMAT:
        raise StoreRefused(
            f"this data was written by a newer version (format {row[0]}, this one knows {FORMAT})"
        )


def load(connection: apsw.Connection) -> dict[str, Physical]:
    """All collections by name."""
    found: dict[str, Physical] = {}
    for number, name in list(connection.execute("SELECT number,name FROM bkend_collections")):
        indexes: list[Index] = []
        names: dict[str, str] = {}
        rows = connection.execute(
            "SELECT number,definition FROM bkend_indexes WHERE collection=? ORDER BY number",
            (number,),
        )
        for index_number, definition in rows:
            index = _index_from(definition)
            indexes.append(index)
            names[index.name] = f"c{number}_i{index_number}"
        found[name] = Physical(Collection(name, tuple(indexes)), f"c{number}", names)
    return found


def complete(connection: apsw.Connection, collections: Iterable[Physical]) -> None:
    """Make the indexes of odd values that the collections' indexed paths need, and no others.

    To be called when indexes have changed; and at the start, since an earlier version made them
    of the first path of an index alone.
    """
    rows = connection.execute(
        "SELECT tbl_name,name FROM sqlite_schema WHERE type='index' AND name GLOB '*_odd*'"
    )
    present: dict[str, set[str]] = {}
    for table, name in list(rows):
        present.setdefault(table, set()).add(name)
    for physical in collections:
        wanted = {name: odd_class(path) for path, name in physical.indexed_paths.items()}
        held = present.get(physical.table, set())
        for name in held - wanted.keys():
            _alter(connection, f"DROP INDEX {name}")
        for name in wanted.keys() - held:
            odd = wanted[name]
            _alter(
                connection,
                f"CREATE INDEX {name} ON {physical.table}({odd}) WHERE {odd} IS NOT NULL",
            )


def define(connection: apsw.Connection, collection: Collection) -> None:
    """Create the collection's table if need be and bring its indexes to the given ones; those of
    odd values are for `complete`."""
    row = connection.execute(
        "SELECT number FROM bkend_collections WHERE name=?", (collection.name,)
    ).fetchone()
    if row is None:
        connection.execute("INSERT INTO bkend_collections(name) VALUES(?)", (collection.name,))
        number = connection.last_insert_rowid()
        _create_table(connection, f"c{number}")
        present: dict[str, tuple[int, Index]] = {}
    else:
        number = row[0]
        present = {
            name: (index_number, _index_from(definition))
            for index_number, name, definition in connection.execute(
                "SELECT number,name,definition FROM bkend_indexes WHERE collection=?", (number,)
            )
        }
    wanted = {index.name: index for index in collection.indexes}
    for name, (index_number, index) in present.items():
        if wanted.get(name) != index:
            _drop_index(connection, f"c{number}", index_number)
    for name, index in wanted.items():
        if name not in present or present[name][1] != index:
            _create_index(connection, collection.name, number, index)


def drop(connection: apsw.Connection, name: str) -> None:
    """Remove the collection, its documents and indexes."""
    row = connection.execute(
        "SELECT number FROM bkend_collections WHERE name=?", (name,)
    ).fetchone()
    if row is None:
        return
    connection.execute("DELETE FROM bkend_indexes WHERE collection=?", (row[0],))
    connection.execute("DELETE FROM bkend_collections WHERE number=?", (row[0],))
    _alter(connection, f"DROP TABLE c{row[0]}")


def _alter(connection: apsw.Connection, statement: str) -> None:
    """Carry out a statement that is never repeated: it is not to be kept for the next time."""
    connection.execute(statement, can_cache=False)


def _create_table(connection: apsw.Connection, table: str) -> None:
    _alter(
        connection,
        f"CREATE TABLE {table}(id TEXT NOT NULL PRIMARY KEY, created_by TEXT NOT NULL,"
        f" created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, doc TEXT NOT NULL)",
    )
    _alter(connection, f"CREATE INDEX {table}_created ON {table}(created_at,id)")
    _alter(connection, f"CREATE INDEX {table}_updated ON {table}(updated_at,id)")
    _alter(connection, f"CREATE INDEX {table}_owner ON {table}(created_by,created_at,id)")


def _create_index(connection: apsw.Connection, collection: str, number: int, index: Index) -> None:
    paths = [tuple(path.split(".")) for path, _ in index.fields]
    if not all(is_safe(path) for path in paths):
        raise ValueError(f"index {index.name!r} names a path that cannot be indexed")
    connection.execute(
        "INSERT INTO bkend_indexes(collection,name,definition) VALUES(?,?,?)",
        (number, index.name, _index_text(index)),
    )
    table = f"c{number}"
    name = f"{table}_i{connection.last_insert_rowid()}"
    keys = [
        f"{extract(path)} {'ASC' if way == 1 else 'DESC'}"
        for path, (_, way) in zip(paths, index.fields, strict=True)
    ]
    named = {path for path, _ in index.fields}
    last = "ASC" if index.fields[-1][1] == 1 else "DESC"
    # Creation order and id close every index, so that a filtered list needs no sorting.
    if "createdAt" not in named:
        keys.append(f"created_at {last}")
    if "id" not in named:
        keys.append(f"id {last}")
    _alter(connection, f"CREATE INDEX {name} ON {table}({','.join(keys)})")
    if index.unique:
        _create_unique(connection, collection, table, name, index, paths)


def _create_unique(
    connection: apsw.Connection,
    collection: str,
    table: str,
    name: str,
    index: Index,
    paths: list[tuple[str, ...]],
) -> None:
    """The index that refuses equal values: null equals null, true differs from 1."""
    keys: list[str] = []
    for path in paths:
        if len(path) == 1 and path[0] in SYSTEM_COLUMNS:
            keys.append(extract(path))
        else:
            # No document holds a blob, so an empty one can stand for null and missing.
            keys.append(
                f"CASE WHEN {type_of(path)} IN ('array','object') "
                f"THEN json_canonical({extract(path)}) ELSE coalesce({extract(path)},x'') END"
            )
            keys.append(
                f"CASE {type_of(path)} WHEN 'true' THEN 'b' WHEN 'false' THEN 'b' "
                f"WHEN 'array' THEN 'a' WHEN 'object' THEN 'o' ELSE '' END"
            )
    where = ""
    if index.sparse:
        where = " WHERE " + " OR ".join(f"{extract(path)} IS NOT NULL" for path in paths)
    try:
        _alter(connection, f"CREATE UNIQUE INDEX {name}_uq ON {table}({','.join(keys)}){where}")
    except apsw.ConstraintError as error:
        raise Duplicate(collection, tuple(path for path, _ in index.fields)) from error


def _drop_index(connection: apsw.Connection, table: str, number: int) -> None:
    for suffix in ("", "_uq"):
        _alter(connection, f"DROP INDEX IF EXISTS {table}_i{number}{suffix}")
    connection.execute("DELETE FROM bkend_indexes WHERE number=?", (number,))


def _index_text(index: Index) -> str:
    return orjson.dumps(
        {
            "name": index.name,
            "fields": list(index.fields),
            "unique": index.unique,
            "sparse": index.sparse,
        }
    ).decode()


def _index_from(text: str) -> Index:
    held = orjson.loads(text)
    return Index(
        name=held["name"],
        fields=tuple((path, cast(Direction, way)) for path, way in held["fields"]),
        unique=held["unique"],
        sparse=held["sparse"],
    )
