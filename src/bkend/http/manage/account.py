"""`/manage/v1/account`: one's own profile, password, second factor, devices, tokens (51 §8)."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from bkend.auth.errors import InvalidPassword
from bkend.auth.mfa.errors import (
    InvalidMfaCode,
    MfaAlreadyEnabled,
    MfaBackupCodesExhausted,
    MfaNotEnabled,
    MfaSetupExpired,
)
from bkend.errors import ConfirmationRequired, Forbidden, NotFound, Unauthorized
from bkend.http.dependencies import REFUSALS, CurrentClient, CurrentExchange
from bkend.http.manage import account_bodies as bodies
from bkend.http.manage.admission import CurrentCore, CurrentSession, CurrentTenant
from bkend.http.manage.bodies import (
    Page,
    answer,
    documented,
    read_body,
    read_optional_body,
    require_confirmation,
)
from bkend.http.manage.cookies import without_session
from bkend.http.manage.idempotency import Route
from bkend.http.manage.shapes.accounts import (
    Changed,
    SecondFactorOff,
    SecondFactorOn,
    SecondFactorSetup,
    TenantAccount,
    TenantSession,
)
from bkend.http.manage.shapes.common import Deleted, DeletedMany, ListOf
from bkend.http.manage.shapes.keys import AccessToken
from bkend.http.openapi import answers
from bkend.tenants.accounts import shape
from bkend.tenants.errors import LastServerAdmin, OwnsOrganizations, TooManyAttempts
from bkend.tenants.tokens import Wanted

router = APIRouter(
    prefix="/manage/v1/account", tags=["account"], responses=REFUSALS, route_class=Route
)


@router.get("", responses=answers(200, TenantAccount))
async def get_account(tenant: CurrentTenant, core: CurrentCore) -> Response:
    """One's own account; also with a token that it made."""
    account = await core.tenants.accounts.get(tenant.account_id)
    if account is None:
        raise Unauthorized("No account made this management token")
    return answer(shape(account))


@router.patch("", responses=answers(200, TenantAccount), openapi_extra=documented(bodies.Profile))
async def update_account(
    core: CurrentCore, found: CurrentSession, exchange: CurrentExchange
) -> Response:
    """Change name, avatarUrl, locale, theme."""
    body = await read_body(exchange, bodies.Profile)
    changed = await core.tenants.accounts.update_profile(found.account["id"], body.given())
    return answer(shape(changed))


@router.delete(
    "",
    responses=answers(
        200,
        Deleted,
        ConfirmationRequired,
        InvalidPassword,
        OwnsOrganizations,
        LastServerAdmin,
        TooManyAttempts,
    ),
    openapi_extra=documented(bodies.Proof, optional=True),
)
async def delete_account(
    request: Request,
    core: CurrentCore,
    found: CurrentSession,
    exchange: CurrentExchange,
    client: CurrentClient,
    confirm: str | None = None,
) -> Response:
    """Delete the account for good. `confirm` is its address; `password` where it has one."""
    body = await read_optional_body(exchange, bodies.Proof)
    require_confirmation(confirm or body.confirm, found.account["email"])
    await core.tenants.own.delete(found.account, body.password, client)
    return without_session(answer({"deleted": True, "id": found.account["id"]}), request)


@router.put(
    "/password",
    responses=answers(200, Changed, InvalidPassword, TooManyAttempts),
    openapi_extra=documented(bodies.PasswordChange),
)
async def change_password(
    core: CurrentCore, found: CurrentSession, exchange: CurrentExchange
) -> Response:
    """Set the password; every other session ends."""
    body = await read_body(exchange, bodies.PasswordChange)
    await core.tenants.own.change_password(
        found.account, found.session, body.currentPassword, body.newPassword, exchange.address
    )
    return answer({"changed": True})


@router.post(
    "/mfa",
    responses=answers(201, SecondFactorSetup, InvalidPassword, MfaAlreadyEnabled, TooManyAttempts),
    openapi_extra=documented(bodies.Proof, optional=True),
)
async def begin_mfa(
    core: CurrentCore, found: CurrentSession, exchange: CurrentExchange
) -> Response:
    """Begin with a second factor: a secret to scan, to be confirmed within ten minutes."""
    body = await read_optional_body(exchange, bodies.Proof)
    begun = await core.tenants.own.begin_mfa(found.account, body.password, exchange.address)
    return answer(begun, 201)


@router.post(
    "/mfa/confirm",
    responses=answers(
        200,
        SecondFactorOn,
        InvalidMfaCode,
        MfaNotEnabled,
        MfaSetupExpired,
        MfaAlreadyEnabled,
        TooManyAttempts,
    ),
    openapi_extra=documented(bodies.Code),
)
async def confirm_mfa(
    core: CurrentCore, found: CurrentSession, exchange: CurrentExchange
) -> Response:
    """Switch it on with a code of the app; the backup codes are shown only now."""
    body = await read_body(exchange, bodies.Code)
    codes = await core.tenants.own.confirm_mfa(found.account, body.code, exchange.address)
    return answer({"mfaEnabled": True, "backupCodes": codes})


@router.delete(
    "/mfa",
    responses=answers(
        200,
        SecondFactorOff,
        InvalidPassword,
        InvalidMfaCode,
        MfaNotEnabled,
        MfaBackupCodesExhausted,
        TooManyAttempts,
    ),
    openapi_extra=documented(bodies.Proof, optional=True),
)
async def remove_mfa(
    core: CurrentCore, found: CurrentSession, exchange: CurrentExchange
) -> Response:
    """Switch it off with a code of the app, or a backup code, and the password."""
    body = await read_optional_body(exchange, bodies.Proof)
    await core.tenants.own.remove_mfa(
        found.account, body.password, body.code or "", exchange.address
    )
    return answer({"mfaEnabled": False})


# -- devices --------------------------------------------------------------------------------


@router.get("/sessions", responses=answers(200, ListOf[TenantSession]))
async def list_sessions(core: CurrentCore, found: CurrentSession, page: Page) -> Response:
    """Where the account is signed in, the latest use first."""
    items = await core.tenants.sessions.list(found.account["id"], found.session.id)
    return answer(page.shape(items[page.offset : page.offset + page.limit], len(items)))


@router.delete("/sessions", responses=answers(200, DeletedMany))
async def end_other_sessions(core: CurrentCore, found: CurrentSession) -> Response:
    """Sign every other device out."""
    count = await core.tenants.sessions.end_others(found.account["id"], found.session.id)
    return answer({"deleted": True, "count": count})


@router.delete("/sessions/{id}", responses=answers(200, Deleted))
async def end_session(id: str, core: CurrentCore, found: CurrentSession) -> Response:
    """Sign a device out."""
    await core.tenants.sessions.end(found.account["id"], id)
    return answer({"deleted": True, "id": id})


# -- tokens ---------------------------------------------------------------------------------


@router.get("/tokens", responses=answers(200, ListOf[AccessToken]))
async def list_tokens(core: CurrentCore, found: CurrentSession, page: Page) -> Response:
    """One's own management tokens, without their values."""
    items, total = await core.tenants.tokens.list(found.account, page.offset, page.limit)
    return answer(page.shape(items, total))


@router.post(
    "/tokens",
    responses=answers(201, AccessToken, Forbidden, NotFound),
    openapi_extra=documented(bodies.NewToken),
)
async def make_token(
    core: CurrentCore, found: CurrentSession, exchange: CurrentExchange, client: CurrentClient
) -> Response:
    """Make a management token; its `key` is shown only now."""
    body = await read_body(exchange, bodies.NewToken)
    wanted = Wanted(
        body.name.strip(),
        body.organizationId,
        body.scopes or (),
        body.projectIds,
        body.expiresAt,
    )
    return answer(await core.tenants.tokens.create(found.account, wanted, client), 201)


@router.delete("/tokens/{id}", responses=answers(200, Deleted))
async def revoke_token(
    id: str, core: CurrentCore, found: CurrentSession, client: CurrentClient
) -> Response:
    """Refuse one of them from now on."""
    await core.tenants.tokens.revoke(found.account, id, client)
    return answer({"deleted": True, "id": id})
