"""Who invites, and whom to what (10 §12)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from bkend.auth.identity import Identity
from bkend.auth.links.errors import NotAllowed
from bkend.errors import Unauthorized


@dataclass(frozen=True, slots=True)
class Inviting:
    """Who calls: the signed-in user, if any, and whether the key is a secret one."""

    identity: Identity | None
    has_secret_key: bool

    @property
    def is_admin(self) -> bool:
        """Whether everything in the environment is theirs to see (10 §1)."""
        return self.has_secret_key or (self.identity is not None and self.identity.role == "admin")

    def require_anybody(self) -> None:
        """Raises Unauthorized."""
        if self.identity is None and not self.has_secret_key:
            raise Unauthorized

    def require_admin(self) -> None:
        """Raises NotAllowed."""
        if not self.is_admin:
            raise NotAllowed


@dataclass(frozen=True, slots=True)
class NewInvitation:
    """What an admin asks for; checked for its form already."""

    resource_type: str
    resource_id: str
    resource_name: str
    resource_role: str
    email: str
    name: str
    inviter_name: str | None = None

    def pending_key(self, address: str) -> str:
        """Names address and resource."""
        text = f"{address}|{self.resource_type}|{self.resource_id}"
        return hashlib.sha256(text.encode()).hexdigest()
