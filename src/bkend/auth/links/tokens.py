"""One-time tokens: only digests are stored, one token per purpose and address, used up in one
commit with what they bring about (10 §3)."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import orjson

from bkend.auth.links.collections import TOKENS
from bkend.clock import Clock
from bkend.store import (
    Compare,
    Delete,
    DeleteWhere,
    Equals,
    Find,
    Insert,
    OneOf,
    Operation,
    Store,
    all_of,
)
from bkend.store.documents import format_time, parse_time

Purpose: TypeAlias = Literal[
    "magic_link", "password_reset", "signup_confirmation", "email_verification"
]

_BYTES = 32
_LONGEST = 256
_KEPT_MS = 7 * 24 * 60 * 60 * 1000


def digest(text: str) -> str:
    """The SHA-256 of a token in hex, as it is stored."""
    return hashlib.sha256(text.encode()).hexdigest()


def environment_of(token: str) -> str:
    """The id of the environment that a token says it is of; `""` without one."""
    return token.rpartition(".")[0] if len(token) <= _LONGEST else ""


@dataclass(frozen=True, slots=True)
class Token:
    """A stored token that fits its purpose; it may have expired."""

    id: str
    digest: str
    purpose: Purpose
    email: str
    """The normalised address that it was mailed to."""
    user_id: str | None
    """None while the address belongs to nobody."""
    name: str | None
    callback_url: str | None
    changes_address: bool
    expires_at: int
    """Milliseconds since 1970."""

    def use(self) -> Operation:
        """The operation that uses it up: Missing or Conflict when somebody else has."""
        return Delete(TOKENS, self.id, guard=Equals(("digest",), self.digest))


@dataclass(frozen=True, slots=True)
class Wanted:
    """A token to be made. `lifetime_ms` from now."""

    purpose: Purpose
    email: str
    lifetime_ms: int
    user_id: str | None = None
    name: str | None = None
    callback_url: str | None = None
    changes_address: bool = False

    @property
    def slot(self) -> str:
        """Its document's id: a new token for the same takes the place of the old one."""
        owner = self.user_id if self.changes_address else ""
        return digest(f"{self.purpose}|{self.email}|{owner}")


class OneTimeTokens:
    """The tokens of one environment."""

    def __init__(self, store: Store, clock: Clock, environment_id: str) -> None:
        self._store = store
        self._clock = clock
        self._environment_id = environment_id

    def make(self, wanted: Wanted, slot: str) -> tuple[str, list[Operation]]:
        """The token for the mail, and the operations that store its digest in the slot and void
        what was there. Their Duplicate means that another one was made at the same moment."""
        token = f"{self._environment_id}.{secrets.token_urlsafe(_BYTES)}"
        now = self._clock.now_ms()
        fields = {
            "purpose": wanted.purpose,
            "digest": digest(token),
            "email": wanted.email,
            "userId": wanted.user_id,
            "name": wanted.name,
            "callbackUrl": wanted.callback_url,
            "changesAddress": wanted.changes_address,
            "expiresAt": format_time(now + wanted.lifetime_ms),
        }
        before = DeleteWhere(TOKENS, Equals(("id",), slot))
        return token, [before, Insert(TOKENS, slot, fields, now, now)]

    async def find(self, token: str, *purposes: Purpose) -> Token | None:
        """The stored token of one of the purposes, expired or not."""
        if not token or len(token) > _LONGEST:
            return None
        fits = all_of(Equals(("digest",), digest(token)), OneOf(("purpose",), purposes))
        found = await self._store.find(Find(TOKENS, fits, limit=1))
        documents: list[dict[str, Any]] = orjson.loads(found.items)
        return _token(documents[0]) if documents else None

    def is_expired(self, token: Token) -> bool:
        """Whether its time has passed."""
        return token.expires_at <= self._clock.now_ms()

    def drop_expired(self) -> Operation:
        """The operation that removes tokens which ran out a week ago; until then people are
        told that their link has expired."""
        ended = format_time(self._clock.now_ms() - _KEPT_MS)
        return DeleteWhere(TOKENS, Compare(("expiresAt",), "lte", ended))


def void_all(user_id: str) -> Operation:
    """The operation that voids every token of a user, for a withdrawal or a new address."""
    return DeleteWhere(TOKENS, Equals(("userId",), user_id))


def void_resets(user_id: str) -> Operation:
    """The operation that voids a user's reset tokens, for a change of password (10 §8)."""
    is_reset = Equals(("purpose",), "password_reset")
    return DeleteWhere(TOKENS, all_of(Equals(("userId",), user_id), is_reset))


def _token(document: dict[str, Any]) -> Token:
    return Token(
        id=document["id"],
        digest=document["digest"],
        purpose=document["purpose"],
        email=document["email"],
        user_id=document["userId"],
        name=document["name"],
        callback_url=document["callbackUrl"],
        changes_address=document["changesAddress"],
        expires_at=parse_time(document["expiresAt"]),
    )
