"""Answers to a POST with an `Idempotency-Key`, kept for a day (51 §6).

The first request takes the key before it is worked on, so that of two at the same moment one runs;
its answer is kept sealed, because it may show a secret for the only time. A body may hold a
password: what is kept of it is a digest under a key that is not in the database, so that nobody who
reads the database can try passwords against it.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

import orjson

from bkend.clock import Clock
from bkend.ids import uuid4
from bkend.manage.control import IDEMPOTENCY
from bkend.manage.errors import IdempotencyMismatch, StillRunning
from bkend.sealing import Sealer, Unsealable
from bkend.secret import Rings
from bkend.store import (
    Compare,
    Conflict,
    Delete,
    DeleteWhere,
    Duplicate,
    Equals,
    Insert,
    Missing,
    Store,
    Update,
)
from bkend.store.documents import format_time, parse_time

KEPT_MS = 24 * 60 * 60 * 1000
_GIVEN_UP_MS = 2 * 60 * 1000
"""After so long a request that was not answered is taken for one whose process died."""
_LARGEST_ANSWER = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer that was given before."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Taken:
    """The key is ours: work, then `keep` or `release`."""

    id: str
    run: str


class Idempotency:
    """The keys of the whole server."""

    def __init__(self, store: Store, sealer: Sealer, secrets: Rings, clock: Clock) -> None:
        self._store = store
        self._sealer = sealer
        self._secrets = secrets
        self._clock = clock

    async def take_by_body(self, address: str, route: str, key: str, body: bytes) -> Kept | Taken:
        """As `take`, for a caller who has not said who they are: the one who sends the very same
        body from the same network address. With another body it is another request."""
        return await self.take(f"{address}|{self._digests(body)[0]}", route, key, body)

    async def take(self, caller: str, route: str, key: str, body: bytes) -> Kept | Taken:
        """The answer of before, or the right to make one.

        Raises IdempotencyMismatch for another body, StillRunning while the first one is worked on.
        """
        id = _digest(caller, route, key)
        digests = self._digests(id.encode() + body)
        now, run = self._clock.now_ms(), uuid4()
        fields = {
            "digest": digests[0],
            "run": run,
            "status": None,
            "answer": None,
        }
        try:
            await self._store.commit([Insert(IDEMPOTENCY, id, fields, now, now)])
        except Duplicate:
            pass
        else:
            return Taken(id, run)
        stored = await self._store.get(IDEMPOTENCY, id)
        if stored is None:
            raise StillRunning  # released at this very moment
        held = orjson.loads(stored)
        age = now - parse_time(held["updatedAt"])
        if age < KEPT_MS:
            if held["digest"] not in digests:
                raise IdempotencyMismatch
            if held["status"] is not None:
                try:
                    text = self._sealer.unseal(_purpose(id), held["answer"])
                except Unsealable:
                    raise IdempotencyMismatch(
                        "The answer of before cannot be shown again"
                    ) from None
                return Kept(held["status"], text.encode())
            if age < _GIVEN_UP_MS:
                raise StillRunning
        is_same = Equals(("run",), held["run"])
        again = Update(IDEMPOTENCY, id, set=fields, updated_at=now, guard=is_same)
        try:
            await self._store.commit([again])
        except (Conflict, Missing):
            raise StillRunning from None
        return Taken(id, run)

    async def keep(self, taken: Taken, status: int, body: bytes) -> None:
        """Remember the answer; one that is too large for that counts as not asked for."""
        if len(body) > _LARGEST_ANSWER:
            await self.release(taken)
            return
        sealed = self._sealer.seal(_purpose(taken.id), body.decode())
        change = Update(
            IDEMPOTENCY,
            taken.id,
            set={"status": status, "answer": sealed},
            updated_at=self._clock.now_ms(),
            guard=Equals(("run",), taken.run),
        )
        try:
            await self._store.commit([change])
        except (Conflict, Missing):
            pass

    async def release(self, taken: Taken) -> None:
        """Nothing was done: the key may be used again, with another body too."""
        try:
            await self._store.commit(
                [Delete(IDEMPOTENCY, taken.id, guard=Equals(("run",), taken.run))]
            )
        except (Conflict, Missing):
            pass

    def _digests(self, text: bytes) -> list[str]:
        """Under the master secret in force, then under those before it."""
        keys = [secret.key("idempotency") for secret in self._secrets.ring().all]
        return [hmac.new(key, text, hashlib.sha256).hexdigest() for key in keys]

    async def sweep(self) -> None:
        """Forget what is older than a day."""
        oldest = format_time(self._clock.now_ms() - KEPT_MS)
        await self._store.commit([DeleteWhere(IDEMPOTENCY, Compare(("updatedAt",), "lt", oldest))])


def _purpose(id: str) -> str:
    return f"idempotency:{id}"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()
