"""What a management token may do: its scopes, bounded by the role in the organization (51 §4, §7;
40 §5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from bkend.clock import Clock
from bkend.errors import Forbidden, TokenScopeInsufficient, Unauthorized
from bkend.manage.keys import Key, Keys

Right: TypeAlias = Literal[
    "project:read",
    "project:update",
    "table:read",
    "table:create",
    "table:update",
    "table:delete",
    "table:data:read",
    "table:data:create",
    "table:data:update",
    "table:data:delete",
    "auth:read",
    "auth:update",
    "user:read",
    "user:update",
    "user:delete",
    "file:read",
    "file:update",
    "file:delete",
]

_MEMBER = frozenset[Right](
    {
        "project:read",
        "table:read",
        "table:create",
        "table:update",
        "table:delete",
        "table:data:read",
        "table:data:create",
        "table:data:update",
        "table:data:delete",
        "auth:read",
        "user:read",
        "file:read",
        "file:update",
        "file:delete",
    }
)
_ADMIN = _MEMBER | frozenset[Right]({"project:update", "auth:update", "user:update", "user:delete"})
RIGHTS: dict[str, frozenset[Right]] = {
    "owner": _ADMIN,
    "admin": _ADMIN,
    "member": _MEMBER,
    "billing": frozenset(),
}


@dataclass(frozen=True, slots=True)
class Tenant:
    """Who manages: a token's holder, in one organization, with a role."""

    key: Key

    @property
    def account_id(self) -> str:
        """The account that made the token; `""` for the command line's."""
        return self.key.created_by

    def sees(self, organization_id: str, project_id: str) -> bool:
        """Whether the project is there at all for this tenant."""
        if organization_id != self.key.organization_id:
            return False
        return self.key.project_ids is None or project_id in self.key.project_ids

    def require(self, right: Right) -> None:
        """Raises Forbidden (role), TokenScopeInsufficient (scope)."""
        if right not in RIGHTS.get(self.key.role, frozenset()):
            raise Forbidden(self.key.role, right)
        if self.key.scopes and not any(_covers(scope, right) for scope in self.key.scopes):
            raise TokenScopeInsufficient(right)


async def admit_token(keys: Keys, clock: Clock, value: str | None) -> Tenant:
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
    return Tenant(key)


def _covers(scope: str, right: Right) -> bool:
    """`table:*` does not include `table:data:*`; `*:read` includes `table:data:read`."""
    resource, _, word = scope.rpartition(":")
    wanted, _, operation = right.rpartition(":")
    return resource in ("*", wanted) and word in ("*", operation)
