"""Reading activities, and forgetting old ones (51 §3.11)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from bkend.clock import Clock
from bkend.manage.control import ACTIVITIES
from bkend.store import (
    Compare,
    Condition,
    Contains,
    DeleteWhere,
    Equals,
    Find,
    OneOf,
    Store,
    all_of,
    any_of,
)
from bkend.store.documents import format_time
from bkend.store.text import fold

_DAY_MS = 24 * 60 * 60 * 1000
LOGIN_EVENTS = "login_events"
"""Sign-ins of tenants, written by those who sign them in: `organizationId` is not theirs, so they
are found by account."""


@dataclass(frozen=True, slots=True)
class ActivityQuery:
    """What to list; None is everything. Times in the wire form."""

    organization_id: str
    project_id: str | None = None
    entity_type: str | None = None
    action: str | None = None
    actor_id: str | None = None
    since: str | None = None
    until: str | None = None
    search: str = ""
    environment: str | None = None
    target_id: str | None = None
    offset: int = 0
    limit: int = 20

    @property
    def where(self) -> Condition:
        """The condition that it stands for."""
        wanted: list[Condition] = [Equals(("organizationId",), self.organization_id)]
        for path, value in (
            (("projectId",), self.project_id),
            (("entityType",), self.entity_type),
            (("action",), self.action),
            (("actor", "id"), self.actor_id),
            (("environment",), self.environment),
            (("target", "id"), self.target_id),
        ):
            if value is not None:
                wanted.append(Equals(path, value))
        if self.since is not None:
            wanted.append(Compare(("createdAt",), "gte", self.since))
        if self.until is not None:
            wanted.append(Compare(("createdAt",), "lte", self.until))
        if self.search:
            text = fold(self.search)
            places = (("message",), ("event",), ("actor", "name"), ("target", "name"))
            wanted.append(any_of(*(Contains(place, text) for place in places)))
        return all_of(*wanted)


class Activities:
    """The activities of the server."""

    def __init__(self, store: Store, clock: Clock, kept_days: Callable[[], Awaitable[int]]) -> None:
        """`kept_days` tells for how long entries are kept at this moment."""
        self._store = store
        self._clock = clock
        self._kept_days = kept_days

    async def page(self, query: ActivityQuery) -> tuple[list[dict[str, Any]], int]:
        """Newest first, and how many there are."""
        page = await self._store.find(
            Find(ACTIVITIES, query.where, offset=query.offset, limit=query.limit)
        )
        return [shape(one) for one in orjson.loads(page.items)], page.total

    async def login_events(
        self, account_ids: tuple[str, ...], offset: int, limit: int
    ) -> tuple[list[dict[str, Any]], int]:
        """Sign-ins of the accounts, newest first."""
        if self._store.collection(LOGIN_EVENTS) is None:
            return [], 0
        theirs = OneOf(("accountId",), account_ids)
        page = await self._store.find(Find(LOGIN_EVENTS, theirs, offset=offset, limit=limit))
        hidden = ("createdBy", "updatedAt")
        items = [
            {name: value for name, value in one.items() if name not in hidden}
            for one in orjson.loads(page.items)
        ]
        return items, page.total

    async def sweep(self) -> None:
        """Forget what is older than it is kept."""
        oldest = format_time(self._clock.now_ms() - await self._kept_days() * _DAY_MS)
        await self._store.commit([DeleteWhere(ACTIVITIES, Compare(("createdAt",), "lt", oldest))])


def shape(document: Mapping[str, Any]) -> dict[str, Any]:
    """An activity as it is shown."""
    hidden = ("createdBy", "updatedAt")
    return {name: value for name, value in document.items() if name not in hidden}
