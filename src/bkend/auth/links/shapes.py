"""What links answer with (10 §2, §12)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from typing_extensions import TypedDict

from bkend.auth.shapes import Message, Pagination
from bkend.auth.social.shapes import SocialResult as SocialResult


class Sent(Message):
    """A mail is on its way, if the address is known."""

    email: str


class Verified(Message):
    """The address is verified."""

    verified: bool


class Confirmed(Verified):
    """The address that is verified."""

    email: str


class Empty(TypedDict):
    """Nothing to tell."""


class Invitation(TypedDict):
    """An invitation as inviters and invited see it; the token is only mailed."""

    id: str
    resourceType: Literal["organization", "project", "user"]
    resourceId: str
    resourceName: str
    resourceRole: str
    email: str
    name: str
    status: Literal["pending", "accepted", "rejected", "expired", "revoked"]
    expiresAt: str
    invitedBy: str | None
    inviterName: str | None
    createdAt: str
    updatedAt: str


class InvitationList(TypedDict):
    """A page of invitations."""

    items: list[Invitation]
    pagination: Pagination


def sent(message: str, address: str) -> Sent:
    """The Sent of a normalised address."""
    return {"message": message, "email": address}


def invitation(document: Mapping[str, Any], now: str) -> Invitation:
    """The Invitation of a stored one; `now` in wire form decides whether it has expired."""
    status = document["status"]
    if status == "pending" and document["expiresAt"] <= now:
        status = "expired"
    return {
        "id": document["id"],
        "resourceType": document["resourceType"],
        "resourceId": document["resourceId"],
        "resourceName": document["resourceName"],
        "resourceRole": document["resourceRole"],
        "email": document["email"],
        "name": document["name"],
        "status": status,
        "expiresAt": document["expiresAt"],
        "invitedBy": document["invitedBy"],
        "inviterName": document["inviterName"],
        "createdAt": document["createdAt"],
        "updatedAt": document["updatedAt"],
    }
