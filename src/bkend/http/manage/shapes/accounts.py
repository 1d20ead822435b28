"""Accounts of tenants: who is signed in, where, with what (51 §3.1, §7)."""

from __future__ import annotations

from typing import Literal, TypeAlias

from typing_extensions import TypedDict

from bkend.auth.shapes import Pagination
from bkend.http.manage.shapes.common import Count, Time
from bkend.http.manage.shapes.organizations import Role

Method: TypeAlias = Literal["password", "magic_link", "google", "github"]


class TenantAccount(TypedDict):
    """The account of a person who builds."""

    id: str
    email: str
    name: str
    avatarUrl: str | None
    locale: Literal["en", "ko"]
    theme: Literal["light", "dark", "system"]
    emailVerifiedAt: Time | None
    isServerAdmin: bool
    hasPassword: bool
    mfaEnabled: bool
    providers: list[Method]
    status: Literal["active", "disabled"]
    lastLoginAt: Time | None
    createdAt: Time
    updatedAt: Time


class Membership(TypedDict):
    """An organization that one belongs to."""

    organizationId: str
    name: str
    slug: str
    role: Role


class SignedIn(TypedDict):
    """Who asks. With a management token `csrf` is null, and `account` too for one of the command
    line."""

    account: TenantAccount | None
    csrf: str | None
    memberships: list[Membership]


class TenantSession(TypedDict):
    """Where an account is signed in."""

    id: str
    device: str
    userAgent: str | None
    ip: str | None
    isCurrent: bool
    createdAt: Time
    lastUsedAt: Time
    expiresAt: Time


class Changed(TypedDict):
    """The password is another one."""

    changed: Literal[True]


class MailSent(TypedDict):
    """Said whether or not the address is known."""

    sent: Literal[True]


class PasswordReset(TypedDict):
    """The password is set; sign in with it."""

    reset: Literal[True]


class AddressVerified(TypedDict):
    """The address is its holder's."""

    verified: Literal[True]
    email: str


class SecondFactorSetup(TypedDict):
    """A second factor to be confirmed within ten minutes; shown only now."""

    secret: str
    otpauthUrl: str
    qrCodeSvg: str


class SecondFactorOn(TypedDict):
    """The second factor is asked for from now on; the codes are shown only now."""

    mfaEnabled: Literal[True]
    backupCodes: list[str]


class SecondFactorOff(TypedDict):
    """The second factor is not asked for any more."""

    mfaEnabled: Literal[False]


class DeviceAuthorization(TypedDict):
    """A code for the person, one for the program; `expiresIn` and `interval` in seconds."""

    deviceCode: str
    userCode: str
    verificationUri: str
    verificationUriComplete: str
    expiresIn: Count
    interval: Count


class DeviceRequest(TypedDict):
    """The program that asks to be let in."""

    userCode: str
    name: str
    ip: str | None
    userAgent: str | None
    createdAt: Time
    expiresAt: Time


class DeviceApproved(TypedDict):
    """The organization that the program's token is for."""

    approved: Literal[True]
    organizationId: str


class Notification(TypedDict):
    """Something for the bell of the console."""

    id: str
    type: Literal["invitation", "member_joined"]
    message: str
    link: str | None
    organizationId: str
    createdAt: Time
    isRead: bool


class NotificationList(TypedDict):
    """A page of them, and how many are new."""

    items: list[Notification]
    pagination: Pagination
    unreadCount: Count


class Read(TypedDict):
    """All that is there counts as read."""

    read: Literal[True]
