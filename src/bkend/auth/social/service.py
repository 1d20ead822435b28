"""Sign-in through providers (10 §7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from bkend.auth.collections import ACCOUNTS, USERS
from bkend.auth.errors import AccountBanned, InvalidRequest, SignupDisabled
from bkend.auth.parts import AuthParts
from bkend.auth.redirects import is_allowed, require_allowed
from bkend.auth.sessions import Client
from bkend.auth.settings import AuthSettings
from bkend.auth.shapes import auth_user
from bkend.auth.social.asking import Asking
from bkend.auth.social.errors import (
    AccountExistsDifferentProvider,
    InvalidOAuthCode,
    OAuthCallbackFailed,
)
from bkend.auth.social.identities import Proof, ProviderIdentity
from bkend.auth.social.linking import LinkedAccounts, oauth_account
from bkend.auth.social.providers import Providers
from bkend.auth.social.shapes import SocialResult
from bkend.auth.social.states import State, States, StateSigner
from bkend.auth.users import new_user, stored_user, user_by_email
from bkend.ids import uuid4
from bkend.store import (
    Check,
    Conflict,
    Duplicate,
    Equals,
    Find,
    Insert,
    Missing,
    Not,
    all_of,
)
from bkend.store.documents import decode

_TRIES = 5


@dataclass(frozen=True, slots=True)
class Grant:
    """What an app or a browser brings back from a provider."""

    code: str | None = None
    redirect_uri: str | None = None
    id_token: str | None = None
    state: str | None = None


class Social:
    """Sign-in through the providers of one environment, and the accounts linked to its users."""

    def __init__(self, parts: AuthParts, signer: StateSigner, asking: Asking) -> None:
        self._store = parts.store
        self._clock = parts.clock
        self._environment = parts.environment
        self._sessions = parts.sessions
        self._settings = parts.settings
        self._states = States(parts, signer)
        self._asking = asking
        self.providers = Providers(parts)
        self.accounts = LinkedAccounts(parts, self.providers)

    async def begin(self, name: str, redirect: str, callback: str) -> str:
        """The provider's address for a sign-in that ends at `redirect`. `callback` is this
        server's address for the provider, unless another one is configured.

        Raises UnsupportedProvider, OAuthNotConfigured, InvalidRequest, OAuthCallbackFailed.
        """
        provider = await self.providers.usable(name)
        settings = await self._settings.current()
        require_allowed(redirect, settings, self._environment, "redirect")
        where = provider.redirect_uri or callback
        begun = await self._states.begin(name, redirect, where)
        return await self._asking.authorization_url(provider, where, begun)

    async def sign_in(self, name: str, grant: Grant, client: Client) -> SocialResult:
        """Open a session for whoever the provider says it is, making the user if there is none.

        Raises UnsupportedProvider, OAuthNotConfigured, InvalidRequest, InvalidOAuthCode,
        OAuthCallbackFailed, AccountExistsDifferentProvider, AccountBanned, SignupDisabled.
        """
        identity = await self.identify(name, grant)
        settings = await self._settings.current()
        for _ in range(_TRIES):
            try:
                return await self._admit(identity, settings, client)
            except (Conflict, Duplicate, Missing):
                continue  # somebody made, linked, banned or removed the same one meanwhile
        raise OAuthCallbackFailed

    async def may_return(self, state: State) -> bool:
        """Whether the browser may still be sent where the state says."""
        return is_allowed(state.redirect, await self._settings.current(), self._environment)

    async def discard(self, name: str, text: str, state: State) -> None:
        """Use up the state of a sign-in that the provider refused; raises InvalidOAuthCode."""
        await self._states.redeem(text, state, name)

    async def identify(
        self, name: str, grant: Grant, *, default_redirect_uri: str | None = None
    ) -> ProviderIdentity:
        """Who a grant stands for. A state of this server is used up by it.

        Raises UnsupportedProvider, OAuthNotConfigured, InvalidRequest, InvalidOAuthCode,
        OAuthCallbackFailed.
        """
        provider = await self.providers.usable(name)
        secret = self.providers.secret(provider)
        if grant.code is None and grant.id_token is None:
            raise _required("code", "code or idToken is required")
        redirect_uri = grant.redirect_uri or default_redirect_uri
        if grant.code is not None and redirect_uri is None:
            raise _required("redirectUri", "redirectUri is required with code")
        verifier = nonce = None
        state = self._states.read(grant.state) if grant.state else None
        if state is not None:
            assert grant.state is not None
            verifier = await self._states.redeem(grant.state, state, name)
            nonce = state.nonce
        proof = Proof(
            code=grant.code,
            redirect_uri=redirect_uri,
            id_token=grant.id_token if grant.code is None else None,
            verifier=verifier,
            nonce=nonce,
        )
        return await self._asking.identify(provider, secret, proof)

    # -- admitting --------------------------------------------------------------------------

    async def _admit(
        self, identity: ProviderIdentity, settings: AuthSettings, client: Client
    ) -> SocialResult:
        # In this order: a first sign-in at the same moment brings user and account together, so
        # whoever sees its user also sees its account.
        namesake = await user_by_email(self._store, identity.email)
        account = await self._account(identity)
        if account is not None:
            return await self._admit_known(account, identity, settings, client)
        if namesake is not None:
            raise AccountExistsDifferentProvider
        if not settings.allow_signup:
            raise SignupDisabled
        return await self._admit_new(identity, settings, client)

    async def _admit_known(
        self,
        account: dict[str, Any],
        identity: ProviderIdentity,
        settings: AuthSettings,
        client: Client,
    ) -> SocialResult:
        """The profile stays as the user has it."""
        # Subjects are unique at their issuer only: another one may give the same to another.
        if account.get("issuer") not in (None, identity.issuer):
            raise AccountExistsDifferentProvider
        body = await self._store.get(USERS, account["userId"])
        user = decode(body) if body else None
        if user is None or user.get("deletedAt"):
            raise InvalidOAuthCode
        if user.get("status", "active") != "active":
            raise AccountBanned
        is_user = all_of(Equals(("id",), user["id"]), Not(Equals(("status",), "banned")))
        is_linked = all_of(
            Equals(("id",), account["id"]), Equals(("providerAccountId",), identity.subject)
        )
        still = [Check(USERS, is_user, at_least=1), Check(ACCOUNTS, is_linked, at_least=1)]
        pair = await self._sessions.open(user["id"], user["role"], client, settings, still)
        return {**pair, "user": auth_user(user), "is_new_user": False}

    async def _admit_new(
        self, identity: ProviderIdentity, settings: AuthSettings, client: Client
    ) -> SocialResult:
        now = self._clock.now_ms()
        id = uuid4()
        fields = new_user(
            identity.email, identity.name, now, is_verified=True, image=identity.image
        )
        made = [Insert(USERS, id, fields, now, now), oauth_account(id, identity, now)]
        pair = await self._sessions.open(id, fields["role"], client, settings, made)
        return {**pair, "user": auth_user(stored_user(id, fields, now)), "is_new_user": True}

    async def _account(self, identity: ProviderIdentity) -> dict[str, Any] | None:
        where = all_of(
            Equals(("provider",), identity.provider),
            Equals(("providerAccountId",), identity.subject),
        )
        found = await self._store.find(Find(ACCOUNTS, where, limit=1))
        accounts: list[dict[str, Any]] = orjson.loads(found.items)
        return accounts[0] if accounts else None


def _required(field: str, message: str) -> InvalidRequest:
    return InvalidRequest(message, details=[{"field": field, "message": message}])
