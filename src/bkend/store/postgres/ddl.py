"""Tables and indexes of collections, and the registry in each schema that names them.

A collection `posts` lives in a table of a generated name (`c7`); its indexes are `c7_i3`. Names
that people chose never reach SQL text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias, cast

import asyncpg
import orjson

from bkend.store.conditions import Path
from bkend.store.errors import Duplicate
from bkend.store.interface import Collection, Direction, Index
from bkend.store.postgres.keys import ODD, cut_of, key_expression
from bkend.store.postgres.paths import CONTROL, is_safe, system_column, value_at
from bkend.store.postgres.physical import Physical

Connection: TypeAlias = "asyncpg.Connection[Any]"
_LONGEST_COMPARED = 2000
_MOST_COLUMNS = 32
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended($1,0))"


def registry(schema: str) -> str:
    """The statements that make a schema with its registry; harmless when it is there."""
    return f"""
CREATE SCHEMA IF NOT EXISTS {schema};
CREATE TABLE IF NOT EXISTS {schema}.collections(
  number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS {schema}.indexes(
  number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, collection integer NOT NULL,
  name text NOT NULL, definition text NOT NULL, UNIQUE(collection, name));
"""


async def lock(connection: Connection, name: str) -> None:
    """Keep others from setting up or defining the same until the transaction ends."""
    await connection.execute(_LOCK, f"bkend {name}")


async def load(connection: Connection, schema: str) -> dict[str, Physical]:
    """All collections by name."""
    rows = await connection.fetch(
        f"SELECT c.number,c.name,i.number,i.definition FROM {schema}.collections c "
        f"LEFT JOIN {schema}.indexes i ON i.collection=c.number ORDER BY c.number,i.number"
    )
    indexes: dict[tuple[int, str], list[Index]] = {}
    names: dict[int, dict[str, str]] = {}
    for number, name, index_number, definition in rows:
        held = indexes.setdefault((number, name), [])
        if definition is not None:
            held.append(_index_from(definition))
            names.setdefault(number, {})[held[-1].name] = f"c{number}_i{index_number}"
    return {
        name: Physical(Collection(name, tuple(held)), schema, f"c{number}", names.get(number, {}))
        for (number, name), held in indexes.items()
    }


async def define(connection: Connection, schema: str, collections: Sequence[Collection]) -> None:
    """Create the collections' tables if need be and bring their indexes to the given ones.

    What is made comes first: taking an index away locks readers out until the commit. Whatever
    the number of collections, all goes to the server in a few messages.
    """
    for index in (index for collection in collections for index in collection.indexes):
        if not all(is_safe(path) for path in _paths(index)):
            raise ValueError(f"index {index.name!r} names a path that cannot be indexed")
    names = [collection.name for collection in collections]
    numbers = dict(await _numbers(connection, schema, names))
    new = [name for name in dict.fromkeys(names) if name not in numbers]
    present = await _indexes(connection, schema, list(numbers.values()))
    if new:
        numbers |= await _new_numbers(connection, schema, new)
    wanted = {
        (numbers[collection.name], index.name): index
        for collection in collections
        for index in collection.indexes
    }
    gone = [
        (number, held)
        for (number, name), (held, index) in present.items()
        if wanted.get((number, name)) != index
    ]
    if gone:
        await connection.execute(
            f"DELETE FROM {schema}.indexes WHERE number=ANY($1::integer[])",
            [held for _, held in gone],
        )
    missing = {
        place: index
        for place, index in wanted.items()
        if place not in present or present[place][1] != index
    }
    made = await _new_indexes(connection, schema, missing)
    owners = {number: name for name, number in numbers.items()}
    script = [_table(schema, f"c{numbers[name]}") for name in new]
    for (number, name), index in missing.items():
        script += _index(schema, number, made[number, name], index)
        if index.unique and owners[number] in new:  # an empty table has nothing twice
            script.append(_unique(schema, number, made[number, name], index))
    if script:
        await connection.execute(";".join(script))
    for (number, name), index in missing.items():
        if index.unique and owners[number] not in new:
            await _make_unique(
                connection, schema, owners[number], number, made[number, name], index
            )
    dropped = [
        f"{schema}.c{number}_i{held}{end}" for number, held in gone for end in ("", "_odd", "_uq")
    ]
    if dropped:
        await connection.execute(f"DROP INDEX IF EXISTS {','.join(dropped)}")


async def _numbers(
    connection: Connection, schema: str, names: Sequence[str]
) -> list[tuple[str, int]]:
    rows = await connection.fetch(
        f"SELECT name,number FROM {schema}.collections WHERE name=ANY($1::text[])", names
    )
    return [(name, number) for name, number in rows]


async def _new_numbers(connection: Connection, schema: str, names: Sequence[str]) -> dict[str, int]:
    rows = await connection.fetch(
        f"INSERT INTO {schema}.collections(name) SELECT unnest($1::text[]) RETURNING name,number",
        names,
    )
    return dict(rows)


async def _indexes(
    connection: Connection, schema: str, numbers: Sequence[int]
) -> dict[tuple[int, str], tuple[int, Index]]:
    """The indexes of these collections, with their own numbers, by collection and name."""
    rows = await connection.fetch(
        f"SELECT collection,name,number,definition FROM {schema}.indexes "
        f"WHERE collection=ANY($1::integer[])",
        numbers,
    )
    return {
        (collection, name): (number, _index_from(definition))
        for collection, name, number, definition in rows
    }


async def _new_indexes(
    connection: Connection, schema: str, indexes: Mapping[tuple[int, str], Index]
) -> dict[tuple[int, str], int]:
    if not indexes:
        return {}
    rows = await connection.fetch(
        f"INSERT INTO {schema}.indexes(collection,name,definition) "
        f"SELECT * FROM unnest($1::integer[],$2::text[],$3::text[]) "
        f"RETURNING collection,name,number",
        [number for number, _ in indexes],
        [name for _, name in indexes],
        [_index_text(index) for index in indexes.values()],
    )
    return {(collection, name): number for collection, name, number in rows}


async def drop(connection: Connection, schema: str, name: str) -> None:
    """Remove the collection, its documents and indexes."""
    number = await connection.fetchval(
        f"DELETE FROM {schema}.collections WHERE name=$1 RETURNING number", name
    )
    if number is None:
        return
    await connection.execute(f"DELETE FROM {schema}.indexes WHERE collection=$1", number)
    await connection.execute(f"DROP TABLE {schema}.c{number}")
    await connection.execute(f"DROP SEQUENCE IF EXISTS {schema}.c{number}_changes")


def _table(schema: str, name: str) -> str:
    table = f"{schema}.{name}"
    return f"""
CREATE TABLE {table}(
  id text COLLATE "C" NOT NULL, created_by text COLLATE "C" NOT NULL,
  created_at bigint NOT NULL, updated_at bigint NOT NULL, doc text NOT NULL,
  data jsonb NOT NULL, CONSTRAINT {name}_pkey PRIMARY KEY (id));
CREATE INDEX {name}_created ON {table}(created_at,id);
CREATE INDEX {name}_updated ON {table}(updated_at,id);
CREATE INDEX {name}_owner ON {table}(created_by,created_at,id);
CREATE SEQUENCE {table}_changes;
SELECT nextval('{table}_changes');
CREATE TRIGGER changes AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table}
  FOR EACH STATEMENT EXECUTE FUNCTION {CONTROL}.count_change();
"""


def _index(schema: str, number: int, place: int, index: Index) -> list[str]:
    """The statements that make an index, but for its being unique."""
    table, name = f"{schema}.c{number}", f"c{number}_i{place}"
    cut = cut_of(len(index.fields))
    keys = [
        f"{system_column(path) or key_expression(path, cut)} {'ASC' if way == 1 else 'DESC'}"
        for path, (_, way) in zip(_paths(index), index.fields, strict=True)
    ]
    named = {path for path, _ in index.fields}
    last = "ASC" if index.fields[-1][1] == 1 else "DESC"
    # Creation order and id close every index, so that a filtered list needs no sorting.
    keys += [
        f"{column} {last}"
        for field, column in (("createdAt", "created_at"), ("id", "id"))
        if field not in named
    ]
    statements = [f"CREATE INDEX {name} ON {table}({','.join(keys[:_MOST_COLUMNS])})"]
    odd = [
        f"{key_expression(path, cut)}={ODD}" for path in _paths(index) if not system_column(path)
    ]
    if odd:
        statements.append(f"CREATE INDEX {name}_odd ON {table}(id) WHERE {' OR '.join(odd)}")
    return statements


def _unique(schema: str, number: int, place: int, index: Index) -> str:
    """The index that refuses equal values: null equals null, key order does not matter.

    A value too long for an index is compared by its hash, of 128 bits.
    """
    keys: list[str] = []
    present: list[str] = []
    longest = _LONGEST_COMPARED // len(index.fields)
    for path in _paths(index):
        column = system_column(path)
        if column is not None:
            keys.append(column)
            present.append("TRUE")
            continue
        keys.append(f"{CONTROL}.unique_key({value_at(path)},{longest})")
        present.append(f"coalesce({value_at(path)},'null')<>'null'")
    where = f" WHERE {' OR '.join(present)}" if index.sparse else ""
    table, name = f"{schema}.c{number}", f"c{number}_i{place}_uq"
    return f"CREATE UNIQUE INDEX {name} ON {table}({','.join(keys)}){where}"


async def _make_unique(
    connection: Connection, schema: str, collection: str, number: int, place: int, index: Index
) -> None:
    try:
        await connection.execute(_unique(schema, number, place, index))
    except asyncpg.UniqueViolationError as error:
        raise Duplicate(collection, tuple(path for path, _ in index.fields)) from error


def _paths(index: Index) -> list[Path]:
    return [tuple(path.split(".")) for path, _ in index.fields]


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


async def problems(
    connection: Connection, schema: str, collections: Iterable[Physical]
) -> list[str]:
    """Tables that the registry names and nobody finds, and indexes that cannot be used."""
    rows = await connection.fetch(
        "SELECT c.relname,c.relkind,coalesce(i.indisvalid,TRUE) FROM pg_class c "
        "LEFT JOIN pg_index i ON i.indexrelid=c.oid WHERE c.relnamespace=$1::regnamespace",
        schema,
    )
    present = {name for name, _, _ in rows}
    found = [f"index {schema}.{name} is not valid" for name, _, is_valid in rows if not is_valid]
    for physical in collections:
        named = [physical.name, f"{physical.name}_changes", *physical.index_names.values()]
        found += [f"{schema}.{name} is missing" for name in named if name not in present]
    return found
