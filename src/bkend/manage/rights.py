"""What a tenant may do: the role in an organization, and the scopes of a token (51 §4, §7; 40
§5)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from bkend.clock import Clock
from bkend.errors import Forbidden, NotFound, TokenScopeInsufficient, Unauthorized
from bkend.manage.keys import Key, Keys
from bkend.manage.members import Members

Right: TypeAlias = Literal[
    "organization:read",
    "organization:update",
    "organization:transfer",
    "organization:delete",
    "organization:leave",
    "activity:read",
    "member:read",
    "member:create",
    "member:update",
    "member:delete",
    "project:read",
    "project:create",
    "project:update",
    "project:delete",
    "environment:read",
    "environment:create",
    "environment:update",
    "environment:delete",
    "access-token:read",
    "access-token:create",
    "access-token:update",
    "access-token:delete",
    "table:read",
    "table:create",
    "table:update",
    "table:delete",
    "table:data:read",
    "table:data:create",
    "table:data:update",
    "table:data:delete",
    "auth-config:read",
    "auth-config:update",
    "user:read",
    "user:update",
    "user:delete",
    "file:read",
    "file:update",
    "file:delete",
    "own-token:read",
    "own-token:create",
    "own-token:delete",
    "backup:read",
    "backup:create",
    "backup:restore",
    "dashboard:read",
    "system:read",
    "system:update",
]
"""What a role includes and a scope names: the scopes of 40 §5 and 51 §7, and our own."""

_ANYBODY = frozenset[Right]({"organization:read", "member:read", "dashboard:read"})
_BUILDER = frozenset[Right](
    {
        "project:read",
        "environment:read",
        "access-token:read",
        "table:read",
        "table:create",
        "table:update",
        "table:delete",
        "table:data:read",
        "table:data:create",
        "table:data:update",
        "table:data:delete",
        "auth-config:read",
        "user:read",
        "file:read",
        "file:update",
        "file:delete",
        "own-token:read",
        "own-token:create",
        "own-token:delete",
    }
)
_KEEPER = frozenset[Right](
    {
        "organization:update",
        "activity:read",
        "member:create",
        "member:update",
        "member:delete",
        "project:create",
        "project:update",
        "project:delete",
        "environment:create",
        "environment:update",
        "environment:delete",
        "access-token:create",
        "access-token:update",
        "access-token:delete",
        "auth-config:update",
        "user:update",
        "user:delete",
        "backup:read",
        "backup:create",
        "backup:restore",
    }
)
RIGHTS: dict[str, frozenset[Right]] = {
    "owner": _ANYBODY
    | _BUILDER
    | _KEEPER
    | frozenset[Right]({"organization:transfer", "organization:delete"}),
    "admin": _ANYBODY | _BUILDER | _KEEPER | frozenset[Right]({"organization:leave"}),
    "member": _ANYBODY | _BUILDER | frozenset[Right]({"organization:leave"}),
    "billing": _ANYBODY | frozenset[Right]({"organization:leave"}),
}
"""The table of 51 §4, cell by cell."""
ROLES = ("owner", "admin", "member", "billing")
MAY_INVITE: dict[str, frozenset[str]] = {
    "owner": frozenset({"admin", "member", "billing"}),
    "admin": frozenset({"member"}),
}
"""Which roles a role may give to somebody new (51 §4)."""
MAY_GIVE: dict[str, frozenset[str]] = {
    "owner": frozenset({"admin", "member", "billing"}),
    "admin": frozenset({"member", "billing"}),
}
"""Between which roles a role may move members; an Owner is made by transfer only."""
MAY_REMOVE: dict[str, frozenset[str]] = {
    "owner": frozenset({"admin", "member", "billing"}),
    "admin": frozenset({"member", "billing"}),
}
"""Members of which roles a role may remove."""
_STRENGTH = ("owner", "admin", "member", "billing")
"""Each includes all that those after it include."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """Who manages: an account that signed in, or the holder of a token. The role is another one
    in each organization, and is looked up when it matters: what it was a moment ago is no right.
    """

    account_id: str
    """`""` for tokens of the command line, which no account made."""
    key: Key | None
    """The token; None for who signed in."""
    members: Members = field(repr=False, compare=False)

    async def organizations(self) -> dict[str, str]:
        """The role in each organization that is there for this tenant, by organization id."""
        if self.key is None:
            return await self.members.of_account(self.account_id)
        id = self.key.organization_id
        if not self.account_id:
            return {id: self.key.role}
        role = await self.members.role(id, self.account_id)
        return {} if role is None else {id: _weaker(role, self.key.role or role)}

    async def role_in(self, organization_id: str) -> str | None:
        """The role in an organization; None when it is not there for this tenant."""
        if self.key is None:
            return await self.members.role(organization_id, self.account_id)
        return (await self.organizations()).get(organization_id)

    async def sees(self, organization_id: str, project_id: str) -> bool:
        """Whether the project is there at all for this tenant."""
        only = self.key.project_ids if self.key is not None else None
        if only is not None and project_id not in only:
            return False
        return await self.role_in(organization_id) is not None

    async def require(self, right: Right, organization_id: str) -> str:
        """The role in the organization, which includes the right.

        Raises NotFound (no membership), Forbidden (role), TokenScopeInsufficient (scope).
        """
        role = await self.role_in(organization_id)
        if role is None:
            raise NotFound
        if right not in RIGHTS.get(role, frozenset()):
            raise Forbidden(role, right)
        self.require_scope(right)
        return role

    def require_scope(self, right: str) -> None:
        """Raises TokenScopeInsufficient unless the token's scopes, if any, include the right."""
        scopes = self.key.scopes if self.key is not None else frozenset()
        if scopes and not any(_covers(scope, right) for scope in scopes):
            raise TokenScopeInsufficient(right)

    def require_named_scope(self, right: Right) -> None:
        """For what reaches beyond an organization: raises TokenScopeInsufficient for a token unless
        a scope names this part of the rights itself. None, and `*`, are not enough, nor is a token
        of some projects only."""
        if self.key is None:
            return
        part, _, operation = right.rpartition(":")
        named = {f"{part}:*", f"{part}:{operation}"}
        if self.key.project_ids is not None or not named & self.key.scopes:
            raise TokenScopeInsufficient(right)


async def admit_token(keys: Keys, members: Members, clock: Clock, value: str | None) -> Tenant:
    """The tenant of a `bt_` token; Unauthorized for anything else (51 §6)."""
    if value is None:
        raise Unauthorized("Send Authorization: Bearer with a management token (bt_…)")
    key = await keys.find(value) if value.startswith("bt_") else None
    if key is None or key.type != "bearer":
        raise Unauthorized("This is no management token")
    if key.revoked:
        raise Unauthorized("The management token was revoked")
    if key.expires_at is not None and key.expires_at <= clock.now_ms():
        raise Unauthorized("The management token has expired")
    return Tenant(key.created_by, key, members)


def _weaker(one: str, other: str) -> str:
    """The role that includes less; one that is not known includes nothing."""
    for role in (one, other):
        if role not in _STRENGTH:
            return role
    return max(one, other, key=_STRENGTH.index)


def _covers(scope: str, right: str) -> bool:
    """`table:*` does not include `table:data:*`; `*:read` includes `table:data:read`."""
    resource, _, word = scope.rpartition(":")
    wanted, _, operation = right.rpartition(":")
    return resource in ("*", wanted) and word in ("*", operation)
