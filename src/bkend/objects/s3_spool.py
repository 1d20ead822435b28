"""Bytes on their way to S3, which wants to know their number before it takes them."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import IO

from bkend.objects.interface import ObjectsUnavailable, ObjectTooLarge

_IN_MEMORY = 512 * 1024


@dataclass(frozen=True, slots=True)
class Spooled:
    """All the bytes: a file at its beginning, their number, their MD5 in hex."""

    file: IO[bytes]
    size: int
    md5: str


@asynccontextmanager
async def spooled(parts: AsyncIterable[bytes], limit: int) -> AsyncIterator[Spooled]:
    """Everything that comes, in memory when it is little, else in a temporary file without a name.

    What `parts` raises is raised again; raises ObjectTooLarge, and ObjectsUnavailable when the
    disk is full.
    """
    digest, size = hashlib.md5(usedforsecurity=False), 0
    with tempfile.SpooledTemporaryFile(_IN_MEMORY, prefix="bkend-") as file:

        def write(part: bytes) -> None:
            digest.update(part)
            file.write(part)

        async for part in parts:
            size += len(part)
            if size > limit:
                raise ObjectTooLarge(f"over {limit} bytes")
            try:
                if size > _IN_MEMORY:
                    await asyncio.to_thread(write, part)
                else:
                    write(part)
            except OSError as error:
                raise ObjectsUnavailable(f"{tempfile.gettempdir()}: {error}") from error
        file.seek(0)
        yield Spooled(file, size, digest.hexdigest())
