"""A store that adds the activity to the commit it is about.

Whoever changes something for a tenant says so with `reporting`; the first thing that is committed
to one of the collections that the report watches carries the entry along. Requests of apps report
nothing and pass through.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import orjson

from bkend.clock import Clock
from bkend.manage.activity import Actor, Place, Target, difference, entry
from bkend.store import (
    Check,
    Collection,
    Delete,
    DeleteWhere,
    Insert,
    Operation,
    Store,
    StoreError,
    Update,
)
from bkend.store.interface import Listener, Result

_MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class Subject:
    """What an event is about, and how to know its commit."""

    event: str
    collections: tuple[str, ...]
    """A write to one of them is the change; `tbl_` stands for all names that begin so."""
    type: str
    home: str | None = None
    """The collection that holds the target, where that is none of the watched ones."""
    named_by: tuple[str, ...] = ("name",)
    """The fields of the target that name it, best first."""
    shows_values: bool = True
    """Whether values before and after are kept: not for what belongs to the users of an app."""

    def watches(self, collection: str) -> bool:
        """Whether a write to the collection is the change."""
        return any(
            collection == name or (name.endswith("_") and collection.startswith(name))
            for name in self.collections
        )


@dataclass(frozen=True, slots=True)
class Report:
    """A change that is being made for somebody."""

    subject: Subject
    actor: Actor
    place: Place
    target_id: str | None = None
    """As the request names it; what is made has its own."""
    target: Target | None = None
    """What every change is said of, whatever document it is in."""


_current: ContextVar[Report | None] = ContextVar("report", default=None)


def begin_report(report: Report | None) -> None:
    """What this task, and those it starts, commit from now on is reported so."""
    _current.set(report)


@contextmanager
def reporting(report: Report) -> Iterator[None]:
    """What is committed inside is reported so."""
    token = _current.set(report)
    try:
        yield
    finally:
        _current.reset(token)


class RecordingStore:
    """See `bkend.store.interface.Store`; reads are the inner store's own."""

    def __init__(
        self, inner: Store, clock: Clock, recorded: Callable[[Store], Awaitable[None]]
    ) -> None:
        """`recorded` is called with the inner store after a commit that carried an entry."""
        self.inner = inner
        self._clock = clock
        self._recorded = recorded
        # Bound, not wrapped: the hot lane goes straight to the store.
        self.get = inner.get
        self.at_once = inner.at_once
        self.find = inner.find
        self.count = inner.count
        self.changes = inner.changes
        self.counts_every_change = inner.counts_every_change

    def collection(self, name: str) -> Collection | None:
        return self.inner.collection(name)

    async def define(self, *collections: Collection) -> None:
        await self.inner.define(*collections)

    async def drop(self, collection: str) -> None:
        await self.inner.drop(collection)

    def listen(self, listener: Listener) -> None:
        self.inner.listen(listener)

    async def check_integrity(self, *, quick: bool = False) -> list[str]:
        return await self.inner.check_integrity(quick=quick)

    async def commit(self, operations: Sequence[Operation]) -> list[Result]:
        report = _current.get()
        if report is None:
            return await self.inner.commit(operations)
        said = await self._entry(report, operations)
        if said is None:
            return await self.inner.commit(operations)
        results = await self.inner.commit([*operations, said])
        await self._recorded(self.inner)
        return results[:-1]

    async def _entry(self, report: Report, operations: Sequence[Operation]) -> Insert | None:
        """What to say of the commit; None when it is not the change, or changes nothing."""
        subject = report.subject
        changes = [
            operation
            for operation in operations
            if not isinstance(operation, Check) and subject.watches(operation.collection)
        ]
        doomed = 0
        for change in changes:
            if isinstance(change, DeleteWhere):
                doomed += await self.inner.count(change.collection, change.where)
        if not any(not isinstance(c, DeleteWhere) for c in changes) and not doomed:
            return None
        before, after, first = await self._values(changes)
        metadata = difference(before, after) if len(changes) == 1 and not doomed else {}
        if "changed" in metadata and not metadata["changed"]:
            return None
        if not subject.shows_values:
            metadata = {name: v for name, v in metadata.items() if name == "changed"}
        if len(changes) > 1 or doomed:
            ids = [c.id for c in changes if not isinstance(c, (DeleteWhere, Check))]
            metadata = {"count": doomed + len(ids), "ids": ids[:_MOST_NAMED]}
        target = await self._target(report, changes, before or after, first)
        return entry(
            subject.event, report.actor, report.place, target, self._clock.now_ms(), metadata
        )

    async def _values(
        self, changes: Sequence[Operation]
    ) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None, str | None]:
        """Before, after and id of the first changed document."""
        for change in changes:
            if isinstance(change, Insert):
                return None, change.fields, change.id
            if isinstance(change, (Update, Delete)):
                before = await self._document(change.collection, change.id)
                if isinstance(change, Delete):
                    return before, None, change.id
                kept = {n: v for n, v in (before or {}).items() if n not in change.unset}
                return before, {**kept, **change.set}, change.id
        return None, None, None

    async def _target(
        self,
        report: Report,
        changes: Sequence[Operation],
        document: Mapping[str, Any] | None,
        id: str | None,
    ) -> Target:
        subject = report.subject
        if report.target is not None:
            return report.target
        if subject.home is not None and report.target_id is not None:
            id = report.target_id
            document = await self._document(subject.home, id)
        named = document or {}
        name = next((named[field] for field in subject.named_by if named.get(field)), None)
        return Target(subject.type, id or report.target_id or "", name)

    async def _document(self, collection: str, id: str) -> dict[str, Any] | None:
        try:
            body = await self.inner.get(collection, id)
        except StoreError:
            return None
        found: dict[str, Any] | None = None if body is None else orjson.loads(body)
        return found
