"""Sign-up, sign-in and what a signed-in user does with sessions and password (10 §6, §8, §10)."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from bkend.auth.attempts import counted
from bkend.auth.buckets import SIGN_UPS, sign_ups_from
from bkend.auth.collections import USERS
from bkend.auth.emails import normalise_email
from bkend.auth.errors import (
    AccountBanned,
    EmailAlreadyExists,
    EmailNotVerified,
    InvalidCredentials,
    InvalidPassword,
    PasswordExpired,
    SameAsPreviousPassword,
    SessionNotFound,
    SignupDisabled,
    UnsupportedProvider,
)
from bkend.auth.identity import Identity
from bkend.auth.links.mailing import LinkMails
from bkend.auth.links.tokens import void_resets
from bkend.auth.links.verification import Verification
from bkend.auth.mfa.collections import MFA
from bkend.auth.mfa.errors import InvalidMfaCode
from bkend.auth.parts import AuthParts, SecondFactor
from bkend.auth.sessions import Client
from bkend.auth.settings import AuthSettings
from bkend.auth.shapes import AuthResult, AuthUser, SessionList, TokenPair, auth_user
from bkend.auth.users import email_account, new_user, stored_user, user_by_email
from bkend.errors import InvalidToken
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
from bkend.store.documents import format_time, parse_time


class AuthService:
    """The authentication of one environment's users."""

    def __init__(self, parts: AuthParts, second_factor: SecondFactor) -> None:
        self._store = parts.store
        self._clock = parts.clock
        self._hasher = parts.hasher
        self._buckets = parts.buckets
        self._sessions = parts.sessions
        self._second_factor = second_factor
        self._verification = Verification(parts, LinkMails(parts))
        self.settings = parts.settings

    # -- signing up and in ------------------------------------------------------------------

    async def sign_up(self, email: str, password: str, name: str, client: Client) -> AuthResult:
        """Make a user with an `email` account, and open a session.

        Raises InvalidEmail, UnsupportedProvider, InvalidPasswordFormat, WeakPassword,
        SignupDisabled, TooManyRequests, EmailAlreadyExists; Unavailable when too many passwords
        wait to be hashed.
        """
        address = normalise_email(email)
        settings = await self.settings.current()
        _require_email(settings)
        settings.password_policy.check(password)
        if not settings.allow_signup:
            raise SignupDisabled
        await self._count_sign_up(settings, address, client)
        if await user_by_email(self._store, address) is not None:
            raise EmailAlreadyExists
        encoded = await self._hasher.hash(password)
        now = self._clock.now_ms()
        id = uuid4()
        fields = new_user(address, name, now, password_hash=encoded)
        mail = await self._verification.sign_up_mail(stored_user(id, fields, now), settings)
        made = [Insert(USERS, id, fields, now, now), email_account(id, address, now), *mail]
        try:
            pair = await self._sessions.open(id, fields["role"], client, settings, made)
        except Duplicate:
            raise EmailAlreadyExists from None
        if mail:
            self._verification.sign_up_mailed()
        return {**pair, "user": auth_user(stored_user(id, fields, now))}

    async def sign_in(
        self, email: str, password: str, client: Client, mfa_code: str | None = None
    ) -> AuthResult:
        """Open a session for the right password; the checks in the order of 10 §6.

        Raises InvalidEmail, UnsupportedProvider, TooManyLoginAttempts, InvalidCredentials,
        AccountBanned, EmailNotVerified, PasswordExpired, MfaRequired, InvalidMfaCode,
        MfaBackupCodesExhausted, Unavailable.
        """
        address = normalise_email(email)
        settings = await self.settings.current()
        _require_email(settings)
        async with counted(self._buckets, settings, address) as attempt:
            user = await user_by_email(self._store, address)
            encoded = user.get("passwordHash") if user else None
            matches = await self._hasher.verify(password, encoded)
            if user is None or not encoded or not matches:
                raise InvalidCredentials
            require_admissible(user, settings, self._clock.now_ms())
            used_up = await self._second_factor.demand(user, mfa_code)
            operations = [await self._unchanged(user["id"], encoded, password), *used_up]
            if attempt is not None:
                operations.append(attempt.clear())
            try:
                pair = await self._sessions.open(
                    user["id"], user["role"], client, settings, operations
                )
            except (Conflict, Missing) as refused:
                if refused.collection == MFA:  # somebody else has used the code
                    raise InvalidMfaCode from None
                # The password was changed while this one was checked.
                raise InvalidCredentials from None
        return {**pair, "user": auth_user(user)}

    async def refresh(self, refresh_token: str) -> TokenPair:
        """The next token pair of a session; see `Sessions.refresh`."""
        return await self._sessions.refresh(refresh_token, await self.settings.current())

    # -- signed in --------------------------------------------------------------------------

    def me(self, identity: Identity) -> AuthUser:
        """The caller."""
        return auth_user(identity.user)

    async def list_sessions(self, identity: Identity, page: int, limit: int) -> SessionList:
        """The caller's live sessions, newest activity first."""
        return await self._sessions.list(identity, page, limit)

    async def end_session(self, identity: Identity, session_id: str) -> None:
        """Sign one of the caller's devices out; raises SessionNotFound."""
        await self._sessions.end(identity, session_id)

    async def sign_out(self, identity: Identity) -> None:
        """End the caller's session; raises InvalidToken if it has just been ended elsewhere."""
        try:
            await self._sessions.end(identity, identity.session_id)
        except SessionNotFound:
            raise InvalidToken from None

    async def change_password(self, identity: Identity, current: str, new: str) -> None:
        """Replace the password and end every session of the user, the calling one included.

        Raises TooManyLoginAttempts, InvalidPassword, SameAsPreviousPassword,
        InvalidPasswordFormat, Unavailable.
        """
        settings = await self.settings.current()
        async with counted(self._buckets, settings, identity.user["email"]):
            encoded = identity.user.get("passwordHash")
            if not await self._hasher.verify(current, encoded):
                raise InvalidPassword
            if new == current:
                raise SameAsPreviousPassword
            settings.password_policy.check(new, "newPassword")
            now = self._clock.now_ms()
            changed = {
                "passwordHash": await self._hasher.hash(new),
                "passwordChangedAt": format_time(now),
            }
            is_unchanged = Equals(("passwordHash",), encoded)
            id = identity.user_id
            try:
                await self._store.commit(
                    [
                        Update(USERS, id, set=changed, updated_at=now, guard=is_unchanged),
                        self._sessions.end_all(id),
                        void_resets(id),
                    ]
                )
            except (Conflict, Missing):  # changed meanwhile, or the user is gone
                raise InvalidPassword from None

    def note_activity(self, identity: Identity) -> Coroutine[Any, Any, None] | None:
        """Background work that notes when the session was last used, or None."""
        return self._sessions.note_activity(identity)

    async def sweep(self) -> None:
        """Remove what time has ended: buckets past their window, sessions long expired."""
        await self._store.commit([self._buckets.drop_expired(), self._sessions.drop_expired()])

    # -- parts ------------------------------------------------------------------------------

    async def _count_sign_up(self, settings: AuthSettings, address: str, client: Client) -> None:
        if not settings.rate_limits_enabled:
            return
        most = settings.sign_ups_per_address
        if most is not None and client.ip_address:
            await self._buckets.take(sign_ups_from(most), client.ip_address)
        await self._buckets.take(SIGN_UPS, address)

    async def _unchanged(self, user_id: str, encoded: str, password: str) -> Operation:
        """Ties a session to the password it was opened with, renewing an outdated hash."""
        has_password = Equals(("passwordHash",), encoded)
        is_active = Not(Equals(("status",), "banned"))
        if self._hasher.needs_rehash(encoded):
            renewed = {"passwordHash": await self._hasher.hash(password)}
            return Update(USERS, user_id, set=renewed, guard=all_of(has_password, is_active))
        is_user = Equals(("id",), user_id)
        return Check(USERS, all_of(is_user, has_password, is_active), at_least=1)


def _require_email(settings: AuthSettings) -> None:
    """Raises UnsupportedProvider where signing in by address is switched off (10 §13)."""
    if not settings.email_enabled:
        raise UnsupportedProvider


def require_admissible(user: dict[str, Any], settings: AuthSettings, now: int) -> None:
    """The checks that only the right password gets to see."""
    if user.get("status", "active") != "active":
        raise AccountBanned
    if settings.require_email_verification and not user.get("emailVerified"):
        raise EmailNotVerified
    changed_at = user.get("passwordChangedAt") or user["createdAt"]
    if settings.password_policy.is_expired(parse_time(changed_at), now):
        raise PasswordExpired
