"""What an environment sets for its authentication (10 §3 to §5, 00 §11)."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bkend.auth.collections import AUTH_SETTINGS
from bkend.auth.policy import PasswordPolicy
from bkend.clock import Clock
from bkend.store import Duplicate, Insert, Operation, Store, Update
from bkend.store.documents import SYSTEM_FIELDS, decode

_ID = "settings"
_TEN_YEARS = 10 * 365 * 24 * 60 * 60


class AuthSettingProblem(ValueError):
    """A setting is unknown or its value is not allowed; the message says which and why."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """A boolean when `low` is None, else a whole number in a range."""

    default: bool | int | None
    low: int | None = None
    high: int = 0
    nullable: bool = False

    def check(self, name: str, value: Any) -> None:
        if value is None and self.nullable:
            return
        if self.low is None:
            if not isinstance(value, bool):
                raise AuthSettingProblem(f"{name} is true or false")
        elif type(value) is not int or not self.low <= value <= self.high:
            raise AuthSettingProblem(f"{name} is a whole number from {self.low} to {self.high}")


_RULES: dict[str, _Rule] = {
    "accessTokenTtlSeconds": _Rule(3600, 1, _TEN_YEARS),
    "refreshTokenTtlSeconds": _Rule(604_800, 1, _TEN_YEARS),
    "refreshReuseGraceSeconds": _Rule(10, 0, 60),
    "allowSignup": _Rule(True),
    "requireEmailVerification": _Rule(False),
    "rateLimits.enabled": _Rule(True),
    "passwordPolicy.minLength": _Rule(8, 6, 72),
    "passwordPolicy.maxLength": _Rule(128, 6, 1024),
    "passwordPolicy.requireUppercase": _Rule(False),
    "passwordPolicy.requireLowercase": _Rule(False),
    "passwordPolicy.requireNumbers": _Rule(False),
    "passwordPolicy.requireSpecialChars": _Rule(False),
    "passwordPolicy.expirationDays": _Rule(None, 1, 3650, nullable=True),
}


@dataclass(frozen=True, slots=True)
class AuthSettings:
    """The settings in force. Times in seconds."""

    access_token_ttl_seconds: int
    refresh_token_ttl_seconds: int
    refresh_reuse_grace_seconds: int
    allow_signup: bool
    require_email_verification: bool
    rate_limits_enabled: bool
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

        Raises AuthSettingProblem, and then changes nothing.
        """
        for name, value in changes.items():
            if name not in _RULES:
                raise AuthSettingProblem(_unknown(name))
            if value is not None:
                _RULES[name].check(name, value)
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
        allow_signup=values["allowSignup"],
        require_email_verification=values["requireEmailVerification"],
        rate_limits_enabled=values["rateLimits.enabled"],
        password_policy=PasswordPolicy(
            min_length=values["passwordPolicy.minLength"],
            max_length=values["passwordPolicy.maxLength"],
            require_uppercase=values["passwordPolicy.requireUppercase"],
            require_lowercase=values["passwordPolicy.requireLowercase"],
            require_numbers=values["passwordPolicy.requireNumbers"],
            require_special_chars=values["passwordPolicy.requireSpecialChars"],
            expiration_days=values["passwordPolicy.expirationDays"],
        ),
        values=values,
    )


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, _RULES, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"{name!r} is not a setting of authentication{hint}"
