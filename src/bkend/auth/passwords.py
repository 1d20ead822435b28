"""Argon2id off the event loop, in a small pool with a bounded queue (10 §3, §4)."""

from __future__ import annotations

import asyncio
import os
import threading
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher as Argon2
from argon2 import Type
from argon2.exceptions import InvalidHashError, VerificationError

from bkend.errors import Unavailable

T = TypeVar("T")


class PasswordHasher:
    """Hashes and verifies; the defaults take about 20 ms and 19 MiB for each password.

    At most `waiting` calls queue behind the `workers`; one more raises `Unavailable`. There is
    one worker less than processors, so that requests are served while passwords are checked.
    """

    def __init__(
        self,
        *,
        memory_kib: int = 19 * 1024,
        time_cost: int = 2,
        parallelism: int = 1,
        workers: int | None = None,
        waiting: int = 256,
    ) -> None:
        workers = workers or max(1, (os.cpu_count() or 1) - 1)
        self._argon2 = Argon2(
            time_cost=time_cost, memory_cost=memory_kib, parallelism=parallelism, type=Type.ID
        )
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="passwords")
        self._places = threading.BoundedSemaphore(workers + waiting)
        self._dummy = _unmatched(memory_kib, time_cost, parallelism)

    async def hash(self, password: str) -> str:
        """The encoded hash with its salt and parameters."""
        return await self._run(lambda: self._argon2.hash(password))

    async def verify(self, password: str, encoded: str | None) -> bool:
        """Whether the password is the hashed one.

        Without a hash the answer is False, and takes as long as if there were one: nobody
        learns from the time whether an address is known (10 §6).
        """
        matches = await self._run(lambda: self._matches(password, encoded or self._dummy))
        return matches and bool(encoded)

    def needs_rehash(self, encoded: str) -> bool:
        """Whether the hash was made with other parameters than this hasher's."""
        return self._argon2.check_needs_rehash(encoded)

    def close(self) -> None:
        """Finish what is queued and end the threads."""
        self._pool.shutdown()

    def _matches(self, password: str, encoded: str) -> bool:
        try:
            return self._argon2.verify(encoded, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if not self._places.acquire(blocking=False):
            raise Unavailable("Too many people are signing in right now; try again in a moment")
        future = self._pool.submit(work)
        # Also runs when the caller went away before the work began.
        future.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(future)


def _unmatched(memory_kib: int, time_cost: int, parallelism: int) -> str:
    """An encoded hash that costs as much to check as a real one and that no password has."""
    salt, digest = (b64encode(os.urandom(size)).decode().rstrip("=") for size in (16, 32))
    return f"$argon2id$v=19$m={memory_kib},t={time_cost},p={parallelism}${salt}${digest}"
