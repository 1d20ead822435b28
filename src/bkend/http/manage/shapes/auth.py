"""How users of an environment may sign in (51 §3.9, 10 §13, 00 §11)."""

from __future__ import annotations

from typing import Literal, NotRequired

from typing_extensions import TypedDict

from bkend.auth.shapes import Pagination


class PasswordRules(TypedDict):
    """The rules for new passwords (10 §4)."""

    minLength: int
    maxLength: int
    requireUppercase: bool
    requireLowercase: bool
    requireNumbers: bool
    requireSpecialChars: bool
    expirationDays: int | None
    breachCheck: Literal["off", "list"]


class EmailProvider(TypedDict):
    """Sign-in with e-mail address and password, or a magic link."""

    provider: Literal["email"]
    enabled: bool
    passwordPolicy: PasswordRules
    magicLinkEnabled: bool
    magicLinkExpirationMinutes: int
    requireEmailVerification: bool
    sendVerificationOnSignup: bool


class OAuthProvider(TypedDict):
    """A provider as it is configured, without its secret. GitHub has a `baseUrl`, others an
    `issuer`."""

    provider: str
    type: Literal["openid", "github"]
    enabled: bool
    clientId: str | None
    hasClientSecret: bool
    redirectUri: str
    callbackUrl: str
    scopes: list[str]
    additionalClientIds: list[str]
    issuer: NotRequired[str | None]
    baseUrl: NotRequired[str | None]


class ProviderList(TypedDict):
    """A page of providers, e-mail first."""

    items: list[EmailProvider | OAuthProvider]
    pagination: Pagination


AuthSettings = TypedDict(
    "AuthSettings",
    {
        "accessTokenTtlSeconds": int,
        "refreshTokenTtlSeconds": int,
        "refreshReuseGraceSeconds": int,
        "verificationTokenTtlHours": int,
        "invitationExpirationDays": int,
        "mfaSetupTtlMinutes": int,
        "deletedUserRetentionDays": int,
        "allowSignup": bool,
        "mfaAvailable": bool,
        "publicAccountCheck": bool,
        "resetRequiresVerifiedEmail": bool,
        "userListing": Literal["all", "admin"],
        "allowedRedirectUrls": list[str],
        "siteUrl": str | None,
        "resetUrl": str | None,
        "inviteUrl": str | None,
        "rateLimits.enabled": bool,
        "rateLimits.signUpsPerAddress": int | None,
    },
)
"""The settings of sign-in."""
