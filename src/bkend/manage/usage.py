"""How much each environment is used, day by day; and the count that limits are held against (51
§3.4).

Calls are counted in memory. Every few seconds each process adds its own to a row that all share,
and learns from it how many there are in all: no request waits for a write. What a process that is
killed had not written yet is lost, a few seconds' worth; one that ends in order writes it first.
Days are those of UTC.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import structlog

from bkend.clock import Clock
from bkend.manage.control import USAGE
from bkend.store import (
    Compare,
    Condition,
    DeleteWhere,
    Duplicate,
    Equals,
    Find,
    Insert,
    Missing,
    Store,
    StoreError,
    Update,
    all_of,
)
from bkend.store.documents import format_time

DAY_MS = 24 * 60 * 60 * 1000
WRITTEN_EVERY_SECONDS = 5.0
KEPT_DAYS = 400

log = structlog.get_logger("bkend.manage")


class CallCounter:
    """The calls of one environment on the present day."""

    __slots__ = ("_backlog", "_day", "_until", "asked", "environment_id", "known", "pending")

    def __init__(self, environment_id: str = "", now: int = 0) -> None:
        self.environment_id = environment_id
        self.known = 0
        """Of all processes, as far as they have written them."""
        self.pending = 0
        """Of this process, not written yet: whoever admits a call adds one."""
        self.asked = False
        """Whether somebody holds a limit against it."""
        self._backlog: dict[int, int] = {}
        self._day = now // DAY_MS
        self._until = (self._day + 1) * DAY_MS

    def is_below(self, limit: int, now: int) -> bool:
        """Whether one more call is within so many on this day. `now` in ms."""
        self.asked = True
        self.turn(now)
        return self.known + self.pending < limit

    def turn(self, now: int) -> None:
        """Begin a new day if it is one; what is pending belongs to the day that has ended."""
        if now < self._until:
            return
        if self.pending:
            self._backlog[self._day] = self._backlog.get(self._day, 0) + self.pending
        self.known = self.pending = 0
        self._day = now // DAY_MS
        self._until = (self._day + 1) * DAY_MS

    def take(self) -> dict[int, int]:
        """What is to be written, by day; it counts as known from here on."""
        taken, self._backlog = self._backlog, {}
        if self.pending:
            taken[self._day] = taken.get(self._day, 0) + self.pending
            self.known += self.pending
            self.pending = 0
        return taken

    def give_back(self, day: int, calls: int) -> None:
        """What was taken and could not be written."""
        if day == self._day:
            self.known -= calls
            self.pending += calls
        else:
            self._backlog[day] = self._backlog.get(day, 0) + calls

    def learn(self, day: int, total: int) -> None:
        """What the row of a day says."""
        if day == self._day:
            self.known = total

    @property
    def is_written(self) -> bool:
        """Whether nothing is left to be written."""
        return not self.pending and not self._backlog

    @property
    def day(self) -> int:
        """The present day, in days since 1970."""
        return self._day


@dataclass(frozen=True, slots=True)
class UsageQuery:
    """Which rows to list; None is all. Days as `2027-01-31`."""

    environment_id: str | None = None
    project_id: str | None = None
    since: str | None = None
    until: str | None = None
    offset: int = 0
    limit: int = 20

    @property
    def where(self) -> Condition:
        """The condition that it stands for."""
        wanted: list[Condition] = []
        if self.environment_id is not None:
            wanted.append(Equals(("environmentId",), self.environment_id))
        if self.project_id is not None:
            wanted.append(Equals(("projectId",), self.project_id))
        if self.since is not None:
            wanted.append(Compare(("day",), "gte", self.since))
        if self.until is not None:
            wanted.append(Compare(("day",), "lte", self.until))
        return all_of(*wanted)


class Usage:
    """The counters of this process, and the rows of all."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._counters: dict[str, tuple[CallCounter, str]] = {}
        self._closed: set[str] = set()
        self._stopping = asyncio.Event()

    # -- counting ---------------------------------------------------------------------------

    async def counter(self, environment_id: str, project_id: str) -> CallCounter:
        """The counter of an environment, which knows what was counted before on this day."""
        self._closed.discard(environment_id)
        held = self._counters.get(environment_id)
        if held is not None:
            return held[0]
        counter = CallCounter(environment_id, self._clock.now_ms())
        body = await self._store.get(USAGE, _id(environment_id, counter.day))
        if body is not None:
            counter.learn(counter.day, _calls(body))
        return self._counters.setdefault(environment_id, (counter, project_id))[0]

    def close(self, environment_id: str) -> None:
        """Nobody calls the environment any more: its counter goes once it is written."""
        self._closed.add(environment_id)

    async def flush(self) -> None:
        """Write what was counted; what cannot be written is kept for the next time."""
        now = self._clock.now_ms()
        for counter, project_id in list(self._counters.values()):
            counter.turn(now)
            taken = counter.take()
            try:
                if not taken and counter.asked and not self._store.counts_every_change:
                    await self._learn(counter)
                while taken:
                    day, calls = next(iter(taken.items()))
                    total = await self._add(counter.environment_id, project_id, day, calls)
                    counter.learn(day, total)
                    del taken[day]
            except StoreError as error:
                for day, calls in taken.items():
                    counter.give_back(day, calls)
                log.warning("calls are counted and not written", reason=str(error))
                return
        for id in list(self._closed):
            held = self._counters.get(id)
            if held is None or held[0].is_written:
                self._counters.pop(id, None)
                self._closed.discard(id)

    async def run(self) -> None:
        """Write every few seconds until `stop`, and then once more."""
        while not self._stopping.is_set():
            try:
                async with asyncio.timeout(WRITTEN_EVERY_SECONDS):
                    await self._stopping.wait()
            except TimeoutError:
                pass
            await self.flush()

    def stop(self) -> None:
        """Have `run` come to its end."""
        self._stopping.set()

    async def _learn(self, counter: CallCounter) -> None:
        """What the other processes have counted, while this one had nothing to add."""
        day = counter.day
        body = await self._store.get(USAGE, _id(counter.environment_id, day))
        if body is not None:
            counter.learn(day, _calls(body))

    async def _add(self, environment_id: str, project_id: str, day: int, calls: int) -> int:
        """Add calls to the row of a day; how many it holds then."""
        added = {"apiCalls": calls}
        body = await self._write(environment_id, project_id, day, added, {})
        return _calls(body)

    async def note(self, environment_id: str, project_id: str, fields: Mapping[str, int]) -> None:
        """Write what was measured on the present day: `activeUsers`, `storageBytes`."""
        day = self._clock.now_ms() // DAY_MS
        await self._write(environment_id, project_id, day, {}, fields)

    async def _write(
        self,
        environment_id: str,
        project_id: str,
        day: int,
        added: Mapping[str, int],
        fields: Mapping[str, int],
    ) -> bytes:
        id, now = _id(environment_id, day), self._clock.now_ms()
        change = Update(USAGE, id, set=fields, increment=added, updated_at=now)
        whole = {
            "environmentId": environment_id,
            "projectId": project_id,
            "day": _name(day),
            "apiCalls": 0,
            "activeUsers": 0,
            "storageBytes": 0,
            **added,
            **fields,
        }
        try:
            [body] = await self._store.commit([change])
        except Missing:
            try:
                [body] = await self._store.commit([Insert(USAGE, id, whole, now, now)])
            except Duplicate:  # another process was quicker
                [body] = await self._store.commit([change])
        assert isinstance(body, bytes)
        return body

    # -- reading ----------------------------------------------------------------------------

    async def page(self, query: UsageQuery) -> tuple[list[dict[str, Any]], int]:
        """Rows, the newest first, and how many there are."""
        page = await self._store.find(
            Find(USAGE, query.where, offset=query.offset, limit=query.limit)
        )
        return [_shape(row) for row in orjson.loads(page.items)], page.total

    async def sweep(self) -> None:
        """Forget days that are long past."""
        oldest = _name(self._clock.now_ms() // DAY_MS - KEPT_DAYS)
        await self._store.commit([DeleteWhere(USAGE, Compare(("day",), "lt", oldest))])


def seconds_to_midnight(now: int) -> int:
    """Whole seconds until the next day begins, at least one. `now` in ms."""
    return max(1, -(-(DAY_MS - now % DAY_MS) // 1000))


def _id(environment_id: str, day: int) -> str:
    return f"{environment_id}:{_name(day)}"


def _name(day: int) -> str:
    return format_time(day * DAY_MS)[:10]


def _calls(body: bytes) -> int:
    return int(orjson.loads(body)["apiCalls"])


def _shape(row: Mapping[str, Any]) -> dict[str, Any]:
    names = ("environmentId", "projectId", "day", "apiCalls", "activeUsers", "storageBytes")
    return {name: row[name] for name in names}
