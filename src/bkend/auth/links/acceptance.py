"""What accepting an invitation brings about (10 §12)."""

from __future__ import annotations

from typing import Any

from bkend.auth.collections import USERS
from bkend.auth.errors import InvalidRequest
from bkend.auth.links.organizations import membership
from bkend.auth.parts import AuthParts
from bkend.auth.users import email_account, new_user, user_by_email
from bkend.ids import uuid4
from bkend.store import Equals, Insert, Operation, Update

_PROJECT_ROLES = frozenset({"admin", "user", "guest"})
_ORGANIZATION_ROLES = frozenset({"admin", "member", "billing"})


class Acceptance:
    """Roles and memberships of one environment's users."""

    def __init__(self, parts: AuthParts) -> None:
        self._store = parts.store
        self._clock = parts.clock
        self._environment = parts.environment

    def require_role(self, resource_type: str, role: str) -> None:
        """Raises InvalidRequest for a role that the resource does not have."""
        allowed = _ORGANIZATION_ROLES
        if resource_type == "project":
            allowed = _PROJECT_ROLES | self._environment.project.custom_roles
        if role not in allowed:
            message = f"resourceRole must be one of {', '.join(sorted(allowed))}"
            raise InvalidRequest(
                message, details=[{"field": "resourceRole", "rule": "enum", "message": message}]
            )

    async def effect(self, held: dict[str, Any]) -> list[Operation]:
        """The operations for the commit that accepts. Conflict, Duplicate or Missing mean that
        the user was made or changed at the same moment."""
        user = await user_by_email(self._store, held["email"])
        if held["resourceType"] == "project":
            return self._role(held, user)
        if user is None:
            id, made = self._new_user(held, "user")
        else:
            id, made = user["id"], []
        now = self._clock.now_ms()
        return [*made, *await membership(self._store, id, held, now)]

    def _role(self, held: dict[str, Any], user: dict[str, Any] | None) -> list[Operation]:
        role = held["resourceRole"]
        if user is None:
            return self._new_user(held, role)[1]
        is_theirs = Equals(("emailKey",), held["email"])
        now = self._clock.now_ms()
        return [Update(USERS, user["id"], set={"role": role}, updated_at=now, guard=is_theirs)]

    def _new_user(self, held: dict[str, Any], role: str) -> tuple[str, list[Operation]]:
        """A user without a password: the mail has shown whose the address is."""
        now = self._clock.now_ms()
        id = uuid4()
        fields = new_user(held["email"], held["name"], now, role=role, is_verified=True)
        return id, [Insert(USERS, id, fields, now, now), email_account(id, held["email"], now)]
