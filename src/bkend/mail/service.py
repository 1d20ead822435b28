"""Writing mail: rendered, then put in the outbox in one commit with what it is about (10 §14)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from bkend.clock import Clock
from bkend.ids import uuid4
from bkend.mail.collections import OUTBOX
from bkend.manage.environments import EnvironmentState
from bkend.store import Insert, Operation, Store

Category: TypeAlias = Literal[
    "signup_confirmation", "email_verification", "password_reset", "magic_link", "invitation"
]


class Mail:
    """The mail of one environment."""

    def __init__(self, store: Store, environment: EnvironmentState, clock: Clock) -> None:
        self._store = store
        self._environment = environment
        self._clock = clock

    async def compose(
        self, category: Category, to: str, values: Mapping[str, str], locale: str | None = None
    ) -> Operation:
        """The operation that puts a mail in the outbox, for the commit of what it is about.

        `values` are the variables of 10 §14 by name (`userName`, `resetLink`, …); `locale` is
        the user's, None for the default.
        """
        now = self._clock.now_ms()
        fields = {"category": category, "to": to, "values": dict(values), "locale": locale}
        return Insert(OUTBOX, uuid4(), fields, now, now)

    def send_soon(self) -> None:
        """To be called after that commit: delivery begins, and nobody waits for it."""
