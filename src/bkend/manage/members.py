"""Who belongs to which organization, and as what (51 §3.3)."""

from __future__ import annotations

from typing import Any

import orjson

from bkend.ids import uuid4
from bkend.manage.control import MEMBERS
from bkend.store import Equals, Find, Insert, Operation, Store, all_of
from bkend.store.documents import format_time

_AT_ONCE = 500


class Members:
    """Reads memberships; each question is asked of the store anew."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def role(self, organization_id: str, account_id: str) -> str | None:
        """The account's role in the organization; None for who is no member."""
        where = all_of(
            Equals(("organizationId",), organization_id), Equals(("accountId",), account_id)
        )
        page = await self._store.find(Find(MEMBERS, where, limit=1))
        found: list[dict[str, Any]] = orjson.loads(page.items)
        return found[0]["role"] if found else None

    async def of_account(self, account_id: str) -> dict[str, str]:
        """The account's role by organization id, in the order of joining."""
        mine = Find(MEMBERS, Equals(("accountId",), account_id), descending=False, limit=_AT_ONCE)
        page = await self._store.find(mine)
        return {member["organizationId"]: member["role"] for member in orjson.loads(page.items)}


def new_member(
    organization_id: str, account_id: str, role: str, now: int, *, invited_by: str | None = None
) -> Operation:
    """The operation that makes an account a member; Duplicate when it is one. `now` in ms."""
    fields = {
        "organizationId": organization_id,
        "accountId": account_id,
        "role": role,
        "joinedAt": format_time(now),
        "invitedBy": invited_by,
    }
    return Insert(MEMBERS, uuid4(), fields, now, now, invited_by or account_id)
