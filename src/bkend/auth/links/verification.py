"""Verifying addresses, and changing one's own (10 §9)."""

from __future__ import annotations

from typing import Any

import orjson

from bkend.auth.collections import ACCOUNTS, USERS
from bkend.auth.emails import normalise_email
from bkend.auth.errors import EmailAlreadyExists
from bkend.auth.identity import Identity
from bkend.auth.links.addresses import CONFIRM_PATH, with_query
from bkend.auth.links.errors import (
    AlreadyVerified,
    VerificationTokenExpired,
    VerificationTokenNotFound,
)
from bkend.auth.links.mailing import LinkMails, address_of
from bkend.auth.links.resets import HOUR_MS
from bkend.auth.links.shapes import Sent, sent
from bkend.auth.links.tokens import Purpose, Token, Wanted, void_all
from bkend.auth.parts import AuthParts
from bkend.auth.redirects import require_allowed
from bkend.auth.settings import AuthSettings
from bkend.store import (
    Conflict,
    Duplicate,
    Equals,
    Find,
    Missing,
    Operation,
    Update,
    all_of,
)
from bkend.store.documents import decode, format_time

_PURPOSES: tuple[Purpose, ...] = ("signup_confirmation", "email_verification")
_TRIES = 5


class Verification:
    """The verification of one environment's addresses."""

    def __init__(self, parts: AuthParts, mails: LinkMails) -> None:
        self._parts = parts
        self._mails = mails

    # -- asking -----------------------------------------------------------------------------

    async def sign_up_mail(self, user: dict[str, Any], settings: AuthSettings) -> list[Operation]:
        """The operations of a new user's mail, for the commit that makes the user; none unless
        the settings ask for it. After that commit `sign_up_mailed` is to be called."""
        if not (settings.send_verification_on_signup or settings.require_email_verification):
            return []
        wanted = self._wanted("signup_confirmation", user["email"], settings, user["id"], None)
        return await self._mails.compose(
            wanted, lambda token: self._confirming(token, wanted), user
        )

    def sign_up_mailed(self) -> None:
        """Begin to deliver."""
        self._mails.send_soon()

    async def resend_sign_up(self, email: str, callback_url: str | None) -> Sent:
        """Mail a new user's link again; an unknown address is answered alike.

        Raises InvalidEmail, InvalidRequest, TooManyCodeRequests, AlreadyVerified.
        """
        address = normalise_email(email)
        settings = await self._checked(callback_url)
        await self._mails.count("signup_confirmation", address, settings)
        user = await self._mails.user(address)
        if user is not None and user.get("emailVerified"):
            raise AlreadyVerified
        id = user["id"] if user else None
        wanted = self._wanted("signup_confirmation", address, settings, id, callback_url)
        await self._mails.send(
            wanted,
            lambda token: self._confirming(token, wanted),
            user,
            really=user is not None,
        )
        return sent("If this address is to be verified, a link is on its way", address)

    async def request(
        self, email: str, callback_url: str | None, identity: Identity | None
    ) -> Sent:
        """Mail a link to verify an address. For a signed-in user it may be a free one, which
        becomes theirs once it is confirmed; without one an unknown address is answered alike.

        Raises InvalidEmail, InvalidRequest, TooManyCodeRequests, AlreadyVerified,
        EmailAlreadyExists.
        """
        address = normalise_email(email)
        settings = await self._checked(callback_url)
        await self._mails.count("email_verification", address, settings)
        owner = await self._mails.user(address)
        changes = identity is not None and address != identity.user["email"]
        if changes and owner is not None:
            raise EmailAlreadyExists
        user = identity.user if identity is not None else owner
        if user is not None and not changes and user.get("emailVerified"):
            raise AlreadyVerified
        id = user["id"] if user else None
        wanted = self._wanted(
            "email_verification", address, settings, id, callback_url, changes=changes
        )
        await self._mails.send(
            wanted,
            lambda token: self._verifying(token, wanted),
            user,
            really=user is not None,
        )
        return sent("If this address is to be verified, a link is on its way", address)

    async def send_to(self, user: dict[str, Any]) -> str:
        """Mail a link that verifies the address of a stored user whom somebody else has picked;
        the address. Nothing is counted. Raises InvalidParameters, AlreadyVerified."""
        address = address_of(user)
        if user.get("emailVerified"):
            raise AlreadyVerified
        settings = await self._parts.settings.current()
        wanted = self._wanted("email_verification", address, settings, user["id"], None)
        await self._mails.send(wanted, lambda token: self._verifying(token, wanted), user)
        return address

    async def _checked(self, callback_url: str | None) -> AuthSettings:
        settings = await self._parts.settings.current()
        if callback_url is not None:
            require_allowed(callback_url, settings, self._parts.environment)
        return settings

    def _wanted(
        self,
        purpose: Purpose,
        address: str,
        settings: AuthSettings,
        user_id: str | None,
        callback_url: str | None,
        *,
        changes: bool = False,
    ) -> Wanted:
        return Wanted(
            purpose,
            address,
            settings.verification_token_ttl_hours * HOUR_MS,
            user_id=user_id,
            callback_url=callback_url,
            changes_address=changes,
        )

    def _confirming(self, token: str, wanted: Wanted) -> dict[str, str]:
        """Through this server's GET, which leads on to the callback."""
        back = {"callbackUrl": wanted.callback_url} if wanted.callback_url else {}
        url = self._parts.address + CONFIRM_PATH
        link = with_query(url, token=token, email=wanted.email, **back)
        return {"verifyLink": link, "token": token}

    def _verifying(self, token: str, wanted: Wanted) -> dict[str, str]:
        """Straight to the app, which posts the token; without a callback as above."""
        if wanted.callback_url is None:
            return self._confirming(token, wanted)
        link = with_query(wanted.callback_url, token=token, email=wanted.email)
        return {"verifyLink": link, "token": token}

    # -- confirming -------------------------------------------------------------------------

    async def callback(self, token: str, given: str | None) -> str | None:
        """Where to lead a browser: the given address, else the one stored with the token.

        Raises InvalidRequest for a given one that is neither stored nor allowed.
        """
        held = await self._mails.tokens.find(token, *_PURPOSES)
        stored = held.callback_url if held else None
        if given is not None and given != stored:
            settings = await self._parts.settings.current()
            require_allowed(given, settings, self._parts.environment)
        return given or stored

    async def confirm(self, email: str, token: str) -> str:
        """Verify the address, and change it where that was asked for; the address.

        Raises InvalidEmail, VerificationTokenNotFound, VerificationTokenExpired,
        AlreadyVerified, EmailAlreadyExists.
        """
        address = normalise_email(email)
        for _ in range(_TRIES):
            held = await self._mails.tokens.find(token, *_PURPOSES)
            if held is None or held.email != address:
                raise VerificationTokenNotFound
            if self._mails.tokens.is_expired(held):
                raise VerificationTokenExpired
            user = await self._owner(held)
            if not held.changes_address and user.get("emailVerified"):
                raise AlreadyVerified
            try:
                await self._parts.store.commit([held.use(), *await self._effect(held, user)])
            except Duplicate:
                raise EmailAlreadyExists from None
            except (Conflict, Missing):
                continue  # token or user were changed meanwhile: look again
            return address
        raise VerificationTokenNotFound

    async def _owner(self, held: Token) -> dict[str, Any]:
        body = await self._parts.store.get(USERS, held.user_id) if held.user_id else None
        user = decode(body) if body else None
        if user is None or user.get("deletedAt"):
            raise VerificationTokenNotFound
        if not held.changes_address and user.get("emailKey") != held.email:
            raise VerificationTokenNotFound
        return user

    async def _effect(self, held: Token, user: dict[str, Any]) -> list[Operation]:
        now = self._parts.clock.now_ms()
        changed: dict[str, Any] = {"emailVerified": format_time(now)}
        if held.changes_address:
            changed |= {"email": held.email, "emailKey": held.email}
        same = Equals(("emailKey",), user["emailKey"])
        operations: list[Operation] = [
            Update(USERS, user["id"], set=changed, updated_at=now, guard=same)
        ]
        if held.changes_address:
            operations += await self._moved_account(held, user["id"], now)
            operations.append(void_all(user["id"]))  # links in the old mailbox end
        return operations

    async def _moved_account(self, held: Token, user_id: str, now: int) -> list[Operation]:
        is_email = all_of(Equals(("userId",), user_id), Equals(("provider",), "email"))
        found = await self._parts.store.find(Find(ACCOUNTS, is_email, limit=1))
        moved = {"providerAccountId": held.email, "email": held.email}
        accounts: list[dict[str, Any]] = orjson.loads(found.items)
        return [
            Update(ACCOUNTS, account["id"], set=moved, updated_at=now, guard=is_email)
            for account in accounts
        ]
