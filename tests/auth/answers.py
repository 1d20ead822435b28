"""What the answers of `/v1/auth` look like, and the bodies that ask for them."""

from __future__ import annotations

import httpx

from tests.auth.conftest import PASSWORD

AUTH_USER = {
    "id",
    "email",
    "name",
    "role",
    "nickname",
    "image",
    "emailVerified",
    "onboardingStatus",
    "mfaEnabled",
    "createdAt",
    "updatedAt",
}
SESSION = {
    "id",
    "userId",
    "userAgent",
    "ipAddress",
    "deviceInfo",
    "lastActivityAt",
    "createdAt",
    "expiresAt",
    "current",
    "device",
    "ip",
    "lastAccessedAt",
}
SIGN_UP = {"email": "ada@example.com", "password": PASSWORD, "name": "Ada"}
OPERATOR = {"$ne": None}
SIGN_IN = {"email": "ada@example.com", "password": PASSWORD}


def code(answer: httpx.Response) -> str:
    """The code of a refusal, after looking at its whole body."""
    body = answer.json()
    assert body["success"] is False
    assert body["statusCode"] == answer.status_code
    assert (body["code"], body["message"]) == (body["error"]["code"], body["error"]["message"])
    found: str = body["code"]
    return found
