"""Tries at a credential, counted while the environment's limits are on (10 §5)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bkend.auth.buckets import FAILED_PASSWORDS, Attempt, Buckets
from bkend.auth.settings import AuthSettings


@asynccontextmanager
async def counted(
    buckets: Buckets, settings: AuthSettings, address: str
) -> AsyncIterator[Attempt | None]:
    """One try at the password or code of an address; None when nothing is counted.

    Raises TooManyLoginAttempts.
    """
    if not settings.rate_limits_enabled:
        yield None
        return
    async with buckets.attempt(FAILED_PASSWORDS, address) as attempt:
        yield attempt
