"""API keys and management tokens as tenants see and change them (51 §3.7)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import orjson

from bkend.clock import Clock
from bkend.errors import InvalidParameters, NotFound
from bkend.manage.accounts import AccountNames
from bkend.manage.activity import Actor, Place, Target, difference, entry
from bkend.manage.control import KEYS
from bkend.manage.documents import Checks
from bkend.manage.errors import TokenInvalidFormat, TokenValueInUse
from bkend.manage.keys import KeyFormat, KeyInUse, KeyProblem, Keys, KeyType
from bkend.manage.listing import Listing, page_of
from bkend.store import (
    Compare,
    Condition,
    Conflict,
    DeleteWhere,
    Equals,
    Missing,
    OneOf,
    Store,
    Update,
    all_of,
)
from bkend.store.documents import format_time, parse_time

_KEPT_MS = 30 * 24 * 60 * 60 * 1000
_MOST_SCOPES = 100
_SORTS = ("name", "createdAt", "updatedAt", "lastUsedAt", "expiresAt")


class AccessTokens:
    """The keys of environments, and all tokens of organizations."""

    def __init__(self, store: Store, keys: Keys, accounts: AccountNames, clock: Clock) -> None:
        self._store = store
        self._keys = keys
        self._accounts = accounts
        self._clock = clock

    # -- reading ----------------------------------------------------------------------------

    async def of_environment(
        self, environment_id: str, listing: Listing, type: str | None = None
    ) -> tuple[list[dict[str, Any]], int]:
        """A page of the environment's keys."""
        return await self._page(Equals(("environmentId",), environment_id), listing, type)

    async def of_organization(
        self,
        organization_id: str,
        listing: Listing,
        type: str | None = None,
        project_ids: Collection[str] | None = None,
    ) -> tuple[list[dict[str, Any]], int]:
        """A page of all tokens of the organization; of some projects only, if they are named."""
        where: Condition = Equals(("organizationId",), organization_id)
        if project_ids is not None:
            where = all_of(where, OneOf(("projectId",), tuple(project_ids)))
        return await self._page(where, listing, type)

    async def _page(
        self, where: Condition, listing: Listing, type: str | None
    ) -> tuple[list[dict[str, Any]], int]:
        if type is not None:
            where = all_of(where, Equals(("type",), type))
        where = all_of(where, Equals(("revokedAt",), None))
        query = listing.find(KEYS, where, ("name",), _SORTS)
        documents, total = await page_of(self._store, query)
        return await self._shown(documents), total

    async def get(self, id: str, **belongs_to: str) -> dict[str, Any]:
        """One token, also a revoked one, of what is named; raises NotFound."""
        [shown] = await self._shown([await self._document(id, belongs_to)])
        return shown

    async def get_one(
        self, id: str, organization_id: str, project_ids: Collection[str] | None = None
    ) -> dict[str, Any]:
        """One token of the organization; of some projects only, if they are named. Raises
        NotFound."""
        found = await self.get(id, organizationId=organization_id)
        if project_ids is not None and found.get("projectId") not in project_ids:
            raise NotFound(f"There is no key {id[:64]!r}")
        return found

    async def _document(self, id: str, belongs_to: Mapping[str, str]) -> dict[str, Any]:
        body = await self._store.get(KEYS, id)
        document: dict[str, Any] = {} if body is None else orjson.loads(body)
        if not document or any(document.get(n) != v for n, v in belongs_to.items()):
            raise NotFound(f"There is no key {id[:64]!r}")
        return document

    async def _shown(self, documents: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        authors = await self._accounts.of(one["createdBy"] for one in documents)
        return [
            self._keys.shown(one) | {"createdByName": authors.get(one["createdBy"], {}).get("name")}
            for one in documents
        ]

    # -- changing ---------------------------------------------------------------------------

    async def create(
        self,
        environment: Mapping[str, Any],
        project: Mapping[str, Any],
        actor: Actor,
        *,
        type: Any,
        name: Any,
        scopes: Any = None,
        expires_at: Any = None,
        value: Any = None,
    ) -> dict[str, Any]:
        """Make a key of the environment; with `value`, one that apps know already.

        Raises InvalidParameters, TokenInvalidFormat, TokenValueInUse.
        """
        checks = Checks()
        kind = checks.choice("type", type, ("publishable", "secret"))
        name = checks.text("name", name, 1, 100)
        scopes = [] if scopes is None else scopes
        if not isinstance(scopes, list) or len(scopes) > _MOST_SCOPES:
            checks.note("scopes", "type", f"scopes is a list of at most {_MOST_SCOPES} texts")
        elif not all(isinstance(scope, str) for scope in scopes):
            checks.note("scopes", "type", "scopes holds texts")
        if expires_at is not None and not self._is_later(expires_at):
            checks.note("expiresAt", "format", "expiresAt is a time to come, as 2027-01-31T00:00Z")
        checks.done()
        if value is not None and not isinstance(value, str):
            raise TokenInvalidFormat("value is a text")
        wanted: KeyType = "secret" if kind == "secret" else "publishable"
        try:
            new = self._keys.prepare(
                type=wanted,
                name=name,
                organization_id=project["organizationId"],
                project_id=project["id"],
                environment_id=environment["id"],
                environment=environment["environment"],
                scopes=scopes,
                expires_at=expires_at,
                value=value,
                created_by=actor.account_id,
            )
            said = self._entry(
                "access_token_created", actor, new.operation.fields, new.operation.id
            )
            made = await self._keys.store_new(new, said)
        except KeyFormat as problem:
            raise TokenInvalidFormat(str(problem)) from None
        except KeyInUse as problem:
            raise TokenValueInUse(str(problem)) from None
        except KeyProblem as problem:
            message = str(problem)
            raise InvalidParameters(
                message, details=[{"field": "scopes", "rule": "scope", "message": message}]
            ) from None
        return made | {"createdByName": actor.name if actor.type == "tenant" else None}

    async def rename(self, id: str, name: Any, actor: Actor, **belongs_to: str) -> dict[str, Any]:
        """Give a key another name; nothing else of it changes. Raises NotFound."""
        document = await self._document(id, belongs_to)
        checks = Checks()
        name = checks.text("name", name, 1, 100)
        checks.done()
        now = self._clock.now_ms()
        change = Update(KEYS, id, set={"name": name}, updated_at=now)
        after = {**document, "name": name}
        said = self._entry("access_token_updated", actor, after, id, difference(document, after))
        await self._commit(id, change, said)
        return await self.get(id)

    async def revoke(self, id: str, actor: Actor, **belongs_to: str) -> None:
        """Refuse the key from the next request on, in every process; raises NotFound. The row is
        kept for 30 days."""
        document = await self._document(id, belongs_to)
        now = self._clock.now_ms()
        change = Update(
            KEYS,
            id,
            set={"revokedAt": format_time(now)},
            updated_at=now,
            guard=Equals(("revokedAt",), None),
        )
        await self._commit(id, change, self._entry("access_token_deleted", actor, document, id))

    async def _commit(self, id: str, change: Update, said: Any) -> None:
        try:
            await self._store.commit([change, said])
        except (Missing, Conflict):
            raise NotFound(f"There is no key {id[:64]!r}") from None

    def _entry(
        self,
        event: str,
        actor: Actor,
        document: Mapping[str, Any],
        id: str,
        metadata: Mapping[str, Any] | None = None,
    ) -> Any:
        place = Place(
            document["organizationId"], document.get("projectId"), document.get("environment")
        )
        metadata = {
            "type": document["type"],
            "maskedKey": document["maskedKey"],
            **(metadata or {}),
        }
        target = Target("access_token", id, document["name"])
        return entry(event, actor, place, target, self._clock.now_ms(), metadata)

    def _is_later(self, text: Any) -> bool:
        try:
            return isinstance(text, str) and parse_time(text) > self._clock.now_ms()
        except (ValueError, OverflowError):
            return False

    async def sweep(self) -> None:
        """Forget keys that were revoked 30 days ago."""
        oldest = format_time(self._clock.now_ms() - _KEPT_MS)
        over = Compare(("revokedAt",), "lt", oldest)
        await self._store.commit([DeleteWhere(KEYS, over)])
