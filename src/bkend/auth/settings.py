"""What an environment sets for its authentication (10 §3 to §5, 00 §11)."""

from __future__ import annotations

import difflib
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from bkend.auth.collections import AUTH_SETTINGS
from bkend.auth.policy import PasswordPolicy
from bkend.clock import Clock
from bkend.store import Duplicate, Insert, Operation, Store, Update
from bkend.store.documents import SYSTEM_FIELDS, decode

_ID = "settings"
_TEN_YEARS = 10 * 365 * 24 * 60 * 60
_LONGEST_URL = 2048
_MOST_ADDRESSES = 100
_APP_ADDRESS = re.compile(
    r"(?!(?:javascript|data|vbscript|file|blob|about):)[a-z][a-z0-9+.-]*:(?://[^\s]*)?"
)


class AuthSettingProblem(ValueError):
    """A setting is unknown or its value is not allowed; the message says which and why."""


class _Rule(ABC):
    """What a setting may be, and what it is while nothing is set."""

    def __init__(self, default: Any) -> None:
        self.default = default

    @abstractmethod
    def check(self, name: str, value: Any) -> None:
        """Raises AuthSettingProblem."""


class _Switch(_Rule):
    def check(self, name: str, value: Any) -> None:
        if not isinstance(value, bool):
            raise AuthSettingProblem(f"{name} is true or false")


class _Number(_Rule):
    def __init__(self, default: int | None, low: int, high: int) -> None:
        super().__init__(default)
        self._low = low
        self._high = high

    def check(self, name: str, value: Any) -> None:
        if type(value) is not int or not self._low <= value <= self._high:
            raise AuthSettingProblem(f"{name} is a whole number from {self._low} to {self._high}")


class _Choice(_Rule):
    def __init__(self, default: str, *others: str) -> None:
        super().__init__(default)
        self._allowed = (default, *others)

    def check(self, name: str, value: Any) -> None:
        if value not in self._allowed:
            raise AuthSettingProblem(f"{name} is {' or '.join(self._allowed)}")


class _Page(_Rule):
    """The address of a page of the app."""

    def __init__(self) -> None:
        super().__init__(None)

    def check(self, name: str, value: Any) -> None:
        if not isinstance(value, str) or len(value) > _LONGEST_URL or not _is_web(value):
            raise AuthSettingProblem(f"{name} is an http or https address")


class _Addresses(_Rule):
    """Where links and sign-ins may lead: web addresses, or the schemes of apps."""

    def __init__(self) -> None:
        super().__init__(())

    def check(self, name: str, value: Any) -> None:
        if not isinstance(value, (list, tuple)) or len(value) > _MOST_ADDRESSES:
            raise AuthSettingProblem(f"{name} is a list of at most {_MOST_ADDRESSES} addresses")
        for address in value:
            if not isinstance(address, str) or len(address) > _LONGEST_URL:
                raise AuthSettingProblem(f"{name} holds addresses")
            if not (_is_web(address) or _APP_ADDRESS.fullmatch(address)):
                raise AuthSettingProblem(
                    f"{name}: {address[:100]!r} is neither an http or https address "
                    f"nor an app's scheme such as myapp://"
                )


def _is_web(address: str) -> bool:
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        return False
    clean = not any(c.isspace() or not c.isprintable() for c in address)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and clean


_RULES: dict[str, _Rule] = {
    "accessTokenTtlSeconds": _Number(3600, 1, _TEN_YEARS),
    "refreshTokenTtlSeconds": _Number(604_800, 1, _TEN_YEARS),
    "refreshReuseGraceSeconds": _Number(10, 0, 60),
    "verificationTokenTtlHours": _Number(24, 1, 24 * 365),
    "invitationExpirationDays": _Number(7, 1, 365),
    "mfaSetupTtlMinutes": _Number(10, 1, 24 * 60),
    "deletedUserRetentionDays": _Number(30, 0, 3650),
    "allowSignup": _Switch(True),
    "mfaAvailable": _Switch(True),
    "publicAccountCheck": _Switch(True),
    "resetRequiresVerifiedEmail": _Switch(False),
    "userListing": _Choice("all", "admin"),
    "allowedRedirectUrls": _Addresses(),
    "siteUrl": _Page(),
    "resetUrl": _Page(),
    "inviteUrl": _Page(),
    "rateLimits.enabled": _Switch(True),
    "rateLimits.signUpsPerAddress": _Number(None, 1, 1_000_000),
    "email.enabled": _Switch(True),
    "magicLinkEnabled": _Switch(True),
    "magicLinkExpirationMinutes": _Number(15, 1, 1440),
    "requireEmailVerification": _Switch(False),
    "sendVerificationOnSignup": _Switch(False),
    "passwordPolicy.minLength": _Number(8, 6, 72),
    "passwordPolicy.maxLength": _Number(128, 6, 1024),
    "passwordPolicy.requireUppercase": _Switch(False),
    "passwordPolicy.requireLowercase": _Switch(False),
    "passwordPolicy.requireNumbers": _Switch(False),
    "passwordPolicy.requireSpecialChars": _Switch(False),
    "passwordPolicy.expirationDays": _Number(None, 1, 3650),
    "passwordPolicy.breachCheck": _Choice("off", "list"),
}

_STRICT = {
    "passwordPolicy.requireUppercase": True,
    "passwordPolicy.requireLowercase": True,
    "passwordPolicy.requireNumbers": True,
    "passwordPolicy.requireSpecialChars": True,
    "passwordPolicy.breachCheck": "list",
}


@dataclass(frozen=True, slots=True)
class AuthSettings:
    """The settings in force; durations carry their unit in their names."""

    access_token_ttl_seconds: int
    refresh_token_ttl_seconds: int
    refresh_reuse_grace_seconds: int
    verification_token_ttl_hours: int
    invitation_expiration_days: int
    mfa_setup_ttl_minutes: int
    deleted_user_retention_days: int
    allow_signup: bool
    mfa_available: bool
    public_account_check: bool
    reset_requires_verified_email: bool
    user_listing: str
    allowed_redirect_urls: tuple[str, ...]
    site_url: str | None
    reset_url: str | None
    invite_url: str | None
    rate_limits_enabled: bool
    sign_ups_per_address: int | None
    email_enabled: bool
    magic_link_enabled: bool
    magic_link_expiration_minutes: int
    require_email_verification: bool
    send_verification_on_signup: bool
    password_policy: PasswordPolicy
    values: Mapping[str, Any]
    """All of them by their names."""


class StoredSettings:
    """Reads the settings once per change; only those that differ from the default are stored."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._held: AuthSettings | None = None
        store.listen(self._forget)

    async def current(self) -> AuthSettings:
        """The settings in force."""
        if self._held is not None:
            return self._held
        counter = self._store.changes(AUTH_SETTINGS)
        settings = _settings(await self._stored())
        if self._store.changes(AUTH_SETTINGS) == counter:
            self._held = settings
        return settings

    async def update(self, changes: Mapping[str, Any]) -> AuthSettings:
        """Change some settings by name; None brings a default back.

        `passwordPolicy` stands for all its parts: `strict` sets the preset of 10 §4, `default`
        or None brings the defaults back. Raises AuthSettingProblem, and then changes nothing.
        """
        changes = checked_changes(changes)
        stored = await self._stored()
        wanted = {name: value for name, value in {**stored, **changes}.items() if value is not None}
        settings = _settings(wanted)
        if settings.password_policy.min_length > settings.password_policy.max_length:
            raise AuthSettingProblem(
                "passwordPolicy.minLength is not greater than passwordPolicy.maxLength"
            )
        await self._write(wanted, tuple(name for name in changes if name not in wanted))
        return settings

    async def _stored(self) -> dict[str, Any]:
        body = await self._store.get(AUTH_SETTINGS, _ID)
        document = decode(body) if body else {}
        return {name: value for name, value in document.items() if name not in SYSTEM_FIELDS}

    async def _write(self, wanted: Mapping[str, Any], unset: tuple[str, ...]) -> None:
        now = self._clock.now_ms()
        insert: Operation = Insert(AUTH_SETTINGS, _ID, wanted, now, now)
        update = Update(AUTH_SETTINGS, _ID, set=wanted, unset=unset, updated_at=now)
        try:
            await self._store.commit([insert])
        except Duplicate:
            await self._store.commit([update])

    def _forget(self, collection: str, ids: Sequence[str] | None) -> None:
        if collection in (AUTH_SETTINGS, "*"):
            self._held = None


def _settings(stored: Mapping[str, Any]) -> AuthSettings:
    values = {name: stored.get(name, rule.default) for name, rule in _RULES.items()}
    return AuthSettings(
        access_token_ttl_seconds=values["accessTokenTtlSeconds"],
        refresh_token_ttl_seconds=values["refreshTokenTtlSeconds"],
        refresh_reuse_grace_seconds=values["refreshReuseGraceSeconds"],
        verification_token_ttl_hours=values["verificationTokenTtlHours"],
        invitation_expiration_days=values["invitationExpirationDays"],
        mfa_setup_ttl_minutes=values["mfaSetupTtlMinutes"],
        deleted_user_retention_days=values["deletedUserRetentionDays"],
        allow_signup=values["allowSignup"],
        mfa_available=values["mfaAvailable"],
        public_account_check=values["publicAccountCheck"],
        reset_requires_verified_email=values["resetRequiresVerifiedEmail"],
        user_listing=values["userListing"],
        allowed_redirect_urls=tuple(values["allowedRedirectUrls"]),
        site_url=values["siteUrl"],
        reset_url=values["resetUrl"],
        invite_url=values["inviteUrl"],
        rate_limits_enabled=values["rateLimits.enabled"],
        sign_ups_per_address=values["rateLimits.signUpsPerAddress"],
        email_enabled=values["email.enabled"],
        magic_link_enabled=values["magicLinkEnabled"],
        magic_link_expiration_minutes=values["magicLinkExpirationMinutes"],
        require_email_verification=values["requireEmailVerification"],
        send_verification_on_signup=values["sendVerificationOnSignup"],
        password_policy=PasswordPolicy(
            min_length=values["passwordPolicy.minLength"],
            max_length=values["passwordPolicy.maxLength"],
            require_uppercase=values["passwordPolicy.requireUppercase"],
            require_lowercase=values["passwordPolicy.requireLowercase"],
            require_numbers=values["passwordPolicy.requireNumbers"],
            require_special_chars=values["passwordPolicy.requireSpecialChars"],
            expiration_days=values["passwordPolicy.expirationDays"],
            breach_check=values["passwordPolicy.breachCheck"],
        ),
        values={name: list(v) if isinstance(v, tuple) else v for name, v in values.items()},
    )


def checked_changes(changes: Mapping[str, Any]) -> Mapping[str, Any]:
    """The changes one by one, presets written out; raises AuthSettingProblem for names and values
    that are never allowed."""
    changes = _expanded(changes)
    for name, value in changes.items():
        if name not in _RULES:
            raise AuthSettingProblem(_unknown(name))
        if value is not None:
            _RULES[name].check(name, value)
    return changes


def _expanded(changes: Mapping[str, Any]) -> Mapping[str, Any]:
    """The changes with the preset of the password policy written out; parts named beside it
    win."""
    if "passwordPolicy" not in changes:
        return changes
    others = {name: value for name, value in changes.items() if name != "passwordPolicy"}
    preset = changes["passwordPolicy"]
    if preset not in (None, "default", "strict"):
        raise AuthSettingProblem("passwordPolicy is default or strict")
    parts: dict[str, Any] = {name: None for name in _RULES if name.startswith("passwordPolicy.")}
    if preset == "strict":
        parts |= _STRICT
    return {**parts, **others}


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, _RULES, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"{name!r} is not a setting of authentication{hint}"
