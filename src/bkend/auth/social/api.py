"""`/v1/auth/{provider}` and `/v1/auth/accounts`: parse, call, answer (10 §7, §11)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import quote

import orjson
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, StringConstraints

from bkend.auth.errors import AccountBanned, SignupDisabled, TooManyRequests
from bkend.auth.sessions import Client
from bkend.auth.shapes import Message
from bkend.auth.social.asking import with_query
from bkend.auth.social.configuration import require_name
from bkend.auth.social.errors import (
    AccountAlreadyLinked,
    AccountExistsDifferentProvider,
    AccountNotFound,
    InvalidOAuthCode,
    LastAuthMethod,
    OAuthNotConfigured,
    UnsupportedProvider,
)
from bkend.auth.social.service import Grant, Social
from bkend.auth.social.shapes import (
    Account,
    AccountCheck,
    AccountList,
    AuthorizationUrl,
    SocialResult,
)
from bkend.auth.social.states import State
from bkend.core import Core
from bkend.errors import ApiError, Unauthorized
from bkend.http.base import base_url
from bkend.http.bodies import JsonRoute
from bkend.http.dependencies import (
    KEYED,
    KEYLESS,
    CurrentClient,
    CurrentExchange,
    SignedIn,
    services_of,
)
from bkend.http.exchange import Exchange
from bkend.http.gate import enter
from bkend.http.manage.bodies import FromOne
from bkend.http.openapi import answers

router = APIRouter(prefix="/v1/auth", tags=["auth"], route_class=JsonRoute, responses=KEYED)

_LARGEST_PAGE = 100
_NO_REFERRER = {"Referrer-Policy": "no-referrer"}
_IN_A_LOCATION = ":/%#?=@[]!$&'()*+,;~"

_Text = Annotated[str, StringConstraints(min_length=1, max_length=2048)]
_Code = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
_Token = Annotated[str, StringConstraints(min_length=1, max_length=16 * 1024)]


class _Body(BaseModel):
    """Nothing is converted: a number, list or object in place of a string is refused."""

    model_config = ConfigDict(strict=True, extra="ignore")


class ProviderGrant(_Body):
    """`code` with the `redirectUri` it was made for, or an `idToken`. An `accessToken` is
    ignored: it does not tell for which app it was made."""

    code: _Code | None = None
    redirectUri: _Text | None = None
    idToken: _Token | None = None
    state: _Token | None = None

    @property
    def grant(self) -> Grant:
        """The same for the service."""
        return Grant(self.code, self.redirectUri, self.idToken, self.state)


class NewAccount(ProviderGrant):
    """The provider to link, and what proves that one has an account there."""

    provider: Annotated[str, StringConstraints(min_length=1, max_length=64)]


class AccountQuestion(_Body):
    """An account that may exist: an address, or somebody's id at a provider."""

    type: Literal["credentials", "oauth"]
    provider: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    providerAccountId: Annotated[str, StringConstraints(min_length=1, max_length=255)]


async def _social(request: Request) -> Social:
    """Sign-in through the providers of the key's environment."""
    return services_of(request).social


_CurrentSocial = Annotated[Social, Depends(_social)]


def _answer(body: Mapping[str, Any], status: int = 200) -> Response:
    headers = {"Cache-Control": "no-store", **_NO_REFERRER}
    return Response(orjson.dumps(body), status, headers, "application/json; charset=utf-8")


# -- sign-in --------------------------------------------------------------------------------


@router.post(
    "/{provider}/callback",
    responses=answers(
        200,
        SocialResult,
        UnsupportedProvider,
        OAuthNotConfigured,
        InvalidOAuthCode,
        AccountBanned,
        SignupDisabled,
        AccountExistsDifferentProvider,
    ),
)
async def sign_in_with_provider(
    provider: str, body: ProviderGrant, social: _CurrentSocial, client: CurrentClient
) -> Response:
    """Sign in with what the provider gave the app; a new identity becomes a user."""
    return _answer(await social.sign_in(provider, body.grant, client))


@router.get(
    "/{provider}/authorize",
    responses=answers(200, AuthorizationUrl, UnsupportedProvider, OAuthNotConfigured),
)
async def begin_sign_in(
    provider: str,
    redirect: Annotated[str, Query(min_length=1, max_length=2048)],
    social: _CurrentSocial,
    request: Request,
) -> Response:
    """Where to send the browser; it comes back to `redirect` with tokens or an error."""
    url = await social.begin(provider, redirect, callback_url(request, provider))
    return _answer({"authorizationUrl": url})


@router.get(
    "/{provider}/callback",
    responses={
        **answers(
            200,
            SocialResult,
            UnsupportedProvider,
            OAuthNotConfigured,
            InvalidOAuthCode,
            AccountBanned,
            SignupDisabled,
            AccountExistsDifferentProvider,
        ),
        302: {"description": "To the app, with tokens or with `error` and `errorMessage`"},
    },
    openapi_extra=KEYLESS,
)
async def return_from_provider(
    provider: str,
    request: Request,
    exchange: CurrentExchange,
    client: CurrentClient,
    code: Annotated[str | None, Query(max_length=4096)] = None,
    state: Annotated[str | None, Query(max_length=16 * 1024)] = None,
    error: Annotated[str | None, Query(max_length=256)] = None,
    redirectUri: Annotated[str | None, Query(max_length=2048)] = None,
) -> Response:
    """The browser comes back from the provider. With a state of this server no key is needed."""
    core: Core = request.app.state.core
    try:
        require_name(provider)
        known = core.states.read(state) if state else None
        if known is not None:
            social = await _social_of(known, exchange, core)
            grant = Grant(None if error else code or None, known.callback, None, state)
            return await _send_back(provider, known, grant, social, client)
        if exchange.environment is None:
            raise Unauthorized("The X-API-Key header is required")
        social = exchange.environment.services.social
        grant = Grant(code or None, redirectUri or None, None, state)
        return _answer(await social.sign_in(provider, grant, client))
    except ApiError as refused:
        refused.headers |= _NO_REFERRER
        raise


async def _social_of(state: State, exchange: Exchange, core: Core) -> Social:
    """The environment that began the sign-in; a key that is sent must be of it."""
    sent = exchange.environment
    if sent is not None and sent.state.id != state.environment_id:
        raise InvalidOAuthCode
    if sent is None:
        sent = enter(exchange, await core.environments.get(state.environment_id), core.clock)
    return sent.services.social


async def _send_back(
    provider: str, state: State, grant: Grant, social: Social, client: Client
) -> Response:
    """To where the signed state says, and nowhere else."""
    if not await social.may_return(state):
        raise InvalidOAuthCode
    try:
        if grant.code is None:
            assert grant.state is not None
            await social.discard(provider, grant.state, state)
            raise InvalidOAuthCode("The provider did not confirm the sign-in")
        result = await social.sign_in(provider, grant, client)
        values = {
            "accessToken": result["accessToken"],
            "refreshToken": result["refreshToken"],
            "expiresIn": str(result["expiresIn"]),
            "isNewUser": "true" if result["is_new_user"] else "false",
        }
    except ApiError as refused:
        values = {"error": refused.code, "errorMessage": refused.message}
    location = quote(with_query(state.redirect, values), safe=_IN_A_LOCATION)
    return Response(
        status_code=302,
        headers={"Location": location, "Cache-Control": "no-store", **_NO_REFERRER},
    )


def callback_url(request: Request, provider: str) -> str:
    """This server's address that the provider sends browsers to."""
    return f"{base_url(request)}/v1/auth/{provider}/callback"


# -- linked accounts ------------------------------------------------------------------------


@router.post(
    "/accounts",
    responses=answers(
        201,
        Account,
        UnsupportedProvider,
        OAuthNotConfigured,
        InvalidOAuthCode,
        AccountAlreadyLinked,
    ),
)
async def link_account(
    body: NewAccount, identity: SignedIn, social: _CurrentSocial, request: Request
) -> Response:
    """Let the caller sign in with the provider's account from now on."""
    require_name(body.provider)
    provider = await social.providers.find(body.provider)
    callback = provider.redirect_uri or callback_url(request, body.provider)
    found = await social.identify(body.provider, body.grant, default_redirect_uri=callback)
    return _answer(await social.accounts.link(identity, found), 201)


@router.get("/accounts", responses=answers(200, AccountList))
async def list_accounts(
    identity: SignedIn, social: _CurrentSocial, page: FromOne = 1, limit: FromOne = 10
) -> Response:
    """The accounts that the caller signs in with, the oldest first."""
    return _answer(await social.accounts.list(identity, page, min(limit, _LARGEST_PAGE)))


@router.post(
    "/accounts/check", responses=answers(200, AccountCheck, UnsupportedProvider, TooManyRequests)
)
async def check_account(
    body: AccountQuestion, social: _CurrentSocial, exchange: CurrentExchange, request: Request
) -> Response:
    """Whether somebody signs in with that account."""
    core: Core = request.app.state.core
    value = exchange.headers.get("x-api-key") or ""
    key = core.keys.cached(value) or await core.keys.find(value)
    found = await social.accounts.check(
        body.type,
        body.provider,
        body.providerAccountId,
        address=exchange.address,
        is_secret=key is not None and key.is_secret,
    )
    return _answer(found)


@router.delete(
    "/accounts/{provider}",
    responses=answers(200, Message, UnsupportedProvider, AccountNotFound, LastAuthMethod),
)
async def unlink_account(provider: str, identity: SignedIn, social: _CurrentSocial) -> Response:
    """Take an account from the caller, unless it is the only way to sign in."""
    await social.accounts.unlink(identity, provider)
    return _answer({"message": "The account is not linked any more"})
