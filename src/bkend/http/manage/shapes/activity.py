"""Who changed what, who signed in (51 §3.11)."""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from bkend.http.manage.shapes.common import Time


class ActivityActor(TypedDict):
    """Who changed it."""

    type: Literal["tenant", "token", "system", "mcp"]
    id: str
    name: str
    via: NotRequired[str]


class ActivityTarget(TypedDict):
    """What was changed."""

    type: str
    id: str
    name: str | None


class Activity(TypedDict):
    """A change. `metadata` names what changed, with values before and after, never secrets."""

    id: str
    organizationId: str
    projectId: str | None
    environment: str | None
    event: str
    entityType: str
    action: str
    actor: ActivityActor
    target: ActivityTarget
    message: str
    metadata: dict[str, Any]
    ip: str | None
    userAgent: str | None
    createdAt: Time


class LoginEvent(TypedDict):
    """A sign-in of a tenant, or an attempt."""

    id: str
    accountId: str | None
    email: str
    provider: str
    status: Literal["success", "failed", "blocked"]
    reason: str | None
    ip: str | None
    userAgent: str | None
    createdAt: Time
