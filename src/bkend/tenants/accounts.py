"""Accounts as they are stored and shown (51 §3.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson

from bkend.auth.common_passwords import is_common
from bkend.auth.emails import normalise_email
from bkend.auth.errors import InvalidEmail
from bkend.auth.sessions import Client
from bkend.clock import Clock
from bkend.errors import Detail, InvalidParameters, NotFound
from bkend.manage.activity import Actor
from bkend.store import Condition, Equals, Find, Missing, Store, Update, all_of
from bkend.store.documents import decode, format_time
from bkend.tenants.collections import TENANT_ACCOUNTS
from bkend.tenants.errors import invalid

SHORTEST_PASSWORD, LONGEST_PASSWORD = 10, 128
LOCALES = ("en", "ko")
THEMES = ("light", "dark", "system")
_SHOWN = (
    "id",
    "email",
    "name",
    "avatarUrl",
    "locale",
    "theme",
    "emailVerifiedAt",
    "isServerAdmin",
    "mfaEnabled",
    "providers",
    "status",
    "lastLoginAt",
    "createdAt",
    "updatedAt",
)
_LONGEST_URL = 2048
LONGEST_USER_AGENT = 512


class Accounts:
    """Reads accounts, and changes what their holders may change of them."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def get(self, id: str) -> dict[str, Any] | None:
        """The stored account."""
        body = await self._store.get(TENANT_ACCOUNTS, id)
        return decode(body) if body else None

    async def by_email(self, address: str) -> dict[str, Any] | None:
        """The stored account with this normalised address."""
        page = await self._store.find(Find(TENANT_ACCOUNTS, Equals(("email",), address), limit=1))
        found: list[dict[str, Any]] = orjson.loads(page.items)
        return found[0] if found else None

    async def any(self) -> bool:
        """Whether there is an account at all."""
        return await self._store.count(TENANT_ACCOUNTS) > 0

    async def update_profile(self, id: str, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Change name, avatarUrl, locale, theme, those that are given; the account as it is then.

        Raises InvalidParameters with a detail for each value that is not allowed, NotFound.
        """
        problems: list[Detail] = []
        fields = {
            name: check(name, changes[name], problems)
            for name, check in _CHECKS.items()
            if name in changes
        }
        if problems:
            raise InvalidParameters(problems[0]["message"], details=problems)
        change = Update(TENANT_ACCOUNTS, id, set=fields, updated_at=self._clock.now_ms())
        try:
            [stored] = await self._store.commit([change])
        except Missing:
            raise NotFound from None
        assert isinstance(stored, bytes)
        return decode(stored)


def new_account(
    address: str,
    name: str,
    now: int,
    *,
    password_hash: str | None,
    provider: str = "password",
    is_verified: bool = False,
    is_server_admin: bool = False,
    locale: str = "en",
) -> dict[str, Any]:
    """Every field of a new account. `now` in ms."""
    return {
        "email": address,
        "name": name,
        "avatarUrl": None,
        "locale": locale,
        "theme": "system",
        "emailVerifiedAt": format_time(now) if is_verified else None,
        "isServerAdmin": is_server_admin,
        "mfaEnabled": False,
        "providers": [provider],
        "status": "active",
        "lastLoginAt": None,
        "passwordHash": password_hash,
    }


def shape(account: Mapping[str, Any]) -> dict[str, Any]:
    """The TenantAccount of 51 §3.1: nothing that is not named there."""
    shown = {name: account.get(name) for name in _SHOWN}
    return shown | {"hasPassword": bool(account.get("passwordHash"))}


def acting(account: Mapping[str, Any], client: Client) -> Actor:
    """The account's holder as activities name them."""
    agent = (client.user_agent or "")[:LONGEST_USER_AGENT] or None
    id = account["id"]
    return Actor("tenant", id, account["name"], id, ip=client.ip_address or None, user_agent=agent)


def same_and_active(account: Mapping[str, Any]) -> Condition:
    """That the account still has the password it was read with, and may sign in."""
    return all_of(
        Equals(("passwordHash",), account.get("passwordHash")), Equals(("status",), "active")
    )


def with_provider(account: Mapping[str, Any], provider: str) -> list[str]:
    """The account's ways to sign in, and one more."""
    return list(dict.fromkeys([*account["providers"], provider]))


def checked_email(text: str, field: str = "email") -> str:
    """The normalised address; raises InvalidParameters."""
    try:
        return normalise_email(text)
    except InvalidEmail:
        raise invalid(field, "email", "is not a valid e-mail address") from None


def checked_name(text: str) -> str:
    """The name of a person, 2 to 50 characters; raises InvalidParameters."""
    problems: list[Detail] = []
    name = _name("name", text, problems)
    if problems:
        raise InvalidParameters(problems[0]["message"], details=problems)
    assert isinstance(name, str)
    return name


def check_password(text: str, field: str = "password") -> None:
    """Raises InvalidParameters for a password that is too short, too long or known to everybody."""
    if len(text) < SHORTEST_PASSWORD:
        raise invalid(field, "minLength", f"must have at least {SHORTEST_PASSWORD} characters")
    if len(text) > LONGEST_PASSWORD:
        raise invalid(field, "maxLength", f"must have at most {LONGEST_PASSWORD} characters")
    if is_common(text):
        raise invalid(field, "common", "is among the most common ones; choose another")


def _name(field: str, value: Any, problems: list[Detail]) -> Any:
    text = value.strip() if isinstance(value, str) else ""
    if not 2 <= len(text) <= 50 or not text.isprintable():
        problems.append(_detail(field, "length", "has 2 to 50 printable characters"))
    return text


def _avatar(field: str, value: Any, problems: list[Detail]) -> Any:
    if value is None:
        return None
    good = isinstance(value, str) and len(value) <= _LONGEST_URL and value.isprintable()
    try:
        good = good and urlsplit(value).scheme in ("http", "https") and " " not in value
        good = good and bool(urlsplit(value).hostname)
    except ValueError:
        good = False
    if not good:
        problems.append(_detail(field, "url", "is an http or https address, or null"))
    return value


def _locale(field: str, value: Any, problems: list[Detail]) -> Any:
    if value not in LOCALES:
        problems.append(_detail(field, "enum", f"is {' or '.join(LOCALES)}"))
    return value


def _theme(field: str, value: Any, problems: list[Detail]) -> Any:
    if value not in THEMES:
        problems.append(_detail(field, "enum", f"is {', '.join(THEMES)}"))
    return value


_CHECKS = {"name": _name, "avatarUrl": _avatar, "locale": _locale, "theme": _theme}


def _detail(field: str, rule: str, sentence: str) -> Detail:
    return {"field": field, "rule": rule, "message": f"{field} {sentence}"}
