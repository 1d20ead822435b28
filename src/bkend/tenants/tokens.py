"""An account's own management tokens (51 §3.7, §8): one organization each, bounded by scopes and
by what its maker's role is at the time of use."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from bkend.clock import Clock
from bkend.errors import Forbidden, NotFound
from bkend.manage.control import KEYS, ORGANIZATIONS, PROJECTS
from bkend.manage.keys import KeyProblem, Keys
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
from bkend.store.documents import format_time, parse_time
from bkend.tenants.errors import invalid

_SCOPE = re.compile(r"(?:\*|[a-z][a-z-]*(?::data)?):(?:\*|create|read|update|delete)\Z")
_MOST_SCOPES = 100
_AT_ONCE = 500


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
        self,
        account: Mapping[str, Any],
        *,
        name: str,
        organization_id: str | None = None,
        scopes: Sequence[str] = (),
        project_ids: Sequence[str] | None = None,
        expires_at: str | None = None,
    ) -> dict[str, Any]:
        """A new token, whose `key` is shown only now; the AccessToken of 51 §3.7.

        Raises InvalidParameters, NotFound, Forbidden.
        """
        organization = await self.organization(account["id"], organization_id)
        self._check(name, scopes, expires_at)
        if project_ids is not None:
            await self._check_projects(organization, project_ids)
        try:
            made = await self._keys.create(
                type="bearer",
                name=name,
                organization_id=organization,
                scopes=list(dict.fromkeys(scopes)),
                expires_at=expires_at,
                project_ids=project_ids,
                created_by=account["id"],
            )
        except KeyProblem as problem:
            raise invalid("token", "type", f"cannot be made: {problem}") from None
        return _shown(made, account)

    async def revoke(self, account_id: str, id: str) -> None:
        """Refuse one of the account's tokens from now on; raises NotFound."""
        mine = all_of(_of(account_id), Equals(("revokedAt",), None))
        try:
            await self._store.commit([self._revoking(id, mine)])
        except (Missing, Conflict):
            raise NotFound("There is no such token") from None

    async def revoking_all(self, account_id: str) -> list[Operation]:
        """The operations that revoke every token of the account."""
        mine = all_of(_of(account_id), Equals(("revokedAt",), None))
        found: list[Operation] = []
        while True:
            page = await self._store.find(Find(KEYS, mine, offset=len(found), limit=_AT_ONCE))
            documents = orjson.loads(page.items)
            found += [self._revoking(document["id"], None) for document in documents]
            if not documents or len(found) >= page.total:
                return found

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

    def _check(self, name: str, scopes: Sequence[str], expires_at: str | None) -> None:
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
