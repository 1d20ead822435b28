"""Reads: inline on the event loop under a budget, else on a thread with the full time limit.

The loop's connection keeps its read transaction open between requests and opens a new one only
when something was committed: taking and dropping SQLite's locks costs more than the query.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import Any, TypeAlias, TypeVar

import apsw

from bkend.store.errors import QueryTimeout
from bkend.store.sqlite.files import open_file, unavailable

INLINE_SECONDS = 0.002
QUERY_SECONDS = 10.0
_STEPS_BETWEEN_LOOKS = 1000
_LEAST_LOOKS = 4
_IDLE_SNAPSHOT_SECONDS = 0.05
_SLOW_SECONDS = 10.0
_SLOW_MEMORY = 256

T = TypeVar("T")
Work: TypeAlias = Callable[[apsw.Connection, int | None], T]
"""A read over one snapshot; it may run twice, so it must have no side effect.

Its second argument is the snapshot's number, equal only for the very same one, or None when
nothing may be remembered about it.
"""


class Reader:
    """All read connections of one database file."""

    def __init__(
        self,
        path: Path,
        loop: asyncio.AbstractEventLoop,
        pool: ThreadPoolExecutor,
        commits: Callable[[], int],
        *,
        hold_snapshots: bool,
    ) -> None:
        self._path = path
        self._loop = loop
        self._pool = pool
        self._commits = commits
        self._hold = hold_snapshots
        self.checkpointing = False
        self._inline = open_file(path)
        self._deadline = math.inf
        self._looks = 0
        self._cursor = self._inline.cursor()
        self._inline.set_progress_handler(self._over_budget, _STEPS_BETWEEN_LOOKS)
        self._snapshot: int | None = None
        self._number = 0
        self._release: asyncio.TimerHandle | None = None
        self._used = False
        self._slow: dict[object, None] = {}
        self._idle: list[apsw.Connection] = []
        self._idle_lock = threading.Lock()
        self._closed = False

    def _over_budget(self) -> bool:
        """Time alone does not tell: on a busy machine a short query may have waited for the
        processor. A query is over budget when it has also done some work."""
        self._looks += 1
        return self._looks >= _LEAST_LOOKS and perf_counter() > self._deadline

    async def run(self, work: Work[T], shape: object, *, seconds: float | None = None) -> T:
        """Run the work; `shape` names its kind, so that a slow kind goes to a thread at once.

        Raises `QueryTimeout` after `seconds` (by default the limit of 20 §10).
        """
        if shape not in self._slow:
            try:
                return self.inline(work, INLINE_SECONDS)
            except apsw.InterruptError:
                self._remember_slow(shape)
        limit = QUERY_SECONDS if seconds is None else seconds
        try:
            return await self._loop.run_in_executor(self._pool, self._on_thread, work, limit)
        except apsw.InterruptError:
            raise QueryTimeout(f"no answer within {limit:.0f} s") from None

    def inline(self, work: Work[T], budget: float = math.inf) -> T:
        """Run on the loop's own connection; InterruptError when over budget.

        SQLError, a statement that no longer fits the tables, is the caller's to understand.
        """
        try:
            if self._hold and not self.checkpointing:
                self._fresh_snapshot()
                self._looks = 0
                self._deadline = perf_counter() + budget
                return work(self._inline, self._number)
            self.release()
            return self._alone(work, budget)
        except (apsw.InterruptError, apsw.SQLError):
            raise
        except apsw.Error as error:
            self.release()
            raise unavailable(error) from error
        finally:
            self._deadline = math.inf

    def value(self, sql: str, values: tuple[Any, ...]) -> Any:
        """The first value of a query that is quick by its nature, so outside any budget."""
        if not self._hold or self.checkpointing:
            return self.inline(lambda connection, snapshot: connection.execute(sql, values).get)
        try:
            self._fresh_snapshot()
            return self._cursor.execute(sql, values).get
        except apsw.SQLError:
            raise
        except apsw.Error as error:
            self.release()
            raise unavailable(error) from error

    def _alone(self, work: Work[T], budget: float) -> T:
        self._inline.execute("BEGIN")
        try:
            self._looks = 0
            self._deadline = perf_counter() + budget
            return work(self._inline, None)
        finally:
            self._deadline = math.inf
            _end_reading(self._inline)

    def _remember_slow(self, shape: object) -> None:
        """The memory is small and forgets the oldest, so a kind gets its chance again."""
        if len(self._slow) >= _SLOW_MEMORY:
            del self._slow[next(iter(self._slow))]
        self._slow[shape] = None
        self._loop.call_later(_SLOW_SECONDS, self._slow.pop, shape, None)

    # -- snapshots --------------------------------------------------------------------------

    def _fresh_snapshot(self) -> None:
        self._used = True
        commits = self._commits()
        if self._snapshot == commits:
            return
        self.release()
        self._inline.execute("BEGIN")
        self._snapshot = commits
        self._number += 1
        if self._release is None:
            self._release = self._loop.call_later(_IDLE_SNAPSHOT_SECONDS, self._release_if_idle)

    def _release_if_idle(self) -> None:
        self._release = None
        if self._used and self._snapshot is not None and not self.checkpointing:
            self._used = False
            self._release = self._loop.call_later(_IDLE_SNAPSHOT_SECONDS, self._release_if_idle)
        else:
            self.release()

    def release(self) -> None:
        """End the open read transaction, if any, so that a checkpoint can pass it."""
        if self._snapshot is not None:
            self._snapshot = None
            _end_reading(self._inline)

    # -- threads ----------------------------------------------------------------------------

    def _on_thread(self, work: Work[Any], limit: float) -> Any:
        with self._idle_lock:
            connection = self._idle.pop() if self._idle else None
        if connection is None:
            connection = open_file(self._path)
        deadline = perf_counter() + limit
        try:
            connection.execute("BEGIN")
            connection.set_progress_handler(
                lambda: perf_counter() > deadline, _STEPS_BETWEEN_LOOKS * 10
            )
            return work(connection, None)
        except (apsw.InterruptError, apsw.SQLError):
            raise
        except apsw.Error as error:
            raise unavailable(error) from error
        finally:
            connection.set_progress_handler(None)
            _end_reading(connection)
            self._put_back(connection)

    def _put_back(self, connection: apsw.Connection) -> None:
        with self._idle_lock:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        """Close every connection; one that a thread still reads from closes when it is done."""
        if self._release is not None:
            self._release.cancel()
        self._inline.close()
        with self._idle_lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()


def _end_reading(connection: apsw.Connection) -> None:
    """Nothing was written, and unlike COMMIT this also works after reading a damaged page."""
    if connection.in_transaction:
        connection.execute("ROLLBACK")
