"""`…/organizations/{org}/invitations`, and `/manage/v1/invitations/{token}` for those who were
invited (51 §3.3, §8)."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from bkend.http.dependencies import REFUSALS, CurrentExchange
from bkend.http.manage import fields
from bkend.http.manage.admission import CurrentCore, CurrentTenant, actor_of
from bkend.http.manage.bodies import Body, answer, documented, read_body
from bkend.http.manage.idempotency import Route
from bkend.http.manage.lists import Listed, Lowered
from bkend.http.manage.shapes.common import Deleted, ListOf
from bkend.http.manage.shapes.organizations import (
    Declined,
    InvitationView,
    Joined,
    OrganizationInvitation,
)
from bkend.http.openapi import answers
from bkend.manage.errors import (
    AlreadyMember,
    InvitationForSomebodyElse,
    InvitationPending,
    OrganizationInvitationExpired,
    RoleNotAllowed,
)
from bkend.manage.organizations import require_whole
from bkend.manage.rights import Tenant

router = APIRouter(
    prefix="/manage/v1/organizations/{org}/invitations",
    tags=["invitations"],
    responses=REFUSALS,
    route_class=Route,
)
invited = APIRouter(
    prefix="/manage/v1/invitations/{token}",
    tags=["invitations"],
    responses=REFUSALS,
    route_class=Route,
)


class NewInvitation(Body):
    """Whom to invite, and as what: `admin`, `member` or `billing`."""

    model_config = fields.needs("email", "name")

    email: fields.Email = None
    name: fields.Name = None
    role: fields.InvitedRole = None


@router.get("", responses=answers(200, ListOf[OrganizationInvitation]))
async def list_invitations(
    org: str, tenant: CurrentTenant, core: CurrentCore, listed: Listed, status: Lowered = None
) -> Response:
    """Invitations, newest first; with `acceptUrl` for Owner and Admin."""
    found, role = await core.organizations.admit(tenant, org, "member:read")
    items, count = await core.invitations.records.page(
        found, listed.listing, status, with_links=_sees_links(role)
    )
    return answer(listed.shape(items, count))


@router.post(
    "",
    responses=answers(
        201, OrganizationInvitation, RoleNotAllowed, InvitationPending, AlreadyMember
    ),
    openapi_extra=documented(NewInvitation),
)
async def invite(
    org: str,
    tenant: CurrentTenant,
    core: CurrentCore,
    exchange: CurrentExchange,
    request: Request,
) -> Response:
    """Invite an address. The mail is sent if the server can; `acceptUrl` works without."""
    found, role = await core.organizations.admit(tenant, org, "member:create")
    body = await read_body(exchange, NewInvitation)
    actor = await actor_of(request, tenant)
    return answer(await core.invitations.create(found, body.model_dump(), actor, role), 201)


@router.get("/{id}", responses=answers(200, OrganizationInvitation))
async def get_invitation(org: str, id: str, tenant: CurrentTenant, core: CurrentCore) -> Response:
    """One invitation."""
    found, role = await core.organizations.admit(tenant, org, "member:read")
    return answer(await core.invitations.records.get(found, id, with_links=_sees_links(role)))


@router.delete("/{id}", responses=answers(200, Deleted, RoleNotAllowed))
async def revoke_invitation(
    org: str, id: str, tenant: CurrentTenant, core: CurrentCore, request: Request
) -> Response:
    """Nobody can accept it any more."""
    found, role = await core.organizations.admit(tenant, org, "member:create")
    await core.invitations.revoke(found, id, await actor_of(request, tenant), role)
    return answer({"deleted": True, "id": id})


@router.post(
    "/{id}/resend",
    responses=answers(
        200, OrganizationInvitation, RoleNotAllowed, InvitationPending, AlreadyMember
    ),
)
async def resend_invitation(
    org: str, id: str, tenant: CurrentTenant, core: CurrentCore, request: Request
) -> Response:
    """A new link with a new term; the old one is void."""
    found, role = await core.organizations.admit(tenant, org, "member:create")
    return answer(await core.invitations.resend(found, id, await actor_of(request, tenant), role))


@invited.get("", responses=answers(200, InvitationView))
async def show_invitation(token: str, core: CurrentCore) -> Response:
    """What the holder of the link may know: who invites whom to what. Public."""
    return answer(await core.invitations.records.public(token))


@invited.post(
    "/accept",
    responses=answers(
        200, Joined, InvitationForSomebodyElse, OrganizationInvitationExpired, AlreadyMember
    ),
)
async def accept_invitation(
    token: str, tenant: CurrentTenant, core: CurrentCore, request: Request
) -> Response:
    """Become a member, signed in with the invited address."""
    _require_oneself(tenant)
    return answer(await core.invitations.accept(token, await actor_of(request, tenant)))


@invited.post(
    "/decline",
    responses=answers(200, Declined, InvitationForSomebodyElse, OrganizationInvitationExpired),
)
async def decline_invitation(
    token: str, tenant: CurrentTenant, core: CurrentCore, request: Request
) -> Response:
    """Refuse it."""
    _require_oneself(tenant)
    await core.invitations.decline(token, await actor_of(request, tenant))
    return answer({"declined": True})


def _require_oneself(tenant: Tenant) -> None:
    """An invitation is answered by a person, or with a token that may do all the person may."""
    tenant.require_scope("invitation:accept")
    require_whole(tenant, "invitation:accept")


def _sees_links(role: str) -> bool:
    return role in ("owner", "admin")
