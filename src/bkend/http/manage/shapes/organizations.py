"""Organizations, their members, their invitations (51 §3.2, §3.3)."""

from __future__ import annotations

from typing import Literal, NotRequired, TypeAlias

from typing_extensions import TypedDict

from bkend.http.manage.shapes.common import Count, Time

Role: TypeAlias = Literal["owner", "admin", "member", "billing"]
InvitedRole: TypeAlias = Literal["admin", "member", "billing"]
InvitationStatus: TypeAlias = Literal["pending", "accepted", "rejected", "revoked", "expired"]


class Organization(TypedDict):
    """An organization, with the role of who asks; null for a server admin who is no member."""

    id: str
    name: str
    displayName: str | None
    slug: str
    description: str | None
    plan: Literal["self-hosted"]
    status: Literal["active", "suspended", "deleted"]
    notificationEmail: str | None
    ownerId: str | None
    memberCount: Count
    projectCount: Count
    role: Role | None
    createdAt: Time
    updatedAt: Time


class OrganizationStatistics(TypedDict):
    """What an organization holds."""

    projectCount: Count
    memberCount: Count
    tableCount: Count
    storageBytes: Count
    userCount: Count


class Member(TypedDict):
    """Somebody who belongs to an organization."""

    id: str
    accountId: str
    name: str
    email: str
    avatarUrl: str | None
    role: Role
    status: Literal["active"]
    joinedAt: Time
    invitedBy: str | None
    isYou: bool
    createdAt: Time
    updatedAt: Time


class OrganizationInvitation(TypedDict):
    """An invitation; `acceptUrl` for Owner and Admin only, null once it is closed."""

    id: str
    organizationId: str
    organizationName: str
    email: str
    name: str
    role: InvitedRole
    status: InvitationStatus
    expiresAt: Time
    invitedBy: str | None
    inviterName: str | None
    acceptUrl: NotRequired[str | None]
    createdAt: Time
    updatedAt: Time


class InvitationView(TypedDict):
    """What the holder of an invitation's link may know."""

    organizationName: str
    email: str
    name: str
    role: InvitedRole
    status: InvitationStatus
    expiresAt: Time
    inviterName: str | None


class Joined(TypedDict):
    """The organization that somebody belongs to now."""

    organizationId: str
    organizationName: str
    organizationSlug: str
    role: InvitedRole


class Declined(TypedDict):
    """The invitation is refused."""

    declined: Literal[True]
