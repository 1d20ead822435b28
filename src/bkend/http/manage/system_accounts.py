"""`/manage/v1/system/accounts` and `…/organizations`: whom the server serves, for those who look
after it (51 §4, §8)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from bkend.http.dependencies import REFUSALS, CurrentExchange
from bkend.http.manage.bodies import Body, answer, documented, read_body
from bkend.http.manage.idempotency import Route
from bkend.http.manage.lists import Listed, Lowered
from bkend.http.manage.server_admins import ReadsSystem, UpdatesSystem
from bkend.http.openapi import answers
from bkend.manage.errors import LastOwner
from bkend.system import shapes
from bkend.tenants.errors import LastServerAdmin

router = APIRouter(
    prefix="/manage/v1/system", tags=["system"], responses=REFUSALS, route_class=Route
)


class AccountUpdate(Body):
    """What a server admin may change of an account."""

    status: Any = None
    isServerAdmin: Any = None


class StatusUpdate(Body):
    """`active` or `suspended`; `active` brings an organization back from the trash."""

    status: Any = None


@router.get("/accounts", responses=answers(200, shapes.ServerAccountList))
async def list_accounts(
    admin: ReadsSystem,
    listed: Listed,
    status: Lowered = None,
    isServerAdmin: bool | None = None,
) -> Response:
    """The accounts of all tenants, with their organizations."""
    accounts = admin.core.server_accounts
    items, count = await accounts.page(listed.listing, status, isServerAdmin)
    return answer(listed.shape(items, count))


@router.get("/accounts/{id}", responses=answers(200, shapes.ServerAccount))
async def get_account(id: str, admin: ReadsSystem) -> Response:
    """One of them."""
    return answer(await admin.core.server_accounts.get(id))


@router.patch(
    "/accounts/{id}",
    responses=answers(200, shapes.ServerAccount, LastServerAdmin),
    openapi_extra=documented(AccountUpdate),
)
async def update_account(id: str, admin: UpdatesSystem, exchange: CurrentExchange) -> Response:
    """Disable an account or let it in again; make a server admin of it, or an ordinary account."""
    body = await read_body(exchange, AccountUpdate)
    changes = {name: getattr(body, name) for name in body.model_fields_set}
    return answer(await admin.core.server_accounts.update(id, changes, admin.account_id))


@router.get("/organizations", responses=answers(200, shapes.ServerOrganizationList))
async def list_organizations(
    admin: ReadsSystem, listed: Listed, status: Lowered = None
) -> Response:
    """All organizations, those in the trash too."""
    items, count = await admin.core.server_organizations.page(listed.listing, status)
    return answer(listed.shape(items, count))


@router.get("/organizations/{org}", responses=answers(200, shapes.ServerOrganization))
async def get_organization(org: str, admin: ReadsSystem) -> Response:
    """One of them, by id or slug."""
    return answer(await admin.core.server_organizations.get(org))


@router.patch(
    "/organizations/{org}",
    responses=answers(200, shapes.ServerOrganization),
    openapi_extra=documented(StatusUpdate),
)
async def update_organization(
    org: str, admin: UpdatesSystem, exchange: CurrentExchange
) -> Response:
    """Suspend an organization, or make it active again, out of the trash too."""
    body = await read_body(exchange, StatusUpdate)
    organizations = admin.core.server_organizations
    return answer(await organizations.set_status(org, body.status, admin.actor))


@router.post(
    "/organizations/{org}/owner", responses=answers(200, shapes.ServerOrganization, LastOwner)
)
async def adopt_organization(org: str, admin: UpdatesSystem) -> Response:
    """Become the Owner of an organization that has none."""
    return answer(await admin.core.server_organizations.adopt(org, admin.actor))
