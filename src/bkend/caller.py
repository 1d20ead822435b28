"""Who calls: key, environment, group, user. Resolved once a request (20 §1.3, 21 §6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from bkend.auth.identity import Identity
from bkend.manage.keys import Key

Group: TypeAlias = Literal["admin", "user", "guest"]


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
        if self.key.is_secret:
            return "admin"
        if self.identity is None:
            return "guest"
        role = self.identity.role
        if role == "admin":
            return "admin"
        return "guest" if role == "guest" else "user"
