"""An account's own management tokens (51 §3.7, §8): one organization each, bounded by scopes and
by what its maker's role is at the time of use."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from bkend.auth.sessions import Client
from bkend.clock import Clock
from bkend.errors import Forbidden, NotFound
from bkend.manage.activity import Place, Target, entry
from bkend.manage.control import KEYS, ORGANIZATIONS, PROJECTS
from bkend.manage.keys import KeyProblem, Keys
from bkend.manage.listing import every
from bkend.manage.members import Members
from bkend.store import (
    Condition,
    Conflict,
    Equals,
    Find,
    Missing,
    OneOf,
    Operation,
    Store,
    Update,
    all_of,
)
from bkend.store.documents import decode, format_time, parse_time
from bkend.tenants.accounts import acting
from bkend.tenants.errors import invalid

_SCOPE = re.compile(r"(?:\*|[a-z][a-z-]*(?::data)?):(?:\*|create|read|update|delete)\Z")
_MOST_SCOPES = 100
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Wanted:
    """A token to be made."""

    name: str
    organization_id: str | None = None
    scopes: Sequence[str] = ()
    project_ids: Sequence[str] | None = None
    expires_at: str | None = None


class Tokens:
    """Makes, lists and revokes the tokens of accounts."""

    def __init__(self, store: Store, keys: Keys, members: Members, clock: Clock) -> None:
        self._store = store
        self._keys = keys
        self._members = members
        self._clock = clock

    async def organization(self, account_id: str, id: str | None) -> str:
        """The organization a token of the account is for: the given one, or the only one.

        Raises InvalidParameters, NotFound (no member), Forbidden (the role has no tokens).
        """
        mine = await self._members.of_account(account_id)
        if id is None:
            if len(mine) != 1:
                sentence = "names one of your organizations" if mine else "is an organization's id"
                raise invalid("organizationId", "required", sentence)
            id = next(iter(mine))
        role = mine.get(id)
        if role is None:
            raise NotFound("There is no such organization")
        if role == "billing":
            raise Forbidden(role, "tokens of one's own")
        return id

    async def choices(self, account_id: str) -> dict[str, str]:
        """The names, by id, of the organizations that tokens of the account may be for."""
        roles = await self._members.of_account(account_id)
        ids = tuple(id for id, role in roles.items() if role != "billing")
        page = await self._store.find(
            Find(ORGANIZATIONS, OneOf(("id",), ids), descending=False, limit=_AT_ONCE)
        )
        return {found["id"]: found["name"] for found in orjson.loads(page.items)}

    async def create(
        self, account: Mapping[str, Any], wanted: Wanted, client: Client, *with_it: Operation
    ) -> dict[str, Any]:
        """A new token, whose `key` is shown only now; the AccessToken of 51 §3.7. It is made in
        one commit with the operations, whose refusals are raised.

        Raises InvalidParameters, NotFound, Forbidden.
        """
        organization = await self.organization(account["id"], wanted.organization_id)
        self._check(wanted)
        if wanted.project_ids is not None:
            await self._check_projects(organization, wanted.project_ids)
        try:
            new = self._keys.prepare(
                type="bearer",
                name=wanted.name,
                organization_id=organization,
                scopes=list(dict.fromkeys(wanted.scopes)),
                expires_at=wanted.expires_at,
                project_ids=wanted.project_ids,
                created_by=account["id"],
            )
        except KeyProblem as problem:
            raise invalid("token", "type", f"cannot be made: {problem}") from None
        told = self._told("access_token_created", new.operation.fields, new.operation.id, account)
        made = await self._keys.store_new(new, *with_it, told(client))
        return _shown(made, account)

    async def revoke(self, account: Mapping[str, Any], id: str, client: Client) -> None:
        """Refuse one of the account's tokens from now on; raises NotFound."""
        mine = all_of(_of(account["id"]), Equals(("revokedAt",), None))
        body = await self._store.get(KEYS, id)
        held = decode(body) if body else {}
        if held.get("createdBy") != account["id"] or held["type"] != "bearer":
            raise NotFound("There is no such token")
        told = self._told("access_token_deleted", held, id, account)
        try:
            await self._store.commit([self._revoking(id, mine), told(client)])
        except (Missing, Conflict):
            raise NotFound("There is no such token") from None

    async def revoking_all(self, account: Mapping[str, Any], client: Client) -> list[Operation]:
        """The operations that revoke every token of the account."""
        mine = all_of(_of(account["id"]), Equals(("revokedAt",), None))
        found: list[Operation] = []
        for held in await every(self._store, KEYS, mine):
            found.append(self._revoking(held["id"], None))
            found.append(self._told("access_token_deleted", held, held["id"], account)(client))
        return found

    def _told(
        self, event: str, token: Mapping[str, Any], id: str, account: Mapping[str, Any]
    ) -> Callable[[Client], Operation]:
        """What reports a change of a token, given where it came from."""

        def told(client: Client) -> Operation:
            return entry(
                event,
                acting(account, client),
                Place(token["organizationId"]),
                Target("access_token", id, token["name"]),
                self._clock.now_ms(),
                {"type": "bearer", "maskedKey": token["maskedKey"]},
            )

        return told

    async def list(
        self, account: Mapping[str, Any], offset: int, limit: int
    ) -> tuple[list[dict[str, Any]], int]:
        """The account's tokens, the newest first, without their values; and their number."""
        page = await self._store.find(Find(KEYS, _of(account["id"]), offset=offset, limit=limit))
        return [
            _shown(self._keys.shown(document), account) for document in orjson.loads(page.items)
        ], page.total

    def _revoking(self, id: str, guard: Condition | None) -> Operation:
        now = self._clock.now_ms()
        return Update(KEYS, id, set={"revokedAt": format_time(now)}, updated_at=now, guard=guard)

    def _check(self, wanted: Wanted) -> None:
        name, scopes, expires_at = wanted.name, wanted.scopes, wanted.expires_at
        if not 1 <= len(name) <= 100 or not name.isprintable():
            raise invalid("name", "length", "has 1 to 100 printable characters")
        if len(scopes) > _MOST_SCOPES:
            raise invalid("scopes", "maxLength", f"has at most {_MOST_SCOPES} elements")
        for place, scope in enumerate(scopes):
            if not _SCOPE.match(scope):
                sentence = "is no scope; write part:operation such as table:read or table:*"
                raise invalid(f"scopes[{place}]", "scope", sentence)
        if expires_at is None:
            return
        try:
            ends = parse_time(expires_at)
        except ValueError:
            raise invalid("expiresAt", "time", "is a time such as 2027-01-31T00:00:00Z") from None
        if ends <= self._clock.now_ms():
            raise invalid("expiresAt", "future", "has passed already")

    async def _check_projects(self, organization_id: str, ids: Sequence[str]) -> None:
        where = all_of(
            Equals(("organizationId",), organization_id), OneOf(("id",), tuple(set(ids)))
        )
        if await self._store.count(PROJECTS, where) != len(set(ids)):
            raise invalid("projectIds", "exists", "names a project that is not there")


def _of(account_id: str) -> Condition:
    return all_of(Equals(("createdBy",), account_id), Equals(("type",), "bearer"))


def _shown(token: dict[str, Any], account: Mapping[str, Any]) -> dict[str, Any]:
    return token | {"createdByName": account["name"]}
