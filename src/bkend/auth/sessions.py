"""Sessions and the tokens that stand for them: opening, rotating, ending (10 §3, §10).

A refresh token follows from its session and generation alone, so only digests are stored and
the same token can be given again to those who asked for it at the same moment.
"""

from __future__ import annotations

import hashlib
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import structlog

from bkend.auth.buckets import REFRESHES
from bkend.auth.collections import SESSIONS, USERS
from bkend.auth.devices import describe_device
from bkend.auth.errors import (
    InvalidRefreshToken,
    SessionExpired,
    SessionNotFound,
    UserNotFound,
)
from bkend.auth.identity import Identity
from bkend.auth.settings import AuthSettings
from bkend.auth.shapes import SessionList, TokenPair, session, session_list
from bkend.auth.tokens import Tokens
from bkend.clock import Clock
from bkend.errors import InvalidToken, TokenExpired
from bkend.ids import uuid4
from bkend.manage.environments import EnvironmentState
from bkend.secret import Secret
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
    Operation,
    Sort,
    Store,
    Update,
    all_of,
)
from bkend.store.documents import decode, format_time, parse_time

_ACTIVITY_MS = 60_000
_RETENTION_MS = 30 * 24 * 60 * 60 * 1000
_LONGEST_USER_AGENT = 512

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Client:
    """Where a sign-in came from."""

    user_agent: str | None = None
    ip_address: str | None = None


class Sessions:
    """The sessions of one environment."""

    def __init__(
        self, store: Store, tokens: Tokens, environment: EnvironmentState, clock: Clock
    ) -> None:
        self._store = store
        self._tokens = tokens
        self._environment = environment
        self._clock = clock
        self._noting: set[str] = set()

    # -- opening ----------------------------------------------------------------------------

    async def open(
        self,
        user_id: str,
        role: str,
        client: Client,
        settings: AuthSettings,
        operations: Sequence[Operation],
    ) -> TokenPair:
        """Open a session in one commit with the operations, whose refusals are raised."""
        now = self._clock.now_ms()
        id = uuid4()
        expires = now // 1000 + settings.refresh_token_ttl_seconds
        refresh = self._refresh_token(id, user_id, 0, now // 1000, expires)
        user_agent = client.user_agent[:_LONGEST_USER_AGENT] if client.user_agent else None
        fields = {
            "userId": user_id,
            "userAgent": user_agent,
            "ipAddress": client.ip_address or None,
            "deviceInfo": describe_device(user_agent),
            "lastActivityAt": format_time(now),
            "expiresAt": format_time(expires * 1000),
            "generation": 0,
            "refreshDigest": _digest(refresh),
            "previousDigest": None,
            "rotatedAt": None,
            "refreshes": 0,
            "refreshesSince": None,
        }
        await self._store.commit([*operations, Insert(SESSIONS, id, fields, now, now, user_id)])
        return self._pair(id, user_id, role, refresh, now, settings)

    # -- refreshing -------------------------------------------------------------------------

    async def refresh(self, token: str, settings: AuthSettings) -> TokenPair:
        """The next token pair of a session (the table of 10 §3).

        Raises InvalidRefreshToken, SessionExpired, TokenExpired, UserNotFound, TooManyRequests.
        """
        try:
            claims = self._tokens.verify(token, "refresh")
        except InvalidToken:
            raise InvalidRefreshToken from None
        if not claims.is_of(self._environment):
            raise InvalidRefreshToken
        presented = _digest(token)
        while True:
            now = self._clock.now_ms()
            body = await self._store.get(SESSIONS, claims.session_id)
            held = decode(body) if body else None
            if held is None or held["userId"] != claims.user_id:
                raise InvalidRefreshToken
            if parse_time(held["expiresAt"]) <= now:
                raise SessionExpired
            if claims.expires_at * 1000 <= now:
                raise TokenExpired("The refresh token has expired")
            if presented == held["refreshDigest"]:
                pair = await self._rotate(held, now, settings)
                if pair is None:
                    continue  # somebody else rotated or ended the session: look again
                return pair
            if presented == held["previousDigest"] and _in_grace(held, now, settings):
                return await self._repeat(held, now, settings)
            await self._revoke_all(held)
            raise InvalidRefreshToken

    async def switch(
        self, identity: Identity, organization_id: str, settings: AuthSettings
    ) -> TokenPair:
        """The calling session's next pair, whose access tokens carry the claim `org` from now on.

        Raises InvalidToken for a session that has just ended, and TooManyRequests.
        """
        while True:
            body = await self._store.get(SESSIONS, identity.session_id)
            if body is None:
                raise InvalidToken
            held = {**decode(body), "organizationId": organization_id}
            pair = await self._rotate(held, self._clock.now_ms(), settings)
            if pair is not None:
                return pair

    async def _rotate(
        self, held: dict[str, Any], now: int, settings: AuthSettings
    ) -> TokenPair | None:
        """Compare-and-swap on the current digest; None when it was not current any more."""
        role = await self._role(held["userId"])
        counted = _count_refresh(held, now, settings)
        generation = held["generation"] + 1
        expires = now // 1000 + settings.refresh_token_ttl_seconds
        refresh = self._refresh_token(held["id"], held["userId"], generation, now // 1000, expires)
        changed = {
            "generation": generation,
            "refreshDigest": _digest(refresh),
            "previousDigest": held["refreshDigest"],
            "rotatedAt": format_time(now),
            "lastActivityAt": format_time(now),
            "expiresAt": format_time(expires * 1000),
            "organizationId": held.get("organizationId"),
            **counted,
        }
        is_current = Equals(("refreshDigest",), held["refreshDigest"])
        try:
            await self._store.commit(
                [Update(SESSIONS, held["id"], set=changed, updated_at=now, guard=is_current)]
            )
        except (Conflict, Missing):
            return None
        organization_id = held.get("organizationId")
        return self._pair(held["id"], held["userId"], role, refresh, now, settings, organization_id)

    async def _repeat(self, held: dict[str, Any], now: int, settings: AuthSettings) -> TokenPair:
        """The refresh token that the last rotation gave, with a new access token.

        It was signed with the master secret of that moment, which need not be today's.
        """
        role = await self._role(held["userId"])
        for secret in self._tokens.accepted():
            refresh = self._refresh_token(
                held["id"],
                held["userId"],
                held["generation"],
                parse_time(held["rotatedAt"]) // 1000,
                parse_time(held["expiresAt"]) // 1000,
                secret,
            )
            if _digest(refresh) == held["refreshDigest"]:
                break
        else:  # signed with a secret that is not accepted any more
            raise InvalidRefreshToken
        organization_id = held.get("organizationId")
        return self._pair(held["id"], held["userId"], role, refresh, now, settings, organization_id)

    async def _revoke_all(self, held: dict[str, Any]) -> None:
        """A used-up token came back: whoever holds the newest one may be a thief."""
        log.warning("refresh token replayed", user=held["userId"], session=held["id"])
        await self._store.commit([self.end_all(held["userId"])])

    async def _role(self, user_id: str) -> str:
        body = await self._store.get(USERS, user_id)
        if body is None:
            raise UserNotFound
        user = decode(body)
        if user.get("deletedAt") or user.get("status", "active") != "active":
            raise InvalidRefreshToken
        role: str = user["role"]
        return role

    # -- tokens -----------------------------------------------------------------------------

    def _refresh_token(
        self,
        id: str,
        user_id: str,
        generation: int,
        issued_at: int,
        expires_at: int,
        secret: Secret | None = None,
    ) -> str:
        """Equal arguments give the equal token under the same secret, the one in force unless
        named. Times in seconds."""
        return self._tokens.sign(
            "refresh",
            user_id=user_id,
            session_id=id,
            project_id=self._environment.project.id,
            environment=self._environment.name,
            issued_at=issued_at,
            expires_at=expires_at,
            token_id=_digest(f"{id}.{generation}")[:32],
            secret=secret,
        )

    def _pair(
        self,
        id: str,
        user_id: str,
        role: str,
        refresh_token: str,
        now: int,
        settings: AuthSettings,
        organization_id: str | None = None,
    ) -> TokenPair:
        organization: dict[str, Any] = {"org": organization_id} if organization_id else {}
        lifetime = settings.access_token_ttl_seconds
        access_token = self._tokens.sign(
            "access",
            user_id=user_id,
            session_id=id,
            project_id=self._environment.project.id,
            environment=self._environment.name,
            issued_at=now // 1000,
            expires_at=now // 1000 + lifetime,
            role=role,
            **organization,
        )
        return {
            "accessToken": access_token,
            "refreshToken": refresh_token,
            "tokenType": "Bearer",
            "expiresIn": lifetime,
        }

    # -- listing and ending -----------------------------------------------------------------

    async def list(self, identity: Identity, page: int, limit: int) -> SessionList:
        """The caller's live sessions, newest activity first."""
        found = await self._store.find(
            Find(
                SESSIONS,
                all_of(Equals(("userId",), identity.user_id), self._is_live()),
                sort=(Sort(("lastActivityAt",), descending=True),),
                offset=(page - 1) * limit,
                limit=limit,
            )
        )
        items = [session(held, identity.session_id) for held in orjson.loads(found.items)]
        return session_list(items, found.total, page, limit)

    async def end(self, identity: Identity, id: str) -> None:
        """End a live session of the caller; raises SessionNotFound."""
        is_theirs = all_of(Equals(("userId",), identity.user_id), self._is_live())
        try:
            await self._store.commit([Delete(SESSIONS, id, guard=is_theirs)])
        except (Missing, Conflict):
            raise SessionNotFound from None

    def end_all(self, user_id: str) -> Operation:
        """The operation that ends every session of a user."""
        return DeleteWhere(SESSIONS, Equals(("userId",), user_id))

    def drop_expired(self) -> Operation:
        """The operation that removes sessions which ran out a month ago.

        Until then their refresh tokens are told that the session expired.
        """
        ended = format_time(self._clock.now_ms() - _RETENTION_MS)
        return DeleteWhere(SESSIONS, Compare(("expiresAt",), "lte", ended))

    def _is_live(self) -> Condition:
        return Compare(("expiresAt",), "gt", format_time(self._clock.now_ms()))

    # -- activity ---------------------------------------------------------------------------

    def note_activity(self, identity: Identity) -> Coroutine[Any, Any, None] | None:
        """Work to be run in the background, or None: written at most once a minute."""
        last = identity.session.last_activity_at
        if self._clock.now_ms() - last < _ACTIVITY_MS or identity.session_id in self._noting:
            return None
        self._noting.add(identity.session_id)
        return self._write_activity(identity.session_id)

    async def _write_activity(self, id: str) -> None:
        try:
            seen = {"lastActivityAt": format_time(self._clock.now_ms())}
            await self._store.commit([Update(SESSIONS, id, set=seen)])
        except Missing:
            pass
        finally:
            self._noting.discard(id)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _in_grace(held: dict[str, Any], now: int, settings: AuthSettings) -> bool:
    grace = settings.refresh_reuse_grace_seconds * 1000
    return now - parse_time(held["rotatedAt"]) < grace


def _count_refresh(held: dict[str, Any], now: int, settings: AuthSettings) -> dict[str, Any]:
    """The session's own bucket (10 §5), kept with it so that one guard covers both."""
    since, count = held["refreshesSince"], held["refreshes"]
    if since is None or parse_time(since) + REFRESHES.window_ms <= now:
        return {"refreshesSince": format_time(now), "refreshes": 1}
    if count >= REFRESHES.count and settings.rate_limits_enabled:
        raise REFRESHES.refuse(parse_time(since) + REFRESHES.window_ms, now)
    return {"refreshes": count + 1}
