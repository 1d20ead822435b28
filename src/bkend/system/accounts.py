"""The accounts of all tenants, for server admins (50 §11, 51 §3.1, §8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from bkend.clock import Clock
from bkend.errors import NotFound
from bkend.manage.control import MEMBERS, ORGANIZATIONS
from bkend.manage.documents import Checks
from bkend.manage.listing import Listing, every, page_of
from bkend.store import (
    Check,
    Condition,
    Conflict,
    DeleteWhere,
    Equals,
    Missing,
    Not,
    OneOf,
    Operation,
    Store,
    Update,
    all_of,
)
from bkend.store.documents import decode
from bkend.tenants.accounts import shape
from bkend.tenants.collections import DEVICE_CODES, TENANT_ACCOUNTS, TENANT_SESSIONS
from bkend.tenants.errors import LastServerAdmin
from bkend.tenants.links import void_links

STATUSES = ("active", "disabled")
_SORTS = ("name", "email", "status", "lastLoginAt", "createdAt", "updatedAt")

log = structlog.get_logger("bkend.system")


class ServerAccounts:
    """Lists accounts, disables them, and makes server admins of them."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def page(
        self, listing: Listing, status: str | None = None, is_server_admin: bool | None = None
    ) -> tuple[list[dict[str, Any]], int]:
        """A page of them with their organizations. Raises InvalidParameters."""
        wanted: list[Condition] = []
        if status is not None:
            checks = Checks()
            wanted.append(Equals(("status",), checks.choice("status", status, STATUSES)))
            checks.done()
        if is_server_admin is not None:
            wanted.append(Equals(("isServerAdmin",), is_server_admin))
        query = listing.find(TENANT_ACCOUNTS, all_of(*wanted), ("name", "email"), _SORTS)
        accounts, total = await page_of(self._store, query)
        return await self._shown(accounts), total

    async def get(self, id: str) -> dict[str, Any]:
        """One of them; raises NotFound."""
        [shown] = await self._shown([await self._stored(id)])
        return shown

    async def update(self, id: str, changes: Mapping[str, Any], admin_id: str) -> dict[str, Any]:
        """Change `status` and `isServerAdmin`, those that are given: one commit. Whoever is
        disabled is signed out everywhere; their tokens are refused for as long as they are.

        Raises NotFound, InvalidParameters, LastServerAdmin.
        """
        checks = Checks()
        fields: dict[str, Any] = {}
        if "status" in changes:
            fields["status"] = checks.choice("status", changes["status"], STATUSES)
        if "isServerAdmin" in changes:
            fields["isServerAdmin"] = changes["isServerAdmin"]
            if not isinstance(changes["isServerAdmin"], bool):
                checks.note("isServerAdmin", "type", "isServerAdmin is true or false")
        checks.done()
        stored = await self._stored(id)
        changed = {name: value for name, value in fields.items() if stored[name] != value}
        if not changed:
            return await self.get(id)
        operations: list[Operation] = [
            Update(TENANT_ACCOUNTS, id, set=changed, updated_at=self._clock.now_ms()),
            *self._others_remain(id, changed),
            *(self._signing_out(id) if changed.get("status") == "disabled" else ()),
        ]
        try:
            await self._store.commit(operations)
        except Conflict:
            raise LastServerAdmin from None
        except Missing:
            raise NotFound("There is no such account") from None
        log.info("account changed", account=id, by=admin_id, **changed)
        return await self.get(id)

    def _others_remain(self, id: str, changed: Mapping[str, Any]) -> list[Operation]:
        """That somebody else looks after the server, where this account will not any more."""
        if changed.get("status") != "disabled" and changed.get("isServerAdmin") is not False:
            return []
        others = all_of(
            Equals(("isServerAdmin",), True),
            Equals(("status",), "active"),
            Not(Equals(("id",), id)),
        )
        return [Check(TENANT_ACCOUNTS, others, at_least=1)]

    def _signing_out(self, id: str) -> list[Operation]:
        mine = Equals(("accountId",), id)
        return [DeleteWhere(TENANT_SESSIONS, mine), DeleteWhere(DEVICE_CODES, mine), void_links(id)]

    # -- parts ------------------------------------------------------------------------------

    async def _stored(self, id: str) -> dict[str, Any]:
        body = await self._store.get(TENANT_ACCOUNTS, id)
        if body is None:
            raise NotFound(f"There is no account {id[:64]!r}")
        return decode(body)

    async def _shown(self, accounts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The accounts of 51 §3.1 with `organizations`, those in the trash left out."""
        theirs = OneOf(("accountId",), tuple(account["id"] for account in accounts))
        members = await every(self._store, MEMBERS, theirs)
        ids = tuple({member["organizationId"] for member in members})
        there = all_of(OneOf(("id",), ids), Not(Equals(("status",), "deleted")))
        known = {one["id"]: one for one in await every(self._store, ORGANIZATIONS, there)}
        of_account: dict[str, list[dict[str, Any]]] = {account["id"]: [] for account in accounts}
        for member in members:
            organization = known.get(member["organizationId"])
            if organization is not None:
                of_account[member["accountId"]].append(
                    {
                        "organizationId": organization["id"],
                        "name": organization["name"],
                        "slug": organization["slug"],
                        "role": member["role"],
                    }
                )
        return [shape(one) | {"organizations": of_account[one["id"]]} for one in accounts]
