"""Sessions of the console: a cookie, and a row on the server that can be revoked (51 §7).

The cookie is `<session id>.<secret>`; of the secret only a digest is stored. The token against
forged requests is derived from the secret, which no script and no other site can read.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from bkend.auth.devices import describe_device
from bkend.auth.sessions import Client
from bkend.clock import Clock
from bkend.errors import NotFound
from bkend.ids import uuid4
from bkend.store import (
    Compare,
    Condition,
    Conflict,
    Delete,
    DeleteWhere,
    Equals,
    Find,
    Insert,
    Missing,
    Not,
    Operation,
    Sort,
    Store,
    Update,
    all_of,
)
from bkend.store.documents import decode, format_time, parse_time
from bkend.tenants.collections import TENANT_SESSIONS

LIFETIME_MS = 30 * 24 * 60 * 60 * 1000
"""From the last use."""
_NOTED_MS = 60_000
_LONGEST_COOKIE = 128
_LONGEST_USER_AGENT = 512
_MOST_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Session:
    """A live session, as a request finds or opens it."""

    id: str
    account_id: str
    cookie: str
    """What the browser keeps: whoever has it is signed in."""

    @property
    def csrf(self) -> str:
        """What changes must carry beside the cookie."""
        return hmac.new(self.cookie.encode(), b"csrf", hashlib.sha256).hexdigest()

    def accepts(self, csrf: str | None) -> bool:
        """Whether this is the session's own token."""
        given = (csrf or "").encode("utf-8", "replace")
        return hmac.compare_digest(given, self.csrf.encode())


class Sessions:
    """The sessions of all accounts."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def open(
        self, account_id: str, client: Client, operations: Sequence[Operation]
    ) -> Session:
        """Open a session in one commit with the operations, whose refusals are raised."""
        now, id, secret = self._clock.now_ms(), uuid4(), secrets.token_urlsafe(32)
        user_agent = client.user_agent[:_LONGEST_USER_AGENT] if client.user_agent else None
        fields = {
            "accountId": account_id,
            "digest": _digest(secret),
            "userAgent": user_agent,
            "device": describe_device(user_agent),
            "ip": client.ip_address or None,
            "lastUsedAt": format_time(now),
            "expiresAt": format_time(now + LIFETIME_MS),
        }
        made = Insert(TENANT_SESSIONS, id, fields, now, now, account_id)
        await self._store.commit([*operations, made])
        return Session(id, account_id, f"{id}.{secret}")

    async def find(self, cookie: str) -> Session | None:
        """The live session of a cookie, whose time begins anew; None for anything else."""
        id, _, secret = cookie.partition(".")
        if not secret or len(cookie) > _LONGEST_COOKIE:
            return None
        body = await self._store.get(TENANT_SESSIONS, id)
        held = decode(body) if body else None
        if held is None or not hmac.compare_digest(_digest(secret), held["digest"]):
            return None
        now = self._clock.now_ms()
        if parse_time(held["expiresAt"]) <= now:
            return None
        if now - parse_time(held["lastUsedAt"]) >= _NOTED_MS:
            used = {"lastUsedAt": format_time(now), "expiresAt": format_time(now + LIFETIME_MS)}
            try:
                await self._store.commit([Update(TENANT_SESSIONS, id, set=used)])
            except Missing:
                return None  # ended at this moment
        return Session(id, held["accountId"], cookie)

    async def list(self, account_id: str, current: str | None) -> list[dict[str, Any]]:
        """An account's live sessions, the one used last first; `current` is the asking one's id."""
        query = Find(
            TENANT_SESSIONS,
            all_of(_of(account_id), self._is_live()),
            (Sort(("lastUsedAt",), descending=True),),
            limit=_MOST_SHOWN,
        )
        page = await self._store.find(query)
        return [
            {
                "id": held["id"],
                "device": held["device"],
                "userAgent": held["userAgent"],
                "ip": held["ip"],
                "isCurrent": held["id"] == current,
                "createdAt": held["createdAt"],
                "lastUsedAt": held["lastUsedAt"],
                "expiresAt": held["expiresAt"],
            }
            for held in orjson.loads(page.items)
        ]

    async def end(self, account_id: str, id: str) -> None:
        """End one of the account's sessions; raises NotFound."""
        mine = all_of(_of(account_id), self._is_live())
        try:
            await self._store.commit([Delete(TENANT_SESSIONS, id, guard=mine)])
        except (Missing, Conflict):
            raise NotFound("There is no such session") from None

    async def end_others(self, account_id: str, current: str) -> int:
        """End all of the account's sessions but one; how many there were."""
        [count] = await self._store.commit([self.ending_others(account_id, current)])
        assert isinstance(count, int)
        return count

    def ending_others(self, account_id: str, current: str) -> Operation:
        """The operation that ends all of the account's sessions but one; `""` keeps none."""
        others = all_of(_of(account_id), Not(Equals(("id",), current)))
        return DeleteWhere(TENANT_SESSIONS, others)

    def drop_expired(self) -> Operation:
        """The operation that removes sessions whose time has passed."""
        now = format_time(self._clock.now_ms())
        return DeleteWhere(TENANT_SESSIONS, Compare(("expiresAt",), "lte", now))

    def _is_live(self) -> Condition:
        return Compare(("expiresAt",), "gt", format_time(self._clock.now_ms()))


def _of(account_id: str) -> Condition:
    return Equals(("accountId",), account_id)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
