"""Who a bearer token stands for, asked on every request and answered from memory (10 §1, §3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bkend.auth.collections import SESSIONS, USERS
from bkend.auth.tokens import Tokens
from bkend.clock import Clock
from bkend.documents_cache import DocumentCache
from bkend.errors import InvalidToken, TokenExpired
from bkend.manage.environments import EnvironmentState
from bkend.secret import Ring
from bkend.store import Store
from bkend.store.documents import decode, parse_time


class ForeignToken(InvalidToken):
    """A good token of another project or environment."""


class UserGone(InvalidToken):
    """The session lives but its user's row is gone."""


@dataclass(frozen=True, slots=True)
class SessionState:
    """The parts of a session that every request checks."""

    user_id: str
    expires_at: int
    """Milliseconds since 1970."""
    last_activity_at: int
    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Identity:
    """A signed-in user on a live session; the role is the stored one, never the token's."""

    user_id: str
    session_id: str
    role: str
    user: dict[str, Any]
    session: SessionState
    token_expires_at: int
    """Milliseconds since 1970."""
    ring: Ring
    """The secrets under which the token was good."""


class Identities:
    """Identifies the users of one environment."""

    def __init__(
        self, tokens: Tokens, store: Store, environment: EnvironmentState, clock: Clock
    ) -> None:
        self._tokens = tokens
        self._environment = environment
        self._clock = clock
        self._sessions = DocumentCache(store, SESSIONS, _session)
        self._users = DocumentCache(store, USERS, decode)

    async def identify(self, token: str) -> Identity:
        """Raises TokenExpired, InvalidToken, or its kinds ForeignToken and UserGone."""
        claims = self._tokens.verify_access(token)
        ring = self._tokens.ring
        if not claims.is_of(self._environment):
            raise ForeignToken
        session = await self._sessions.get(claims.session_id)
        if session is None or session.user_id != claims.user_id:
            raise InvalidToken
        if session.expires_at <= self._clock.now_ms():
            raise TokenExpired
        user = await self._users.get(claims.user_id)
        if user is None:
            raise UserGone
        if user.get("deletedAt") or user.get("status", "active") != "active":
            raise InvalidToken
        return Identity(
            user_id=claims.user_id,
            session_id=claims.session_id,
            role=user["role"],
            user=user,
            session=session,
            token_expires_at=claims.expires_at * 1000,
            ring=ring,
        )

    def is_current(self, identity: Identity) -> bool:
        """Whether neither session, user nor the master secret changed since; expiry is not
        looked at."""
        return (
            self._tokens.ring is identity.ring
            and self._sessions.cached(identity.session_id) is identity.session
            and self._users.cached(identity.user_id) is identity.user
        )


def _session(body: bytes) -> SessionState:
    document = decode(body)
    return SessionState(
        user_id=document["userId"],
        expires_at=parse_time(document["expiresAt"]),
        last_activity_at=parse_time(document["lastActivityAt"]),
        document=document,
    )
