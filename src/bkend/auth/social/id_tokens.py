"""ID tokens: who signed them, for whom, when (OpenID Connect Core §3.1.3.7)."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import jwt

from bkend.auth.social.discovery import Discovery
from bkend.auth.social.errors import InvalidOAuthCode
from bkend.clock import Clock

_ACCEPTED = ("RS256", "ES256")
_LEEWAY_SECONDS = 60
_LONGEST = 16 * 1024
_OLDER_GOOGLE = {"https://accounts.google.com": {"accounts.google.com"}}


async def verify_id_token(
    discovery: Discovery,
    clock: Clock,
    token: str,
    *,
    server: str,
    client_ids: Collection[str],
    nonce: str | None,
) -> dict[str, Any]:
    """The claims of a good ID token of the issuer for one of the clients.

    With `nonce` the token must repeat it. Raises InvalidOAuthCode; ProviderUnreachable when the
    issuer's keys cannot be fetched.
    """
    if len(token) > _LONGEST:
        raise InvalidOAuthCode
    try:
        header = jwt.get_unverified_header(token)
    except jwt.InvalidTokenError:
        raise InvalidOAuthCode from None
    algorithm, key_id = header.get("alg"), header.get("kid")
    if algorithm not in _ACCEPTED or "crit" in header or not isinstance(key_id, (str, type(None))):
        raise InvalidOAuthCode
    key = await discovery.key(server, key_id, algorithm)
    if key is None:
        raise InvalidOAuthCode
    claims = _signed_claims(token, key.key, key.algorithm)
    issuer = (await discovery.metadata(server)).issuer
    if claims["iss"] not in {issuer, *_OLDER_GOOGLE.get(server, ())}:
        raise InvalidOAuthCode
    _require_audience(claims, client_ids)
    _require_time(claims, clock.now_ms() // 1000)
    if nonce is not None and claims.get("nonce") != nonce:
        raise InvalidOAuthCode
    if not isinstance(claims["sub"], str) or not claims["sub"]:
        raise InvalidOAuthCode
    return claims


def _signed_claims(token: str, key: Any, algorithm: str) -> dict[str, Any]:
    """The claims under a good signature; what they say is looked at elsewhere."""
    unlooked_at = ("aud", "exp", "iat", "iss", "nbf", "sub", "jti")
    options: Any = {f"verify_{name}": False for name in unlooked_at}
    options["require"] = ["iss", "sub", "aud", "exp", "iat"]
    try:
        claims: dict[str, Any] = jwt.decode(token, key, algorithms=[algorithm], options=options)
    except jwt.InvalidTokenError:
        raise InvalidOAuthCode from None
    return claims


def _require_audience(claims: dict[str, Any], client_ids: Collection[str]) -> None:
    """Made for one of the clients; a token for several must say that one of them asked for it."""
    audience = claims["aud"]
    names = [audience] if isinstance(audience, str) else audience
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InvalidOAuthCode
    if not any(name in client_ids for name in names):
        raise InvalidOAuthCode
    if len(names) > 1 and claims.get("azp") not in client_ids:
        raise InvalidOAuthCode


def _require_time(claims: dict[str, Any], now: int) -> None:
    """Still valid, and not from the future. Times in seconds."""

    def seconds(name: str) -> float:
        value = claims[name]
        if type(value) not in (int, float) or not math.isfinite(value):
            raise InvalidOAuthCode
        return float(value)

    begins = max(seconds(name) for name in ("iat", "nbf") if name in claims)
    if not begins - _LEEWAY_SECONDS <= now < seconds("exp") + _LEEWAY_SECONDS:
        raise InvalidOAuthCode
