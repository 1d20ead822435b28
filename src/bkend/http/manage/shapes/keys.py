"""API keys and management tokens (51 §3.7)."""

from __future__ import annotations

from typing import Literal, NotRequired

from typing_extensions import TypedDict

from bkend.http.manage.shapes.common import Time


class AccessToken(TypedDict):
    """A key or token. `key` is the whole value: always of publishable keys, of others only in the
    answer that makes them. `projectIds` is of management tokens; null means all projects."""

    id: str
    organizationId: str
    name: str
    type: Literal["publishable", "secret", "bearer"]
    projectId: str | None
    environment: str | None
    projectIds: NotRequired[list[str] | None]
    scopes: list[str]
    expiresAt: Time | None
    revokedAt: Time | None
    lastUsedAt: Time | None
    createdBy: str
    createdByName: str | None
    key: NotRequired[str]
    maskedKey: str
    isDefault: bool
    status: Literal["active", "expired", "revoked"]
    createdAt: Time
    updatedAt: Time
