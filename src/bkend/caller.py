"""Who calls: key, environment, group, user. Resolved once a request (20 §1.3, 21 §6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from bkend.auth.identity import Identity
from bkend.manage.keys import Key

Group: TypeAlias = Literal["admin", "user", "guest"]

BUILT_IN_ROLES = frozenset({"admin", "user", "guest"})


class Standing(NamedTuple):
    """All that permissions ask of a requester besides the row: requesters of equal standing see
    the same, but for what is their own."""

    group: Group
    signed_in: bool
    role: str = ""
    """The custom role, `""` for a built-in one."""


_ADMIN = Standing("admin", signed_in=False)
_ANONYMOUS = Standing("guest", signed_in=False)
_SIGNED_IN = {
    "admin": Standing("admin", signed_in=True),
    "user": Standing("user", signed_in=True),
    "guest": Standing("guest", signed_in=True),
}


@dataclass(frozen=True, slots=True)
class Caller:
    """The requester of one call."""

    key: Key
    identity: Identity | None

    @property
    def user_id(self) -> str:
        """The requester's id, `""` when nobody is signed in."""
        return self.identity.user_id if self.identity else ""

    @property
    def group(self) -> Group:
        """The group of 21 §6: what the credentials together stand for."""
        return self.standing.group

    @property
    def standing(self) -> Standing:
        """Group and role, as permissions ask for them."""
        if self.key.is_secret:
            return _ADMIN
        if self.identity is None:
            return _ANONYMOUS
        role = self.identity.role
        return _SIGNED_IN.get(role) or Standing("user", signed_in=True, role=role)
