"""Who manages what: the token, the project, the environment of a call to `/manage/v1` (51 §4, §7).

Nothing of a request is read before its token is known to be good.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

from fastapi import Depends, Request

from bkend.caller import Caller, managing
from bkend.core import Core
from bkend.environment import Environment, EnvironmentServices
from bkend.errors import NotFound
from bkend.http.dependencies import CurrentExchange
from bkend.manage.rights import Right, Tenant, admit_token
from bkend.tables.models import Table


@dataclass(frozen=True, slots=True)
class Room:
    """An environment with the tenant who works in it."""

    tenant: Tenant
    project: dict[str, Any]
    environment: Environment

    @property
    def services(self) -> EnvironmentServices:
        """What the environment is worked on with."""
        return self.environment.services

    @property
    def caller(self) -> Caller:
        """The tenant as the data API knows callers."""
        return managing(self.tenant.key, self.tenant.account_id)

    def names(self, table: Table) -> dict[str, str]:
        """What every answer about a table begins with."""
        return {
            "id": table.id,
            "projectId": self.project["id"],
            "environment": self.environment.state.name,
            "tableName": table.name,
        }


async def current_core(request: Request) -> Core:
    """The opened core."""
    core: Core = request.app.state.core
    return core


CurrentCore = Annotated[Core, Depends(current_core)]


async def current_tenant(exchange: CurrentExchange, core: CurrentCore) -> Tenant:
    """The holder of the bearer token; raises Unauthorized."""
    value = exchange.headers.get("authorization") or ""
    scheme, _, token = value.partition(" ")
    given = token.strip() if scheme.lower() == "bearer" and token.strip() else None
    tenant = await admit_token(core.keys, core.clock, given)
    if core.keys.due_for_use_mark(tenant.key):
        await core.keys.mark_used(tenant.key)
    return tenant


CurrentTenant = Annotated[Tenant, Depends(current_tenant)]


async def current_project(project: str, tenant: CurrentTenant, core: CurrentCore) -> dict[str, Any]:
    """The project of the path, by id or slug; raises NotFound."""
    return await core.projects.find(tenant, project)


CurrentProject = Annotated[dict[str, Any], Depends(current_project)]


async def current_room(
    env: str, project: CurrentProject, tenant: CurrentTenant, core: CurrentCore
) -> Room:
    """The environment of the path, by id or name; raises NotFound."""
    document = await core.projects.environment(project, env)
    environment = await core.environments.get(document["id"])
    if environment is None:
        raise NotFound
    return Room(tenant, project, environment)


def room_for(right: Right) -> Callable[..., Coroutine[Any, Any, Room]]:
    """The environment, for a tenant who has the right: checked before the environment is."""

    async def admitted(
        env: str, project: CurrentProject, tenant: CurrentTenant, core: CurrentCore
    ) -> Room:
        tenant.require(right)
        return await current_room(env, project, tenant, core)

    return admitted


Reads: TypeAlias = Annotated[Room, Depends(room_for("table:read"))]
Creates: TypeAlias = Annotated[Room, Depends(room_for("table:create"))]
Updates: TypeAlias = Annotated[Room, Depends(room_for("table:update"))]
Deletes: TypeAlias = Annotated[Room, Depends(room_for("table:delete"))]
ReadsRecords: TypeAlias = Annotated[Room, Depends(room_for("table:data:read"))]
CreatesRecords: TypeAlias = Annotated[Room, Depends(room_for("table:data:create"))]
UpdatesRecords: TypeAlias = Annotated[Room, Depends(room_for("table:data:update"))]
DeletesRecords: TypeAlias = Annotated[Room, Depends(room_for("table:data:delete"))]
ReadsAuth: TypeAlias = Annotated[Room, Depends(room_for("auth:read"))]
UpdatesAuth: TypeAlias = Annotated[Room, Depends(room_for("auth:update"))]
ReadsUsers: TypeAlias = Annotated[Room, Depends(room_for("user:read"))]
UpdatesUsers: TypeAlias = Annotated[Room, Depends(room_for("user:update"))]
DeletesUsers: TypeAlias = Annotated[Room, Depends(room_for("user:delete"))]
ReadsFiles: TypeAlias = Annotated[Room, Depends(room_for("file:read"))]
UpdatesFiles: TypeAlias = Annotated[Room, Depends(room_for("file:update"))]
DeletesFiles: TypeAlias = Annotated[Room, Depends(room_for("file:delete"))]
