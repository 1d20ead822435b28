"""What the services of authentication are made of, once per environment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bkend.auth.buckets import Buckets
from bkend.auth.passwords import PasswordHasher
from bkend.auth.sessions import Sessions
from bkend.auth.settings import StoredSettings
from bkend.auth.tokens import Tokens
from bkend.clock import Clock
from bkend.mail.service import Mail
from bkend.manage.environments import EnvironmentState
from bkend.sealing import Sealer
from bkend.store import Operation, Store


@dataclass(frozen=True, slots=True)
class AuthParts:
    """Shared by sign-in, links, providers and the second factor of one environment."""

    store: Store
    clock: Clock
    environment: EnvironmentState
    tokens: Tokens
    hasher: PasswordHasher
    sealer: Sealer
    mail: Mail
    buckets: Buckets
    sessions: Sessions
    settings: StoredSettings
    address: str
    """This server's own, as mails name it: `https://host[:port]`."""

    @classmethod
    def on(
        cls,
        store: Store,
        clock: Clock,
        environment: EnvironmentState,
        tokens: Tokens,
        hasher: PasswordHasher,
        sealer: Sealer,
        mail: Mail,
        address: str = "http://127.0.0.1:8000",
    ) -> AuthParts:
        """The parts on an environment's store."""
        return cls(
            store=store,
            clock=clock,
            environment=environment,
            tokens=tokens,
            hasher=hasher,
            sealer=sealer,
            mail=mail,
            buckets=Buckets(store, clock),
            sessions=Sessions(store, tokens, environment, clock),
            settings=StoredSettings(store, clock),
            address=address,
        )


class SecondFactor(Protocol):
    """What sign-in asks of the second factor (10 §10)."""

    async def demand(self, user: dict[str, Any], code: str | None) -> Sequence[Operation]:
        """The operations that use the code up, for the commit that opens the session: none
        without a second factor. Their Conflict means that somebody else has used the code.

        Raises MfaRequired without a code, InvalidMfaCode, MfaBackupCodesExhausted.
        """
