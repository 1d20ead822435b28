"""What an OpenID Connect provider publishes of itself: its endpoints and its signing keys.

Both are kept for an hour. A key that is not among those kept is looked for again at most once a
minute, whoever presents tokens that name it, and one that just failed to answer is left alone for
a moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from bkend.auth.social.configuration import is_trustworthy
from bkend.auth.social.outbound import Outbound, ProviderUnreachable
from bkend.clock import Clock

_KEPT_MS = 60 * 60_000
_LOOK_AGAIN_MS = 60_000
_LEFT_ALONE_MS = 5_000
_MOST_KEYS = 100
_SMALLEST_RSA_BITS = 2048
_ALGORITHMS = {"RSA": "RS256", "EC": "ES256"}
"""By key type, so that no token chooses how its key is used."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """The endpoints of an issuer."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    posts_secret: bool
    """Whether the client secret goes into the form rather than into HTTP Basic."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public key and the one algorithm it is used with."""

    id: str | None
    algorithm: str
    key: Any


@dataclass(slots=True)
class _Issuer:
    metadata: Metadata | None = None
    metadata_at: int = 0
    keys: list[SigningKey] = field(default_factory=list)
    keys_at: int | None = None
    looked_at: int = 0
    failed_at: int | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Discovery:
    """The issuers that this process has met, for all environments."""

    def __init__(self, outbound: Outbound, clock: Clock) -> None:
        self._outbound = outbound
        self._clock = clock
        self._issuers: dict[str, _Issuer] = {}

    async def metadata(self, server: str) -> Metadata:
        """The endpoints of the issuer; raises ProviderUnreachable."""
        held = self._issuers.setdefault(server, _Issuer())
        async with self._asking(held):
            return await self._metadata(held, server)

    async def key(self, server: str, id: str | None, algorithm: str) -> SigningKey | None:
        """The issuer's key that a token names, None if it has no such key. A token that names
        none is one for the only key there is. Raises ProviderUnreachable."""
        held = self._issuers.setdefault(server, _Issuer())
        async with self._asking(held):
            now = self._clock.now_ms()
            found = _choose(held.keys, id, algorithm)
            is_old = held.keys_at is None or now - held.keys_at >= _KEPT_MS
            if is_old or (found is None and now - held.looked_at >= _LOOK_AGAIN_MS):
                held.looked_at = now
                metadata = await self._metadata(held, server)
                held.keys = await self._fetch_keys(metadata.jwks_uri)
                held.keys_at = now
                found = _choose(held.keys, id, algorithm)
            return found

    @asynccontextmanager
    async def _asking(self, held: _Issuer) -> AsyncIterator[None]:
        """One asks, the others wait for its answer; none waits for a second failure."""
        async with held.lock:
            now = self._clock.now_ms()
            if held.failed_at is not None and 0 <= now - held.failed_at < _LEFT_ALONE_MS:
                raise ProviderUnreachable("it failed to answer a moment ago")
            try:
                yield
                held.failed_at = None
            except ProviderUnreachable:
                held.failed_at = now
                raise

    async def _metadata(self, held: _Issuer, server: str) -> Metadata:
        now = self._clock.now_ms()
        if held.metadata is None or now - held.metadata_at >= _KEPT_MS:
            held.metadata = await self._fetch_metadata(server)
            held.metadata_at = now
        return held.metadata

    async def _fetch_metadata(self, server: str) -> Metadata:
        url = f"{server}/.well-known/openid-configuration"
        answer = await self._outbound.get_json(url)
        if answer.status != 200:
            raise ProviderUnreachable(f"{url}: status {answer.status}")
        return _metadata(url, server, answer.object)

    async def _fetch_keys(self, url: str) -> list[SigningKey]:
        answer = await self._outbound.get_json(url)
        keys = answer.object.get("keys")
        if answer.status != 200 or not isinstance(keys, list):
            raise ProviderUnreachable(f"{url}: status {answer.status}, no list of keys")
        found = [_signing_key(jwk) for jwk in keys[:_MOST_KEYS]]
        return [key for key in found if key is not None]


def _metadata(url: str, server: str, document: dict[str, Any]) -> Metadata:
    issuer = document.get("issuer")
    if not isinstance(issuer, str) or issuer.rstrip("/") != server:
        raise ProviderUnreachable(f"{url}: it names another issuer")

    def endpoint(name: str) -> str:
        found = document.get(name)
        if not isinstance(found, str) or not is_trustworthy(found, below=server):
            raise ProviderUnreachable(f"{url}: {name} is missing or not https")
        return found

    methods = document.get("token_endpoint_auth_methods_supported")
    return Metadata(
        issuer=issuer,
        authorization_endpoint=endpoint("authorization_endpoint"),
        token_endpoint=endpoint("token_endpoint"),
        jwks_uri=endpoint("jwks_uri"),
        userinfo_endpoint=endpoint("userinfo_endpoint")
        if document.get("userinfo_endpoint")
        else None,
        posts_secret=isinstance(methods, list) and "client_secret_post" in methods,
    )


def _signing_key(jwk: Any) -> SigningKey | None:
    """The key, None for one that is not for signatures this server accepts."""
    if not isinstance(jwk, dict) or jwk.get("use", "sig") != "sig":
        return None
    algorithm = _ALGORITHMS.get(str(jwk.get("kty")))
    if algorithm is None or jwk.get("alg", algorithm) != algorithm:
        return None
    if algorithm == "ES256" and jwk.get("crv") != "P-256":
        return None
    public = {name: value for name, value in jwk.items() if name not in ("d", "p", "q")}
    try:
        key = jwt.PyJWK(public, algorithm=algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None
    if isinstance(key, RSAPublicKey) and key.key_size < _SMALLEST_RSA_BITS:
        return None
    id = jwk.get("kid")
    return SigningKey(id if isinstance(id, str) else None, algorithm, key)


def _choose(keys: list[SigningKey], id: str | None, algorithm: str) -> SigningKey | None:
    fitting = [key for key in keys if key.algorithm == algorithm and id in (None, key.id)]
    return fitting[0] if len(fitting) == 1 or (fitting and id is not None) else None
