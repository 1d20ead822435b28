"""Who calls: key, environment, group, user. Resolved once a request (20 §1.3, 21 §6)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from bkend.auth.identity import Identity
from bkend.manage.keys import Key

Group: TypeAlias = Literal["admin", "user", "guest"]


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
        if self.key.is_secret:
            return "admin"
        if self.identity is None:
            return "guest"
        role = self.identity.role
        if role == "admin":
            return "admin"
        return "guest" if role == "guest" else "user"


def managing(key: Key, account_id: str) -> Caller:
    """The management side: it may do what a secret key without scopes may, and creates records
    in the name of the tenant's account, which may be empty (40 §6.4)."""
    return Caller(replace(key, type="secret", scopes=frozenset()), None, account_id)
