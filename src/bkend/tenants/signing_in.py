"""Signing in with a password, a mailed link or a provider (51 §7, §8).

Neither the answer nor its time tells whether an address is known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from bkend.auth.errors import BucketFull, InvalidCredentials, SignupDisabled
from bkend.auth.mfa.errors import InvalidMfaCode, MfaRequired
from bkend.auth.sessions import Client
from bkend.ids import uuid4
from bkend.store import Conflict, Duplicate, Equals, Insert, Missing, Operation, Update, all_of
from bkend.store.documents import format_time
from bkend.tenants.accounts import checked_email, new_account, same_and_active, with_provider
from bkend.tenants.collections import MFA_FIELDS, TENANT_ACCOUNTS
from bkend.tenants.errors import AccountDisabled, LinkInvalid
from bkend.tenants.lockout import WRONG_PASSWORDS, origin
from bkend.tenants.parts import Parts
from bkend.tenants.sessions import Session
from bkend.tenants.tokens import Tokens

Clear: TypeAlias = Callable[[], Operation]

_TRIES = 5


@dataclass(frozen=True, slots=True)
class Shown:
    """Somebody who has shown that an address is theirs."""

    email: str
    provider: str
    name: str
    """What to call them if they are new."""
    operations: tuple[Operation, ...] = ()
    """What uses the proof up."""


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
        may_join = await self._may_join(address)  # asked for everybody, so that it takes no time
        really = may_join if account is None else account["status"] == "active"
        await parts.links.send("magic", address, account, really=really)

    async def with_link(self, token: str, code: str | None, client: Client) -> Session:
        """Use a link up: make the account on the first redemption, open a session.

        Raises LinkInvalid, LinkExpired, SignupDisabled, AccountDisabled, TooManyAttempts,
        MfaRequired, InvalidMfaCode; the link stays good for another code.
        """
        for _ in range(_TRIES):
            link = await self._parts.links.find("magic", token)
            account = await self._parts.accounts.by_email(link.email)
            id = account["id"] if account else None
            # One that was for nobody is good for whoever has made the account since.
            if link.account_id not in (None, id):
                raise LinkInvalid
            shown = Shown(link.email, "magic_link", link.email.partition("@")[0], (link.use(),))
            try:
                return await self._admit(shown, account, code, client)
            except (Conflict, Missing, Duplicate):
                continue  # link, code or account were changed meanwhile: look again
        raise LinkInvalid

    # -- by provider ------------------------------------------------------------------------

    async def with_provider(
        self, provider: str, email: str, name: str, client: Client
    ) -> Session | str:
        """Open a session for the holder of an address that a provider vouches for; instead the
        token of a login link where the second factor must be asked for.

        Raises SignupDisabled, AccountDisabled, LinkInvalid (changed again and again).
        """
        parts, shown = self._parts, Shown(email, provider, name)
        for _ in range(_TRIES):
            account = await parts.accounts.by_email(email)
            try:
                return await self._admit(shown, account, None, client)
            except MfaRequired:
                assert account is not None
                return await parts.links.issue("magic", email, account)
            except (Conflict, Missing, Duplicate):
                continue
        raise LinkInvalid

    # -- whose mailbox it is ----------------------------------------------------------------

    async def _admit(
        self, shown: Shown, account: dict[str, Any] | None, code: str | None, client: Client
    ) -> Session:
        """Open a session for who has shown that the address is theirs; Conflict, Missing and
        Duplicate when something was changed meanwhile."""
        if account is None:
            return await self._join(shown, client)
        if account["status"] != "active":
            raise AccountDisabled
        if account["emailVerifiedAt"] is None:
            return await self._reclaim(shown, account, client)
        used_up = await self._demanded(account, code, client)
        operations = [*shown.operations, *([used_up] if used_up else [])]
        now = self._parts.clock.now_ms()
        fields = {
            "lastLoginAt": format_time(now),
            "providers": with_provider(account, shown.provider),
        }
        seen = Update(TENANT_ACCOUNTS, account["id"], set=fields, guard=same_and_active(account))
        success = self._success(shown, account["id"], client)
        return await self._parts.sessions.open(account["id"], client, [*operations, seen, success])

    async def _may_join(self, address: str) -> bool:
        is_open = await self._parts.signup_mode() == "open"
        return is_open or await self._parts.invited(address, None)

    async def _join(self, shown: Shown, client: Client) -> Session:
        parts = self._parts
        if not await self._may_join(shown.email):
            raise SignupDisabled
        now, id = parts.clock.now_ms(), uuid4()
        fields = new_account(
            shown.email,
            shown.name[:50].strip().ljust(2, "_"),
            now,
            password_hash=None,
            provider=shown.provider,
            is_verified=True,
        ) | {"lastLoginAt": format_time(now)}
        made = Insert(TENANT_ACCOUNTS, id, fields, now, now, id)
        success = self._success(shown, id, client)
        return await parts.sessions.open(id, client, [*shown.operations, made, success])

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

    async def _reclaim(self, shown: Shown, account: dict[str, Any], client: Client) -> Session:
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
                "providers": [shown.provider],
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
                *shown.operations,
                changed,
                parts.sessions.ending_others(id, ""),
                *await self._tokens.revoking_all(account, client),
                self._success(shown, id, client),
            ],
        )

    def _success(self, shown: Shown, account_id: str, client: Client) -> Operation:
        return self._parts.events.entry(account_id, shown.email, shown.provider, "success", client)
