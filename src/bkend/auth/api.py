"""`/v1/auth`: parse, call, answer (10 §3, §6, §8, §10)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import (
    AliasChoices,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
)

from bkend.auth.errors import (
    BY_LINK,
    BY_PASSWORD,
    AccountBanned,
    EmailAlreadyExists,
    EmailNotVerified,
    InvalidCredentials,
    InvalidEmail,
    InvalidPassword,
    InvalidPasswordFormat,
    InvalidRefreshToken,
    MagicLinkDisabled,
    PasswordExpired,
    SameAsPreviousPassword,
    SessionExpired,
    SessionNotFound,
    SignupDisabled,
    TooManyLoginAttempts,
    TooManyRequests,
    UnsupportedProvider,
    UserNotFound,
    WeakPassword,
)
from bkend.auth.identity import Identity, UserGone
from bkend.auth.links.errors import MagicLinkNotAvailableForSocial, TooManyCodeRequests
from bkend.auth.links.shapes import Sent
from bkend.auth.me import MeDoor
from bkend.auth.mfa.errors import InvalidMfaCode, MfaBackupCodesExhausted, MfaRequired
from bkend.auth.shapes import AuthResult, AuthUser, Message, SessionList, TokenPair
from bkend.http.bodies import Body as _Body
from bkend.http.bodies import JsonRoute
from bkend.http.bodies import answer as _answer
from bkend.http.dependencies import (
    KEYED,
    WITH_USER,
    CurrentAuth,
    CurrentClient,
    CurrentLinks,
    FromOne,
    SignedIn,
    exchange_of,
    signed_in,
)
from bkend.http.openapi import answers, describes

router = APIRouter(prefix="/v1/auth", tags=["auth"], route_class=JsonRoute, responses=KEYED)

_LARGEST_PAGE = 100


_Name = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$"
    ),
]


class _Credentials(_Body):
    method: Literal["password", "magiclink"] = "password"
    email: str
    password: str


class SignUp(_Credentials):
    """A new user. Other fields, such as `role`, are ignored."""

    name: _Name = Field(validation_alias=AliasChoices("name", "displayName"))


class SignIn(_Credentials):
    """An address, its password, and the code of a user with a second factor."""

    mfaCode: str | None = None


class SignInByLink(_Body):
    """An address, and where the mailed link leads."""

    method: Literal["magiclink"]
    email: str
    callbackUrl: str


class SignUpByLink(SignInByLink):
    """The same for somebody who may be new."""

    name: _Name | None = Field(default=None, validation_alias=AliasChoices("name", "displayName"))


def _method(body: Any) -> str:
    """Which of two bodies is meant; what is no method is left to the first to refuse."""
    given = body.get("method") if isinstance(body, dict) else getattr(body, "method", None)
    return BY_LINK if given == "magiclink" else BY_PASSWORD


_SignUp = Annotated[
    Annotated[SignUp, Tag(BY_PASSWORD)] | Annotated[SignUpByLink, Tag(BY_LINK)],
    Discriminator(_method),
]
_SignIn = Annotated[
    Annotated[SignIn, Tag(BY_PASSWORD)] | Annotated[SignInByLink, Tag(BY_LINK)],
    Discriminator(_method),
]


class Refresh(_Body):
    """The refresh token of the last answer."""

    refreshToken: str


class PasswordChange(_Body):
    """The password in use and the one to replace it."""

    currentPassword: str
    newPassword: str


@describes(security=WITH_USER)
async def _signed_in_user(request: Request) -> Identity:
    """As `signed_in`, but a live session without its user is 404."""
    try:
        return await signed_in(request)
    except UserGone:
        raise UserNotFound from None


@router.post(
    "/email/signup",
    responses=answers(
        201,
        AuthResult | Sent,
        InvalidEmail,
        UnsupportedProvider,
        InvalidPasswordFormat,
        WeakPassword,
        SignupDisabled,
        EmailAlreadyExists,
        TooManyRequests,
        MagicLinkDisabled,
        MagicLinkNotAvailableForSocial,
        TooManyCodeRequests,
    ),
)
async def sign_up(
    body: _SignUp, auth: CurrentAuth, links: CurrentLinks, client: CurrentClient
) -> Response:
    """Make a user and sign them in; or mail them a link that does."""
    if isinstance(body, SignUpByLink):
        magic = links.magic
        return _answer(await magic.request_sign_up(body.email, body.callbackUrl, body.name), 201)
    return _answer(await auth.sign_up(body.email, body.password, body.name, client), 201)


@router.post(
    "/email/signin",
    responses=answers(
        200,
        AuthResult | Sent,
        InvalidEmail,
        UnsupportedProvider,
        InvalidCredentials,
        AccountBanned,
        EmailNotVerified,
        PasswordExpired,
        MfaRequired,
        InvalidMfaCode,
        MfaBackupCodesExhausted,
        TooManyLoginAttempts,
        MagicLinkDisabled,
        MagicLinkNotAvailableForSocial,
        TooManyCodeRequests,
    ),
)
async def sign_in(
    body: _SignIn, auth: CurrentAuth, links: CurrentLinks, client: CurrentClient
) -> Response:
    """Open a session, or mail a link that does; other sessions of the user stay."""
    if isinstance(body, SignInByLink):
        return _answer(await links.magic.request_sign_in(body.email, body.callbackUrl))
    return _answer(await auth.sign_in(body.email, body.password, client, body.mfaCode))


@router.post(
    "/refresh",
    responses=answers(200, TokenPair, InvalidRefreshToken, SessionExpired, AccountBanned),
)
async def refresh(body: Refresh, auth: CurrentAuth) -> Response:
    """Exchange a refresh token, once, for a new pair."""
    return _answer(await auth.refresh(body.refreshToken))


@router.get("/me", responses=answers(200, AuthUser, UserNotFound))
async def me(
    identity: Annotated[Identity, Depends(_signed_in_user)], auth: CurrentAuth, request: Request
) -> Response:
    """The signed-in user."""
    body = orjson.dumps(auth.me(identity))
    door: MeDoor = request.app.state.me
    door.remember(exchange_of(request), identity, body)
    return _answer(body)


@router.get("/sessions", responses=answers(200, SessionList))
async def list_sessions(
    identity: SignedIn, auth: CurrentAuth, page: FromOne = 1, limit: FromOne = 10
) -> Response:
    """The caller's live sessions, newest activity first."""
    return _answer(await auth.list_sessions(identity, page, min(limit, _LARGEST_PAGE)))


@router.delete("/sessions/{session_id}", responses=answers(200, Message, SessionNotFound))
async def end_session(session_id: str, identity: SignedIn, auth: CurrentAuth) -> Response:
    """Sign out one of the caller's devices."""
    await auth.end_session(identity, session_id)
    return _answer({"message": "The session has ended"})


@router.post("/signout", responses=answers(200, Message))
async def sign_out(identity: SignedIn, auth: CurrentAuth) -> Response:
    """End the session of the call."""
    await auth.sign_out(identity)
    return _answer({"message": "Signed out"})


@router.post(
    "/password/change",
    responses=answers(
        200,
        Message,
        InvalidPassword,
        InvalidPasswordFormat,
        WeakPassword,
        SameAsPreviousPassword,
        TooManyLoginAttempts,
    ),
)
async def change_password(body: PasswordChange, identity: SignedIn, auth: CurrentAuth) -> Response:
    """Replace the password and end all sessions of the caller."""
    await auth.change_password(identity, body.currentPassword, body.newPassword)
    return _answer({"message": "The password was changed; sign in again"})
