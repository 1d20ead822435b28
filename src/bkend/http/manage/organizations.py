"""`/manage/v1/organizations`: organizations, their activity, their tokens (51 §3.2, §8)."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from bkend.auth.errors import EmailNotVerified
from bkend.errors import ConfirmationRequired, Forbidden
from bkend.http.dependencies import REFUSALS, CurrentExchange
from bkend.http.manage import fields
from bkend.http.manage.activities import Wanted, list_activities
from bkend.http.manage.admission import CurrentCore, CurrentTenant, actor_of
from bkend.http.manage.bodies import (
    Body,
    Page,
    answer,
    documented,
    read_body,
    read_confirmation,
    require_confirmation,
)
from bkend.http.manage.idempotency import Route
from bkend.http.manage.lists import Listed, Lowered
from bkend.http.manage.shapes.activity import Activity, LoginEvent
from bkend.http.manage.shapes.common import Deleted, ListOf
from bkend.http.manage.shapes.keys import AccessToken
from bkend.http.manage.shapes.organizations import Organization, OrganizationStatistics
from bkend.http.openapi import answers
from bkend.inventory import statistics, total
from bkend.manage.control import MEMBERS
from bkend.manage.errors import LastOwner, OrganizationSlugTaken
from bkend.manage.listing import every
from bkend.manage.organizations import require_whole
from bkend.store import Equals

router = APIRouter(
    prefix="/manage/v1/organizations",
    tags=["organizations"],
    responses=REFUSALS,
    route_class=Route,
)


class NewOrganization(Body):
    """An organization to make; without `slug` one is made of the name."""

    model_config = fields.needs("name")

    name: fields.Name = None
    slug: fields.Slug = None
    displayName: fields.DisplayName = None
    description: fields.Description = None
    notificationEmail: fields.NullableEmail = None


class OrganizationUpdate(Body):
    """What may be changed; `status` by a server admin only."""

    name: fields.Name = None
    displayName: fields.DisplayName = None
    description: fields.Description = None
    notificationEmail: fields.NullableEmail = None
    slug: fields.Slug = None
    status: fields.OrganizationStatus = None


class Transfer(Body):
    """Who is to be the Owner; `confirm` is `transfer`."""

    model_config = fields.needs("accountId", "confirm")

    accountId: fields.Id = None
    confirm: str | None = None


@router.get("", responses=answers(200, ListOf[Organization]))
async def list_organizations(
    tenant: CurrentTenant, core: CurrentCore, listed: Listed, all: bool = False
) -> Response:
    """The tenant's organizations; with `all`, for a server admin, everybody's."""
    tenant.require_scope("organization:read")
    items, count = await core.organizations.page(tenant, listed.listing, everybody=all)
    return answer(listed.shape(items, count))


@router.post(
    "",
    responses=answers(201, Organization, OrganizationSlugTaken, EmailNotVerified),
    openapi_extra=documented(NewOrganization),
)
async def create_organization(
    tenant: CurrentTenant, core: CurrentCore, exchange: CurrentExchange, request: Request
) -> Response:
    """An organization whose Owner is the caller's account."""
    tenant.require_scope("organization:create")
    require_whole(tenant, "organization:create")
    if not tenant.account_id:
        raise Forbidden("token", "organization:create: an account must own it")
    await core.tenants.require_verified(tenant.account_id)
    body = await read_body(exchange, NewOrganization)
    made = await core.organizations.create(await actor_of(request, tenant), body.model_dump())
    return answer(await core.organizations.shape(made, "owner"), 201)


@router.get("/{org}", responses=answers(200, Organization))
async def get_organization(org: str, tenant: CurrentTenant, core: CurrentCore) -> Response:
    """An organization, by id or slug."""
    found, role = await core.organizations.admit(tenant, org, "organization:read")
    return answer(await core.organizations.shape(found, role))


@router.patch(
    "/{org}", responses=answers(200, Organization), openapi_extra=documented(OrganizationUpdate)
)
async def update_organization(
    org: str,
    tenant: CurrentTenant,
    core: CurrentCore,
    exchange: CurrentExchange,
    request: Request,
) -> Response:
    """Change what is given. `status` is for server admins, who need not be members: `suspended`, or
    `active`, also of a deleted one."""
    actor = await actor_of(request, tenant)
    if tenant.key is None and await core.accounts.is_server_admin(tenant.account_id):
        body = await read_body(exchange, OrganizationUpdate)
        if body.model_fields_set == {"status"}:
            changed = await core.organizations.set_status(org, body.status, actor)
            role = await tenant.role_in(changed["id"])
            return answer(await core.organizations.shape(changed, role))
    else:
        body = None
    found, role = await core.organizations.admit(tenant, org, "organization:update")
    body = body or await read_body(exchange, OrganizationUpdate)
    if "status" in body.model_fields_set:
        raise Forbidden(role, "the status of an organization")
    given = {name: getattr(body, name) for name in body.model_fields_set}
    changed = await core.organizations.update(found, given, actor)
    return answer(await core.organizations.shape(changed, role))


@router.delete("/{org}", responses=answers(200, Deleted, ConfirmationRequired))
async def delete_organization(
    org: str,
    tenant: CurrentTenant,
    core: CurrentCore,
    exchange: CurrentExchange,
    request: Request,
    confirm: str | None = None,
) -> Response:
    """Delete an organization with all that is in it; `confirm` is its name."""
    found, _ = await core.organizations.admit(tenant, org, "organization:delete")
    require_confirmation(await read_confirmation(exchange, confirm), found["name"])
    await core.purging.delete_organization(found, await actor_of(request, tenant))
    return answer({"deleted": True, "id": found["id"]})


@router.get("/{org}/stats", responses=answers(200, OrganizationStatistics))
async def show_statistics(org: str, tenant: CurrentTenant, core: CurrentCore) -> Response:
    """What the organization holds, counted."""
    found, role = await core.organizations.admit(tenant, org, "dashboard:read")
    shown = await core.organizations.shape(found, role)
    parts = []
    projects = await core.organizations.projects(found["id"])
    for document in await core.environment_records.of_projects(*(one["id"] for one in projects)):
        environment = await core.environments.get(document["id"])
        if environment is not None:
            parts.append(await statistics(environment))
    counts = total(parts)
    return answer(
        {
            "projectCount": shown["projectCount"],
            "memberCount": shown["memberCount"],
            "tableCount": counts["tableCount"],
            "storageBytes": counts["storageBytes"],
            "userCount": counts["userCount"],
        }
    )


@router.get("/{org}/activities", responses=answers(200, ListOf[Activity]))
async def show_activities(
    org: str, tenant: CurrentTenant, core: CurrentCore, wanted: Wanted, page: Page
) -> Response:
    """Who changed what in the organization, newest first."""
    found, _ = await core.organizations.admit(tenant, org, "activity:read")
    return await list_activities(core, found["id"], wanted, page)


@router.get("/{org}/login-events", responses=answers(200, ListOf[LoginEvent]))
async def show_sign_ins(org: str, tenant: CurrentTenant, core: CurrentCore, page: Page) -> Response:
    """The sign-ins of the organization's members, newest first."""
    found, _ = await core.organizations.admit(tenant, org, "activity:read")
    of_it = Equals(("organizationId",), found["id"])
    members = await every(core.database.control, MEMBERS, of_it)
    accounts = tuple(one["accountId"] for one in members)
    items, count = await core.activities.login_events(accounts, page.offset, page.limit)
    return answer(page.shape(items, count))


@router.post(
    "/{org}/transfer",
    responses=answers(200, Organization, ConfirmationRequired),
    openapi_extra=documented(Transfer),
)
async def transfer(
    org: str,
    tenant: CurrentTenant,
    core: CurrentCore,
    exchange: CurrentExchange,
    request: Request,
) -> Response:
    """Make another member the Owner; the Owner becomes an Admin. `confirm` is `transfer`."""
    found, _ = await core.organizations.admit(tenant, org, "organization:transfer")
    body = await read_body(exchange, Transfer)
    require_confirmation(body.confirm, "transfer")
    await core.organizations.transfer(found, body.accountId, await actor_of(request, tenant))
    return answer(await core.organizations.shape(found, await tenant.role_in(found["id"])))


@router.post("/{org}/leave", responses=answers(200, Deleted, ConfirmationRequired, LastOwner))
async def leave(
    org: str,
    tenant: CurrentTenant,
    core: CurrentCore,
    exchange: CurrentExchange,
    request: Request,
    confirm: str | None = None,
) -> Response:
    """Be no member any more; `confirm` is `leave`."""
    found, _ = await core.organizations.admit(tenant, org, "organization:read")
    tenant.require_scope("organization:leave")
    require_whole(tenant, "organization:leave")
    require_confirmation(await read_confirmation(exchange, confirm), "leave")
    await core.team.leave(found["id"], await actor_of(request, tenant))
    return answer({"deleted": True, "id": found["id"]})


@router.get("/{org}/access-tokens", responses=answers(200, ListOf[AccessToken]))
async def list_tokens(
    org: str, tenant: CurrentTenant, core: CurrentCore, listed: Listed, type: Lowered = None
) -> Response:
    """Keys of all environments, and management tokens; only publishable keys show their value."""
    found, _ = await core.organizations.admit(tenant, org, "access-token:read")
    only = None if tenant.key is None else tenant.key.project_ids
    items, count = await core.access_tokens.of_organization(found["id"], listed.listing, type, only)
    return answer(listed.shape(items, count))


@router.get("/{org}/access-tokens/{id}", responses=answers(200, AccessToken))
async def get_token(org: str, id: str, tenant: CurrentTenant, core: CurrentCore) -> Response:
    """One of them."""
    found, _ = await core.organizations.admit(tenant, org, "access-token:read")
    only = None if tenant.key is None else tenant.key.project_ids
    return answer(await core.access_tokens.get_one(id, found["id"], only))
