"""Users and their ways to sign in, as they are stored (10 §2, §11; 11 §1)."""

from __future__ import annotations

from typing import Any

import orjson

from bkend.auth.collections import ACCOUNTS, USERS
from bkend.ids import uuid4
from bkend.store import Equals, Find, Insert, Store
from bkend.store.documents import format_time


async def user_by_email(store: Store, address: str) -> dict[str, Any] | None:
    """The user with this normalised address; deleted users have none."""
    found = await store.find(Find(USERS, Equals(("emailKey",), address), limit=1))
    users: list[dict[str, Any]] = orjson.loads(found.items)
    return users[0] if users else None


def new_user(
    address: str,
    name: str,
    now: int,
    *,
    role: str = "user",
    password_hash: str | None = None,
    is_verified: bool = False,
    image: str | None = None,
) -> dict[str, Any]:
    """Every field of 10 §2 and 11 §1 with its default, and what sign-in needs. Times in ms."""
    return {
        "email": address,
        "name": name,
        "role": role,
        "nickname": None,
        "image": image,
        "emailVerified": format_time(now) if is_verified else None,
        "mobile": None,
        "gender": None,
        "bio": None,
        "socialLinks": None,
        "onboardingStatus": "pending",
        "mfaEnabled": False,
        "slug": None,
        "isPublic": False,
        "status": "active",
        "emailKey": address,
        "passwordHash": password_hash,
        "passwordChangedAt": format_time(now) if password_hash else None,
    }


def stored_user(id: str, fields: dict[str, Any], now: int) -> dict[str, Any]:
    """The document that inserting the fields at that time makes."""
    return {"id": id, **fields, "createdAt": format_time(now), "updatedAt": format_time(now)}


def email_account(user_id: str, address: str, now: int) -> Insert:
    """The operation that makes the `email` account of a user."""
    fields = {
        "userId": user_id,
        "type": "credentials",
        "provider": "email",
        "providerAccountId": address,
        "email": address,
        "connectedAt": format_time(now),
    }
    return Insert(ACCOUNTS, uuid4(), fields, now, now, user_id)
