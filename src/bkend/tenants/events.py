"""Who signed in, who tried to: one entry each (51 §3.11)."""

from __future__ import annotations

import hashlib
from typing import Literal, TypeAlias

from bkend.auth.sessions import Client
from bkend.clock import Clock
from bkend.ids import uuid4
from bkend.store import Compare, DeleteWhere, Duplicate, Insert, Operation, Store
from bkend.store.documents import format_time
from bkend.tenants.collections import LOGIN_EVENTS

Status: TypeAlias = Literal["success", "failed", "blocked"]

KEPT_MS = 365 * 24 * 60 * 60 * 1000
_LONGEST_USER_AGENT = 512


class LoginEvents:
    """Writes the log of sign-ins; `manage.activities` reads it."""

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

    def drop_old(self) -> Operation:
        """The operation that removes entries of more than a year ago."""
        old = format_time(self._clock.now_ms() - KEPT_MS)
        return DeleteWhere(LOGIN_EVENTS, Compare(("createdAt",), "lt", old))
