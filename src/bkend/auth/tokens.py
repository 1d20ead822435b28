"""Access and refresh tokens: HS256 JWTs with every claim required (10 §3)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import jwt

from bkend.clock import Clock
from bkend.errors import InvalidToken, TokenExpired
from bkend.manage.environments import EnvironmentState
from bkend.secret import Secret

TokenType: TypeAlias = Literal["access", "refresh"]

_ALGORITHM = "HS256"
_ISSUER = "bkend"
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

    def __init__(self, secret: Secret, clock: Clock) -> None:
        self._key = secret.key("jwt")
        self._clock = clock
        self._verified: dict[str, Claims] = {}

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
        **extra: Any,
    ) -> str:
        """A signed token; times in seconds. Equal arguments with `token_id` give equal tokens."""
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
        return jwt.encode(claims, self._key, algorithm=_ALGORITHM)

    def verify_access(self, token: str) -> Claims:
        """The claims of a good access token; raises TokenExpired and InvalidToken."""
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
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key,
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
            raise InvalidToken from None
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
            expires_at=claims["exp"],
        )
