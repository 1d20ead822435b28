"""Connections: a bounded number, made when needed, handed on without a round trip.

Errors of the database are raised as they are; `failures` has the words for them.

Nothing that a request does leaves state behind in its session, so nothing is reset. Through a
transaction pooler every statement is a transaction of its own and carries its limits along.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal, TypeAlias

import asyncpg

from bkend.store.errors import QueryTimeout, StoreUnavailable
from bkend.store.postgres.failures import is_lost

QUERY_SECONDS = 10
_WAIT_SECONDS = 5.0
_CONNECT_SECONDS = 10.0
_GRACE_SECONDS = 5.0
_STATEMENTS = 512

Connection: TypeAlias = "asyncpg.Connection[Any]"
Isolation: TypeAlias = Literal["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]
LIMITS = {
    "statement_timeout": f"{QUERY_SECONDS}s",
    "lock_timeout": f"{QUERY_SECONDS}s",
    "idle_in_transaction_session_timeout": "30s",
    "synchronous_commit": "on",
    "jit": "off",
}


class Pool:
    """At most `size` connections to one address."""

    def __init__(
        self,
        url: str,
        size: int,
        *,
        transaction_pooling: bool = False,
        connected: Callable[[], None] = lambda: None,
    ) -> None:
        self._url = url
        self._size = size
        self._pooling = transaction_pooling
        self._connected = connected
        self._open = 0
        self._idle: list[Connection] = []
        self._busy: set[Connection] = set()
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._closed = False

    # -- use --------------------------------------------------------------------------------

    async def fetchrow(self, sql: str, *values: Any) -> asyncpg.Record | None:
        """The first row of one statement, which is a transaction of its own."""
        if self._pooling:
            async with self.transaction() as connection:
                return await connection.fetchrow(sql, *values)
        connection = await self._acquire()
        try:
            return await connection.fetchrow(sql, *values, timeout=QUERY_SECONDS + _GRACE_SECONDS)
        except BaseException as error:
            self._drop_if_unusable(connection, error)
            raise
        finally:
            self._release(connection)

    @asynccontextmanager
    async def transaction(
        self, isolation: Isolation = "READ COMMITTED", *, seconds: float | None = QUERY_SECONDS
    ) -> AsyncIterator[Connection]:
        """A transaction, committed on leaving; QueryTimeout when it is open for longer."""
        connection = await self._acquire()
        try:
            async with asyncio.timeout(seconds):
                await connection.execute(self._begin(isolation))
                yield connection
                await connection.execute("COMMIT")
        except TimeoutError:
            connection.terminate()
            raise QueryTimeout("no answer within the time limit") from None
        except BaseException as error:
            self._drop_if_unusable(connection, error)
            if not connection.is_closed():
                await self._roll_back(connection)
            raise
        finally:
            self._release(connection)

    def _begin(self, isolation: Isolation) -> str:
        begin = f"BEGIN ISOLATION LEVEL {isolation}"
        if not self._pooling:
            return begin
        limits = (f"SET LOCAL {name}='{value}'" for name, value in LIMITS.items())
        return ";".join([begin, *limits])

    @staticmethod
    async def _roll_back(connection: Connection) -> None:
        try:
            await connection.execute("ROLLBACK", timeout=_GRACE_SECONDS)
        except BaseException:
            connection.terminate()
            raise

    @staticmethod
    def _drop_if_unusable(connection: Connection, error: BaseException) -> None:
        """A task that was cancelled leaves a statement running; its connection is not kept."""
        if not isinstance(error, Exception) or is_lost(error):
            connection.terminate()

    # -- connections ------------------------------------------------------------------------

    async def connect(self) -> Connection:
        """A connection of the caller's own, not counted."""
        settings = None if self._pooling else {**LIMITS, "application_name": "bkend"}
        connection: Connection = await asyncpg.connect(
            self._url,
            timeout=_CONNECT_SECONDS,
            server_settings=settings,
            statement_cache_size=0 if self._pooling else _STATEMENTS,
            max_cached_statement_lifetime=0,
            max_cacheable_statement_size=256 * 1024,
        )
        return connection

    async def _acquire(self) -> Connection:
        """A connection that is open; StoreUnavailable when all stay busy."""
        while True:
            if self._closed:
                raise StoreUnavailable("the server is shutting down")
            while self._idle:
                connection = self._idle.pop()
                if not connection.is_closed():
                    self._busy.add(connection)
                    return connection
                self._open -= 1
            if self._open < self._size:
                return await self._connect_one()
            handed = await self._wait()
            if handed is not None:
                return handed

    async def _connect_one(self) -> Connection:
        self._open += 1
        try:
            connection = await self.connect()
        except BaseException:
            self._open -= 1
            self._wake(None)
            raise
        self._connected()
        self._busy.add(connection)
        return connection

    async def _wait(self) -> Connection | None:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Connection | None] = loop.create_future()
        self._waiting.append(future)
        timer = loop.call_later(_WAIT_SECONDS, self._give_up, future)
        try:
            return await future
        except asyncio.CancelledError:
            if not future.cancelled() and not future.exception():  # handed what nobody takes
                handed = future.result()
                if handed is None:
                    self._wake(None)
                else:
                    self._release(handed)
            raise
        finally:
            timer.cancel()

    def _give_up(self, future: asyncio.Future[Connection | None]) -> None:
        if not future.done():
            future.set_exception(
                StoreUnavailable(f"all {self._size} connections to the database stayed busy")
            )

    def _wake(self, connection: Connection | None) -> bool:
        """Hand the connection, or the news that one may be made, to who waited longest."""
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(connection)
                return True
        return False

    def _release(self, connection: Connection) -> None:
        if self._closed and not connection.is_closed():
            connection.terminate()
        if connection.is_closed():
            self._busy.discard(connection)
            self._open -= 1
            self._wake(None)
        elif not self._wake(connection):
            self._busy.discard(connection)
            self._idle.append(connection)

    async def close(self) -> None:
        """Close every connection that is idle; busy ones close when their work is done."""
        self._closed = True
        idle, self._idle = self._idle, []
        while self._wake(None):
            pass
        for connection in idle:
            self._open -= 1
            try:
                await connection.close(timeout=_GRACE_SECONDS)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                connection.terminate()
