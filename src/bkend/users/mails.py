"""What tenants ask of the mails of sign-in (51 §8)."""

from __future__ import annotations

from typing import Any, Protocol


class UserMails(Protocol):
    """Writes to a user whom somebody else has picked; the user is the stored document."""

    async def send_password_reset(self, user: dict[str, Any]) -> None:
        """Mail the link that sets a password, whether or not the user has one."""

    async def send_verification(self, user: dict[str, Any]) -> None:
        """Mail the link that verifies the address."""
