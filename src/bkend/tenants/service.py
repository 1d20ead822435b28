"""The accounts of tenants, all parts together: once per server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bkend.auth.errors import EmailNotVerified
from bkend.auth.social.asking import Asking
from bkend.auth.social.states import States
from bkend.clock import Clock
from bkend.errors import Unauthorized
from bkend.mail.service import Mail
from bkend.manage.keys import Keys
from bkend.manage.members import Members
from bkend.store import Store
from bkend.tenants.accounts import Accounts
from bkend.tenants.devices import Devices
from bkend.tenants.events import LoginEvents
from bkend.tenants.notifications import Notifications, Waiting
from bkend.tenants.own import OwnAccount
from bkend.tenants.parts import Parts
from bkend.tenants.providers import Credentials, SignInProviders
from bkend.tenants.recovery import Recovery
from bkend.tenants.sessions import Session, Sessions
from bkend.tenants.setup import Setup
from bkend.tenants.signing_in import SigningIn
from bkend.tenants.signing_up import SigningUp
from bkend.tenants.tokens import Tokens


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Somebody with a session."""

    account: dict[str, Any]
    """As it is stored: `accounts.shape` is what may be shown."""
    session: Session


@dataclass(frozen=True, slots=True)
class Tenants:
    """What the session and account calls of the management API are answered by."""

    parts: Parts
    accounts: Accounts
    sessions: Sessions
    events: LoginEvents
    setup: Setup
    signing_in: SigningIn
    signing_up: SigningUp
    recovery: Recovery
    own: OwnAccount
    tokens: Tokens
    devices: Devices
    providers: SignInProviders
    notifications: Notifications
    mail: Mail
    """Mails of the server itself."""

    @classmethod
    def on(
        cls,
        parts: Parts,
        store: Store,
        clock: Clock,
        keys: Keys,
        members: Members,
        mail: Mail,
        states: States,
        asking: Asking,
        credentials: Mapping[str, Credentials],
        invitations: Waiting,
    ) -> Tenants:
        """All parts on the control store; `credentials` are those of the providers that people may
        sign in with, `invitations` answers which ones wait for an address."""
        tokens = Tokens(store, keys, members, clock)
        signing_in = SigningIn(parts, tokens)
        return cls(
            parts=parts,
            accounts=parts.accounts,
            sessions=parts.sessions,
            events=parts.events,
            setup=Setup(parts, keys),
            signing_in=signing_in,
            signing_up=SigningUp(parts),
            recovery=Recovery(parts, tokens),
            own=OwnAccount(parts, tokens),
            tokens=tokens,
            devices=Devices(parts, tokens),
            providers=SignInProviders(states, asking, credentials, signing_in),
            notifications=Notifications(store, clock, members, invitations),
            mail=mail,
        )

    async def signed_in(self, cookie: str) -> SignedIn | None:
        """Who has the session of a cookie: a live one, of an active account."""
        session = await self.sessions.find(cookie)
        account = await self.accounts.get(session.account_id) if session else None
        if session is None or account is None or account["status"] != "active":
            return None
        return SignedIn(account, session)

    async def require_active(self, account_id: str) -> None:
        """Raises Unauthorized for the token of an account that was disabled; `""` is none's."""
        account = await self.accounts.get(account_id) if account_id else None
        if account is not None and account["status"] != "active":
            raise Unauthorized("The account that made the management token is disabled")

    async def require_verified(self, account_id: str) -> None:
        """Raises EmailNotVerified for an account whose mailbox nobody has shown to be theirs, on a
        server that sends mail (50 §4)."""
        account = await self.accounts.get(account_id)
        if account is not None and account["emailVerifiedAt"] is None and not self.mail.captures:
            raise EmailNotVerified

    async def sweep(self) -> None:
        """Remove what time has ended."""
        parts = self.parts
        await parts.store.commit(
            [
                parts.buckets.drop_expired(),
                parts.sessions.drop_expired(),
                parts.links.drop_expired(),
                self.devices.drop_expired(),
                parts.events.drop_old(),
            ]
        )
