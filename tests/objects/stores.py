"""Kinds of object store, and what tests do with each of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal, TypeAlias

from bkend.objects.interface import ObjectInfo, Objects, PartInfo

Kind: TypeAlias = Literal["local", "s3"]
KINDS: tuple[Kind, ...] = ("local", "s3")
SMALLEST_PART = 5 * 1024 * 1024
LIMIT = 64 * 1024 * 1024


async def stream(*given: bytes) -> AsyncIterator[bytes]:
    for part in given:
        yield part


async def put(objects: Objects, key: str, *given: bytes, limit: int = LIMIT) -> ObjectInfo:
    return await objects.put(key, stream(*given), limit=limit)


async def put_part(objects: Objects, key: str, id: str, number: int, content: bytes) -> PartInfo:
    return await objects.put_part(key, id, number, stream(content), limit=LIMIT)


async def read(objects: Objects, key: str, *window: int) -> bytes | None:
    found = await objects.open(key)
    if found is None:
        return None
    try:
        return b"".join([part async for part in found.parts(*window)])
    finally:
        await found.close()


async def keys(objects: Objects, prefix: str = "") -> list[str]:
    return sorted([key async for key in objects.keys(prefix)])
