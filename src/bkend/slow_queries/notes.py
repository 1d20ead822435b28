"""What is kept of slow queries, in the store of their environment: few rows, and no values."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from bkend.slow_queries.shapes import Shape
from bkend.store import (
    Collection,
    Compare,
    Conflict,
    Delete,
    Duplicate,
    Equals,
    Find,
    Insert,
    Missing,
    Sort,
    Store,
    Update,
)
from bkend.store.documents import format_time, parse_time

SLOW_QUERIES = "slow_queries"
MOST_NOTES = 100
"""Of one environment; the one that was not seen for longest makes room."""
KEPT_MS = 30 * 24 * 3600 * 1000
_TRIES = 5


@dataclass(frozen=True, slots=True)
class Note:
    """A shape of queries to one table: how often it was slow, how slow at worst, and when last,
    in ms since 1970."""

    table_id: str
    shape: Shape
    times: int
    worst_ms: int
    last_ms: int

    @property
    def id(self) -> str:
        """The same for the same table and shape."""
        named = orjson.dumps([self.table_id, self.shape.as_json()])
        return hashlib.sha256(named).hexdigest()[:32]


async def add(store: Store, note: Note, now: int) -> None:
    """Add what was seen since the last time to what is known. Raises StoreError.

    The collection is made when there is something to hold; several processes may add at once.
    """
    if store.collection(SLOW_QUERIES) is None:
        await store.define(Collection(SLOW_QUERIES))
    for _ in range(_TRIES):
        try:
            await _add(store, note, now)
        except (Conflict, Duplicate, Missing):  # another process was quicker: look again
            continue
        return


async def _add(store: Store, note: Note, now: int) -> None:
    body = await store.get(SLOW_QUERIES, note.id)
    if body is None:
        await _make_room(store)
        fields = {
            "tableId": note.table_id,
            "shape": note.shape.as_json(),
            "times": note.times,
            "worstMs": note.worst_ms,
            "lastAt": format_time(note.last_ms),
        }
        await store.commit([Insert(SLOW_QUERIES, note.id, fields, now, now)])
        return
    held = orjson.loads(body)
    change = Update(
        SLOW_QUERIES,
        note.id,
        set={
            "worstMs": max(held["worstMs"], note.worst_ms),
            "lastAt": max(held["lastAt"], format_time(note.last_ms)),
        },
        increment={"times": note.times},
        updated_at=now,
        guard=Equals(("worstMs",), held["worstMs"]),
    )
    await store.commit([change])


async def _make_room(store: Store) -> None:
    oldest = Find(SLOW_QUERIES, sort=(Sort(("lastAt",)),), limit=1)
    page = await store.find(oldest)
    if page.total >= MOST_NOTES:
        await forget(store, [held["id"] for held in orjson.loads(page.items)])


async def read(store: Store, now: int) -> list[Note]:
    """What is known, the worst first; what was not seen for a month is forgotten."""
    if store.collection(SLOW_QUERIES) is None:
        return []
    ended = Find(
        SLOW_QUERIES, Compare(("lastAt",), "lt", format_time(now - KEPT_MS)), limit=MOST_NOTES
    )
    await forget(store, [held["id"] for held in orjson.loads((await store.find(ended)).items)])
    worst = Find(SLOW_QUERIES, sort=(Sort(("worstMs",), descending=True),), limit=2 * MOST_NOTES)
    return [_note(held) for held in orjson.loads((await store.find(worst)).items)]


async def forget(store: Store, ids: Sequence[str]) -> None:
    """Remove notes; those that are gone already are fine."""
    for id in ids:
        try:
            await store.commit([Delete(SLOW_QUERIES, id)])
        except Missing:
            pass


def _note(held: dict[str, Any]) -> Note:
    return Note(
        table_id=held["tableId"],
        shape=Shape.from_json(held["shape"]),
        times=held["times"],
        worst_ms=held["worstMs"],
        last_ms=parse_time(held["lastAt"]),
    )
