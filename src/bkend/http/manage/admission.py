"""Who manages what: the token or session, the project, the environment of a call to `/manage/v1`
(51 §4, §7).

Nothing of a request is read before its token or session is known to be good.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import orjson
from fastapi import Depends, Request

from bkend.caller import Caller, managing
from bkend.core import Core
from bkend.environment import Environment, EnvironmentServices
from bkend.errors import Forbidden, NotFound, TokenScopeInsufficient, Unauthorized
from bkend.http.dependencies import exchange_of
from bkend.http.manage.cookies import COOKIE, CSRF_HEADER, cookie_session
from bkend.http.manage.events import subject_of, target_of
from bkend.http.openapi import Security, describes
from bkend.manage.activity import Actor, Place
from bkend.manage.control import KEYS
from bkend.manage.errors import OrganizationSuspended
from bkend.manage.recording import Report, begin_report
from bkend.manage.rights import Right, Tenant, admit_token
from bkend.tables.models import Table
from bkend.tenants.errors import CsrfFailed, SessionRequired
from bkend.tenants.service import SignedIn

LONGEST_USER_AGENT = 512
SCHEMES = {
    "managementToken": {"type": "http", "scheme": "bearer", "bearerFormat": "bt_…"},
    "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
    "csrf": {"type": "apiKey", "in": "header", "name": CSRF_HEADER},
}
"""How tenants say who they are, in the OpenAPI document."""
BY_SESSION: Security = ({"session": [], "csrf": []},)
BY_TENANT: Security = ({"managementToken": []}, *BY_SESSION)
_NOT_THEIRS = (Unauthorized, CsrfFailed, Forbidden, TokenScopeInsufficient, OrganizationSuspended)


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
    """The holder of the bearer token, else of the session cookie.

    Raises Unauthorized, CsrfFailed.
    """
    core = core_of(request)
    value = exchange_of(request).headers.get("authorization")
    if value is None:
        found = await cookie_session(request)
        if found is not None:
            return Tenant(found.account["id"], None, core.members)
    scheme, _, token = (value or "").partition(" ")
    given = token.strip() if scheme.lower() == "bearer" and token.strip() else None
    tenant = await admit_token(core.keys, core.members, core.clock, given)
    await core.tenants.require_active(tenant.account_id)
    if tenant.key is not None and core.keys.due_for_use_mark(tenant.key):
        await core.keys.mark_used(tenant.key)
    return tenant


async def session_of(request: Request) -> SignedIn:
    """Who has signed in with the cookie; raises SessionRequired, CsrfFailed."""
    found = await cookie_session(request)
    if found is None or exchange_of(request).headers.get("authorization") is not None:
        raise SessionRequired
    return found


@describes(SessionRequired, CsrfFailed, security=BY_SESSION)
async def current_session(request: Request) -> SignedIn:
    """See `session_of`."""
    return await session_of(request)


async def current_core(request: Request) -> Core:
    """The opened core."""
    return core_of(request)


@describes(*_NOT_THEIRS, security=BY_TENANT)
async def current_tenant(request: Request) -> Tenant:
    """See `tenant_of`."""
    return await tenant_of(request)


async def actor_of(request: Request, tenant: Tenant) -> Actor:
    """The tenant as activities name it."""
    core, exchange = core_of(request), exchange_of(request)
    agent = exchange.headers.get("user-agent")
    seen = {
        "ip": exchange.address or None,
        "user_agent": agent[:LONGEST_USER_AGENT] if agent else None,
    }
    if tenant.key is not None:
        body = await core.database.control.get(KEYS, tenant.key.id)
        name = orjson.loads(body)["name"] if body else ""
        return Actor("token", tenant.key.id, name, tenant.account_id, **seen)
    account = await core.accounts.get(tenant.account_id) or {}
    name = account.get("name") or account.get("email") or ""
    return Actor("tenant", tenant.account_id, name, tenant.account_id, **seen)


@dataclass(frozen=True, slots=True)
class Site:
    """A project with the tenant who works on it."""

    core: Core
    tenant: Tenant
    role: str
    project: dict[str, Any]
    actor: Actor

    async def environment(self, id_or_name: str) -> dict[str, Any]:
        """One of its environments, as it is stored; raises NotFound."""
        return await self.core.environment_records.find(self.project, id_or_name)

    async def open(self, id_or_name: str) -> Environment:
        """One of its environments, opened; raises NotFound."""
        document = await self.environment(id_or_name)
        environment = await self.core.environments.get(document["id"])
        if environment is None:
            raise NotFound
        return environment


async def _site(request: Request, project: str, right: Right) -> Site:
    core = core_of(request)
    tenant = await tenant_of(request)
    org = request.query_params.get("org")
    within = await core.organizations.id_of(org) if org else None  # "" of one that is not there
    found = await core.projects.find(tenant, project, within)
    role = await core.organizations.require(tenant, found["organizationId"], right)
    return Site(core, tenant, role, found, await actor_of(request, tenant))


def site_for(right: Right) -> Callable[..., Coroutine[Any, Any, Site]]:
    """The project of the path, by id or slug (within `?org=`), for a tenant who has the right.
    Raises Unauthorized, NotFound, Forbidden, TokenScopeInsufficient, OrganizationSuspended."""

    @describes(*_NOT_THEIRS, security=BY_TENANT)
    async def admitted(project: str, request: Request) -> Site:
        return await _site(request, project, right)

    return admitted


def room_for(right: Right) -> Callable[..., Coroutine[Any, Any, Room]]:
    """The environment of the path, by id or name, for a tenant who has the right, which is checked
    before the environment is. What is changed from here on is reported. Raises as `site_for`."""

    @describes(*_NOT_THEIRS, security=BY_TENANT)
    async def admitted(project: str, env: str, request: Request) -> Room:
        site = await _site(request, project, right)
        environment = await site.open(env)
        subject = subject_of(request)
        if subject is not None:
            place = Place(
                site.project["organizationId"], site.project["id"], environment.state.name
            )
            begin_report(Report(subject, site.actor, place, target_of(request)))
        return Room(site.tenant, site.project, environment)

    return admitted


CurrentCore = Annotated[Core, Depends(current_core)]
CurrentSession = Annotated[SignedIn, Depends(current_session)]
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
ReadsProject: TypeAlias = Annotated[Site, Depends(site_for("project:read"))]
UpdatesProject: TypeAlias = Annotated[Site, Depends(site_for("project:update"))]
DeletesProject: TypeAlias = Annotated[Site, Depends(site_for("project:delete"))]
ReadsActivity: TypeAlias = Annotated[Site, Depends(site_for("activity:read"))]
ReadsEnvironments: TypeAlias = Annotated[Site, Depends(site_for("environment:read"))]
CreatesEnvironments: TypeAlias = Annotated[Site, Depends(site_for("environment:create"))]
UpdatesEnvironments: TypeAlias = Annotated[Site, Depends(site_for("environment:update"))]
DeletesEnvironments: TypeAlias = Annotated[Site, Depends(site_for("environment:delete"))]
ReadsKeys: TypeAlias = Annotated[Site, Depends(site_for("access-token:read"))]
CreatesKeys: TypeAlias = Annotated[Site, Depends(site_for("access-token:create"))]
UpdatesKeys: TypeAlias = Annotated[Site, Depends(site_for("access-token:update"))]
DeletesKeys: TypeAlias = Annotated[Site, Depends(site_for("access-token:delete"))]
