"""What somebody who has signed in does with their account: password, second factor, the end
(51 §8)."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any

from bkend.auth.buckets import Attempt
from bkend.auth.errors import InvalidPassword
from bkend.auth.sessions import Client
from bkend.manage.control import MEMBERS, ORGANIZATIONS
from bkend.manage.listing import every
from bkend.store import (
    Check,
    Conflict,
    Delete,
    DeleteWhere,
    Equals,
    Missing,
    Not,
    OneOf,
    Operation,
    Update,
    all_of,
)
from bkend.tenants.accounts import check_password, same_and_active, with_provider
from bkend.tenants.collections import DEVICE_CODES, TENANT_ACCOUNTS
from bkend.tenants.errors import LastServerAdmin, OwnsOrganizations, invalid
from bkend.tenants.links import void_links, void_resets
from bkend.tenants.lockout import WRONG_PASSWORDS, origin
from bkend.tenants.parts import Parts
from bkend.tenants.sessions import Session
from bkend.tenants.tokens import Tokens


class OwnAccount:
    """Changes an account on behalf of its holder. Wrong passwords and codes count as failed
    sign-ins do."""

    def __init__(self, parts: Parts, tokens: Tokens) -> None:
        self._parts = parts
        self._tokens = tokens

    async def change_password(
        self,
        account: dict[str, Any],
        session: Session,
        current: str | None,
        new: str,
        address: str | None,
    ) -> None:
        """Set the password and end every other session. An account without one needs no current.

        Raises InvalidParameters, TooManyAttempts, InvalidPassword, Unavailable.
        """
        parts, id = self._parts, account["id"]
        async with self._counted(account, address):
            await self._require_password(account, current)
            check_password(new, "newPassword")
            if new == current:
                raise invalid("newPassword", "same", "must differ from the current one")
            encoded = await parts.hasher.hash(new)
            fields = {
                "passwordHash": encoded,
                "providers": with_provider(account, "password"),
            }
            change = Update(
                TENANT_ACCOUNTS,
                id,
                set=fields,
                updated_at=parts.clock.now_ms(),
                guard=same_and_active(account),
            )
            others = parts.sessions.ending_others(id, session.id)
            try:
                await parts.store.commit([change, others, void_resets(id)])
            except (Conflict, Missing):  # changed meanwhile
                raise InvalidPassword from None

    async def begin_mfa(
        self, account: dict[str, Any], password: str | None, address: str | None
    ) -> dict[str, Any]:
        """See `Mfa.begin`; the password is asked for where there is one."""
        async with self._counted(account, address):
            await self._require_password(account, password)
            return await self._parts.mfa.begin(account)

    async def confirm_mfa(
        self, account: dict[str, Any], code: str, address: str | None
    ) -> list[str]:
        """See `Mfa.confirm`."""
        async with self._counted(account, address):
            return await self._parts.mfa.confirm(account, code)

    async def remove_mfa(
        self, account: dict[str, Any], password: str | None, code: str, address: str | None
    ) -> None:
        """See `Mfa.remove`; the password is asked for where there is one."""
        async with self._counted(account, address):
            await self._require_password(account, password)
            await self._parts.mfa.remove(account, code)

    async def delete(self, account: dict[str, Any], password: str | None, client: Client) -> None:
        """Delete the account with its sessions, links, memberships; its tokens are revoked.

        An organization that they own and that is in the trash keeps no Owner.

        Raises TooManyAttempts, InvalidPassword, OwnsOrganizations, LastServerAdmin.
        """
        parts, id = self._parts, account["id"]
        async with self._counted(account, client.ip_address):
            await self._require_password(account, password)
            mine = Equals(("accountId",), id)
            operations = await self._owning_nothing(id)
            if account["isServerAdmin"]:
                others = all_of(
                    Equals(("isServerAdmin",), True),
                    Equals(("status",), "active"),
                    Not(Equals(("id",), id)),
                )
                operations.append(Check(TENANT_ACCOUNTS, others, at_least=1))
            operations += [
                Delete(TENANT_ACCOUNTS, id),
                DeleteWhere(MEMBERS, mine),
                DeleteWhere(DEVICE_CODES, mine),
                parts.sessions.ending_others(id, ""),
                void_links(id),
                *await self._tokens.revoking_all(account, client),
            ]
            try:
                await parts.store.commit(operations)
            except Conflict as conflict:
                is_owner = conflict.collection in (MEMBERS, ORGANIZATIONS)
                raise (OwnsOrganizations if is_owner else LastServerAdmin) from None
            except Missing:
                pass  # deleted at this moment from elsewhere

    async def _owning_nothing(self, id: str) -> list[Operation]:
        """That the account is Owner of nothing but what is in the trash, and stays there."""
        owner = all_of(Equals(("accountId",), id), Equals(("role",), "owner"))
        owned = await every(self._parts.store, MEMBERS, owner)
        ids = OneOf(("id",), tuple(one["organizationId"] for one in owned))
        deleted = Equals(("status",), "deleted")
        trash = await every(self._parts.store, ORGANIZATIONS, all_of(ids, deleted))
        trashed = tuple(one["id"] for one in trash)
        others = all_of(owner, Not(OneOf(("organizationId",), trashed)))
        restored = all_of(OneOf(("id",), trashed), Not(deleted))
        return [Check(MEMBERS, others, at_most=0), Check(ORGANIZATIONS, restored, at_most=0)]

    def _counted(
        self, account: dict[str, Any], address: str | None
    ) -> AbstractAsyncContextManager[Attempt]:
        key = f"{account['id']}|{origin(address)}"
        return self._parts.buckets.attempt(WRONG_PASSWORDS, key)

    async def _require_password(self, account: dict[str, Any], password: str | None) -> None:
        """Raises InvalidPassword; an account without a password has none to ask for."""
        encoded = account.get("passwordHash")
        if encoded and not await self._parts.hasher.verify(password or "", encoded):
            raise InvalidPassword
