"""Mailed links: one-time tokens of which only digests are stored (51 §7, §8).

There is one token for each purpose and address: a new one takes the place of the old. Whether an
address is known must show neither in an answer nor in its time, so for an unknown one the same is
written, and taken back in the same commit.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias
from urllib.parse import urlencode

import orjson

from bkend.auth.buckets import Buckets, Limit
from bkend.clock import Clock
from bkend.mail.service import Category, Mail
from bkend.store import (
    Compare,
    Condition,
    Delete,
    DeleteWhere,
    Duplicate,
    Equals,
    Find,
    Insert,
    Operation,
    Store,
    all_of,
)
from bkend.store.documents import format_time, parse_time
from bkend.tenants.collections import TENANT_LINKS
from bkend.tenants.errors import LinkExpired, LinkInvalid, TooManyAttempts

Purpose: TypeAlias = Literal["magic", "reset", "verify"]

_MINUTE_MS = 60_000
_HOUR_MS = 60 * _MINUTE_MS
_KEPT_MS = 7 * 24 * _HOUR_MS
_LONGEST = 128
_MAILS = Limit("tenant-mail", 3, _HOUR_MS, TooManyAttempts)


@dataclass(frozen=True, slots=True)
class _Kind:
    category: Category
    variable: str
    lifetime_ms: int
    page: str


_KINDS: dict[Purpose, _Kind] = {
    "magic": _Kind("magic_link", "magicLink", 15 * _MINUTE_MS, "/console/magic"),
    "reset": _Kind("password_reset", "resetLink", 24 * _HOUR_MS, "/console/reset"),
    "verify": _Kind("email_verification", "verifyLink", 24 * _HOUR_MS, "/console/verify"),
}


@dataclass(frozen=True, slots=True)
class Link:
    """A stored token that is still good."""

    id: str
    digest: str
    email: str
    account_id: str | None
    """None while the address belongs to nobody."""

    def use(self) -> Operation:
        """The operation that uses it up: Missing or Conflict when somebody else has."""
        return Delete(TENANT_LINKS, self.id, guard=Equals(("digest",), self.digest))


class Links:
    """Makes, mails and finds the tokens of tenants."""

    def __init__(self, store: Store, clock: Clock, mail: Mail, buckets: Buckets, base: str) -> None:
        self._store = store
        self._clock = clock
        self._mail = mail
        self._buckets = buckets
        self._base = base

    async def count(self, purpose: Purpose, address: str) -> None:
        """Count a mail to an address, known or not; raises TooManyAttempts."""
        await self._buckets.take(_MAILS, f"{purpose}|{address}")

    async def issue(self, purpose: Purpose, address: str, account: Mapping[str, Any]) -> str:
        """A new token that is mailed to nobody, for who has shown already who they are."""
        while True:
            token, operations = self._make(purpose, address, account)
            try:
                await self._store.commit(operations)
            except Duplicate:
                continue
            return token

    def _make(
        self, purpose: Purpose, address: str, account: Mapping[str, Any] | None
    ) -> tuple[str, list[Operation]]:
        token, now = secrets.token_urlsafe(32), self._clock.now_ms()
        slot = digest(f"{purpose}|{address}")
        fields = {
            "purpose": purpose,
            "digest": digest(token),
            "email": address,
            "accountId": account["id"] if account else None,
            "expiresAt": format_time(now + _KINDS[purpose].lifetime_ms),
        }
        before = DeleteWhere(TENANT_LINKS, Equals(("id",), slot))
        return token, [before, Insert(TENANT_LINKS, slot, fields, now, now)]

    async def compose(
        self, purpose: Purpose, address: str, account: Mapping[str, Any] | None
    ) -> list[Operation]:
        """The operations that store a new token and put its mail in the outbox."""
        kind, (token, operations) = _KINDS[purpose], self._make(purpose, address, account)
        link = f"{self._base}{kind.page}?{urlencode({'token': token})}"
        mail = await self._mail.compose(
            kind.category,
            address,
            {
                "userName": account["name"] if account else "",
                "userEmail": address,
                "token": token,
                kind.variable: link,
            },
            account["locale"] if account else None,
        )
        return [*operations, mail]

    async def send(
        self,
        purpose: Purpose,
        address: str,
        account: Mapping[str, Any] | None,
        *,
        really: bool = True,
    ) -> None:
        """Commit and send; without `really` nothing is left of it and nothing is sent."""
        while True:
            operations = await self.compose(purpose, address, account)
            if not really:
                operations += _taken_back(operations)
            try:
                await self._store.commit(operations)
            except Duplicate:
                continue  # another one was made at the same moment: ours is the newer one
            self.send_soon()
            return

    def send_soon(self) -> None:
        """To be called after a commit with what `compose` gave."""
        self._mail.send_soon()

    async def find(self, purpose: Purpose, token: str) -> Link:
        """The stored token; raises LinkInvalid, LinkExpired."""
        if not token or len(token) > _LONGEST:
            raise LinkInvalid
        fits = all_of(Equals(("digest",), digest(token)), Equals(("purpose",), purpose))
        page = await self._store.find(Find(TENANT_LINKS, fits, limit=1))
        found = orjson.loads(page.items)
        if not found:
            raise LinkInvalid
        [held] = found
        if parse_time(held["expiresAt"]) <= self._clock.now_ms():
            raise LinkExpired
        return Link(held["id"], held["digest"], held["email"], held["accountId"])

    def drop_expired(self) -> Operation:
        """The operation that removes tokens which ran out a week ago; until then people are
        told that their link has expired."""
        ended = format_time(self._clock.now_ms() - _KEPT_MS)
        return DeleteWhere(TENANT_LINKS, Compare(("expiresAt",), "lte", ended))


def void_links(account_id: str) -> Operation:
    """The operation that voids every link of an account."""
    return DeleteWhere(TENANT_LINKS, _of(account_id))


def void_resets(account_id: str) -> Operation:
    """The operation that voids an account's links to a new password."""
    is_reset = Equals(("purpose",), "reset")
    return DeleteWhere(TENANT_LINKS, all_of(_of(account_id), is_reset))


def digest(text: str) -> str:
    """The SHA-256 of a token in hex, as it is stored."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _of(account_id: str) -> Condition:
    return Equals(("accountId",), account_id)


def _taken_back(operations: Sequence[Operation]) -> list[Operation]:
    return [Delete(op.collection, op.id) for op in operations if isinstance(op, Insert)]
