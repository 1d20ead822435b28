"""`/manage/v1/projects/{project}`: a project and its settings (51 §3.4)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from bkend.http.dependencies import REFUSALS, CurrentExchange
from bkend.http.manage.admission import CurrentCore, CurrentTenant
from bkend.http.manage.bodies import ProjectUpdate, answer, documented, read_body
from bkend.http.openapi import Route

router = APIRouter(
    prefix="/manage/v1/projects", tags=["projects"], responses=REFUSALS, route_class=Route
)


@router.get("/{project}")
async def get_project(project: str, tenant: CurrentTenant, core: CurrentCore) -> Response:
    """A project with its settings, by id or slug."""
    found = await core.projects.find(tenant, project)
    await tenant.require("project:read", found["organizationId"])
    return answer(found)


@router.patch("/{project}", openapi_extra=documented(ProjectUpdate))
async def update_project(
    project: str, tenant: CurrentTenant, core: CurrentCore, exchange: CurrentExchange
) -> Response:
    """Change name, description, settings; of the settings, those that are given."""
    found = await core.projects.find(tenant, project)
    await tenant.require("project:update", found["organizationId"])
    body = await read_body(exchange, ProjectUpdate)
    changed: dict[str, Any] = await core.projects.update(found, body.given())
    return answer(changed)
