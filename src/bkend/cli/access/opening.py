"""Opening what a command works on: a data directory, or a server that was logged in to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from bkend.cli.access.remote import Remote, logged_in
from bkend.cli.commands import Refused, settings_of

if TYPE_CHECKING:
    from bkend.core import Core

Access = TypeVar("Access")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Where:
    """What `--data` and `--server` say."""

    data: str | None = None
    server: str | None = None


@dataclass(frozen=True, slots=True)
class Kind(Generic[Access]):
    """An interface with what implements it on a data directory, and at a server."""

    local: Callable[[Core], Access]
    remote: Callable[[Remote], Access]


@asynccontextmanager
async def opened(where: Where, kind: Kind[Access]) -> AsyncIterator[Access]:
    """The access to it, closed on leaving. Refused for a directory without data, and for a server
    that one is not logged in to."""
    if where.server is None:
        from bkend.core import open_core

        async with open_core(settings_of(where.data), serving=False) as core:
            yield kind.local(core)
    elif where.data is not None:
        raise Refused("--server and --data name two places; give one")
    else:
        async with logged_in(where.server) as found:
            yield kind.remote(found)


def run_at(where: Where, kind: Kind[Access], work: Callable[[Access], Awaitable[T]]) -> T:
    """Open, do the work, close."""

    async def run() -> T:
        async with opened(where, kind) as access:
            return await work(access)

    return asyncio.run(run())
