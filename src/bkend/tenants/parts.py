"""What the services of tenants' accounts are made of, once per server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from bkend.auth.buckets import Buckets
from bkend.auth.passwords import PasswordHasher
from bkend.clock import Clock
from bkend.mail.service import Mail
from bkend.manage.environments import EnvironmentState, ProjectState
from bkend.sealing import Sealer
from bkend.store import Store
from bkend.tenants.accounts import Accounts
from bkend.tenants.events import LoginEvents
from bkend.tenants.links import Links
from bkend.tenants.mfa import Mfa
from bkend.tenants.sessions import Sessions

SignupMode: TypeAlias = Literal["closed", "invite", "open"]
SignupInForce: TypeAlias = Callable[[], Awaitable[SignupMode]]
"""Tells who may sign up at this moment: it may be changed while the server runs."""
Invited: TypeAlias = Callable[[str, str | None], Awaitable[bool]]
"""Whether an organization waits for somebody: asked with the normalised address and, where there
is one, the invitation's token, which must then be theirs."""

SERVER = EnvironmentState(
    "control", "control", True, ProjectState("", "bkend", True, "bare", frozenset(), frozenset())
)
"""What mails of the server itself stand under, in place of an environment."""


async def nobody_invited(email: str, token: str | None) -> bool:
    """Where there are no invitations."""
    return False


@dataclass(frozen=True, slots=True)
class Parts:
    """Shared by signing up and in, recovery, and the account's own pages."""

    store: Store
    clock: Clock
    hasher: PasswordHasher
    buckets: Buckets
    accounts: Accounts
    sessions: Sessions
    links: Links
    mfa: Mfa
    events: LoginEvents
    signup_mode: SignupInForce
    invited: Invited

    @classmethod
    def on(
        cls,
        store: Store,
        clock: Clock,
        hasher: PasswordHasher,
        sealer: Sealer,
        mail: Mail,
        base: str,
        signup_mode: SignupInForce,
        invited: Invited = nobody_invited,
    ) -> Parts:
        """The parts on the control store; `base` is this server's address, for links in mails."""
        buckets = Buckets(store, clock)
        return cls(
            store=store,
            clock=clock,
            hasher=hasher,
            buckets=buckets,
            accounts=Accounts(store, clock),
            sessions=Sessions(store, clock),
            links=Links(store, clock, mail, buckets, base),
            mfa=Mfa(store, clock, sealer),
            events=LoginEvents(store, clock),
            signup_mode=signup_mode,
            invited=invited,
        )
