"""Who calls: key, environment, group, user. Resolved once a request (20 §1.3, 21 §6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from bkend.auth.identity import Identity
from bkend.manage.keys import Key

Group: TypeAlias = Literal["admin", "user", "guest"]


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
    account_id: str | None = None
    """The creator of records when it is the management side that calls (40 §6.4)."""

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


def managing(
    organization_id: str, project_id: str, environment_id: str, environment: str, account_id: str
) -> Caller:
    """The management side: it may do what a secret key without scopes may, and creates records
    in the name of the tenant's account, which may be empty (40 §6.4)."""
    key = Key(
        id="",
        type="secret",
        organization_id=organization_id,
        project_id=project_id,
        environment_id=environment_id,
        environment=environment,
        scopes=frozenset(),
        expires_at=None,
        revoked=False,
    )
    return Caller(key, None, account_id)
