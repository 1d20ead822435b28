"""Forgotten passwords, and showing that a mailbox is one's own (51 §8)."""

from __future__ import annotations

from typing import Any

from bkend.auth.sessions import Client
from bkend.store import Conflict, Equals, Missing, Operation, Update, all_of
from bkend.store.documents import decode, format_time
from bkend.tenants.accounts import check_password, checked_email, shape, with_provider
from bkend.tenants.collections import MFA_FIELDS, TENANT_ACCOUNTS
from bkend.tenants.errors import AlreadyVerified, LinkInvalid
from bkend.tenants.links import void_resets
from bkend.tenants.parts import Parts
from bkend.tenants.tokens import Tokens


class Recovery:
    """Links to a new password and to a verified address."""

    def __init__(self, parts: Parts, tokens: Tokens) -> None:
        self._parts = parts
        self._tokens = tokens

    async def request_reset(self, email: str) -> None:
        """Mail a link to a new password; an unknown address is answered alike.

        Raises InvalidParameters (no address), TooManyAttempts.
        """
        parts, address = self._parts, checked_email(email)
        await parts.links.count("reset", address)
        account = await parts.accounts.by_email(address)
        really = account is not None and account["status"] == "active"
        await parts.links.send("reset", address, account, really=really)

    async def reset(self, token: str, password: str, client: Client) -> None:
        """Use a link up: set the password and end every session. The second factor stays, but
        for an account whose mailbox nobody had shown to be theirs.

        Raises LinkInvalid, LinkExpired, InvalidParameters (the link stays good), Unavailable.
        """
        parts = self._parts
        link = await parts.links.find("reset", token)
        check_password(password, "newPassword")
        account = await parts.accounts.get(link.account_id or "")
        if account is None or account["email"] != link.email or account["status"] != "active":
            raise LinkInvalid
        encoded, now = await parts.hasher.hash(password), parts.clock.now_ms()
        fields: dict[str, Any] = {
            "passwordHash": encoded,
            "providers": with_provider(account, "password"),
        }
        also: list[Operation] = []
        unset: tuple[str, ...] = ()
        if account["emailVerifiedAt"] is None:
            fields |= {"emailVerifiedAt": format_time(now), "mfaEnabled": False}
            unset = MFA_FIELDS
            also = await self._tokens.revoking_all(account, client)
        change = Update(
            TENANT_ACCOUNTS,
            account["id"],
            set=fields,
            unset=unset,
            updated_at=now,
            guard=Equals(("status",), "active"),
        )
        ended = parts.sessions.ending_others(account["id"], "")
        try:
            await parts.store.commit([link.use(), change, ended, void_resets(account["id"]), *also])
        except (Conflict, Missing):
            raise LinkInvalid from None

    async def resend_verification(self, account: dict[str, Any]) -> None:
        """Mail another link to verify the account's address; raises AlreadyVerified,
        TooManyAttempts."""
        if account["emailVerifiedAt"] is not None:
            raise AlreadyVerified
        await self._parts.links.count("verify", account["email"])
        await self._parts.links.send("verify", account["email"], account)

    async def verify(self, token: str) -> dict[str, Any]:
        """Use a link up; the account as it is then. Raises LinkInvalid, LinkExpired."""
        parts = self._parts
        link = await parts.links.find("verify", token)
        now = parts.clock.now_ms()
        change = Update(
            TENANT_ACCOUNTS,
            link.account_id or "",
            set={"emailVerifiedAt": format_time(now)},
            updated_at=now,
            guard=all_of(Equals(("email",), link.email), Equals(("emailVerifiedAt",), None)),
        )
        try:
            _, stored = await parts.store.commit([link.use(), change])
        except (Conflict, Missing):
            raise LinkInvalid from None
        assert isinstance(stored, bytes)
        return shape(decode(stored))
