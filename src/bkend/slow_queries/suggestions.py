"""Indexes to add, from what was slow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bkend.slow_queries.advice import is_served, missing_index, named_apart
from bkend.slow_queries.notes import Note, forget, read
from bkend.store import Index, Store
from bkend.tables.models import Table


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An index that a table lacks, and the queries that it would serve, the slowest first."""

    table: Table
    index: Index
    notes: tuple[Note, ...]

    @property
    def times(self) -> int:
        """How often one of them was slow."""
        return sum(note.times for note in self.notes)

    @property
    def worst_ms(self) -> int:
        """How long the slowest took."""
        return max(note.worst_ms for note in self.notes)

    @property
    def last_ms(self) -> int:
        """When one of them was slow last, in ms since 1970."""
        return max(note.last_ms for note in self.notes)

    @property
    def yaml(self) -> str:
        """The index as a line of `bkend.yaml`."""
        fields = ", ".join(f"{name}: {way}" for name, way in self.index.fields)
        return f"- {{name: {self.index.name}, fields: {{{fields}}}}}"


async def suggestions(store: Store, tables: Sequence[Table], now: int) -> list[Suggestion]:
    """What is missing in an environment, the slowest first. Raises StoreError.

    Notes are forgotten whose table is gone, and those that an index serves by now.
    """
    by_id = {table.id: table for table in tables}
    lacking: list[tuple[Table, Index, Note]] = []
    done: list[str] = []
    for note in await read(store, now):
        table = by_id.get(note.table_id)
        index = missing_index(note.shape, table) if table is not None else None
        if table is None or index is None:
            done.append(note.id)
        else:
            lacking.append((table, index, note))
    await forget(store, done)
    return sorted(_together(lacking), key=lambda found: -found.worst_ms)


def _together(lacking: list[tuple[Table, Index, Note]]) -> list[Suggestion]:
    """One suggestion where one index serves several shapes: the longest ones first."""
    found: list[Suggestion] = []
    for table, index, note in sorted(lacking, key=lambda one: -len(one[1].fields)):
        for place, other in enumerate(found):
            if other.table.id == table.id and is_served(note.shape, (other.index,)):
                found[place] = Suggestion(table, other.index, (*other.notes, note))
                break
        else:
            taken = {other.index.name for other in found if other.table.id == table.id}
            found.append(Suggestion(table, named_apart(index, taken), (note,)))
    return found
