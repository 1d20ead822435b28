"""The sessions of a user, as admins and tenants see and end them (51 §8)."""

from __future__ import annotations

from typing import Any

import orjson

from bkend.auth import shapes
from bkend.auth.collections import SESSIONS
from bkend.auth.sessions import Sessions
from bkend.clock import Clock
from bkend.store import (
    Compare,
    Condition,
    Conflict,
    Delete,
    Equals,
    Find,
    Missing,
    Sort,
    Store,
    all_of,
)
from bkend.store.documents import format_time


class Devices:
    """Where users of one environment are signed in."""

    def __init__(self, store: Store, sessions: Sessions, clock: Clock) -> None:
        self._store = store
        self._sessions = sessions
        self._clock = clock

    async def page(self, user_id: str, offset: int, limit: int) -> tuple[list[Any], int]:
        """A page of the live sessions, newest activity first, and how many there are."""
        newest = (Sort(("lastActivityAt",), descending=True),)
        theirs = self._live(user_id)
        found = await self._store.find(Find(SESSIONS, theirs, newest, offset=offset, limit=limit))
        return [shapes.session(one, "") for one in orjson.loads(found.items)], found.total

    async def end(self, user_id: str, id: str) -> bool:
        """End a session; whether it was a live one of the user."""
        if not id.isprintable():
            return False
        try:
            await self._store.commit([Delete(SESSIONS, id, guard=self._live(user_id))])
        except (Missing, Conflict):
            return False
        return True

    async def end_all(self, user_id: str) -> int:
        """End all sessions; how many there were."""
        [count] = await self._store.commit([self._sessions.end_all(user_id)])
        assert isinstance(count, int)
        return count

    def _live(self, user_id: str) -> Condition:
        now = format_time(self._clock.now_ms())
        return all_of(Equals(("userId",), user_id), Compare(("expiresAt",), "gt", now))
