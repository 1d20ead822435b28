"""Noticing slow queries while requests are served, and writing them down afterwards."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

import structlog

from bkend.clock import Clock
from bkend.manage.environments import EnvironmentState
from bkend.slow_queries.advice import missing_index
from bkend.slow_queries.notes import Note, add
from bkend.slow_queries.shapes import Shape, shape_of
from bkend.store import Find, Store, StoreError, UnknownCollection
from bkend.tables.models import Table

FEWEST_ROWS = 1000
"""Tables with fewer rows are read through in a moment: the machine was slow, not the query."""
_SECONDS_BETWEEN = 30
_MOST_SHAPES = 500

log = structlog.get_logger("bkend.slow_queries")

_Key: TypeAlias = tuple[str, str, Shape]
"""Environment, table, shape."""


class Opened(Protocol):
    """An open environment; whoever keeps it keeps it open."""

    @property
    def store(self) -> Store:
        """Where its notes go."""


Open: TypeAlias = Callable[[str], Awaitable[Opened | None]]


@dataclass(frozen=True, slots=True)
class _Seen:
    note: Note
    lacks_index: bool


class SlowQueries:
    """What was slow since it was last written down, of all environments of this process."""

    def __init__(self, clock: Clock, milliseconds: int) -> None:
        """`milliseconds` make a query slow; with 0 none is."""
        self._clock = clock
        self.seconds = milliseconds / 1000 if milliseconds else math.inf
        self._seen: dict[_Key, _Seen] = {}
        self._something = asyncio.Event()

    def of(self, state: EnvironmentState) -> Watch:
        """What the queries of one environment are told to."""
        return Watch(self, state)

    def note(self, state: EnvironmentState, table: Table, query: Find, seconds: float) -> None:
        """Remember a query that took so long; of each shape the first is logged, until what is
        remembered has been written down."""
        shape = shape_of(query, table)
        key = (state.id, table.id, shape)
        taken, now = round(seconds * 1000), self._clock.now_ms()
        seen = self._seen.get(key)
        if seen is not None:
            known = seen.note
            worst, times = max(known.worst_ms, taken), known.times + 1
            note = replace(known, times=times, worst_ms=worst, last_ms=now)
            self._seen[key] = replace(seen, note=note)
            return
        if len(self._seen) >= _MOST_SHAPES:
            return
        index = missing_index(shape, table)
        self._seen[key] = _Seen(Note(table.id, shape, 1, taken, now), index is not None)
        self._something.set()
        log.warning(
            "slow query",
            project=state.project.id,
            environment=state.name,
            table=table.name,
            ms=taken,
            query=str(shape),
            lacks_index=None if index is None else dict(index.fields),
        )

    async def keep(self, opened: Open) -> None:
        """Write down what was slow, at most twice a minute, until cancelled."""
        while True:
            await self._something.wait()
            await asyncio.sleep(_SECONDS_BETWEEN)
            await self.write(opened)

    async def write(self, opened: Open) -> None:
        """Write down what was slow for want of an index; a failure is logged, and that is all."""
        self._something.clear()
        seen, self._seen = self._seen, {}
        by_environment: dict[str, list[Note]] = {}
        for (environment_id, _, _), one in seen.items():
            if one.lacks_index:
                by_environment.setdefault(environment_id, []).append(one.note)
        for environment_id, notes in by_environment.items():
            try:
                environment = await opened(environment_id)
                if environment is not None:
                    await self._write(environment.store, notes)
            except StoreError as error:
                log.warning("slow queries were not written down", reason=str(error))

    async def _write(self, store: Store, notes: list[Note]) -> None:
        for note in notes:
            try:
                rows = await store.count(note.table_id)
            except UnknownCollection:  # the table was dropped meanwhile
                continue
            if rows >= FEWEST_ROWS:
                await add(store, note, self._clock.now_ms())


class Watch:
    """The watch over the queries of one environment."""

    __slots__ = ("_all", "_state", "seconds")

    def __init__(self, all: SlowQueries, state: EnvironmentState) -> None:
        self._all = all
        self._state = state
        self.seconds = all.seconds
        """From how long on `note` is to be called."""

    def note(self, table: Table, query: Find, seconds: float) -> None:
        """A list of the table took so long."""
        self._all.note(self._state, table, query, seconds)
