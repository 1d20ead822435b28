"""The connection that hears of other processes' commits.

While it is away nothing may be trusted that was remembered, so whoever remembers is told to
forget when it breaks, and again once it is back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from bkend.store.errors import StoreError
from bkend.store.postgres.failures import Failure
from bkend.store.postgres.news import CHANNEL, News, parse
from bkend.store.postgres.pool import Connection

_HEARTBEAT_SECONDS = 5.0
_ANSWER_SECONDS = 5.0
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 2.0


class Listening:
    """Start it with `await start()`; `is_deaf` until then and whenever the connection is gone."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[Connection]],
        hear: Callable[[News], None],
        forget: Callable[[], None],
    ) -> None:
        self._connect = connect
        self._hear = hear
        self._forget = forget
        self.is_deaf = True
        self._broken = asyncio.Event()
        self._connection: Connection | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen from now on; raises what connecting raises."""
        await self._listen()
        self._task = asyncio.create_task(self._keep_listening())

    async def close(self) -> None:
        """Listen no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._hang_up()

    async def _listen(self) -> None:
        connection = self._connection = await self._connect()
        self._broken.clear()
        connection.add_termination_listener(self._note_end)
        await connection.add_listener(CHANNEL, self._note)
        self._forget()  # what was said before is lost
        self.is_deaf = False

    async def _keep_listening(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while True:
            await self._until_broken()
            self._hang_up()
            self._forget()
            try:
                await self._listen()
                pause = _FIRST_PAUSE_SECONDS
            except (*Failure, StoreError):
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _until_broken(self) -> None:
        """Ask now and then: a connection that broke silently would never tell."""
        while self._connection is not None and not self._broken.is_set():
            try:
                async with asyncio.timeout(_HEARTBEAT_SECONDS):
                    await self._broken.wait()
            except TimeoutError:
                try:
                    await self._connection.execute("SELECT 1", timeout=_ANSWER_SECONDS)
                except Failure:
                    return

    def _hang_up(self) -> None:
        self.is_deaf = True
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed():
            connection.terminate()

    def _note_end(self, connection: object) -> None:
        if connection is self._connection:
            self.is_deaf = True
            self._broken.set()

    def _note(self, connection: object, pid: int, channel: str, text: object) -> None:
        news = parse(str(text))
        if news is not None:
            self._hear(news)
