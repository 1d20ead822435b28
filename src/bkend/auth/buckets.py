"""The limits that guard accounts, counted in the database (10 §5).

A bucket is counted *before* the password is looked at and given back afterwards, so that any
number of parallel attempts, in any number of processes, cannot try more than the limit.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bkend.auth.collections import BUCKETS
from bkend.auth.errors import (
    BucketFull,
    InvalidCredentials,
    InvalidPassword,
    TooManyLoginAttempts,
    TooManyRequests,
)
from bkend.auth.mfa.errors import InvalidMfaCode
from bkend.clock import Clock
from bkend.store import (
    Compare,
    Condition,
    Conflict,
    DeleteWhere,
    Duplicate,
    Equals,
    Insert,
    Missing,
    Operation,
    Store,
    Update,
    all_of,
)
from bkend.store.documents import decode, format_time, parse_time


@dataclass(frozen=True, slots=True)
class Limit:
    """`count` in a window of `window_ms` that starts with the first one."""

    kind: str
    count: int
    window_ms: int
    refusal: type[BucketFull]
    block_ms: int = 0
    """How long nothing more is let in once the limit is reached; 0 is until the window ends."""

    def refuse(self, window_ends_at: int, now: int) -> BucketFull:
        """The refusal until the window ends. Times in ms."""
        return self.refusal(max(1, math.ceil((window_ends_at - now) / 1000)), self.count)


FAILED_PASSWORDS = Limit("password", 5, 15 * 60_000, TooManyLoginAttempts)
SIGN_UPS = Limit("sign-up", 3, 60 * 60_000, TooManyRequests)
REFRESHES = Limit("refresh", 10, 60_000, TooManyRequests)


def sign_ups_from(count: int) -> Limit:
    """The optional limit of sign-ups an hour from one network address (10 §5)."""
    return Limit("sign-up-from", count, 60 * 60_000, TooManyRequests)


class Attempt:
    """One counted try at a password."""

    def __init__(self, id: str, window_ends_at: str, opened_until: str | None = None) -> None:
        self.id = id
        self.window_ends_at = window_ends_at
        self.opened_until = opened_until or window_ends_at
        """When the window would end without the block that this try began."""
        self.cleared = False

    def clear(self) -> Operation:
        """The operation that forgets all failures, for the commit that opens the session."""
        self.cleared = True
        return DeleteWhere(BUCKETS, Equals(("id",), self.id))


class Buckets:
    """The buckets of one environment. Keys are stored as digests only."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._queues: dict[str, tuple[asyncio.Lock, int]] = {}

    async def take(self, limit: Limit, key: str) -> Attempt:
        """Count one; raises the limit's refusal when it is reached."""
        id = _id(limit, key)
        while True:
            now = self._clock.now_ms()
            body = await self._store.get(BUCKETS, id)
            held = decode(body) if body else None
            fresh = format_time(now + limit.window_ms)
            counted: Operation
            if held is None:
                opened = ends = fresh
                fields = {"kind": limit.kind, "count": 1, "expiresAt": fresh}
                counted = Insert(BUCKETS, id, fields, now, now)
            elif parse_time(held["expiresAt"]) <= now:
                opened = ends = fresh
                same = Equals(("expiresAt",), held["expiresAt"])
                counted = Update(BUCKETS, id, set={"count": 1, "expiresAt": fresh}, guard=same)
            elif held["count"] >= limit.count:
                raise limit.refuse(parse_time(held["expiresAt"]), now)
            else:
                opened = ends = held["expiresAt"]
                room: Condition = Compare(("count",), "lt", limit.count)
                if limit.block_ms:  # nobody else may be the one who reaches the limit
                    room = Equals(("count",), held["count"])
                    if held["count"] == limit.count - 1:
                        ends = format_time(now + limit.block_ms)
                guard = all_of(Equals(("expiresAt",), opened), room)
                until = {"expiresAt": ends}
                counted = Update(BUCKETS, id, set=until, increment={"count": 1}, guard=guard)
            try:
                await self._store.commit([counted])
            except (Conflict, Duplicate, Missing):
                continue  # somebody else counted or cleared meanwhile
            return Attempt(id, ends, opened)

    @asynccontextmanager
    async def attempt(self, limit: Limit, key: str) -> AsyncIterator[Attempt]:
        """A try at a password or code. Counted if the block raises that it was wrong, else given
        back.

        Tries with the same key wait for each other, so that a user who signs in on several
        devices at once does not meet the limit.
        """
        async with self._alone(key):
            attempt = await self.take(limit, key)
            try:
                yield attempt
            except (InvalidCredentials, InvalidPassword, InvalidMfaCode):
                raise
            except Exception:
                await self._give_back(attempt)
                raise
            if not attempt.cleared:
                await self._give_back(attempt)

    def forget(self, limit: Limit, key: str) -> Operation:
        """The operation that empties a bucket."""
        return DeleteWhere(BUCKETS, Equals(("id",), _id(limit, key)))

    def drop_expired(self) -> Operation:
        """The operation that removes buckets whose window is over."""
        now = format_time(self._clock.now_ms())
        return DeleteWhere(BUCKETS, Compare(("expiresAt",), "lte", now))

    async def _give_back(self, attempt: Attempt) -> None:
        same = Equals(("expiresAt",), attempt.window_ends_at)
        guard = all_of(same, Compare(("count",), "gt", 0))
        until = {"expiresAt": attempt.opened_until}
        less = Update(BUCKETS, attempt.id, set=until, increment={"count": -1}, guard=guard)
        try:
            await self._store.commit([less])
        except (Conflict, Missing):
            pass

    @asynccontextmanager
    async def _alone(self, key: str) -> AsyncIterator[None]:
        lock, users = self._queues.get(key, (asyncio.Lock(), 0))
        self._queues[key] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            lock, users = self._queues.pop(key)
            if users > 1:
                self._queues[key] = (lock, users - 1)


def _id(limit: Limit, key: str) -> str:
    return hashlib.sha256(f"{limit.kind}|{key}".encode()).hexdigest()
