"""Argon2id off the event loop, in a small pool with a bounded queue (10 §3, §4)."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from time import perf_counter, sleep, thread_time
from typing import TypeVar

from argon2 import PasswordHasher as Argon2
from argon2 import Type
from argon2.exceptions import InvalidHashError, VerificationError

from bkend.errors import Unavailable

T = TypeVar("T")

_NICENESS = 10
"""A tenth of the share of the threads that serve, while both want a processor."""

_CROWDED = 0.1
"""The processors are wanted by others when a hash waits for one longer than this share of its
time."""


class PasswordHasher:
    """Hashes and verifies; the defaults take about 20 ms and 19 MiB for each password.

    At most `waiting` calls queue behind the `workers`; one more raises `Unavailable`. There is
    one worker less than processors, and on Linux they leave a busy processor to others, so that
    requests are served while passwords are checked.
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
        self._pool = ThreadPoolExecutor(
            workers, thread_name_prefix="passwords", initializer=_step_back
        )
        self._pace = _Pace()
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
        future = self._pool.submit(self._pace.run, work)
        # Also runs when the caller went away before the work began.
        future.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(future)


class _Pace(threading.local):
    """Rests after work for as long as it took, while others want the processor: so reads keep
    most of their rate when many people sign in (decision 012)."""

    rest_until = 0.0

    def run(self, work: Callable[[], T]) -> T:
        """What the work returns; a rest that is due comes first."""
        rest = self.rest_until - perf_counter()
        if rest > 0:
            sleep(rest)
        started, used = perf_counter(), thread_time()
        try:
            return work()
        finally:
            ended, used = perf_counter(), thread_time() - used
            is_crowded = ended - started - used > used * _CROWDED
            self.rest_until = ended + used if is_crowded else 0.0


def _step_back() -> None:
    """Let the thread that calls this wait for those that serve, where threads can be told so."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        niceness = min(os.getpriority(os.PRIO_PROCESS, thread) + _NICENESS, 19)
        with suppress(OSError):  # forbidden by some sandboxes
            os.setpriority(os.PRIO_PROCESS, thread, niceness)


def _unmatched(memory_kib: int, time_cost: int, parallelism: int) -> str:
    """An encoded hash that costs as much to check as a real one and that no password has."""
    salt, digest = (b64encode(os.urandom(size)).decode().rstrip("=") for size in (16, 32))
    return f"$argon2id$v=19$m={memory_kib},t={time_cost},p={parallelism}${salt}${digest}"
