"""Who looks after the server: server admins with a session, or with a token that says so (51 §4,
§8)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

from fastapi import Depends, Request

from bkend.core import Core
from bkend.errors import Forbidden, TokenScopeInsufficient, Unauthorized
from bkend.http.manage.admission import BY_TENANT, actor_of, core_of, tenant_of
from bkend.http.openapi import describes
from bkend.manage.activity import Actor
from bkend.manage.rights import Right
from bkend.tenants.errors import CsrfFailed


@dataclass(frozen=True, slots=True)
class Admin:
    """A server admin at work."""

    core: Core
    account_id: str
    actor: Actor


def admin_for(right: Right) -> Callable[[Request], Coroutine[Any, Any, Admin]]:
    """The server admin who calls. Raises Unauthorized, CsrfFailed, Forbidden for everybody else,
    TokenScopeInsufficient for a token whose scopes do not name the right."""

    @describes(Unauthorized, CsrfFailed, Forbidden, TokenScopeInsufficient, security=BY_TENANT)
    async def admitted(request: Request) -> Admin:
        core, tenant = core_of(request), await tenant_of(request)
        if not await core.accounts.is_server_admin(tenant.account_id):
            raise Forbidden("tenant", "looking after the server: that is for server admins")
        tenant.require_named_scope(right)
        return Admin(core, tenant.account_id, await actor_of(request, tenant))

    return admitted


ReadsSystem: TypeAlias = Annotated[Admin, Depends(admin_for("system:read"))]
UpdatesSystem: TypeAlias = Annotated[Admin, Depends(admin_for("system:update"))]
