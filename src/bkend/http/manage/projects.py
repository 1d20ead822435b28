"""`/manage/v1/projects`: projects, their settings and origins (51 §3.4, §3.8, §8)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from bkend.errors import ConfirmationRequired, InvalidParameters, NotFound
from bkend.http.dependencies import REFUSALS, CurrentExchange
from bkend.http.manage import fields
from bkend.http.manage.activities import Wanted, list_activities
from bkend.http.manage.admission import (
    CurrentCore,
    CurrentTenant,
    DeletesProject,
    ReadsActivity,
    ReadsProject,
    UpdatesProject,
    actor_of,
)
from bkend.http.manage.bodies import (
    Body,
    Page,
    ProjectUpdate,
    answer,
    documented,
    read_body,
    read_confirmation,
    require_confirmation,
)
from bkend.http.manage.idempotency import Route
from bkend.http.manage.lists import Listed, Lowered
from bkend.http.manage.shapes.activity import Activity
from bkend.http.manage.shapes.common import Deleted, ListOf
from bkend.http.manage.shapes.projects import (
    AllowedOrigins,
    CreatedProject,
    Project,
    ProjectStatistics,
)
from bkend.http.openapi import answers
from bkend.inventory import statistics, total
from bkend.manage.environment_records import shape as environment_shape
from bkend.manage.errors import (
    InvalidOrigin,
    OriginLimitReached,
    ProjectLimitReached,
    ProjectSlugTaken,
)
from bkend.manage.rights import RIGHTS

router = APIRouter(
    prefix="/manage/v1/projects", tags=["projects"], responses=REFUSALS, route_class=Route
)


class NewProject(Body):
    """A project to make; without `slug` one is made of the name."""

    model_config = fields.needs("name")

    organizationId: str | None = None
    name: fields.Name = None
    slug: fields.Slug = None
    description: fields.Description = None
    primaryCloud: fields.Cloud = None
    primaryRegion: fields.Region = None


class Origins(Body):
    """All origins that get CORS headers; none means any."""

    model_config = fields.needs("allowedOrigins")

    allowedOrigins: fields.OriginList = None


class Origin(Body):
    """One of them."""

    model_config = fields.needs("origin")

    origin: fields.Origin = None


@router.get("", responses=answers(200, ListOf[Project], NotFound))
async def list_projects(
    tenant: CurrentTenant,
    core: CurrentCore,
    listed: Listed,
    org: str | None = None,
    status: Lowered = None,
    region: str | None = None,
) -> Response:
    """The projects of the tenant's organizations, or of the one that `org` names."""
    if org is not None:
        found, _ = await core.organizations.admit(tenant, org, "project:read")
        organizations: tuple[str, ...] = (str(found["id"]),)
    else:
        tenant.require_scope("project:read")
        roles = await tenant.organizations()
        seen = [id for id, role in roles.items() if "project:read" in RIGHTS.get(role, ())]
        organizations = await core.organizations.present(seen)
    only = None if tenant.key is None else tenant.key.project_ids
    items, count = await core.projects.page(
        organizations, only, listed.listing, status=status, region=region
    )
    return answer(listed.shape(items, count))


@router.post(
    "",
    responses=answers(201, CreatedProject, NotFound, ProjectSlugTaken, ProjectLimitReached),
    openapi_extra=documented(NewProject),
)
async def create_project(
    tenant: CurrentTenant,
    core: CurrentCore,
    exchange: CurrentExchange,
    request: Request,
    org: str | None = None,
) -> Response:
    """A project with its environment `dev` and a publishable key, in one step."""
    body = await read_body(exchange, NewProject)
    named = body.organizationId or org
    if named is None:
        theirs = await tenant.organizations()
        if len(theirs) != 1:
            message = "organizationId says which organization it is for"
            raise InvalidParameters(
                message,
                details=[{"field": "organizationId", "rule": "required", "message": message}],
            )
        named = next(iter(theirs))
    organization, _ = await core.organizations.admit(tenant, named, "project:create")
    actor = await actor_of(request, tenant)
    project, environment, key = await core.projects.create(
        organization["id"], actor, body.model_dump()
    )
    environment = await core.provisioning.set_up(project, environment, actor)
    shown = await core.projects.shape(project)
    return answer({**shown, "environments": [environment_shape(environment)], "apiKey": key}, 201)


@router.get("/{project}", responses=answers(200, Project))
async def get_project(site: ReadsProject) -> Response:
    """A project with its settings, by id or slug."""
    return answer(await site.core.projects.shape(site.project))


@router.patch(
    "/{project}",
    responses=answers(200, Project, ProjectSlugTaken),
    openapi_extra=documented(ProjectUpdate),
)
async def update_project(site: UpdatesProject, exchange: CurrentExchange) -> Response:
    """Change name, slug, description, status, settings; of the settings, those that are given."""
    body = await read_body(exchange, ProjectUpdate)
    changed = await site.core.projects.update(site.project, body.given(), site.actor)
    return answer(await site.core.projects.shape(changed))


@router.delete("/{project}", responses=answers(200, Deleted, ConfirmationRequired))
async def delete_project(
    site: DeletesProject, exchange: CurrentExchange, confirm: str | None = None
) -> Response:
    """Delete a project with all its environments, for good; `confirm` is its name."""
    require_confirmation(await read_confirmation(exchange, confirm), site.project["name"])
    await site.core.purging.delete_project(site.project, site.actor)
    return answer({"deleted": True, "id": site.project["id"]})


@router.get("/{project}/stats", responses=answers(200, ProjectStatistics))
async def show_statistics(site: ReadsProject) -> Response:
    """What the project's environments hold, counted."""
    parts = []
    for document in await site.core.environment_records.of_projects(site.project["id"]):
        environment = await site.core.environments.get(document["id"])
        if environment is not None:
            parts.append(await statistics(environment))
    return answer({"environmentCount": len(parts), **total(parts)})


@router.get("/{project}/activities", responses=answers(200, ListOf[Activity]))
async def show_activities(site: ReadsActivity, wanted: Wanted, page: Page) -> Response:
    """Who changed what in the project, newest first."""
    id = site.project["organizationId"]
    return await list_activities(site.core, id, wanted, page, project_id=site.project["id"])


@router.get("/{project}/cors", responses=answers(200, AllowedOrigins))
async def get_origins(site: ReadsProject) -> Response:
    """The origins that get CORS headers."""
    return answer(_origins(site.project))


@router.put(
    "/{project}/cors",
    responses=answers(200, AllowedOrigins, InvalidOrigin, OriginLimitReached),
    openapi_extra=documented(Origins),
)
async def put_origins(site: UpdatesProject, exchange: CurrentExchange) -> Response:
    """Replace the list."""
    body = await read_body(exchange, Origins)
    changed = await site.core.projects.set_origins(site.project, body.allowedOrigins, site.actor)
    return answer(_origins(changed))


@router.post(
    "/{project}/cors/origins",
    responses=answers(201, AllowedOrigins, InvalidOrigin, OriginLimitReached),
    openapi_extra=documented(Origin),
)
async def add_origin(site: UpdatesProject, exchange: CurrentExchange) -> Response:
    """Add one."""
    body = await read_body(exchange, Origin)
    changed = await site.core.projects.add_origin(site.project, body.origin, site.actor)
    return answer(_origins(changed), 201)


@router.delete("/{project}/cors/origins", responses=answers(200, AllowedOrigins, InvalidOrigin))
async def remove_origin(
    site: UpdatesProject,
    exchange: CurrentExchange,
    origin: Annotated[str | None, Query()] = None,
) -> Response:
    """Remove one, named in the query or the body."""
    if origin is None:
        origin = (await read_body(exchange, Origin)).origin
    changed = await site.core.projects.remove_origin(site.project, origin, site.actor)
    return answer(_origins(changed))


def _origins(project: dict[str, Any]) -> dict[str, Any]:
    settings = project.get("settings") or {}
    return {"allowedOrigins": settings.get("allowedOrigins") or []}
