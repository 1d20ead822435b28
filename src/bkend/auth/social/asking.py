"""Asks a provider of either kind, and turns what goes wrong there into one refusal."""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit, urlunsplit

import structlog

from bkend.auth.errors import InvalidRequest
from bkend.auth.social.configuration import Provider
from bkend.auth.social.errors import OAuthCallbackFailed
from bkend.auth.social.github import GitHub
from bkend.auth.social.identities import Proof, ProviderIdentity
from bkend.auth.social.openid import OpenId
from bkend.auth.social.outbound import Outbound, ProviderUnreachable
from bkend.auth.social.states import Begun
from bkend.clock import Clock

log = structlog.get_logger(__name__)


class Asking:
    """Shared by all environments: what providers publish is fetched once."""

    def __init__(self, outbound: Outbound, clock: Clock) -> None:
        self._openid = OpenId(outbound, clock)
        self._github = GitHub(outbound)

    async def identify(self, provider: Provider, secret: str, proof: Proof) -> ProviderIdentity:
        """Who the proof stands for.

        Raises InvalidRequest for an ID token of GitHub, which has none; InvalidOAuthCode,
        OAuthCallbackFailed.
        """
        try:
            if provider.kind == "openid":
                return await self._openid.identify(provider, secret, proof)
            if proof.code is None:
                message = "code is required: this provider has no ID tokens"
                raise InvalidRequest(message, details=[{"field": "code", "message": message}])
            return await self._github.identify(provider, secret, proof)
        except ProviderUnreachable as error:
            raise _failed(provider, error) from None

    async def authorization_url(self, provider: Provider, callback: str, begun: Begun) -> str:
        """Where to send the browser; raises OAuthCallbackFailed."""
        query = {
            "response_type": "code",
            "client_id": provider.client_id or "",
            "redirect_uri": callback,
            "scope": " ".join(provider.scopes),
            "state": begun.state,
            "code_challenge": begun.challenge,
            "code_challenge_method": "S256",
        }
        if provider.kind == "github":
            endpoint = self._github.authorization_endpoint(provider)
        else:
            query["nonce"] = begun.nonce
            try:
                endpoint = await self._openid.authorization_endpoint(provider)
            except ProviderUnreachable as error:
                raise _failed(provider, error) from None
        return with_query(endpoint, query)


def with_query(url: str, values: dict[str, str]) -> str:
    """The address with the values added to its query."""
    parts = urlsplit(url)
    query = "&".join(part for part in (parts.query, urlencode(values)) if part)
    return urlunsplit(parts._replace(query=query))


def _failed(provider: Provider, error: ProviderUnreachable) -> OAuthCallbackFailed:
    log.warning("provider failed", provider=provider.name, reason=str(error))
    return OAuthCallbackFailed()
