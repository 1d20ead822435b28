"""What sign-in through providers and the linked accounts answer with (10 §2, §11)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from typing_extensions import TypedDict

from bkend.auth.shapes import AuthResult, Pagination


class SocialResult(AuthResult):
    """A token pair, whom it signs in, and whether this sign-in made the user."""

    is_new_user: bool


class Account(TypedDict):
    """One way in which a user signs in; `linkedAt` repeats `connectedAt`."""

    id: str
    userId: str
    type: str
    provider: str
    providerAccountId: str
    email: str | None
    connectedAt: str
    linkedAt: str


class AccountList(TypedDict):
    """A page of accounts."""

    items: list[Account]
    pagination: Pagination


class AuthorizationUrl(TypedDict):
    """Where to send the browser."""

    authorizationUrl: str


class AccountCheck(TypedDict, total=False):
    """Whether an account exists; `type` and `provider` only if it does."""

    exists: bool
    type: str
    provider: str


def account(document: Mapping[str, Any]) -> Account:
    """The Account of a stored account."""
    connected_at = document.get("connectedAt") or document["createdAt"]
    return {
        "id": document["id"],
        "userId": document["userId"],
        "type": document["type"],
        "provider": document["provider"],
        "providerAccountId": document["providerAccountId"],
        "email": document.get("email"),
        "connectedAt": connected_at,
        "linkedAt": connected_at,
    }
