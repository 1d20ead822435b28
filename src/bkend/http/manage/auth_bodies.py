"""What the calls about sign-in take and give (10 §13, 51 §3.9, 00 §11).

The models describe the bodies. What they hold is checked where the values are at home: by
`bkend.auth.settings` and `bkend.auth.social.configuration`.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from bkend.errors import InvalidParameters
from bkend.http.manage.bodies import Body

_TenYears = Annotated[int, Field(ge=1, le=10 * 365 * 24 * 60 * 60)]
_Address = Annotated[str, Field(max_length=2048)]


class PasswordPolicy(Body):
    """The rules for new passwords (10 §4); null brings a default back."""

    minLength: Annotated[int, Field(ge=6, le=72)] | None = None
    maxLength: Annotated[int, Field(ge=6, le=1024)] | None = None
    requireUppercase: bool | None = None
    requireLowercase: bool | None = None
    requireNumbers: bool | None = None
    requireSpecialChars: bool | None = None
    expirationDays: Annotated[int, Field(ge=1, le=3650)] | None = None
    breachCheck: Literal["off", "list"] | None = None


class EmailProviderUpdate(Body):
    """Sign-in with e-mail address and password, or a magic link; null brings a default back."""

    provider: Literal["email"] = "email"
    enabled: bool | None = None
    passwordPolicy: PasswordPolicy | None = None
    magicLinkEnabled: bool | None = None
    magicLinkExpirationMinutes: Annotated[int, Field(ge=1, le=1440)] | None = None
    requireEmailVerification: bool | None = None
    sendVerificationOnSignup: bool | None = None


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


class AuthSettingsBody(Body):
    """The settings of sign-in (00 §11); a section such as `rateLimits` may also be an object."""

    accessTokenTtlSeconds: _TenYears | None = None
    refreshTokenTtlSeconds: _TenYears | None = None
    refreshReuseGraceSeconds: Annotated[int, Field(ge=0, le=60)] | None = None
    verificationTokenTtlHours: Annotated[int, Field(ge=1, le=8760)] | None = None
    invitationExpirationDays: Annotated[int, Field(ge=1, le=365)] | None = None
    mfaSetupTtlMinutes: Annotated[int, Field(ge=1, le=1440)] | None = None
    deletedUserRetentionDays: Annotated[int, Field(ge=0, le=3650)] | None = None
    allowSignup: bool | None = None
    mfaAvailable: bool | None = None
    publicAccountCheck: bool | None = None
    resetRequiresVerifiedEmail: bool | None = None
    userListing: Literal["all", "admin"] | None = None
    allowedRedirectUrls: Annotated[list[_Address], Field(max_length=100)] | None = None
    siteUrl: _Address | None = None
    resetUrl: _Address | None = None
    inviteUrl: _Address | None = None
    rateLimitsEnabled: bool | None = Field(None, alias="rateLimits.enabled")
    signUpsPerAddress: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        None, alias="rateLimits.signUpsPerAddress"
    )


AUTH_SETTINGS = tuple(f.alias or name for name, f in AuthSettingsBody.model_fields.items())
_POLICY = tuple(PasswordPolicy.model_fields)
_EMAIL = {name: name for name in EmailProviderUpdate.model_fields if name != "provider"}
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
