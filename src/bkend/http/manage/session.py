"""`/manage/v1/session`: signing up, in and out; links in mails (51 §7, §8)."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response

from bkend.auth.errors import EmailAlreadyExists, InvalidCredentials, SignupDisabled
from bkend.auth.mfa.errors import InvalidMfaCode, MfaBackupCodesExhausted, MfaRequired
from bkend.core import Core
from bkend.errors import Unauthorized
from bkend.http.dependencies import REFUSALS, CurrentClient, CurrentExchange
from bkend.http.manage import account_bodies as bodies
from bkend.http.manage.admission import (
    BY_TENANT,
    CurrentCore,
    CurrentSession,
    session_of,
    tenant_of,
)
from bkend.http.manage.bodies import answer, documented, read_body
from bkend.http.manage.cookies import (
    cookie_session,
    require_own_page,
    with_session,
    without_session,
)
from bkend.http.manage.idempotency import PublicRoute
from bkend.http.manage.shapes.accounts import (
    AddressVerified,
    MailSent,
    PasswordReset,
    SignedIn,
    TenantAccount,
)
from bkend.http.manage.shapes.common import Deleted
from bkend.http.openapi import answers, describes
from bkend.manage.control import ORGANIZATIONS
from bkend.manage.rights import Tenant
from bkend.store import Find, OneOf
from bkend.tenants.accounts import shape
from bkend.tenants.errors import (
    AccountDisabled,
    AlreadyVerified,
    CsrfFailed,
    LinkExpired,
    LinkInvalid,
    TooManyAttempts,
)
from bkend.tenants.sessions import Session

router = APIRouter(
    prefix="/manage/v1/session", tags=["session"], responses=REFUSALS, route_class=PublicRoute
)

_SENT = {"sent": True}
"""Said whether or not the address is known."""


@router.post(
    "/signup",
    responses=answers(
        201, TenantAccount, CsrfFailed, SignupDisabled, EmailAlreadyExists, TooManyAttempts
    ),
    openapi_extra=documented(bodies.NewAccount),
)
async def sign_up(
    request: Request, core: CurrentCore, exchange: CurrentExchange, client: CurrentClient
) -> Response:
    """Make an account and sign in: where sign-up is open, else with an invitation's token."""
    require_own_page(request)
    body = await read_body(exchange, bodies.NewAccount)
    session = await core.tenants.signing_up.sign_up(
        body.name, body.email, body.password, body.invitationToken, client
    )
    return await _signed_in(request, core, session, 201)


@router.post(
    "/login",
    responses=answers(
        200,
        TenantAccount,
        CsrfFailed,
        InvalidCredentials,
        InvalidMfaCode,
        MfaRequired,
        AccountDisabled,
        MfaBackupCodesExhausted,
        TooManyAttempts,
    ),
    openapi_extra=documented(bodies.Login),
)
async def log_in(
    request: Request, core: CurrentCore, exchange: CurrentExchange, client: CurrentClient
) -> Response:
    """Sign in with a password. 403 `auth/mfa-required` asks for `code` as well."""
    require_own_page(request)
    body = await read_body(exchange, bodies.Login)
    session = await core.tenants.signing_in.with_password(
        body.email, body.password, body.code, client
    )
    return await _signed_in(request, core, session)


@router.post(
    "/magic-link",
    responses=answers(202, MailSent, TooManyAttempts),
    openapi_extra=documented(bodies.Address),
)
async def send_link(core: CurrentCore, exchange: CurrentExchange) -> Response:
    """Mail a link that signs in, good for 15 minutes."""
    body = await read_body(exchange, bodies.Address)
    await core.tenants.signing_in.request_link(body.email)
    return answer(_SENT, 202)


@router.post(
    "/magic-link/confirm",
    responses=answers(
        200,
        TenantAccount,
        CsrfFailed,
        LinkInvalid,
        LinkExpired,
        InvalidMfaCode,
        MfaRequired,
        AccountDisabled,
        MfaBackupCodesExhausted,
        SignupDisabled,
        TooManyAttempts,
    ),
    openapi_extra=documented(bodies.LinkLogin),
)
async def confirm_link(
    request: Request, core: CurrentCore, exchange: CurrentExchange, client: CurrentClient
) -> Response:
    """Sign in with the token of a mailed link, once."""
    require_own_page(request)
    body = await read_body(exchange, bodies.LinkLogin)
    session = await core.tenants.signing_in.with_link(body.token, body.code, client)
    return await _signed_in(request, core, session)


@router.post(
    "/password/forgot",
    responses=answers(202, MailSent, TooManyAttempts),
    openapi_extra=documented(bodies.Address),
)
async def forgot_password(core: CurrentCore, exchange: CurrentExchange) -> Response:
    """Mail a link to a new password."""
    body = await read_body(exchange, bodies.Address)
    await core.tenants.recovery.request_reset(body.email)
    return answer(_SENT, 202)


@router.post(
    "/password/reset",
    responses=answers(200, PasswordReset, LinkInvalid, LinkExpired, AccountDisabled),
    openapi_extra=documented(bodies.NewPassword),
)
async def reset_password(
    core: CurrentCore, exchange: CurrentExchange, client: CurrentClient
) -> Response:
    """Set the password with the token of a mailed link; every session ends."""
    body = await read_body(exchange, bodies.NewPassword)
    await core.tenants.recovery.reset(body.token, body.newPassword, client)
    return answer({"reset": True})


@router.post(
    "/verify-email",
    responses=answers(200, AddressVerified, LinkInvalid, LinkExpired),
    openapi_extra=documented(bodies.Token),
)
async def verify_email(core: CurrentCore, exchange: CurrentExchange) -> Response:
    """Verify an address with the token of a mailed link."""
    body = await read_body(exchange, bodies.Token)
    account = await core.tenants.recovery.verify(body.token)
    return answer({"verified": True, "email": account["email"]})


@router.post(
    "/verify-email/resend", responses=answers(202, MailSent, AlreadyVerified, TooManyAttempts)
)
async def resend_verification(core: CurrentCore, found: CurrentSession) -> Response:
    """Mail another link to verify one's own address."""
    await core.tenants.recovery.resend_verification(found.account)
    return answer(_SENT, 202)


@router.get("", responses=answers(200, SignedIn))
@describes(Unauthorized, security=BY_TENANT)
async def get_session(request: Request, core: CurrentCore) -> Response:
    """Who is signed in, the token for changes, and the organizations with one's role.

    With a management token `csrf` is null, and `account` too for one of the command line.
    """
    tenant = await tenant_of(request)
    found = await cookie_session(request) if tenant.key is None else None
    account = found.account if found else await core.tenants.accounts.get(tenant.account_id)
    shown = {
        "account": shape(account) if account else None,
        "csrf": found.session.csrf if found else None,
        "memberships": await _memberships(core, tenant),
    }
    response = answer(shown)
    return with_session(response, request, found.session) if found else response


@router.delete("", responses=answers(200, Deleted))
@describes(Unauthorized, CsrfFailed, security=BY_TENANT)
async def log_out(request: Request, core: CurrentCore) -> Response:
    """End this session; with a management token, revoke that token."""
    tenant = await tenant_of(request)
    if tenant.key is not None:
        await core.keys.revoke(tenant.key.id)
        return answer({"deleted": True, "id": tenant.key.id})
    found = await session_of(request)
    await core.tenants.sessions.end(found.account["id"], found.session.id)
    return without_session(answer({"deleted": True, "id": found.session.id}), request)


async def _signed_in(request: Request, core: Core, session: Session, status: int = 200) -> Response:
    account = await core.tenants.accounts.get(session.account_id)
    assert account is not None
    return with_session(answer(shape(account), status), request, session)


async def _memberships(core: Core, tenant: Tenant) -> list[dict[str, Any]]:
    roles = await tenant.organizations()
    where = OneOf(("id",), await core.organizations.present(roles))
    page = await core.database.control.find(Find(ORGANIZATIONS, where, descending=False, limit=500))
    return [
        {
            "organizationId": organization["id"],
            "name": organization["name"],
            "slug": organization["slug"],
            "role": roles[organization["id"]],
        }
        for organization in orjson.loads(page.items)
    ]
