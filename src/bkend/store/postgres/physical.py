"""A collection with the names that its table, indexes and change counter have in the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from bkend.store.conditions import Path
from bkend.store.interface import Collection
from bkend.store.postgres.keys import cut_of
from bkend.store.postgres.paths import SYSTEM_COLUMNS


@dataclass(frozen=True)
class Physical:
    """`table` and `changes`, the sequence that counts changes, carry their schema's name."""

    collection: Collection
    schema: str
    name: str
    index_names: Mapping[str, str]

    @cached_property
    def table(self) -> str:
        """The table's qualified name."""
        return f"{self.schema}.{self.name}"

    @cached_property
    def changes(self) -> str:
        """The qualified name of the sequence that every writing statement moves."""
        return f"{self.schema}.{self.name}_changes"

    @cached_property
    def keyed(self) -> Mapping[Path, int]:
        """Every indexed document path, with the cut of the first index that names it."""
        found: dict[Path, int] = {}
        indexes = sorted(self.collection.indexes, key=lambda index: len(index.fields))
        for place in range(max((len(index.fields) for index in indexes), default=0)):
            for index in indexes:
                if place < len(index.fields) and index.fields[place][0] not in SYSTEM_COLUMNS:
                    path = tuple(index.fields[place][0].split("."))
                    found.setdefault(path, cut_of(len(index.fields)))
        return found

    @cached_property
    def unique_fields(self) -> Mapping[str, tuple[str, ...]]:
        """What each constraint keeps unique, by its name in the database."""
        found: dict[str, tuple[str, ...]] = {f"{self.name}_pkey": ("id",)}
        for index in self.collection.indexes:
            if index.unique:
                name = f"{self.index_names[index.name]}_uq"
                found[name] = tuple(path for path, _ in index.fields)
        return found
