"""Sign-in through an OpenID Connect provider, Google among them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus

import structlog

from bkend.auth.social.configuration import Provider
from bkend.auth.social.discovery import Discovery, Metadata
from bkend.auth.social.errors import InvalidOAuthCode, OAuthCallbackFailed
from bkend.auth.social.id_tokens import verify_id_token
from bkend.auth.social.identities import (
    Proof,
    ProviderIdentity,
    no_verified_address,
    provider_identity,
)
from bkend.auth.social.outbound import Outbound, ProviderAnswer, ProviderUnreachable
from bkend.clock import Clock

_REJECTED = frozenset(
    {"invalid_grant", "invalid_request", "bad_verification_code", "redirect_uri_mismatch"}
)
_TOKEN = re.compile(r"[\x21-\x7e]+\Z")

log = structlog.get_logger(__name__)


class OpenId:
    """Asks OpenID Connect providers who somebody is."""

    def __init__(self, outbound: Outbound, clock: Clock) -> None:
        self._outbound = outbound
        self._clock = clock
        self._discovery = Discovery(outbound, clock)

    async def authorization_endpoint(self, provider: Provider) -> str:
        """Where the browser goes; raises ProviderUnreachable."""
        return (await self._discovery.metadata(provider.server)).authorization_endpoint

    async def identify(self, provider: Provider, secret: str, proof: Proof) -> ProviderIdentity:
        """Who the code or the ID token stands for.

        Raises InvalidOAuthCode, OAuthCallbackFailed, ProviderUnreachable.
        """
        id_token, access_token = proof.id_token, None
        if proof.code is not None:
            id_token, access_token = await self._exchange(provider, secret, proof)
        if id_token is None:
            raise InvalidOAuthCode
        claims = await verify_id_token(
            self._discovery,
            self._clock,
            id_token,
            server=provider.server,
            client_ids=provider.client_ids,
            nonce=proof.nonce,
        )
        if "email" not in claims and access_token is not None:
            claims = await self._with_userinfo(provider, claims, access_token)
        if claims.get("email_verified") not in (True, "true"):
            raise no_verified_address()
        return provider_identity(
            provider=provider.name,
            issuer=provider.server,
            subject=claims["sub"],
            email=claims.get("email"),
            name=claims.get("name") or claims.get("preferred_username"),
            image=claims.get("picture"),
        )

    async def _exchange(self, provider: Provider, secret: str, proof: Proof) -> tuple[str, str]:
        """ID token and access token for the code."""
        metadata = await self._discovery.metadata(provider.server)
        client_id = provider.client_id or ""
        form = code_form(client_id, proof)
        if metadata.posts_secret:
            answer = await self._outbound.post_form(
                metadata.token_endpoint, {**form, "client_secret": secret}
            )
        else:  # RFC 6749 §2.3.1 encodes both before they go into HTTP Basic
            credentials = quote_plus(client_id), quote_plus(secret)
            answer = await self._outbound.post_form(metadata.token_endpoint, form, credentials)
        tokens = granted(provider, answer)
        id_token = tokens.get("id_token")
        if not isinstance(id_token, str):
            raise ProviderUnreachable(f"{metadata.token_endpoint}: no ID token; is openid a scope?")
        return id_token, tokens["access_token"]

    async def _with_userinfo(
        self, provider: Provider, claims: Mapping[str, Any], access_token: str
    ) -> dict[str, Any]:
        """The claims with those of the userinfo endpoint, which must speak of the same person."""
        metadata: Metadata = await self._discovery.metadata(provider.server)
        url = metadata.userinfo_endpoint
        if url is None:
            raise no_verified_address()
        answer = await self._outbound.get_json(url, {"Authorization": f"Bearer {access_token}"})
        if answer.status != 200 or answer.object.get("sub") != claims["sub"]:
            raise ProviderUnreachable(f"{url}: status {answer.status}, or another subject")
        return {**answer.object, **claims}


def code_form(client_id: str, proof: Proof) -> dict[str, str]:
    """The form that exchanges a code."""
    form = {
        "grant_type": "authorization_code",
        "client_id": client_id,
        "code": proof.code or "",
        "redirect_uri": proof.redirect_uri or "",
    }
    return {**form, "code_verifier": proof.verifier} if proof.verifier else form


def granted(provider: Provider, answer: ProviderAnswer) -> dict[str, Any]:
    """The tokens of a token endpoint's answer, which may be an error whatever its status.

    Raises InvalidOAuthCode when the code is rejected, OAuthCallbackFailed otherwise.
    """
    tokens = answer.object
    error = tokens.get("error")
    if error is not None:
        known = error[:64] if isinstance(error, str) and error.isidentifier() else "unreadable"
        log.warning("provider refuses a code", provider=provider.name, error=known)
        raise InvalidOAuthCode if known in _REJECTED else OAuthCallbackFailed
    access_token = tokens.get("access_token")
    is_token = isinstance(access_token, str) and _TOKEN.match(access_token)
    if answer.status != 200 or not is_token:
        raise ProviderUnreachable(f"token endpoint: status {answer.status}, no access token")
    return tokens
