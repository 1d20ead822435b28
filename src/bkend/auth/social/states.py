"""The `state` of a sign-in that this server began: signed, single-use, ten minutes (10 §7).

It carries where the sign-in belongs and leads, so that the browser can come back without a key.
The PKCE verifier stays here, sealed, under the state's digest.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import astuple, dataclass

import orjson

from bkend.auth.parts import AuthParts
from bkend.auth.social.collections import STATES
from bkend.auth.social.errors import InvalidOAuthCode
from bkend.sealing import Unsealable
from bkend.secret import Rings, Secret
from bkend.store import Compare, Conflict, Delete, DeleteWhere, Equals, Insert, Missing
from bkend.store.documents import decode, format_time

_PREFIX = "bks1."
_LIFETIME_MS = 10 * 60_000
_LONGEST = 8192


@dataclass(frozen=True, slots=True)
class State:
    """What a state says."""

    provider: str
    project_id: str
    environment_id: str
    redirect: str
    """Where the app wants the browser back."""
    callback: str
    """Where the provider sends it, as it was told."""
    nonce: str
    expires_at: int
    """Milliseconds since 1970."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in to be sent to the provider."""

    state: str
    nonce: str
    challenge: str
    """PKCE, S256."""


class StateSigner:
    """Signs states for every environment."""

    def __init__(self, secrets: Rings) -> None:
        self._secrets = secrets

    def sign(self, state: State) -> str:
        """The state as text for a URL."""
        payload = _encode(orjson.dumps(astuple(state)))
        return f"{_PREFIX}{payload}.{_mac(self._secrets.ring().current, payload)}"

    def read(self, text: str) -> State | None:
        """What a well-signed state says, expired or not. None for one that is not of this server;
        raises InvalidOAuthCode for one that only looks so."""
        if not text.startswith(_PREFIX):
            return None
        payload, _, mac = text[len(_PREFIX) :].partition(".")
        if len(text) > _LONGEST or not text.isascii():
            raise InvalidOAuthCode
        accepted = [_mac(secret, payload) for secret in self._secrets.ring().all]
        if not any(hmac.compare_digest(mac, good) for good in accepted):
            raise InvalidOAuthCode
        try:
            return State(*orjson.loads(base64.urlsafe_b64decode(payload + "==")))
        except (binascii.Error, ValueError, TypeError):
            raise InvalidOAuthCode from None


class States:
    """Hands out the states of one environment, and takes each back once."""

    def __init__(self, parts: AuthParts, signer: StateSigner) -> None:
        self._store = parts.store
        self._clock = parts.clock
        self._sealer = parts.sealer
        self._environment = parts.environment
        self._signer = signer

    async def begin(self, provider: str, redirect: str, callback: str) -> Begun:
        """A new state; those that nobody brought back in time go."""
        now = self._clock.now_ms()
        nonce, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
        text = self._signer.sign(
            State(
                provider=provider,
                project_id=self._environment.project.id,
                environment_id=self._environment.id,
                redirect=redirect,
                callback=callback,
                nonce=nonce,
                expires_at=now + _LIFETIME_MS,
            )
        )
        id = _digest(text)
        fields = {
            "provider": provider,
            "verifier": self._sealer.seal(_purpose(id), verifier),
            "expiresAt": format_time(now + _LIFETIME_MS),
        }
        late = DeleteWhere(STATES, Compare(("expiresAt",), "lte", format_time(now)))
        await self._store.commit([late, Insert(STATES, id, fields, now, now)])
        challenge = _encode(hashlib.sha256(verifier.encode()).digest())
        return Begun(text, nonce, challenge)

    def read(self, text: str) -> State | None:
        """As `StateSigner.read`."""
        return self._signer.read(text)

    async def redeem(self, text: str, state: State, provider: str) -> str:
        """Use the state up; the PKCE verifier. Raises InvalidOAuthCode if it is late, used, or
        belongs to another provider, project or environment."""
        environment = self._environment
        here = (provider, environment.project.id, environment.id)
        if (state.provider, state.project_id, state.environment_id) != here:
            raise InvalidOAuthCode
        if state.expires_at <= self._clock.now_ms():
            raise InvalidOAuthCode
        id = _digest(text)
        body = await self._store.get(STATES, id)
        if body is None:
            raise InvalidOAuthCode
        sealed = decode(body)["verifier"]
        try:
            await self._store.commit([Delete(STATES, id, guard=Equals(("verifier",), sealed))])
            return self._sealer.unseal(_purpose(id), sealed)
        except (Missing, Conflict, Unsealable):
            raise InvalidOAuthCode from None


def _mac(secret: Secret, payload: str) -> str:
    key = secret.key("oauth-state")
    return _encode(hmac.new(key, payload.encode(), hashlib.sha256).digest())


def _purpose(id: str) -> str:
    return f"oauth-state:{id}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
