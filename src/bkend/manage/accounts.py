"""What members, keys and activities say of tenant accounts: names, addresses (51 §3.1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bkend.manage.listing import every, first_of
from bkend.store import Equals, OneOf, Store

ACCOUNTS = "tenant_accounts"


class AccountNames:
    """Reads tenant accounts; they are made and changed elsewhere."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def of(self, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """The accounts by id; unknown ones are left out."""
        wanted = tuple({id for id in ids if id})
        if not wanted or self._store.collection(ACCOUNTS) is None:
            return {}
        found = await every(self._store, ACCOUNTS, OneOf(("id",), wanted))
        return {account["id"]: account for account in found}

    async def get(self, id: str) -> dict[str, Any] | None:
        """One account."""
        return (await self.of([id])).get(id)

    async def with_address(self, email: str) -> dict[str, Any] | None:
        """The account with this address, which is given normalised."""
        if self._store.collection(ACCOUNTS) is None:
            return None
        return await first_of(self._store, ACCOUNTS, Equals(("email",), email))

    async def is_server_admin(self, id: str) -> bool:
        """Whether the account looks after the whole server."""
        account = await self.get(id)
        return bool(account and account.get("isServerAdmin"))
