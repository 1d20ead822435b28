"""Who acts on whom, and whether that is allowed (the access table of 11 §1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bkend.users.errors import UserForbidden


@dataclass(frozen=True, slots=True)
class Actor:
    """The caller of a user operation."""

    user_id: str
    """`""` for a secret key alone and for tenants."""
    is_admin: bool

    def is_self(self, user_id: str) -> bool:
        """Whether the actor is that user."""
        return self.user_id == user_id

    def sees_all_of(self, user_id: str) -> bool:
        """Self and admins see a user whole."""
        return self.is_admin or self.is_self(user_id)

    def require_admin(self) -> None:
        """Raises UserForbidden."""
        if not self.is_admin:
            raise UserForbidden

    def require_self(self, document: dict[str, Any]) -> None:
        """Only that user and admins; raises UserForbidden."""
        if not self.sees_all_of(document["id"]):
            raise UserForbidden
