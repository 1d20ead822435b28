"""Sign-up and sign-in by a link in a mail (10 §6)."""

from __future__ import annotations

from typing import Any

from bkend.auth.buckets import FAILED_PASSWORDS
from bkend.auth.collections import ACCOUNTS, USERS
from bkend.auth.emails import normalise_email
from bkend.auth.errors import AccountBanned, MagicLinkDisabled, SignupDisabled, UnsupportedProvider
from bkend.auth.links.addresses import with_query
from bkend.auth.links.errors import MagicLinkNotAvailableForSocial
from bkend.auth.links.mailing import LinkMails
from bkend.auth.links.shapes import Sent, SocialResult, sent
from bkend.auth.links.tokens import Token, Wanted
from bkend.auth.parts import AuthParts, SecondFactor
from bkend.auth.redirects import require_allowed
from bkend.auth.sessions import Client
from bkend.auth.settings import AuthSettings
from bkend.auth.shapes import auth_user
from bkend.auth.users import email_account, new_user, stored_user
from bkend.errors import InvalidToken, TokenExpired
from bkend.ids import uuid4
from bkend.store import (
    Check,
    Conflict,
    Duplicate,
    Equals,
    Insert,
    Missing,
    Not,
    Operation,
    Update,
    all_of,
)
from bkend.store.documents import format_time

_MINUTE_MS = 60_000
_LONGEST_NAME = 100
_TRIES = 5


class MagicLinks:
    """The magic links of one environment."""

    def __init__(self, parts: AuthParts, mails: LinkMails, second_factor: SecondFactor) -> None:
        self._parts = parts
        self._mails = mails
        self._second_factor = second_factor

    async def request_sign_up(self, email: str, callback_url: str, name: str | None) -> Sent:
        """Mail a link that signs in, and up where the address is new. No user is made yet.

        Raises UnsupportedProvider, MagicLinkDisabled, InvalidEmail, InvalidRequest,
        TooManyCodeRequests, MagicLinkNotAvailableForSocial.
        """
        return await self._request(email, callback_url, name, may_sign_up=True)

    async def request_sign_in(self, email: str, callback_url: str) -> Sent:
        """Mail a link that signs in; an unknown address is answered alike and gets nothing.

        Raises what `request_sign_up` raises.
        """
        return await self._request(email, callback_url, None, may_sign_up=False)

    async def _request(
        self, email: str, callback_url: str, name: str | None, *, may_sign_up: bool
    ) -> Sent:
        settings = await self._parts.settings.current()
        _require_enabled(settings)
        address = normalise_email(email)
        require_allowed(callback_url, settings, self._parts.environment)
        await self._mails.count("magic_link", address, settings)
        user = await self._mails.user(address)
        if user is not None:
            await self._require_email_account(user)
        wanted = Wanted(
            "magic_link",
            address,
            settings.magic_link_expiration_minutes * _MINUTE_MS,
            user_id=user["id"] if user else None,
            name=None if user else name,
            callback_url=callback_url,
        )
        await self._mails.send(
            wanted,
            lambda token: {"magicLink": with_query(callback_url, token=token), "token": token},
            user,
            really=user is not None or (may_sign_up and settings.allow_signup),
        )
        return sent("If this address can sign in, a link is on its way", address)

    async def _require_email_account(self, user: dict[str, Any]) -> None:
        """Raises MagicLinkNotAvailableForSocial for who has social accounts alone."""
        theirs = Equals(("userId",), user["id"])
        is_email = Equals(("provider",), "email")
        if user.get("passwordHash"):
            return
        if await self._parts.store.count(ACCOUNTS, all_of(theirs, is_email)):
            return
        if await self._parts.store.count(ACCOUNTS, theirs):
            raise MagicLinkNotAvailableForSocial

    async def redeem(self, token: str, mfa_code: str | None, client: Client) -> SocialResult:
        """Use a link up: make the user on the first redemption, open a session.

        Raises UnsupportedProvider, MagicLinkDisabled, InvalidToken, TokenExpired,
        SignupDisabled, AccountBanned, TooManyLoginAttempts, and what `SecondFactor.demand`
        raises; the token stays good for another code.
        """
        settings = await self._parts.settings.current()
        _require_enabled(settings)
        for _ in range(_TRIES):
            held = await self._mails.tokens.find(token, "magic_link")
            if held is None:
                raise InvalidToken
            if self._mails.tokens.is_expired(held):
                raise TokenExpired("The link has expired; ask for a new one")
            user = await self._mails.user(held.email)
            try:
                if user is None:
                    return await self._sign_up(held, settings, client)
                return await self._sign_in(held, user, settings, mfa_code, client)
            except (Conflict, Missing, Duplicate):
                continue  # token, code or user were changed meanwhile: look again
        raise InvalidToken

    async def _sign_up(self, held: Token, settings: AuthSettings, client: Client) -> SocialResult:
        if held.user_id is not None:  # it was for a user who has gone since
            raise InvalidToken
        if not settings.allow_signup:
            raise SignupDisabled
        now = self._parts.clock.now_ms()
        name = held.name or held.email.partition("@")[0][:_LONGEST_NAME]
        id, fields = uuid4(), new_user(held.email, name, now, is_verified=True)
        made = [Insert(USERS, id, fields, now, now), email_account(id, held.email, now)]
        pair = await self._parts.sessions.open(
            id, fields["role"], client, settings, [held.use(), *made]
        )
        return {**pair, "user": auth_user(stored_user(id, fields, now)), "is_new_user": True}

    async def _sign_in(
        self,
        held: Token,
        user: dict[str, Any],
        settings: AuthSettings,
        mfa_code: str | None,
        client: Client,
    ) -> SocialResult:
        if held.user_id not in (None, user["id"]):
            raise InvalidToken
        if user.get("status", "active") != "active":
            raise AccountBanned
        codes = await self._codes(user, settings, mfa_code)
        verified, seen = self._verified(user)
        forgotten = self._parts.buckets.forget(FAILED_PASSWORDS, held.email)
        pair = await self._parts.sessions.open(
            user["id"],
            user["role"],
            client,
            settings,
            [held.use(), *codes, seen, forgotten],
        )
        return {**pair, "user": auth_user(verified), "is_new_user": False}

    async def _codes(
        self, user: dict[str, Any], settings: AuthSettings, mfa_code: str | None
    ) -> list[Operation]:
        """The second factor's operations; wrong codes count as failed sign-ins (10 §5)."""
        if not (user.get("mfaEnabled") and settings.rate_limits_enabled):
            return list(await self._second_factor.demand(user, mfa_code))
        async with self._parts.buckets.attempt(FAILED_PASSWORDS, user["email"]):
            return list(await self._second_factor.demand(user, mfa_code))

    def _verified(self, user: dict[str, Any]) -> tuple[dict[str, Any], Operation]:
        """The user as signed in: the link has shown that the address is theirs."""
        is_theirs = all_of(
            Equals(("emailKey",), user["emailKey"]), Not(Equals(("status",), "banned"))
        )
        if user.get("emailVerified"):
            return user, Check(USERS, all_of(Equals(("id",), user["id"]), is_theirs), at_least=1)
        now = self._parts.clock.now_ms()
        stamp = {"emailVerified": format_time(now)}
        seen = Update(USERS, user["id"], set=stamp, updated_at=now, guard=is_theirs)
        return {**user, **stamp, "updatedAt": format_time(now)}, seen


def _require_enabled(settings: AuthSettings) -> None:
    """Raises UnsupportedProvider, MagicLinkDisabled (10 §13)."""
    if not settings.email_enabled:
        raise UnsupportedProvider
    if not settings.magic_link_enabled:
        raise MagicLinkDisabled
