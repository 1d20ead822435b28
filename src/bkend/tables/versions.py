"""The history of a table: versions of its schema and of its indexes (21 §4, 51 §3.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import orjson

from bkend.store import Equals, Find, Sort, Store, all_of
from bkend.tables.models import TABLE_VERSIONS, Table

Kind: TypeAlias = Literal["schema", "indexes"]


@dataclass(frozen=True, slots=True)
class Version:
    """One version: `content` is the schema, or the list of indexes."""

    number: int
    content: Any
    created_at: str
    created_by: str


def current_version(table: Table, kind: Kind) -> int:
    """The number of the version in force."""
    return table.schema_version if kind == "schema" else table.index_version


async def list_versions(
    store: Store, table: Table, kind: Kind, *, offset: int, limit: int
) -> tuple[list[Version], int]:
    """A page of versions, newest first, and how many there are."""
    query = Find(
        TABLE_VERSIONS,
        _of(table, kind),
        (Sort(("version",), descending=True),),
        offset=offset,
        limit=limit,
    )
    page = await store.find(query)
    return [_version(item, kind) for item in orjson.loads(page.items)], page.total


async def find_version(store: Store, table: Table, kind: Kind, number: int) -> Version | None:
    """One version, or None."""
    where = all_of(_of(table, kind), Equals(("version",), number))
    found = orjson.loads((await store.find(Find(TABLE_VERSIONS, where, limit=1))).items)
    return _version(found[0], kind) if found else None


def _of(table: Table, kind: Kind) -> Any:
    return all_of(Equals(("tableId",), table.id), Equals(("kind",), kind))


def _version(held: dict[str, Any], kind: Kind) -> Version:
    return Version(held["version"], held[kind], held["createdAt"], held["createdBy"])
