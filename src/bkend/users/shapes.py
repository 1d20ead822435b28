"""What `/v1/users` answers with (11 §1): built by allow-list, so that what is not named here never
leaves the server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired, TypeAlias

from typing_extensions import TypedDict

from bkend.auth.shapes import Pagination
from bkend.auth.social.shapes import Account as Account

Document: TypeAlias = Mapping[str, Any]
OnboardingStatus: TypeAlias = Literal["pending", "in_progress", "completed", "skipped"]
Gender: TypeAlias = Literal["none", "male", "female", "etc"]
NOTIFICATIONS: dict[str, bool] = {
    "service": True,
    "marketing": False,
    "push": True,
    "email": True,
    "sms": False,
    "nightTime": False,
    "securityAlerts": True,
}
"""The notification settings with their defaults (11 §6)."""


class SocialLinks(TypedDict, total=False):
    """Addresses of a user elsewhere; keys that are not set are absent."""

    github: str
    twitter: str
    linkedin: str


class User(TypedDict):
    """A user as that user and admins see it."""

    id: str
    email: str | None
    name: str
    role: str
    nickname: str | None
    image: str | None
    emailVerified: str | None
    mobile: str | None
    gender: Gender | None
    bio: str | None
    socialLinks: SocialLinks | None
    onboardingStatus: OnboardingStatus
    mfaEnabled: bool
    slug: str | None
    isPublic: bool
    status: Literal["active", "banned"]
    createdAt: str
    updatedAt: str
    accounts: NotRequired[list[Account]]


class PublicUser(TypedDict):
    """A user as others see it; the last three only when `isPublic`."""

    id: str
    name: str
    nickname: str | None
    image: str | None
    createdAt: str
    bio: NotRequired[str | None]
    socialLinks: NotRequired[SocialLinks | None]
    slug: NotRequired[str | None]


class UserList(TypedDict):
    """A page of users."""

    items: list[User | PublicUser]
    pagination: Pagination


class PublicProfile(TypedDict):
    """The profile of a user who is public, as others see it."""

    id: str
    name: str
    nickname: str | None
    image: str | None
    bio: str | None
    socialLinks: SocialLinks | None
    createdAt: str
    updatedAt: str


class Profile(PublicProfile):
    """The profile as that user and admins see it."""

    email: str | None
    mobile: str | None
    gender: Gender | None
    role: str
    emailVerified: str | None
    onboardingStatus: OnboardingStatus


class Upload(TypedDict):
    """Where to PUT a picture; `url` and `uploadUrl` are the same."""

    url: str
    uploadUrl: str
    key: str
    expiresAt: str


class Preferences(TypedDict):
    """Language, time zone and theme."""

    locale: str | None
    timezone: str | None
    theme: Literal["light", "dark", "system"] | None


class Notifications(TypedDict):
    """What the user wants to be told, and how."""

    service: bool
    marketing: bool
    push: bool
    email: bool
    sms: bool
    nightTime: bool
    securityAlerts: bool


class Onboarding(TypedDict):
    """How far the user has come; `onboardingStatus` repeats `status`."""

    status: OnboardingStatus
    onboardingStatus: OnboardingStatus
    completedSteps: list[str]
    completedAt: str | None
    updatedAt: str


class PublicSettings(TypedDict):
    """The user's name in addresses, and whether others see the profile."""

    slug: str | None
    isPublic: bool


def user(document: Document) -> User:
    """The User of a stored user."""
    return {
        "id": document["id"],
        "email": document.get("email"),
        "name": document["name"],
        "role": document["role"],
        "nickname": document.get("nickname"),
        "image": document.get("image"),
        "emailVerified": document.get("emailVerified"),
        "mobile": document.get("mobile"),
        "gender": document.get("gender"),
        "bio": document.get("bio"),
        "socialLinks": document.get("socialLinks"),
        "onboardingStatus": document.get("onboardingStatus", "pending"),
        "mfaEnabled": bool(document.get("mfaEnabled")),
        "slug": document.get("slug"),
        "isPublic": bool(document.get("isPublic")),
        "status": document.get("status", "active"),
        "createdAt": document["createdAt"],
        "updatedAt": document["updatedAt"],
    }


def public_user(document: Document) -> PublicUser:
    """The PublicUser of a stored user."""
    shown: PublicUser = {
        "id": document["id"],
        "name": document["name"],
        "nickname": document.get("nickname"),
        "image": document.get("image"),
        "createdAt": document["createdAt"],
    }
    if document.get("isPublic"):
        shown["bio"] = document.get("bio")
        shown["socialLinks"] = document.get("socialLinks")
        shown["slug"] = document.get("slug")
    return shown


def account(document: Document) -> Account:
    """The Account of a stored account."""
    return {
        "id": document["id"],
        "userId": document["userId"],
        "type": document["type"],
        "provider": document["provider"],
        "providerAccountId": document["providerAccountId"],
        "email": document.get("email"),
        "connectedAt": document["connectedAt"],
        "linkedAt": document["connectedAt"],
    }


def with_accounts(shown: User, accounts: Sequence[Account]) -> User:
    """The User with its ways to sign in."""
    return {**shown, "accounts": [one for one in accounts if one["userId"] == shown["id"]]}


def public_profile(document: Document) -> PublicProfile:
    """The profile without what only the user and admins see."""
    return {
        "id": document["id"],
        "name": document["name"],
        "nickname": document.get("nickname"),
        "image": document.get("image"),
        "bio": document.get("bio"),
        "socialLinks": document.get("socialLinks"),
        "createdAt": document["createdAt"],
        "updatedAt": document["updatedAt"],
    }


def profile(document: Document) -> Profile:
    """The whole profile."""
    return {
        **public_profile(document),
        "email": document.get("email"),
        "mobile": document.get("mobile"),
        "gender": document.get("gender"),
        "role": document["role"],
        "emailVerified": document.get("emailVerified"),
        "onboardingStatus": document.get("onboardingStatus", "pending"),
    }


def preferences(document: Document) -> Preferences:
    """All null until they are set."""
    return {
        "locale": document.get("locale"),
        "timezone": document.get("timezone"),
        "theme": document.get("theme"),
    }


def notification_field(name: str) -> str:
    """Where a notification setting is stored: each on its own, so that two changes at once are
    both kept."""
    return f"notify{name[:1].upper()}{name[1:]}"


def notifications(document: Document) -> dict[str, bool]:
    """All seven, with the default of those that were never set."""
    return {
        name: document.get(notification_field(name), default)
        for name, default in NOTIFICATIONS.items()
    }


def onboarding(document: Document) -> Onboarding:
    """The state of onboarding."""
    status = document.get("onboardingStatus", "pending")
    return {
        "status": status,
        "onboardingStatus": status,
        "completedSteps": document.get("onboardingSteps") or [],
        "completedAt": document.get("onboardingCompletedAt"),
        "updatedAt": document["updatedAt"],
    }


def public_settings(document: Document) -> PublicSettings:
    """Slug and visibility."""
    return {"slug": document.get("slug"), "isPublic": bool(document.get("isPublic"))}
