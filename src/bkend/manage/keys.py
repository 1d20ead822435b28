"""API keys: making, listing, revoking, and finding one by the value a request carries (51 §3.7).

A key is `pk_`, `sk_` or `bt_` and 64 hex digits. It is looked up by the SHA-256 of its value; only
a publishable value is also kept readable, because it is public by design.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import orjson

from bkend.clock import Clock
from bkend.ids import prefixed
from bkend.manage.control import KEYS
from bkend.store import (
    Duplicate,
    Equals,
    Find,
    Insert,
    Missing,
    Not,
    Operation,
    Store,
    Update,
    all_of,
)
from bkend.store.documents import format_time, parse_time

KeyType: TypeAlias = Literal["publishable", "secret", "bearer"]

PREFIXES: dict[KeyType, str] = {"publishable": "pk_", "secret": "sk_", "bearer": "bt_"}
KEY_PATTERN = re.compile(r"(?:pk|sk|bt)_[0-9a-f]{64}\Z")
_SCOPE = re.compile(r"(?:\*|[A-Za-z_][A-Za-z0-9_-]{0,63}):(?:\*|create|read|update|delete|list)\Z")
_CACHE_LIMIT = 10_000


class KeyProblem(Exception):
    """A key cannot be made or revoked; the message says why."""


class KeyFormat(KeyProblem):
    """A value that was given is none of a key."""


class KeyInUse(KeyProblem):
    """A value that was given is that of another key."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that is about to be made."""

    operation: Insert
    value: str


@dataclass(frozen=True, slots=True)
class Key:
    """What a request needs to know of its key."""

    id: str
    type: KeyType
    organization_id: str
    project_id: str
    environment_id: str
    environment: str
    scopes: frozenset[str]
    expires_at: int | None
    revoked: bool
    role: str = ""
    project_ids: frozenset[str] | None = None
    created_by: str = ""

    @property
    def is_secret(self) -> bool:
        """Whether the key alone gives the admin group."""
        return self.type == "secret"

    def allows(self, table: str, operation: str) -> bool:
        """Whether the scopes include the operation; no scopes means no restriction (21 §6.1)."""
        if not self.scopes:
            return True
        operations = ("list", "read", "*") if operation == "list" else (operation, "*")
        return any(f"{name}:{word}" in self.scopes for name in (table, "*") for word in operations)


class Keys:
    """The key service over the control store."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._by_value: dict[str, Key] = {}
        self._used: dict[str, int] = {}
        store.listen(self._forget)

    def _forget(self, collection: str, ids: Sequence[str] | None) -> None:
        if collection in (KEYS, "*"):
            self._by_value.clear()

    def cached(self, value: str) -> Key | None:
        """The key with this value if it was found before and nothing changed since."""
        return self._by_value.get(value)

    async def find(self, value: str) -> Key | None:
        """The key with this value, whatever its state, or None."""
        held = self._by_value.get(value)
        if held is not None:
            return held
        if not KEY_PATTERN.match(value):
            return None
        counter = self._store.changes(KEYS)
        digest = hashlib.sha256(value.encode()).hexdigest()
        page = await self._store.find(Find(KEYS, Equals(("hash",), digest), limit=1))
        found = orjson.loads(page.items)
        if not found:
            return None
        key = _key(found[0])
        if self._store.changes(KEYS) == counter:
            if len(self._by_value) >= _CACHE_LIMIT:
                del self._by_value[next(iter(self._by_value))]
            self._by_value[value] = key
        return key

    def prepare(
        self,
        *,
        type: KeyType,
        name: str,
        organization_id: str,
        project_id: str | None = None,
        environment_id: str | None = None,
        environment: str | None = None,
        scopes: Sequence[str] = (),
        expires_at: str | None = None,
        value: str | None = None,
        role: str | None = None,
        project_ids: Sequence[str] | None = None,
        is_default: bool = False,
        created_by: str = "",
    ) -> NewKey:
        """The operation that makes a key, for a commit of the caller's.

        Raises KeyProblem: bad name, scope, expiry; KeyFormat.
        """
        if not 1 <= len(name) <= 100:
            raise KeyProblem("the name of a key has 1 to 100 characters")
        for scope in scopes:
            if type != "bearer" and not _SCOPE.match(scope):
                raise KeyProblem(
                    f"{scope!r} is not a scope; write TABLE:OPERATION, for example posts:read, "
                    f"with * for all and create, read, update, delete or list"
                )
        if expires_at is not None:
            expires_at = _instant(expires_at)
        if value is not None and not (
            KEY_PATTERN.match(value) and value.startswith(PREFIXES[type])
        ):
            raise KeyFormat(f"a {type} key is {PREFIXES[type]} and 64 lower-case hex digits")
        value = value or PREFIXES[type] + secrets.token_hex(32)
        now = self._clock.now_ms()
        fields: dict[str, Any] = {
            "organizationId": organization_id,
            "name": name,
            "type": type,
            "projectId": project_id,
            "environmentId": environment_id,
            "environment": environment,
            "scopes": list(scopes),
            "expiresAt": expires_at,
            "revokedAt": None,
            "lastUsedAt": None,
            "hash": hashlib.sha256(value.encode()).hexdigest(),
            "value": value if type == "publishable" else None,
            "maskedKey": f"{value[:7]}****...{value[-4:]}",
            "isDefault": is_default,
        }
        if type == "bearer":
            named = None if project_ids is None else list(project_ids)
            fields |= {"role": role, "projectIds": named}
        return NewKey(Insert(KEYS, prefixed("tok"), fields, now, now, created_by), value)

    async def create(self, **options: Any) -> dict[str, Any]:
        """Make a key, with the options of `prepare`; the answer is the AccessToken of 51 §3.7 with
        its full `key`. Raises KeyProblem as `prepare` does, and KeyInUse."""
        return await self.store_new(self.prepare(**options))

    async def store_new(self, new: NewKey, *operations: Operation) -> dict[str, Any]:
        """Make a prepared key, in one commit with these operations. Raises KeyInUse."""
        try:
            [body, *_] = await self._store.commit([new.operation, *operations])
        except Duplicate as error:
            if error.collection != KEYS:
                raise
            raise KeyInUse("this key value is already in use") from error
        assert isinstance(body, bytes)
        return self.shown(orjson.loads(body)) | {"key": new.value}

    async def list(self, environment_id: str | None = None) -> list[dict[str, Any]]:
        """All keys, newest first, or those of one environment; secrets are masked."""
        where = (
            Not(Equals(("type",), "bearer"))
            if environment_id is None
            else all_of(Equals(("environmentId",), environment_id))
        )
        found: list[dict[str, Any]] = []
        while True:
            page = await self._store.find(Find(KEYS, where, offset=len(found), limit=500))
            items = orjson.loads(page.items)
            found.extend(self.shown(item) for item in items)
            if not items or len(found) >= page.total:
                return found

    async def revoke(self, id: str) -> dict[str, Any]:
        """Refuse the key from now on; the row stays for audit. Raises KeyProblem if unknown."""
        now = self._clock.now_ms()
        try:
            [body] = await self._store.commit(
                [Update(KEYS, id, set={"revokedAt": format_time(now)}, updated_at=now)]
            )
        except Missing:
            raise KeyProblem(f"there is no key {id!r}") from None
        assert isinstance(body, bytes)
        return self.shown(orjson.loads(body))

    def due_for_use_mark(self, key: Key) -> bool:
        """Whether `lastUsedAt` should be written now: at most once a minute and key."""
        now = self._clock.now_ms()
        if now - self._used.get(key.id, 0) < 60_000:
            return False
        self._used[key.id] = now
        return True

    async def mark_used(self, key: Key) -> None:
        """Write `lastUsedAt`."""
        try:
            used = {"lastUsedAt": format_time(self._clock.now_ms())}
            await self._store.commit([Update(KEYS, key.id, set=used)])
        except Missing:
            pass

    def shown(self, document: dict[str, Any]) -> dict[str, Any]:
        """The AccessToken object of 51 §3.7, `key` for publishable ones only."""
        shown = {
            name: value
            for name, value in document.items()
            if name not in ("hash", "value", "environmentId", "role")
        }
        if document.get("value"):
            shown["key"] = document["value"]
        shown["createdByName"] = None
        expires = document.get("expiresAt")
        if document.get("revokedAt"):
            shown["status"] = "revoked"
        elif expires and parse_time(expires) <= self._clock.now_ms():
            shown["status"] = "expired"
        else:
            shown["status"] = "active"
        return shown


def _key(document: dict[str, Any]) -> Key:
    expires = document.get("expiresAt")
    return Key(
        id=document["id"],
        type=document["type"],
        organization_id=document["organizationId"],
        project_id=document.get("projectId") or "",
        environment_id=document.get("environmentId") or "",
        environment=document.get("environment") or "",
        scopes=frozenset(document.get("scopes") or ()),
        expires_at=parse_time(expires) if expires else None,
        revoked=bool(document.get("revokedAt")),
        role=document.get("role") or "",
        project_ids=_names(document.get("projectIds")),
        created_by=document["createdBy"],
    )


def _names(given: list[str] | None) -> frozenset[str] | None:
    return None if given is None else frozenset(given)


def _instant(text: str) -> str:
    try:
        return format_time(parse_time(text))
    except ValueError:
        raise KeyProblem(f"{text!r} is not a time; write 2027-01-31T00:00:00Z") from None
