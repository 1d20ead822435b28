"""One change after the other, by name, within this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class _Turn:
    """Whose turn it is, and how many want it."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    holder: asyncio.Task[Any] | None = None
    wanted: int = 0


class Turns:
    """Locks that are made when wanted and forgotten afterwards."""

    def __init__(self) -> None:
        self._turns: dict[str, _Turn] = {}

    @asynccontextmanager
    async def of(self, name: str) -> AsyncIterator[None]:
        """Wait for one's turn; the task that has it may enter again."""
        turn = self._turns.setdefault(name, _Turn())
        task = asyncio.current_task()
        if turn.holder is task:
            yield
            return
        turn.wanted += 1
        try:
            async with turn.lock:
                turn.holder = task
                try:
                    yield
                finally:
                    turn.holder = None
        finally:
            turn.wanted -= 1
            if not turn.wanted:
                self._turns.pop(name, None)
