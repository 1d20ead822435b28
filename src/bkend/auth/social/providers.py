"""The configured providers of one environment: read, changed, removed (10 §13)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import structlog

from bkend.auth.parts import AuthParts
from bkend.auth.social.collections import PROVIDERS, secret_purpose
from bkend.auth.social.configuration import (
    BUILT_IN,
    Provider,
    ProviderProblem,
    changed_provider,
    require_name,
    stored_provider,
    unconfigured,
)
from bkend.auth.social.errors import OAuthNotConfigured, UnsupportedProvider
from bkend.documents_cache import DocumentCache
from bkend.sealing import Unsealable
from bkend.store import (
    Conflict,
    Delete,
    Duplicate,
    Equals,
    Find,
    Insert,
    Missing,
    Operation,
    Update,
    all_of,
)
from bkend.store.documents import decode

_MOST = 100
_TOGETHER = ("enabled", "clientId", "clientSecret", "issuer")

log = structlog.get_logger(__name__)


class Providers:
    """The providers by their names. Google and GitHub are always there, if unconfigured."""

    def __init__(self, parts: AuthParts) -> None:
        self._store = parts.store
        self._clock = parts.clock
        self._sealer = parts.sealer
        self._held = DocumentCache(
            parts.store, PROVIDERS, lambda body: stored_provider(decode(body))
        )

    async def usable(self, name: str) -> Provider:
        """The provider, ready to be asked; raises UnsupportedProvider, OAuthNotConfigured."""
        found = await self.find(name)
        if not found.enabled or not found.is_complete:
            raise OAuthNotConfigured
        return found

    async def find(self, name: str) -> Provider:
        """The provider, configured or built in; raises UnsupportedProvider."""
        require_name(name)
        found = await self._held.get(name)
        if found is None and name not in BUILT_IN:
            raise UnsupportedProvider
        return found or unconfigured(name)

    async def list(self) -> list[Provider]:
        """Google, GitHub, then the others by name."""
        page = await self._store.find(Find(PROVIDERS, limit=_MOST))
        stored = {p.name: p for p in map(stored_provider, orjson.loads(page.items))}
        built_in = [stored.pop(name, unconfigured(name)) for name in BUILT_IN]
        return built_in + [stored[name] for name in sorted(stored)]

    def secret(self, provider: Provider) -> str:
        """The client secret; raises OAuthNotConfigured when it cannot be read any more."""
        if provider.sealed_secret is None:
            raise OAuthNotConfigured
        try:
            return self._sealer.unseal(secret_purpose(provider.name), provider.sealed_secret)
        except Unsealable:
            log.error("client secret unreadable: set it again", provider=provider.name)
            raise OAuthNotConfigured from None

    async def update(self, name: str, changes: Mapping[str, Any]) -> Provider:
        """Configure a provider; the first time switches it on unless `enabled` says otherwise.

        Raises UnsupportedProvider for the name, ProviderProblem for a field, OAuthNotConfigured
        if what is missing keeps it from being switched on.
        """
        require_name(name)
        while True:
            body = await self._store.get(PROVIDERS, name)
            held = stored_provider(decode(body)) if body else None
            wanted = {"enabled": None, **changes} if held is None else changes
            found = changed_provider(
                held or unconfigured(name),
                wanted,
                lambda secret: self._sealer.seal(secret_purpose(name), secret),
            )
            _require_complete(found)
            if await self._write(held, found):
                return found

    async def delete(self, name: str) -> None:
        """Forget the configuration; linked accounts stay stored. Raises UnsupportedProvider,
        OAuthNotConfigured."""
        await self.find(name)
        try:
            await self._store.commit([Delete(PROVIDERS, name)])
        except Missing:
            raise OAuthNotConfigured from None

    async def _write(self, held: Provider | None, found: Provider) -> bool:
        """False when somebody else wrote meanwhile."""
        now = self._clock.now_ms()
        operation: Operation
        if held is None:
            operation = Insert(PROVIDERS, found.name, found.document, now, now)
        else:
            before, after = held.document, found.document
            # Only what changes is written, if what makes the provider usable is as it was read.
            changed = {field: value for field, value in after.items() if value != before[field]}
            guard = all_of(*[Equals((field,), before[field]) for field in _TOGETHER])
            operation = Update(PROVIDERS, found.name, set=changed, updated_at=now, guard=guard)
        try:
            await self._store.commit([operation])
        except (Duplicate, Conflict, Missing):
            return False
        return True


def _require_complete(provider: Provider) -> None:
    """Only a complete provider may be switched on (51 §3.9)."""
    if not provider.enabled or provider.is_complete:
        return
    if not provider.server:
        raise ProviderProblem("issuer", "is required")
    missing = "clientId" if not provider.client_id else "clientSecret"
    message = f"{missing} is required to switch the provider on"
    raise OAuthNotConfigured(
        message, details=[{"field": missing, "rule": "required", "message": message}]
    )
