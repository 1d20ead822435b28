"""What authentication answers with (10 §2, §10). Users are built by allow-list: what is not
named here never leaves the server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from typing_extensions import TypedDict

from bkend.auth.devices import UNKNOWN


class AuthUser(TypedDict):
    """The signed-in user as apps see them."""

    id: str
    email: str
    name: str
    role: str
    nickname: str | None
    image: str | None
    emailVerified: str | None
    onboardingStatus: Literal["pending", "in_progress", "completed", "skipped"]
    mfaEnabled: bool
    createdAt: str
    updatedAt: str


class TokenPair(TypedDict):
    """An access token and the refresh token for the next one; `expiresIn` in seconds."""

    accessToken: str
    refreshToken: str
    tokenType: Literal["Bearer"]
    expiresIn: int


class AuthResult(TokenPair):
    """A token pair and whom it signs in."""

    user: AuthUser


class Session(TypedDict):
    """One sign-in on one device; the last three repeat fields under their older names."""

    id: str
    userId: str
    userAgent: str | None
    ipAddress: str | None
    deviceInfo: str
    lastActivityAt: str
    createdAt: str
    expiresAt: str
    current: bool
    device: str
    ip: str | None
    lastAccessedAt: str


class Pagination(TypedDict):
    """Where a list stands (00 §3)."""

    total: int
    page: int
    limit: int
    totalPages: int
    hasNext: bool
    hasPrev: bool
    hasNextPage: bool
    hasPrevPage: bool


class SessionList(TypedDict):
    """A page of sessions."""

    items: list[Session]
    pagination: Pagination


class Message(TypedDict):
    """A sentence for people."""

    message: str


def auth_user(document: Mapping[str, Any]) -> AuthUser:
    """The AuthUser of a stored user."""
    return {
        "id": document["id"],
        "email": document["email"],
        "name": document["name"],
        "role": document["role"],
        "nickname": document.get("nickname"),
        "image": document.get("image"),
        "emailVerified": document.get("emailVerified"),
        "onboardingStatus": document.get("onboardingStatus", "pending"),
        "mfaEnabled": bool(document.get("mfaEnabled")),
        "createdAt": document["createdAt"],
        "updatedAt": document["updatedAt"],
    }


def session(document: Mapping[str, Any], current_id: str) -> Session:
    """The Session of a stored session, as seen from the session `current_id`."""
    device = document.get("deviceInfo") or UNKNOWN
    return {
        "id": document["id"],
        "userId": document["userId"],
        "userAgent": document.get("userAgent"),
        "ipAddress": document.get("ipAddress"),
        "deviceInfo": device,
        "lastActivityAt": document["lastActivityAt"],
        "createdAt": document["createdAt"],
        "expiresAt": document["expiresAt"],
        "current": document["id"] == current_id,
        "device": device,
        "ip": document.get("ipAddress"),
        "lastAccessedAt": document["lastActivityAt"],
    }


def session_list(items: Sequence[Session], total: int, page: int, limit: int) -> SessionList:
    """The list body."""
    pages = -(-total // limit)
    return {
        "items": list(items),
        "pagination": {
            "total": total,
            "page": page,
            "limit": limit,
            "totalPages": pages,
            "hasNext": page < pages,
            "hasPrev": page > 1,
            "hasNextPage": page < pages,
            "hasPrevPage": page > 1,
        },
    }
