"""`/v1/auth`: magic links, verification, password reset, organizations (10 §6, §8 to §10)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import StringConstraints
from starlette.responses import RedirectResponse

from bkend.auth.errors import (
    AccountBanned,
    EmailAlreadyExists,
    InvalidEmail,
    InvalidPasswordFormat,
    MagicLinkDisabled,
    SameAsPreviousPassword,
    SignupDisabled,
    TooManyLoginAttempts,
    TooManyRequests,
    UnsupportedProvider,
    WeakPassword,
)
from bkend.auth.identity import Identity
from bkend.auth.links.addresses import with_query
from bkend.auth.links.environments import services_of
from bkend.auth.links.errors import (
    AccountNotFound,
    AlreadyVerified,
    MagicTokenMissing,
    NotAllowed,
    TooManyCodeRequests,
    VerificationTokenExpired,
    VerificationTokenNotFound,
)
from bkend.auth.links.shapes import Confirmed, Sent, SocialResult, Verified
from bkend.auth.links.tokens import environment_of
from bkend.auth.mfa.errors import InvalidMfaCode, MfaBackupCodesExhausted, MfaRequired
from bkend.auth.shapes import Message, TokenPair
from bkend.errors import ApiError
from bkend.http.bodies import Body, JsonRoute, answer
from bkend.http.dependencies import (
    KEYED,
    KEYLESS,
    WITH_KEY,
    WITH_USER,
    CurrentClient,
    CurrentLinks,
    SignedIn,
    exchange_of,
)
from bkend.http.gate import identify
from bkend.http.openapi import answers, describes

router = APIRouter(prefix="/v1/auth", tags=["auth"], route_class=JsonRoute, responses=KEYED)

_RESET_ASKED = "If this address is known, a mail with a link is on its way"
_NO_TRACE = {"Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}


class MagicToken(Body):
    """The token of a magic link, and a code of the second factor."""

    token: str | None = None
    mfaCode: str | None = None


class MailRequest(Body):
    """Whom to mail, and where the link leads."""

    email: str
    callbackUrl: str | None = None


class ResetConfirmation(Body):
    """The token of a reset link and the password to be."""

    email: str
    token: str
    newPassword: str


class AddressConfirmation(Body):
    """The token of a verification link."""

    email: str
    token: str


class OrganizationSwitch(Body):
    """The organization to act for."""

    organizationId: Annotated[str, StringConstraints(min_length=1, max_length=100)]


@describes(security=(*WITH_KEY, *WITH_USER))
async def _signed_in_or_nobody(request: Request) -> Identity | None:
    """The caller; a bad token counts as none (10 §9)."""
    exchange = exchange_of(request)
    assert exchange.environment is not None
    try:
        return await identify(exchange, exchange.environment)
    except ApiError:
        return None


_Anybody = Annotated[Identity | None, Depends(_signed_in_or_nobody)]


# -- magic links ----------------------------------------------------------------------------------


@router.post(
    "/email/callback",
    responses=answers(
        200,
        SocialResult,
        MagicTokenMissing,
        UnsupportedProvider,
        MagicLinkDisabled,
        SignupDisabled,
        AccountBanned,
        MfaRequired,
        InvalidMfaCode,
        MfaBackupCodesExhausted,
        TooManyLoginAttempts,
    ),
)
async def redeem_magic_link(
    body: MagicToken, links: CurrentLinks, client: CurrentClient
) -> Response:
    """Exchange a magic link's token for a session, and for a user where the address is new."""
    if not body.token:
        raise MagicTokenMissing
    return answer(await links.magic.redeem(body.token, body.mfaCode, client))


@router.get("/email/callback", include_in_schema=False)
async def refuse_email_navigation() -> Response:
    """E-mail is no provider that leads a browser back."""
    raise UnsupportedProvider


# -- verification ---------------------------------------------------------------------------------


@router.post(
    "/signup/email/resend",
    responses=answers(200, Sent, InvalidEmail, AlreadyVerified, TooManyCodeRequests),
)
async def resend_sign_up_mail(body: MailRequest, links: CurrentLinks) -> Response:
    """Mail a new user's verification link again."""
    return answer(await links.verification.resend_sign_up(body.email, body.callbackUrl))


@router.get(
    "/signup/email/confirm",
    responses={
        **answers(
            200,
            Confirmed,
            InvalidEmail,
            AlreadyVerified,
            EmailAlreadyExists,
            VerificationTokenNotFound,
            VerificationTokenExpired,
        ),
        302: {"description": "Back to `callbackUrl`"},
    },
    openapi_extra=KEYLESS,
)
async def confirm_by_link(
    request: Request,
    token: Annotated[str, Query(min_length=1)],
    email: Annotated[str, Query(min_length=1)],
    callbackUrl: str | None = None,
) -> Response:
    """Verify the address of a mailed link, and lead the browser on. Needs no key."""
    services = await services_of(request, environment_of(token))
    if services is None:
        raise VerificationTokenNotFound
    verification = services.links.verification
    callback = await verification.callback(token, callbackUrl or None)
    try:
        address = await verification.confirm(email, token)
    except ApiError as error:
        if callback is None or error.status >= 500:
            raise
        return _redirect(callback, verified="false", error=error.code)
    if callback is None:
        return answer(
            {"message": "The e-mail address is verified", "verified": True, "email": address}
        )
    return _redirect(callback, verified="true", email=address)


def _redirect(url: str, **values: str) -> Response:
    return RedirectResponse(with_query(url, **values), 302, _NO_TRACE)


@router.post(
    "/email/verify/send",
    responses=answers(
        200, Sent, InvalidEmail, AlreadyVerified, EmailAlreadyExists, TooManyCodeRequests
    ),
)
async def send_verification(body: MailRequest, links: CurrentLinks, caller: _Anybody) -> Response:
    """Mail a link that verifies an address, or makes it the caller's."""
    return answer(await links.verification.request(body.email, body.callbackUrl, caller))


@router.post(
    "/email/verify/resend",
    responses=answers(
        200, Sent, InvalidEmail, AlreadyVerified, EmailAlreadyExists, TooManyCodeRequests
    ),
)
async def resend_verification(body: MailRequest, links: CurrentLinks, caller: _Anybody) -> Response:
    """The same again; the link before is void."""
    return answer(await links.verification.request(body.email, body.callbackUrl, caller))


@router.post(
    "/email/verify/confirm",
    responses=answers(
        200,
        Verified,
        InvalidEmail,
        AlreadyVerified,
        EmailAlreadyExists,
        VerificationTokenNotFound,
        VerificationTokenExpired,
    ),
)
async def confirm_address(body: AddressConfirmation, links: CurrentLinks) -> Response:
    """Verify the address of a mailed token."""
    await links.verification.confirm(body.email, body.token)
    return answer({"message": "The e-mail address is verified", "verified": True})


# -- passwords ------------------------------------------------------------------------------------


@router.post(
    "/password/reset/request", responses=answers(200, Message, InvalidEmail, TooManyCodeRequests)
)
async def request_reset(body: MailRequest, links: CurrentLinks) -> Response:
    """Mail a reset link, if the address is known; the answer does not tell."""
    await links.resets.request(body.email, body.callbackUrl)
    return answer({"message": _RESET_ASKED})


@router.post(
    "/password/reset/confirm",
    responses=answers(
        200,
        Message,
        InvalidEmail,
        VerificationTokenNotFound,
        VerificationTokenExpired,
        InvalidPasswordFormat,
        WeakPassword,
        SameAsPreviousPassword,
        AccountNotFound,
    ),
)
async def confirm_reset(body: ResetConfirmation, links: CurrentLinks) -> Response:
    """Replace the password by a mailed token, and end all sessions."""
    await links.resets.confirm(body.email, body.token, body.newPassword)
    return answer({"message": "The password was changed; sign in with it"})


# -- organizations --------------------------------------------------------------------------------


@router.post("/switch-organization", responses=answers(200, TokenPair, NotAllowed, TooManyRequests))
async def switch_organization(
    body: OrganizationSwitch, identity: SignedIn, links: CurrentLinks
) -> Response:
    """The session's next token pair, for one of the caller's organizations."""
    return answer(await links.organizations.switch(identity, body.organizationId))
