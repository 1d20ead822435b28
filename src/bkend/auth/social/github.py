"""Sign-in through GitHub, or a GitHub Enterprise Server of one's own."""

from __future__ import annotations

from typing import Any

from bkend.auth.social.configuration import GITHUB_URL, Provider
from bkend.auth.social.identities import (
    Proof,
    ProviderIdentity,
    no_verified_address,
    provider_identity,
)
from bkend.auth.social.openid import code_form, granted
from bkend.auth.social.outbound import Outbound, ProviderUnreachable

_API = "https://api.github.com"


class GitHub:
    """Asks GitHub who somebody is."""

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound

    def authorization_endpoint(self, provider: Provider) -> str:
        """Where the browser goes."""
        return f"{provider.server}/login/oauth/authorize"

    async def identify(self, provider: Provider, secret: str, proof: Proof) -> ProviderIdentity:
        """Who the code stands for.

        Raises InvalidOAuthCode, OAuthCallbackFailed, ProviderUnreachable.
        """
        form = {**code_form(provider.client_id or "", proof), "client_secret": secret}
        url = f"{provider.server}/login/oauth/access_token"
        tokens = granted(provider, await self._outbound.post_form(url, form))
        user = await self._get(provider, "/user", tokens["access_token"])
        # An error is an object, too: only a whole number is somebody.
        id = user.get("id") if isinstance(user, dict) else None
        if type(id) is not int or id <= 0:
            raise ProviderUnreachable("GET /user: no user with an id")
        emails = await self._get(provider, "/user/emails", tokens["access_token"])
        return provider_identity(
            provider=provider.name,
            issuer=provider.server,
            subject=str(id),
            email=_primary_verified(emails),
            name=user.get("name") or user.get("login"),
            image=user.get("avatar_url"),
        )

    async def _get(self, provider: Provider, path: str, access_token: str) -> Any:
        api = _API if provider.server == GITHUB_URL else f"{provider.server}/api/v3"
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {access_token}",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        answer = await self._outbound.get_json(f"{api}{path}", headers)
        if answer.status != 200:
            raise ProviderUnreachable(f"GET {path}: status {answer.status}")
        return answer.body


def _primary_verified(emails: Any) -> str:
    """The one address that GitHub vouches for and the user prefers."""
    if isinstance(emails, list):
        for entry in emails:
            if not isinstance(entry, dict):
                continue
            if entry.get("primary") is True and entry.get("verified") is True:
                address = entry.get("email")
                if isinstance(address, str):
                    return address
    raise no_verified_address()
