"""`/v1/auth`: parse, call, answer (10 §3, §6, §8, §10)."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from pydantic import (
    AliasChoices,
    BeforeValidator,
    Field,
    StringConstraints,
    model_validator,
)

from bkend.auth.errors import MagicLinkDisabled, UserNotFound
from bkend.auth.identity import Identity, UserGone
from bkend.auth.sessions import Client
from bkend.auth.shapes import AuthResult, AuthUser, Message, SessionList, TokenPair
from bkend.http.bodies import Body as _Body
from bkend.http.bodies import JsonRoute
from bkend.http.bodies import answer as _answer
from bkend.http.dependencies import REFUSALS, CurrentAuth, CurrentExchange, SignedIn, signed_in

router = APIRouter(prefix="/v1/auth", tags=["auth"], route_class=JsonRoute, responses=REFUSALS)

_LARGEST_PAGE = 100


class _Credentials(_Body):
    method: Literal["password"] = "password"
    email: str
    password: str

    @model_validator(mode="before")
    @classmethod
    def _refuse_magic_links(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("method") == "magiclink":
            raise MagicLinkDisabled
        return value


class SignUp(_Credentials):
    """A new user. Other fields, such as `role`, are ignored."""

    name: Annotated[
        str,
        StringConstraints(
            strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$"
        ),
    ] = Field(validation_alias=AliasChoices("name", "displayName"))


class SignIn(_Credentials):
    """An address, its password, and the code of a user with a second factor."""

    mfaCode: str | None = None


class Refresh(_Body):
    """The refresh token of the last answer."""

    refreshToken: str


class PasswordChange(_Body):
    """The password in use and the one to replace it."""

    currentPassword: str
    newPassword: str


def _whole_number(value: object) -> object:
    """Digits only; everything else is left for Pydantic to refuse."""
    if isinstance(value, str):
        return int(value) if re.fullmatch("[0-9]{1,12}", value) else None
    return value


_FromOne = Annotated[int, Field(ge=1), BeforeValidator(_whole_number)]


async def _client(exchange: CurrentExchange) -> Client:
    """Where the request comes from, as sessions remember it."""
    user_agent = exchange.headers.get("user-agent")
    return Client(user_agent or None, exchange.address or None)


async def _signed_in_user(exchange: CurrentExchange) -> Identity:
    """As `signed_in`, but a live session without its user is 404."""
    try:
        return await signed_in(exchange)
    except UserGone:
        raise UserNotFound from None


_CurrentClient = Annotated[Client, Depends(_client)]


@router.post("/email/signup", status_code=201, responses={201: {"model": AuthResult}})
async def sign_up(body: SignUp, auth: CurrentAuth, client: _CurrentClient) -> Response:
    """Make a user and sign them in."""
    return _answer(await auth.sign_up(body.email, body.password, body.name, client), 201)


@router.post("/email/signin", responses={200: {"model": AuthResult}})
async def sign_in(body: SignIn, auth: CurrentAuth, client: _CurrentClient) -> Response:
    """Open a session; other sessions of the user stay."""
    return _answer(await auth.sign_in(body.email, body.password, client, body.mfaCode))


@router.post("/refresh", responses={200: {"model": TokenPair}})
async def refresh(body: Refresh, auth: CurrentAuth) -> Response:
    """Exchange a refresh token, once, for a new pair."""
    return _answer(await auth.refresh(body.refreshToken))


@router.get("/me", responses={200: {"model": AuthUser}})
async def me(
    identity: Annotated[Identity, Depends(_signed_in_user)], auth: CurrentAuth
) -> Response:
    """The signed-in user."""
    return _answer(auth.me(identity))


@router.get("/sessions", responses={200: {"model": SessionList}})
async def list_sessions(
    identity: SignedIn, auth: CurrentAuth, page: _FromOne = 1, limit: _FromOne = 10
) -> Response:
    """The caller's live sessions, newest activity first."""
    return _answer(await auth.list_sessions(identity, page, min(limit, _LARGEST_PAGE)))


@router.delete("/sessions/{session_id}", responses={200: {"model": Message}})
async def end_session(session_id: str, identity: SignedIn, auth: CurrentAuth) -> Response:
    """Sign out one of the caller's devices."""
    await auth.end_session(identity, session_id)
    return _answer({"message": "The session has ended"})


@router.post("/signout", responses={200: {"model": Message}})
async def sign_out(identity: SignedIn, auth: CurrentAuth) -> Response:
    """End the session of the call."""
    await auth.sign_out(identity)
    return _answer({"message": "Signed out"})


@router.post("/password/change", responses={200: {"model": Message}})
async def change_password(body: PasswordChange, identity: SignedIn, auth: CurrentAuth) -> Response:
    """Replace the password and end all sessions of the caller."""
    await auth.change_password(identity, body.currentPassword, body.newPassword)
    return _answer({"message": "The password was changed; sign in again"})
