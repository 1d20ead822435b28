"""New accounts: who may make one, and what else is done with it (50 §4, 51 §8)."""

from __future__ import annotations

from bkend.auth.errors import EmailAlreadyExists, SignupDisabled
from bkend.auth.sessions import Client
from bkend.ids import uuid4
from bkend.store import Duplicate, Insert, Operation
from bkend.store.documents import format_time
from bkend.tenants.accounts import check_password, checked_email, checked_name, new_account
from bkend.tenants.collections import TENANT_ACCOUNTS
from bkend.tenants.lockout import SIGN_UPS, origin
from bkend.tenants.parts import Parts
from bkend.tenants.sessions import Session


class SigningUp:
    """Makes accounts for people who come by themselves or were invited."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def sign_up(
        self, name: str, email: str, password: str, invitation: str | None, client: Client
    ) -> Session:
        """Make an account and open a session. Its address counts as verified once a mailed link
        was followed: who has an invitation's link need not have the mailbox.

        Raises InvalidParameters, TooManyAttempts, SignupDisabled (the same for an address that is
        known), EmailAlreadyExists, Unavailable.
        """
        parts = self._parts
        address, name = checked_email(email), checked_name(name)
        check_password(password)
        await parts.buckets.take(SIGN_UPS, origin(client.ip_address))
        if not await self._may(address, invitation):
            raise SignupDisabled
        if await parts.accounts.by_email(address) is not None:
            raise EmailAlreadyExists
        encoded = await parts.hasher.hash(password)
        now, id = parts.clock.now_ms(), uuid4()
        fields = new_account(address, name, now, password_hash=encoded)
        fields["lastLoginAt"] = format_time(now)
        made: list[Operation] = [Insert(TENANT_ACCOUNTS, id, fields, now, now, id)]
        made += await parts.links.compose("verify", address, {"id": id, **fields})
        made.append(parts.events.entry(id, address, "password", "success", client))
        try:
            session = await parts.sessions.open(id, client, made)
        except Duplicate:
            raise EmailAlreadyExists from None
        parts.links.send_soon()
        return session

    async def _may(self, address: str, invitation: str | None) -> bool:
        if await self._parts.signup_mode() == "open":
            return True
        return invitation is not None and await self._parts.invited(address, invitation)
