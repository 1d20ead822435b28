"""What the calls about sign-in take and give (10 §13, 51 §3.9, 00 §11).

The models describe the bodies. What they hold is checked where the values are at home: by
`bkend.auth.settings` and `bkend.auth.social.configuration`.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field
from typing_extensions import TypedDict

from bkend.auth.shapes import Pagination
from bkend.errors import InvalidParameters
from bkend.http.manage.bodies import Body


class PasswordPolicy(Body):
    """The rules for new passwords (10 §4)."""

    minLength: int = 8
    maxLength: int = 128
    requireUppercase: bool = False
    requireLowercase: bool = False
    requireNumbers: bool = False
    requireSpecialChars: bool = False
    expirationDays: int | None = None
    breachCheck: Literal["off", "list"] = "off"


class EmailProvider(Body):
    """Sign-in with e-mail address and password, or a magic link."""

    provider: Literal["email"] = "email"
    enabled: bool = True
    passwordPolicy: PasswordPolicy = PasswordPolicy()
    magicLinkEnabled: bool = True
    magicLinkExpirationMinutes: int = 15
    requireEmailVerification: bool = False
    sendVerificationOnSignup: bool = False


class OAuthProviderUpdate(Body):
    """A provider's configuration; the secret is never given back. `issuer` is for OpenID Connect,
    `baseUrl` for a GitHub Enterprise Server."""

    enabled: bool | None = None
    clientId: str | None = None
    clientSecret: str | None = None
    redirectUri: str | None = None
    scopes: list[str] | None = None
    additionalClientIds: list[str] | None = None
    issuer: str | None = None
    baseUrl: str | None = None


class OAuthProvider(TypedDict, total=False):
    """A provider as it is configured; `issuer` or `baseUrl` by its type."""

    provider: str
    type: Literal["openid", "github"]
    enabled: bool
    clientId: str | None
    hasClientSecret: bool
    redirectUri: str
    callbackUrl: str
    scopes: list[str]
    additionalClientIds: list[str]
    issuer: str | None
    baseUrl: str | None


class ProviderList(TypedDict):
    """A page of providers, e-mail first."""

    items: list[Any]
    pagination: Pagination


class AuthSettingsBody(Body):
    """The settings of sign-in (00 §11); a section such as `rateLimits` may also be an object."""

    accessTokenTtlSeconds: int | None = None
    refreshTokenTtlSeconds: int | None = None
    refreshReuseGraceSeconds: int | None = None
    verificationTokenTtlHours: int | None = None
    invitationExpirationDays: int | None = None
    mfaSetupTtlMinutes: int | None = None
    deletedUserRetentionDays: int | None = None
    allowSignup: bool | None = None
    mfaAvailable: bool | None = None
    publicAccountCheck: bool | None = None
    resetRequiresVerifiedEmail: bool | None = None
    userListing: Literal["all", "admin"] | None = None
    allowedRedirectUrls: list[str] | None = None
    siteUrl: str | None = None
    resetUrl: str | None = None
    inviteUrl: str | None = None
    rateLimitsEnabled: bool | None = Field(None, alias="rateLimits.enabled")
    signUpsPerAddress: int | None = Field(None, alias="rateLimits.signUpsPerAddress")


AUTH_SETTINGS = tuple(f.alias or name for name, f in AuthSettingsBody.model_fields.items())
_POLICY = tuple(PasswordPolicy.model_fields)
_EMAIL = {name: name for name in EmailProvider.model_fields if name != "provider"}
_EMAIL["enabled"] = "email.enabled"


def changes_of_email(body: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a body of the e-mail provider changes; raises InvalidParameters."""
    changes: dict[str, Any] = {}
    for name, value in body.items():
        if name == "provider":
            continue
        _require_known(name, _EMAIL)
        if name != "passwordPolicy":
            changes[_EMAIL[name]] = value
            continue
        policy = dict.fromkeys(_POLICY) if value is None else value
        changes |= _section(name, policy, [f"{name}.{rule}" for rule in _POLICY])
    return changes


def changes_of_settings(body: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a body changes, sections flattened; raises InvalidParameters."""
    changes: dict[str, Any] = {}
    for name, value in body.items():
        if isinstance(value, dict):
            changes |= _section(name, value, AUTH_SETTINGS)
        else:
            _require_known(name, AUTH_SETTINGS)
            changes[name] = value
    return changes


def _section(name: str, values: Any, known: Any) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise _invalid(name, f"{name} must be an object")
    flat = {f"{name}.{inner}": value for inner, value in values.items()}
    for inner in flat:
        _require_known(inner, known)
    return flat


def _require_known(name: str, known: Any) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise _invalid(name[:100], f"{name[:100]!r} is not a setting here{hint}")


def _invalid(field: str, message: str) -> InvalidParameters:
    return InvalidParameters(message, details=[{"field": field, "message": message}])
