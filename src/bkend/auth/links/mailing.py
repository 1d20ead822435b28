"""Mails with tokens: limited per address, and as much work for nobody as for somebody.

Whether an address is known must show neither in the answer nor in its time (10 §8), so for an
unknown one the same is written, and taken back in the same commit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bkend.auth.buckets import Limit
from bkend.auth.links.errors import TooManyCodeRequests
from bkend.auth.links.tokens import OneTimeTokens, Purpose, Wanted
from bkend.auth.parts import AuthParts
from bkend.auth.settings import AuthSettings
from bkend.auth.users import user_by_email
from bkend.errors import InvalidParameters
from bkend.ids import uuid4
from bkend.mail.service import Category
from bkend.store import Delete, Duplicate, Insert, Operation

_HOUR_MS = 60 * 60 * 1000
_MAILS = 5
_CATEGORIES: dict[Purpose, tuple[Category, Limit]] = {
    "magic_link": ("magic_link", Limit("mail-magic", _MAILS, _HOUR_MS, TooManyCodeRequests)),
    "password_reset": (
        "password_reset",
        Limit("mail-reset", _MAILS, _HOUR_MS, TooManyCodeRequests),
    ),
    "signup_confirmation": (
        "signup_confirmation",
        Limit("mail-verification", _MAILS, _HOUR_MS, TooManyCodeRequests),
    ),
    "email_verification": (
        "email_verification",
        Limit("mail-verification", _MAILS, _HOUR_MS, TooManyCodeRequests),
    ),
}


def address_of(user: dict[str, Any]) -> str:
    """Where a stored user gets mail; raises InvalidParameters for an imported one without an
    address."""
    address: str | None = user.get("emailKey")
    if address is None:
        raise InvalidParameters("The user has no e-mail address")
    return address


class LinkMails:
    """Makes a token, and the mail that carries it, in one commit."""

    def __init__(self, parts: AuthParts) -> None:
        self._store = parts.store
        self._mail = parts.mail
        self._buckets = parts.buckets
        self.tokens = OneTimeTokens(parts.store, parts.clock, parts.environment.id)

    async def user(self, address: str) -> dict[str, Any] | None:
        """The user with this normalised address."""
        return await user_by_email(self._store, address)

    async def count(self, purpose: Purpose, address: str, settings: AuthSettings) -> None:
        """Count a mail, known address or not; raises TooManyCodeRequests (10 §5)."""
        if settings.rate_limits_enabled:
            await self._buckets.take(_CATEGORIES[purpose][1], address)

    async def compose(
        self,
        wanted: Wanted,
        values: Callable[[str], dict[str, str]],
        user: dict[str, Any] | None,
        *,
        slot: str | None = None,
    ) -> list[Operation]:
        """The operations that store the token and put its mail in the outbox. `values` gives
        the mail's variables for the token; name, address and locale are the user's."""
        token, operations = self.tokens.make(wanted, slot or wanted.slot)
        about = {
            "userName": (user or {}).get("name") or wanted.name or "",
            "userEmail": wanted.email,
        }
        mail = await self._mail.compose(
            _CATEGORIES[wanted.purpose][0],
            wanted.email,
            {**about, **values(token)},
            (user or {}).get("locale"),
        )
        return [*operations, mail]

    async def send(
        self,
        wanted: Wanted,
        values: Callable[[str], dict[str, str]],
        user: dict[str, Any] | None,
        *,
        really: bool = True,
    ) -> None:
        """Commit and send; without `really` nothing is left of it and nothing is sent."""
        while True:
            slot = None if really else uuid4()  # what was really sent before stays good
            operations = await self.compose(wanted, values, user, slot=slot)
            if not really:
                operations += _taken_back(operations)
            try:
                await self._store.commit(operations)
            except Duplicate:
                continue  # another one was made at the same moment: ours is the newer one
            self.send_soon()
            return

    def send_soon(self) -> None:
        """To be called after a commit with what `compose` gave."""
        self._mail.send_soon()


def _taken_back(operations: Sequence[Operation]) -> list[Operation]:
    return [Delete(op.collection, op.id) for op in operations if isinstance(op, Insert)]
