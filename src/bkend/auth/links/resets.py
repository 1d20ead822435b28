"""Forgotten passwords (10 §8)."""

from __future__ import annotations

from typing import Any

from bkend.auth.buckets import FAILED_PASSWORDS
from bkend.auth.collections import ACCOUNTS, USERS
from bkend.auth.emails import normalise_email
from bkend.auth.errors import SameAsPreviousPassword
from bkend.auth.links.addresses import RESET_PAGE, with_query
from bkend.auth.links.errors import (
    AccountNotFound,
    VerificationTokenExpired,
    VerificationTokenNotFound,
)
from bkend.auth.links.mailing import LinkMails, address_of
from bkend.auth.links.tokens import Token, Wanted
from bkend.auth.parts import AuthParts
from bkend.auth.redirects import require_allowed
from bkend.auth.settings import AuthSettings
from bkend.auth.users import email_account
from bkend.store import Conflict, Duplicate, Equals, Missing, Operation, Update, all_of
from bkend.store.documents import decode, format_time

HOUR_MS = 60 * 60 * 1000
_TRIES = 5


class PasswordResets:
    """The password resets of one environment."""

    def __init__(self, parts: AuthParts, mails: LinkMails) -> None:
        self._parts = parts
        self._mails = mails

    async def request(self, email: str, callback_url: str | None) -> None:
        """Mail a reset link to the user with this address; for others nothing shows.

        Raises InvalidEmail, InvalidRequest, TooManyCodeRequests.
        """
        address = normalise_email(email)
        settings = await self._parts.settings.current()
        if callback_url is not None:
            require_allowed(callback_url, settings, self._parts.environment)
        await self._mails.count("password_reset", address, settings)
        user = await self._mails.user(address)
        is_barred = settings.reset_requires_verified_email and not (user or {}).get("emailVerified")
        really = user is not None and not is_barred
        await self._send(address, callback_url, user, settings, really=really)

    async def send_to(self, user: dict[str, Any]) -> str:
        """Mail a reset link to a stored user whom somebody else has picked; the address.

        Nothing is counted. Raises InvalidParameters for a user without an address.
        """
        address = address_of(user)
        await self._send(address, None, user, await self._parts.settings.current(), really=True)
        return address

    async def _send(
        self,
        address: str,
        callback_url: str | None,
        user: dict[str, Any] | None,
        settings: AuthSettings,
        *,
        really: bool,
    ) -> None:
        page = callback_url or settings.reset_url or self._parts.address + RESET_PAGE
        wanted = Wanted(
            "password_reset",
            address,
            settings.verification_token_ttl_hours * HOUR_MS,
            user_id=user["id"] if user else None,
            callback_url=callback_url,
        )
        await self._mails.send(
            wanted,
            lambda token: {
                "resetLink": with_query(page, token=token, email=address),
                "token": token,
            },
            user,
            really=really,
        )

    async def find(self, email: str, token: str) -> Token:
        """The good token of that address; the first checks of `confirm`.

        Raises InvalidEmail, VerificationTokenNotFound, VerificationTokenExpired.
        """
        address = normalise_email(email)
        held = await self._mails.tokens.find(token, "password_reset")
        if held is None or held.email != address:
            raise VerificationTokenNotFound
        if self._mails.tokens.is_expired(held):
            raise VerificationTokenExpired
        return held

    async def confirm(self, email: str, token: str, new_password: str) -> None:
        """Replace the password and end all sessions; the checks in the order of 10 §8.

        Raises what `find` raises, InvalidPasswordFormat, WeakPassword, SameAsPreviousPassword,
        AccountNotFound, Unavailable. Until it succeeds the token stays good.
        """
        settings = await self._parts.settings.current()
        encoded: str | None = None
        for _ in range(_TRIES):
            held = await self.find(email, token)
            settings.password_policy.check(new_password, "newPassword")
            user = await self._user(held)
            current = user.get("passwordHash") if user else None
            if current and await self._parts.hasher.verify(new_password, current):
                raise SameAsPreviousPassword
            if user is None:
                raise AccountNotFound
            encoded = encoded or await self._parts.hasher.hash(new_password)
            try:
                await self._parts.store.commit(await self._replaced(held, user, encoded))
            except (Conflict, Missing, Duplicate):
                continue  # token or user were changed meanwhile: look again
            return
        raise VerificationTokenNotFound

    async def _user(self, held: Token) -> dict[str, Any] | None:
        """Whom the token is for, while the address is still theirs."""
        body = await self._parts.store.get(USERS, held.user_id) if held.user_id else None
        user = decode(body) if body else None
        return user if user and user.get("emailKey") == held.email else None

    async def _replaced(self, held: Token, user: dict[str, Any], encoded: str) -> list[Operation]:
        now = self._parts.clock.now_ms()
        id = user["id"]
        changed = {
            "passwordHash": encoded,
            "passwordChangedAt": format_time(now),
            "emailVerified": user.get("emailVerified") or format_time(now),
        }
        is_theirs = Equals(("emailKey",), held.email)
        operations: list[Operation] = [
            held.use(),
            Update(USERS, id, set=changed, updated_at=now, guard=is_theirs),
            self._parts.sessions.end_all(id),
            self._parts.buckets.forget(FAILED_PASSWORDS, held.email),
        ]
        by_email = all_of(Equals(("userId",), id), Equals(("provider",), "email"))
        if not await self._parts.store.count(ACCOUNTS, by_email):
            operations.append(email_account(id, held.email, now))
        return operations
