"""Signing in with a password or a mailed link (51 §7, §8).

Neither the answer nor its time tells whether an address is known.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from bkend.auth.errors import BucketFull, InvalidCredentials, SignupDisabled
from bkend.auth.mfa.errors import InvalidMfaCode
from bkend.auth.sessions import Client
from bkend.ids import uuid4
from bkend.store import Conflict, Duplicate, Equals, Insert, Missing, Operation, Update, all_of
from bkend.store.documents import format_time
from bkend.tenants.accounts import checked_email, new_account, same_and_active, with_provider
from bkend.tenants.collections import MFA_FIELDS, TENANT_ACCOUNTS
from bkend.tenants.errors import AccountDisabled, LinkInvalid
from bkend.tenants.links import Link
from bkend.tenants.lockout import WRONG_PASSWORDS, origin
from bkend.tenants.parts import Parts
from bkend.tenants.sessions import Session
from bkend.tenants.tokens import Tokens

Clear: TypeAlias = Callable[[], Operation]

_TRIES = 5


class SigningIn:
    """Opens sessions."""

    def __init__(self, parts: Parts, tokens: Tokens) -> None:
        self._parts = parts
        self._tokens = tokens

    async def with_password(
        self, email: str, password: str, code: str | None, client: Client
    ) -> Session:
        """Open a session for the right password.

        Raises InvalidParameters (no address), TooManyAttempts, InvalidCredentials,
        AccountDisabled, MfaRequired, InvalidMfaCode, MfaBackupCodesExhausted, Unavailable.
        """
        parts, address = self._parts, checked_email(email)
        key = f"{address}|{origin(client.ip_address)}"
        account = await parts.accounts.by_email(address)
        id = account["id"] if account else None
        try:
            async with parts.buckets.attempt(WRONG_PASSWORDS, key) as attempt:
                try:
                    return await self._by_password(address, password, code, client, attempt.clear)
                except (InvalidCredentials, InvalidMfaCode) as error:
                    reason = error.code.rpartition("/")[2]
                    failed = parts.events.entry(id, address, "password", "failed", client, reason)
                    await parts.store.commit([failed])
                    raise
        except BucketFull as full:
            until = parts.clock.now_ms() // 1000 + int(full.headers["Retry-After"])
            await parts.events.note_blocked(id, address, "password", client, until)
            raise

    async def _by_password(
        self, address: str, password: str, code: str | None, client: Client, clear: Clear
    ) -> Session:
        parts = self._parts
        account = await parts.accounts.by_email(address)
        encoded = account.get("passwordHash") if account else None
        matches = await parts.hasher.verify(password, encoded)
        if account is None or not encoded or not matches:
            raise InvalidCredentials
        if account["status"] != "active":
            raise AccountDisabled
        used_up = parts.mfa.demand(account, code)
        now = parts.clock.now_ms()
        fields: dict[str, Any] = {"lastLoginAt": format_time(now)}
        if parts.hasher.needs_rehash(encoded):
            fields["passwordHash"] = await parts.hasher.hash(password)
        seen = Update(TENANT_ACCOUNTS, account["id"], set=fields, guard=same_and_active(account))
        success = parts.events.entry(account["id"], address, "password", "success", client)
        operations = [*([used_up] if used_up else []), seen, clear(), success]
        try:
            return await parts.sessions.open(account["id"], client, operations)
        except (Conflict, Missing):  # the code was used, or the password changed, meanwhile
            raise (InvalidMfaCode if used_up else InvalidCredentials) from None

    # -- by link ----------------------------------------------------------------------------

    async def request_link(self, email: str) -> None:
        """Mail a link that signs in; an unknown address is answered alike. Where such a person
        may sign up, the link does that.

        Raises InvalidParameters (no address), TooManyAttempts.
        """
        parts, address = self._parts, checked_email(email)
        await parts.links.count("magic", address)
        account = await parts.accounts.by_email(address)
        really = account is not None or await self._may_join(address)
        if account is not None and account["status"] != "active":
            really = False
        await parts.links.send("magic", address, account, really=really)

    async def with_link(self, token: str, code: str | None, client: Client) -> Session:
        """Use a link up: make the account on the first redemption, open a session.

        Raises LinkInvalid, LinkExpired, SignupDisabled, AccountDisabled, TooManyAttempts,
        MfaRequired, InvalidMfaCode; the link stays good for another code.
        """
        for _ in range(_TRIES):
            link = await self._parts.links.find("magic", token)
            account = await self._parts.accounts.by_email(link.email)
            try:
                if account is None:
                    return await self._join(link, client)
                return await self._by_link(link, account, code, client)
            except (Conflict, Missing, Duplicate):
                continue  # link, code or account were changed meanwhile: look again
        raise LinkInvalid

    async def _may_join(self, address: str) -> bool:
        is_open = self._parts.signup_mode == "open"
        return is_open or await self._parts.invited(address, None)

    async def _join(self, link: Link, client: Client) -> Session:
        parts = self._parts
        if link.account_id is not None:  # it was for an account that has gone since
            raise LinkInvalid
        if not await self._may_join(link.email):
            raise SignupDisabled
        now, id = parts.clock.now_ms(), uuid4()
        name = link.email.partition("@")[0][:50].ljust(2, "_")
        fields = new_account(
            link.email, name, now, password_hash=None, provider="magic_link", is_verified=True
        ) | {"lastLoginAt": format_time(now)}
        made = Insert(TENANT_ACCOUNTS, id, fields, now, now, id)
        success = parts.events.entry(id, link.email, "magic_link", "success", client)
        return await parts.sessions.open(id, client, [link.use(), made, success])

    async def _by_link(
        self, link: Link, account: dict[str, Any], code: str | None, client: Client
    ) -> Session:
        parts, id = self._parts, account["id"]
        if link.account_id not in (None, id):
            raise LinkInvalid
        if account["status"] != "active":
            raise AccountDisabled
        if account["emailVerifiedAt"] is None:
            return await self._reclaim(link, account, client)
        operations = [link.use()]
        used_up = await self._demanded(account, code, client)
        if used_up is not None:
            operations.append(used_up)
        return await parts.sessions.open(
            id, client, [*operations, self._seen(account), self._success(account, client)]
        )

    async def _demanded(
        self, account: dict[str, Any], code: str | None, client: Client
    ) -> Operation | None:
        """The second factor's operation; wrong codes count as failed sign-ins."""
        parts = self._parts
        if not account["mfaEnabled"]:
            return None
        key = f"{account['email']}|{origin(client.ip_address)}"
        async with parts.buckets.attempt(WRONG_PASSWORDS, key):
            return parts.mfa.demand(account, code)

    async def _reclaim(self, link: Link, account: dict[str, Any], client: Client) -> Session:
        """The holder of the mailbox comes in for the first time: whoever made the account before
        keeps no way into it. No password, second factor, session or token stays."""
        parts, id = self._parts, account["id"]
        now = parts.clock.now_ms()
        changed = Update(
            TENANT_ACCOUNTS,
            id,
            set={
                "passwordHash": None,
                "mfaEnabled": False,
                "providers": ["magic_link"],
                "emailVerifiedAt": format_time(now),
                "lastLoginAt": format_time(now),
            },
            unset=MFA_FIELDS,
            updated_at=now,
            guard=all_of(same_and_active(account), Equals(("emailVerifiedAt",), None)),
        )
        return await parts.sessions.open(
            id,
            client,
            [
                link.use(),
                changed,
                parts.sessions.ending_others(id, ""),
                *await self._tokens.revoking_all(account, client),
                self._success(account, client),
            ],
        )

    def _seen(self, account: dict[str, Any]) -> Operation:
        now = self._parts.clock.now_ms()
        fields = {
            "lastLoginAt": format_time(now),
            "providers": with_provider(account, "magic_link"),
        }
        return Update(TENANT_ACCOUNTS, account["id"], set=fields, guard=same_and_active(account))

    def _success(self, account: dict[str, Any], client: Client) -> Operation:
        return self._parts.events.entry(
            account["id"], account["email"], "magic_link", "success", client
        )
