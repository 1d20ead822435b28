"""What the console's bell shows: who invites one, and who has joined (50 §1, 51 §8).

Nothing is stored but when somebody looked: each entry is made of what it is about.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

import orjson

from bkend.clock import Clock
from bkend.manage.control import ACTIVITIES
from bkend.manage.members import Members
from bkend.store import Compare, Equals, Find, Missing, Not, OneOf, Store, Update, all_of
from bkend.store.documents import format_time
from bkend.tenants.collections import TENANT_ACCOUNTS

Waiting: TypeAlias = Callable[[str], Awaitable[list[dict[str, Any]]]]
"""The open invitations to an address, with their links."""

_SHOWN_MS = 30 * 24 * 60 * 60 * 1000
_MOST = 100
_KEEPERS = frozenset({"owner", "admin"})


class Notifications:
    """Gathers what concerns one account."""

    def __init__(self, store: Store, clock: Clock, members: Members, waiting: Waiting) -> None:
        self._store = store
        self._clock = clock
        self._members = members
        self._waiting = waiting

    async def of(self, account: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The newest first, at most a hundred."""
        read = account.get("notificationsReadAt") or ""
        found = [*await self._invitations(account), *await self._joined(account)]
        found.sort(key=lambda one: (str(one["createdAt"]), str(one["id"])), reverse=True)
        return [one | {"isRead": one["createdAt"] <= read} for one in found[:_MOST]]

    async def mark_read(self, account_id: str) -> None:
        """All that is there counts as read."""
        now = {"notificationsReadAt": format_time(self._clock.now_ms())}
        try:
            await self._store.commit([Update(TENANT_ACCOUNTS, account_id, set=now)])
        except Missing:
            pass  # the account goes at this moment

    async def _invitations(self, account: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Only for whose address is certain: the link lets its holder in."""
        if account["emailVerifiedAt"] is None:
            return []
        return [
            {
                "id": one["id"],
                "type": "invitation",
                "message": f"{one['inviterName'] or 'Somebody'} invites you to "
                f"{one['organizationName']}",
                "link": one["acceptUrl"],
                "organizationId": one["organizationId"],
                "createdAt": one["createdAt"],
            }
            for one in await self._waiting(account["email"])
        ]

    async def _joined(self, account: Mapping[str, Any]) -> list[dict[str, Any]]:
        roles = await self._members.of_account(account["id"])
        kept = tuple(id for id, role in roles.items() if role in _KEEPERS)
        since = format_time(self._clock.now_ms() - _SHOWN_MS)
        where = all_of(
            OneOf(("organizationId",), kept),
            Equals(("event",), "invitation_accepted"),
            Compare(("createdAt",), "gte", since),
            Not(Equals(("actor", "id"), account["id"])),
        )
        page = await self._store.find(Find(ACTIVITIES, where, limit=_MOST))
        return [
            {
                "id": one["id"],
                "type": "member_joined",
                "message": f"{one['actor']['name'] or 'Somebody'} has joined",
                "link": None,
                "organizationId": one["organizationId"],
                "createdAt": one["createdAt"],
            }
            for one in orjson.loads(page.items)
        ]
