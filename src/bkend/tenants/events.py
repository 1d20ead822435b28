"""Who signed in, who tried to: one entry each (51 §3.11)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import orjson

from bkend.auth.sessions import Client
from bkend.clock import Clock
from bkend.ids import uuid4
from bkend.store import Compare, DeleteWhere, Duplicate, Find, Insert, OneOf, Operation, Store
from bkend.store.documents import format_time
from bkend.tenants.collections import LOGIN_EVENTS

Status: TypeAlias = Literal["success", "failed", "blocked"]

KEPT_MS = 365 * 24 * 60 * 60 * 1000
_LONGEST_USER_AGENT = 512


class LoginEvents:
    """Writes and reads the log of sign-ins."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def entry(
        self,
        account_id: str | None,
        email: str,
        provider: str,
        status: Status,
        client: Client,
        reason: str | None = None,
        *,
        id: str | None = None,
    ) -> Operation:
        """The operation that writes an entry. `provider` is one of 51 §3.1."""
        now = self._clock.now_ms()
        fields = {
            "accountId": account_id,
            "email": email,
            "provider": provider,
            "status": status,
            "reason": reason,
            "ip": client.ip_address or None,
            "userAgent": (client.user_agent or "")[:_LONGEST_USER_AGENT] or None,
        }
        return Insert(LOGIN_EVENTS, id or uuid4(), fields, now, now, account_id or "")

    async def note_blocked(
        self, account_id: str | None, email: str, provider: str, client: Client, until_s: int
    ) -> None:
        """Write that somebody was kept out, once a block. `until_s`: seconds since 1970, about."""
        block = f"{email}|{client.ip_address}|{until_s // 3600}"
        id = hashlib.sha256(block.encode()).hexdigest()[:32]
        entry = self.entry(
            account_id, email, provider, "blocked", client, "too-many-attempts", id=id
        )
        try:
            await self._store.commit([entry])
        except Duplicate:
            pass

    async def of(
        self, account_ids: Sequence[str], offset: int, limit: int
    ) -> tuple[list[dict[str, Any]], int]:
        """The entries of some accounts, the newest first, and their number."""
        where = OneOf(("accountId",), tuple(account_ids))
        page = await self._store.find(Find(LOGIN_EVENTS, where, offset=offset, limit=limit))
        items = [
            {name: value for name, value in entry.items() if name not in ("createdBy", "updatedAt")}
            for entry in orjson.loads(page.items)
        ]
        return items, page.total

    def drop_old(self) -> Operation:
        """The operation that removes entries of more than a year ago."""
        old = format_time(self._clock.now_ms() - KEPT_MS)
        return DeleteWhere(LOGIN_EVENTS, Compare(("createdAt",), "lt", old))
