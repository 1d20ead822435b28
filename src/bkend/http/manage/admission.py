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
from bkend.http.dependencies import exchange_of
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
        return managing(
            self.project["organizationId"],
            self.project["id"],
            self.environment.state.id,
            self.environment.state.name,
            self.tenant.account_id,
        )

    def names(self, table: Table) -> dict[str, str]:
        """What every answer about a table begins with."""
        return {
            "id": table.id,
            "projectId": self.project["id"],
            "environment": self.environment.state.name,
            "tableName": table.name,
        }


def core_of(request: Request) -> Core:
    """The opened core."""
    core: Core = request.app.state.core
    return core


async def tenant_of(request: Request) -> Tenant:
    """The holder of the bearer token; raises Unauthorized."""
    core = core_of(request)
    value = exchange_of(request).headers.get("authorization") or ""
    scheme, _, token = value.partition(" ")
    given = token.strip() if scheme.lower() == "bearer" and token.strip() else None
    tenant = await admit_token(core.keys, core.members, core.clock, given)
    if tenant.key is not None and core.keys.due_for_use_mark(tenant.key):
        await core.keys.mark_used(tenant.key)
    return tenant


async def current_core(request: Request) -> Core:
    """The opened core."""
    return core_of(request)


async def current_tenant(request: Request) -> Tenant:
    """See `tenant_of`."""
    return await tenant_of(request)


def room_for(right: Right) -> Callable[..., Coroutine[Any, Any, Room]]:
    """The environment of the path, by id or name, for a tenant who has the right, which is checked
    before the environment is. Raises Unauthorized, NotFound, Forbidden, TokenScopeInsufficient."""

    async def admitted(project: str, env: str, request: Request) -> Room:
        core = core_of(request)
        tenant = await tenant_of(request)
        found = await core.projects.find(tenant, project)
        await tenant.require(right, found["organizationId"])
        document = await core.projects.environment(found, env)
        environment = await core.environments.get(document["id"])
        if environment is None:
            raise NotFound
        return Room(tenant, found, environment)

    return admitted


CurrentCore = Annotated[Core, Depends(current_core)]
CurrentTenant = Annotated[Tenant, Depends(current_tenant)]
Reads: TypeAlias = Annotated[Room, Depends(room_for("table:read"))]
Creates: TypeAlias = Annotated[Room, Depends(room_for("table:create"))]
Updates: TypeAlias = Annotated[Room, Depends(room_for("table:update"))]
Deletes: TypeAlias = Annotated[Room, Depends(room_for("table:delete"))]
ReadsRecords: TypeAlias = Annotated[Room, Depends(room_for("table:data:read"))]
CreatesRecords: TypeAlias = Annotated[Room, Depends(room_for("table:data:create"))]
UpdatesRecords: TypeAlias = Annotated[Room, Depends(room_for("table:data:update"))]
DeletesRecords: TypeAlias = Annotated[Room, Depends(room_for("table:data:delete"))]
ReadsAuth: TypeAlias = Annotated[Room, Depends(room_for("auth-config:read"))]
UpdatesAuth: TypeAlias = Annotated[Room, Depends(room_for("auth-config:update"))]
ReadsUsers: TypeAlias = Annotated[Room, Depends(room_for("user:read"))]
UpdatesUsers: TypeAlias = Annotated[Room, Depends(room_for("user:update"))]
DeletesUsers: TypeAlias = Annotated[Room, Depends(room_for("user:delete"))]
ReadsFiles: TypeAlias = Annotated[Room, Depends(room_for("file:read"))]
UpdatesFiles: TypeAlias = Annotated[Room, Depends(room_for("file:update"))]
DeletesFiles: TypeAlias = Annotated[Room, Depends(room_for("file:delete"))]
