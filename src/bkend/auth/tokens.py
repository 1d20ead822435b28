"""Access and refresh tokens: HS256 JWTs with every claim required (10 §3)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import jwt

from bkend.clock import Clock
from bkend.errors import InvalidToken, TokenExpired
from bkend.manage.environments import EnvironmentState
from bkend.secret import Ring, Rings, Secret

TokenType: TypeAlias = Literal["access", "refresh"]

_ALGORITHM = "HS256"
_ISSUER = "bkend"
_PURPOSE = "jwt"
_REQUIRED = {
    "access": ["sub", "sid", "jti", "typ", "role", "pid", "env", "iss", "iat", "exp"],
    "refresh": ["sub", "sid", "jti", "typ", "pid", "env", "iss", "iat", "exp"],
}
_REMEMBERED = 10_000
_LONGEST = 4096


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says."""

    type: TokenType
    user_id: str
    session_id: str
    project_id: str
    environment: str
    token_id: str
    expires_at: int
    """Seconds since 1970."""

    def is_of(self, environment: EnvironmentState) -> bool:
        """Whether the token was made for this environment."""
        return self.project_id == environment.project.id and self.environment == environment.name


class Tokens:
    """Signs tokens and verifies them; a verified access token is remembered until it expires."""

    def __init__(self, secrets: Rings, clock: Clock) -> None:
        self._secrets = secrets
        self._clock = clock
        self._ring: Ring | None = None
        self._verified: dict[str, Claims] = {}

    @property
    def ring(self) -> Ring:
        """The secrets in force: the same object as long as nothing changed."""
        return self._notice_rotation()

    def sign(
        self,
        type: TokenType,
        *,
        user_id: str,
        session_id: str,
        project_id: str,
        environment: str,
        issued_at: int,
        expires_at: int,
        token_id: str | None = None,
        secret: Secret | None = None,
        **extra: Any,
    ) -> str:
        """A signed token; times in seconds. Equal arguments with `token_id` give equal tokens,
        until another secret is in force; `secret` names an earlier one (see `accepted`)."""
        claims = {
            "sub": user_id,
            "sid": session_id,
            "jti": token_id or secrets.token_hex(16),
            "typ": type,
            "pid": project_id,
            "env": environment,
            "iss": _ISSUER,
            "iat": issued_at,
            "exp": expires_at,
            **extra,
        }
        key = (secret or self.ring.current).key(_PURPOSE)
        return jwt.encode(claims, key, algorithm=_ALGORITHM)

    def accepted(self) -> list[Secret]:
        """The secrets whose signatures are good now, the one in force first."""
        ring = self.ring
        return [ring.current, *(held.secret for held in ring.signing(self._clock.now_ms()))]

    def verify_access(self, token: str) -> Claims:
        """The claims of a good access token; raises TokenExpired and InvalidToken."""
        self._notice_rotation()
        held = self._verified.get(token)
        if held is None:
            held = self.verify(token, "access")
            if len(self._verified) >= _REMEMBERED:
                del self._verified[next(iter(self._verified))]
            self._verified[token] = held
        if held.expires_at * 1000 <= self._clock.now_ms():
            self._verified.pop(token, None)
            raise TokenExpired("The access token has expired")
        return held

    def verify(self, token: str, type: TokenType) -> Claims:
        """The claims of a well-signed token of the type, expired or not; raises InvalidToken."""
        if len(token) > _LONGEST:
            raise InvalidToken
        claims, until = self._signed(token, type)
        names = ("sub", "sid", "pid", "env", "jti")
        if claims["typ"] != type or not all(isinstance(claims[name], str) for name in names):
            raise InvalidToken
        if not isinstance(claims["exp"], int):
            raise InvalidToken
        return Claims(
            type=type,
            user_id=claims["sub"],
            session_id=claims["sid"],
            project_id=claims["pid"],
            environment=claims["env"],
            token_id=claims["jti"],
            expires_at=claims["exp"] if until is None else min(claims["exp"], until // 1000),
        )

    def _notice_rotation(self) -> Ring:
        """What was remembered of tokens is worth nothing under other secrets."""
        ring = self._secrets.ring()
        if ring is not self._ring:
            self._ring = ring
            self._verified.clear()
        return ring

    def _signed(self, token: str, type: TokenType) -> tuple[dict[str, Any], int | None]:
        """The claims, and until when (ms) their signature counts: None means no such end."""
        ring = self.ring
        found = self._under(ring, token, type)
        if found is None:
            self._secrets.refresh()  # another process may have put a new secret in force
            if self.ring is not ring:
                found = self._under(self.ring, token, type)
        if found is None:
            raise InvalidToken
        return found

    def _under(
        self, ring: Ring, token: str, type: TokenType
    ) -> tuple[dict[str, Any], int | None] | None:
        found = _decoded(token, ring.current, type)
        if found is not None:
            return found, None
        for held in ring.signing(self._clock.now_ms()):
            found = _decoded(token, held.secret, type)
            if found is not None:
                return found, held.until
        return None


def _decoded(token: str, secret: Secret, type: TokenType) -> dict[str, Any] | None:
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            secret.key(_PURPOSE),
            algorithms=[_ALGORITHM],
            issuer=_ISSUER,
            options={
                "require": _REQUIRED[type],
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
                "verify_aud": False,
            },
        )
    except jwt.InvalidTokenError:
        return None
    return claims
