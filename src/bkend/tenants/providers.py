"""Signing in to the console through Google or GitHub, where the server has credentials (51 §8)."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from bkend.auth.sessions import Client
from bkend.auth.social.asking import Asking
from bkend.auth.social.configuration import Provider, unconfigured
from bkend.auth.social.errors import InvalidOAuthCode, OAuthNotConfigured, UnsupportedProvider
from bkend.auth.social.identities import Proof
from bkend.auth.social.states import States
from bkend.tenants.links import digest
from bkend.tenants.sessions import Session
from bkend.tenants.signing_in import SigningIn

NAMES = ("google", "github")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a provider gave this server."""

    client_id: str
    secret: str
    issuer: str | None = None
    """Another server than the provider's own."""


@dataclass(frozen=True, slots=True)
class Trip:
    """A browser's way to the provider."""

    url: str
    binding: str
    """What the browser must bring back besides: it alone may finish what it began."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Who came back, or the login link that still asks for a code."""

    session: Session | None
    link: str | None
    onward: str


class SignInProviders:
    """The providers of the console."""

    def __init__(
        self,
        states: States,
        asking: Asking,
        credentials: Mapping[str, Credentials],
        signing_in: SigningIn,
    ) -> None:
        self._states = states
        self._asking = asking
        self._credentials = credentials
        self._signing_in = signing_in

    @property
    def names(self) -> list[str]:
        """Those that can be used."""
        return [name for name in NAMES if name in self._credentials]

    async def begin(self, name: str, callback: str, onward: str) -> Trip:
        """Where to send the browser; `callback` is where the provider sends it back, `onward`
        where it goes then.

        Raises UnsupportedProvider, OAuthNotConfigured, OAuthCallbackFailed.
        """
        provider, _ = self._usable(name)
        begun = await self._states.begin(name, onward, callback)
        url = await self._asking.authorization_url(provider, callback, begun)
        return Trip(url, digest(begun.state))

    async def finish(
        self, name: str, code: str, state: str, binding: str | None, client: Client
    ) -> Arrival:
        """Sign in whoever the provider vouches for.

        Raises UnsupportedProvider, OAuthNotConfigured, InvalidOAuthCode, OAuthCallbackFailed, and
        what `SigningIn.with_provider` raises.
        """
        provider, secret = self._usable(name)
        if not code or not hmac.compare_digest(digest(state), binding or ""):
            raise InvalidOAuthCode
        said = self._states.read(state)
        if said is None:
            raise InvalidOAuthCode
        verifier = await self._states.redeem(state, said, name)
        proof = Proof(code, said.callback, verifier=verifier, nonce=said.nonce)
        identity = await self._asking.identify(provider, secret, proof)
        found = await self._signing_in.with_provider(name, identity.email, identity.name, client)
        if isinstance(found, str):
            return Arrival(None, found, said.redirect)
        return Arrival(found, None, said.redirect)

    def _usable(self, name: str) -> tuple[Provider, str]:
        if name not in NAMES:
            raise UnsupportedProvider
        held = self._credentials.get(name)
        if held is None:
            raise OAuthNotConfigured
        scopes = unconfigured(name).scopes
        provider = Provider(name, True, held.client_id, "-", scopes=scopes, issuer=held.issuer)
        return provider, held.secret
