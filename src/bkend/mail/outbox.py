"""The outbox of an environment: mails from the commit that caused them until they are delivered.

A mail is `captured` (no SMTP: it stays to be read), `waiting`, `sending` (one process has claimed
it), `sent` or `failed`. While something is to be done, `dueAt` (ms) says when: a claim is due
again when its holder must have died. A mail that is done with keeps no content, so that no token
stays at rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from bkend.clock import Clock
from bkend.mail.collections import OUTBOX
from bkend.store import (
    Compare,
    Conflict,
    DeleteWhere,
    Equals,
    Exists,
    Find,
    Missing,
    OneOf,
    Sort,
    Store,
    Update,
    all_of,
)
from bkend.store.documents import format_time

MOST_CAPTURED = 1000
"""Captured mails that an environment keeps; the oldest go first."""
KEPT_MS = 7 * 24 * 60 * 60 * 1000
"""How long after its making a mail that is done with is remembered, and a captured one kept."""
CLAIM_MS = 180_000
"""How long a process may take over one delivery before another may try."""
_CONTENT = ("subject", "html", "text", "links", "values")
_READABLE = OneOf(("status",), ("captured", "waiting"))
_SHOWN = ("subject", "text", "html", "links")


@dataclass(frozen=True, slots=True)
class Claimed:
    """A mail that this process may send, once."""

    document: Mapping[str, Any]
    attempt: int

    @property
    def id(self) -> str:
        """The mail's id."""
        return str(self.document["id"])


class Outbox:
    """The mails of one environment."""

    def __init__(self, store: Store, environment_id: str, clock: Clock) -> None:
        self.store = store
        self.environment_id = environment_id
        self._clock = clock

    # -- captured mails ---------------------------------------------------------------------

    async def readable(
        self, offset: int = 0, limit: int = 20, *, after: str | None = None
    ) -> tuple[list[dict[str, Any]], int]:
        """Mails that were not sent, newest first, and their number; `after` is a time, and
        mails of that very millisecond are listed too."""
        where = _READABLE
        query = Find(
            OUTBOX,
            where if after is None else all_of(where, Compare(("createdAt",), "gte", after)),
            offset=offset,
            limit=limit,
        )
        page = await self.store.find(query)
        return [_shape(mail) for mail in orjson.loads(page.items)], page.total

    async def get(self, id: str) -> dict[str, Any] | None:
        """One of these mails."""
        body = await self.store.get(OUTBOX, id)
        mail = orjson.loads(body) if body else None
        if mail is None or mail["status"] not in _READABLE.values:
            return None
        return _shape(mail)

    async def clear(self) -> int:
        """Forget the captured mails; how many there were."""
        captured = Equals(("status",), "captured")
        [removed] = await self.store.commit([DeleteWhere(OUTBOX, captured)])
        assert isinstance(removed, int)
        return removed

    async def trim(self) -> None:
        """Let the oldest captured mails go where there are too many."""
        captured = Equals(("status",), "captured")
        page = await self.store.find(Find(OUTBOX, captured, offset=MOST_CAPTURED, limit=1))
        for newest in orjson.loads(page.items):
            old = Compare(("createdAt",), "lte", newest["createdAt"])
            await self.store.commit([DeleteWhere(OUTBOX, all_of(captured, old))])

    async def sweep(self) -> None:
        """Forget mails that were done with days ago."""
        done = OneOf(("status",), ("sent", "failed", "captured"))
        old = Compare(("createdAt",), "lt", format_time(self._clock.now_ms() - KEPT_MS))
        await self.store.commit([DeleteWhere(OUTBOX, all_of(done, old))])

    # -- delivery ---------------------------------------------------------------------------

    async def due(self, limit: int) -> list[dict[str, Any]]:
        """Mails to send now, those that wait longest first."""
        now = self._clock.now_ms()
        where = Compare(("dueAt",), "lte", now)
        page = await self.store.find(Find(OUTBOX, where, (Sort(("dueAt",)),), limit=limit))
        found: list[dict[str, Any]] = orjson.loads(page.items)
        return found

    async def next_due(self) -> int | None:
        """When (ms) something will be to be done, None when nothing is waiting."""
        query = Find(OUTBOX, Exists(("dueAt",)), (Sort(("dueAt",)),), limit=1)
        found = orjson.loads((await self.store.find(query)).items)
        return int(found[0]["dueAt"]) if found else None

    async def claim(self, mail: Mapping[str, Any]) -> Claimed | None:
        """Take a due mail for this process; None when another one was quicker."""
        attempt = int(mail.get("attempts", 0)) + 1
        now = self._clock.now_ms()
        unchanged = all_of(
            Equals(("dueAt",), mail["dueAt"]), Equals(("attempts",), mail.get("attempts", 0))
        )
        claim = Update(
            OUTBOX,
            mail["id"],
            set={"status": "sending", "attempts": attempt, "dueAt": now + CLAIM_MS},
            updated_at=now,
            guard=unchanged,
        )
        try:
            await self.store.commit([claim])
        except (Conflict, Missing):
            return None
        return Claimed(mail, attempt)

    async def mark_sent(self, claimed: Claimed) -> None:
        """It was accepted: its content goes."""
        now = self._clock.now_ms()
        fields = {"status": "sent", "sentAt": format_time(now), "reason": None}
        await self._finish(claimed, fields, (*_CONTENT, "dueAt"))

    async def mark_failed(self, claimed: Claimed, reason: str) -> None:
        """It will not be tried again: its content goes, the reason stays."""
        await self._finish(claimed, {"status": "failed", "reason": reason}, (*_CONTENT, "dueAt"))

    async def try_again(self, claimed: Claimed, reason: str, at: int) -> None:
        """It waits until `at` (ms)."""
        await self._finish(claimed, {"status": "waiting", "reason": reason, "dueAt": at}, ())

    async def _finish(
        self, claimed: Claimed, fields: Mapping[str, Any], unset: tuple[str, ...]
    ) -> None:
        mine = all_of(Equals(("status",), "sending"), Equals(("attempts",), claimed.attempt))
        change = Update(
            OUTBOX,
            claimed.id,
            set=fields,
            unset=unset,
            updated_at=self._clock.now_ms(),
            guard=mine,
        )
        try:
            await self.store.commit([change])
        except (Conflict, Missing):
            pass  # the claim ran out and another process has taken over


def _shape(mail: Mapping[str, Any]) -> dict[str, Any]:
    """The item of 00 §8."""
    shown = {name: mail.get(name) for name in _SHOWN}
    return {
        "id": mail["id"],
        "to": mail["to"],
        "subject": shown["subject"],
        "template": mail["category"],
        "text": shown["text"],
        "html": shown["html"],
        "links": shown["links"] or [],
        "createdAt": mail["createdAt"],
    }
