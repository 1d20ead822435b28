"""`/v1/auth/mfa`: parse, call, answer (10 §10)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from bkend.auth.errors import InvalidCredentials, TooManyLoginAttempts
from bkend.auth.mfa.errors import (
    InvalidMfaCode,
    MfaAlreadyEnabled,
    MfaBackupCodesExhausted,
    MfaNotAvailable,
    MfaNotEnabled,
    MfaSetupExpired,
)
from bkend.auth.mfa.service import Mfa
from bkend.auth.mfa.shapes import BackupCodes, Nothing, Setup
from bkend.http.bodies import Body, JsonRoute, answer
from bkend.http.dependencies import KEYED, CurrentExchange, SignedIn, services_of
from bkend.http.openapi import answers

router = APIRouter(prefix="/v1/auth/mfa", tags=["auth"], route_class=JsonRoute, responses=KEYED)


class MfaEnable(Body):
    """The caller's password."""

    password: str


class MfaConfirm(Body):
    """The code that the authenticator app shows."""

    code: str


class MfaDisable(Body):
    """The caller's password, and a code if one is at hand."""

    password: str
    code: str | None = None


async def _current_mfa(request: Request) -> Mfa:
    return services_of(request).mfa


_CurrentMfa = Annotated[Mfa, Depends(_current_mfa)]


@router.post(
    "/enable",
    responses=answers(
        200, Setup, MfaNotAvailable, MfaAlreadyEnabled, InvalidCredentials, TooManyLoginAttempts
    ),
)
async def enable(
    body: MfaEnable, identity: SignedIn, mfa: _CurrentMfa, exchange: CurrentExchange
) -> Response:
    """Begin to use a second factor; sign-in is unchanged until it is confirmed."""
    assert exchange.environment is not None
    issuer = exchange.environment.state.project.name
    return answer(await mfa.enable(identity, body.password, issuer))


@router.post(
    "/confirm",
    responses=answers(
        200,
        BackupCodes,
        MfaNotAvailable,
        MfaAlreadyEnabled,
        MfaNotEnabled,
        MfaSetupExpired,
        InvalidMfaCode,
        TooManyLoginAttempts,
    ),
)
async def confirm(body: MfaConfirm, identity: SignedIn, mfa: _CurrentMfa) -> Response:
    """Switch the second factor on."""
    return answer(await mfa.confirm(identity, body.code))


@router.post(
    "/disable",
    responses=answers(
        200,
        Nothing,
        MfaNotEnabled,
        InvalidCredentials,
        InvalidMfaCode,
        MfaBackupCodesExhausted,
        TooManyLoginAttempts,
    ),
)
async def disable(body: MfaDisable, identity: SignedIn, mfa: _CurrentMfa) -> Response:
    """Switch the second factor off and forget its secret and codes."""
    await mfa.disable(identity, body.password, body.code)
    return answer({})
