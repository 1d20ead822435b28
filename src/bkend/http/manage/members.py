"""`/manage/v1/organizations/{org}/members`: who belongs to an organization (51 §3.3, §8)."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from bkend.errors import ConfirmationRequired
from bkend.http.dependencies import REFUSALS, CurrentExchange
from bkend.http.manage import fields
from bkend.http.manage.admission import CurrentCore, CurrentTenant, actor_of
from bkend.http.manage.bodies import (
    Body,
    answer,
    documented,
    read_body,
    read_confirmation,
    require_confirmation,
)
from bkend.http.manage.idempotency import Route
from bkend.http.manage.lists import Listed, Lowered
from bkend.http.manage.shapes.common import Deleted, ListOf
from bkend.http.manage.shapes.organizations import Member
from bkend.http.openapi import answers
from bkend.manage.errors import LastOwner, RoleNotAllowed

router = APIRouter(
    prefix="/manage/v1/organizations/{org}/members",
    tags=["members"],
    responses=REFUSALS,
    route_class=Route,
)


class MemberRole(Body):
    """The role that a member is to have."""

    model_config = fields.needs("role")

    role: fields.MemberRole = None


@router.get("", responses=answers(200, ListOf[Member]))
async def list_members(
    org: str,
    tenant: CurrentTenant,
    core: CurrentCore,
    listed: Listed,
    role: Lowered = None,
    status: Lowered = None,
) -> Response:
    """The members, the Owner first."""
    found, _ = await core.organizations.admit(tenant, org, "member:read")
    if status not in (None, "active"):
        return answer(listed.shape([], 0))
    items, count = await core.team.page(found["id"], listed.listing, tenant.account_id, role)
    return answer(listed.shape(items, count))


@router.get("/{id}", responses=answers(200, Member))
async def get_member(org: str, id: str, tenant: CurrentTenant, core: CurrentCore) -> Response:
    """One member, by its own id or the account's."""
    found, _ = await core.organizations.admit(tenant, org, "member:read")
    return answer(await core.team.get(found["id"], id, tenant.account_id))


@router.patch(
    "/{id}",
    responses=answers(200, Member, RoleNotAllowed, LastOwner),
    openapi_extra=documented(MemberRole),
)
async def change_role(
    org: str,
    id: str,
    tenant: CurrentTenant,
    core: CurrentCore,
    exchange: CurrentExchange,
    request: Request,
) -> Response:
    """Give a member another role."""
    found, role = await core.organizations.admit(tenant, org, "member:update")
    body = await read_body(exchange, MemberRole)
    actor = await actor_of(request, tenant)
    return answer(await core.team.set_role(found["id"], id, body.role, actor, role))


@router.delete(
    "/{id}", responses=answers(200, Deleted, ConfirmationRequired, RoleNotAllowed, LastOwner)
)
async def remove_member(
    org: str,
    id: str,
    tenant: CurrentTenant,
    core: CurrentCore,
    exchange: CurrentExchange,
    request: Request,
    confirm: str | None = None,
) -> Response:
    """Take a member out; `confirm` is the member's address, or the id of one without."""
    found, role = await core.organizations.admit(tenant, org, "member:delete")
    member = await core.team.get(found["id"], id, tenant.account_id)
    given = await read_confirmation(exchange, confirm)
    require_confirmation(given, member["email"] or member["id"])
    actor = await actor_of(request, tenant)
    removed = await core.team.remove(found["id"], id, actor, role)
    return answer({"deleted": True, "id": removed})
