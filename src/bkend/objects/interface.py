"""The face of the object store: what every kind offers and all that services may use.

A key is a path of `/`-separated segments, of at most 1024 bytes, none empty, `.` or `..`.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from bkend.store import StoreError, StoreUnavailable

LONGEST_KEY = 1024


class InvalidKey(StoreError):
    """No key of an object."""


class ObjectTooLarge(StoreError):
    """The bytes are more than the limit; nothing was kept."""


class ObjectsUnavailable(StoreUnavailable):
    """The object store cannot serve: full, read-only, unreadable."""


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What is known of an object without its bytes."""

    key: str
    size: int
    modified_at: int
    """Milliseconds since 1970."""
    etag: str
    """Changes with every `put`; without quotes."""


class OpenObject(Protocol):
    """An object being read: its bytes stay the same even if it is replaced or deleted."""

    @property
    def info(self) -> ObjectInfo:
        """Of the bytes that are read."""

    def parts(self, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from an offset on, all of them or so many."""

    async def close(self) -> None:
        """To be called in the end; a second time does nothing."""


class Objects(Protocol):
    """One store of objects. Every call may raise InvalidKey and ObjectsUnavailable."""

    async def put(self, key: str, parts: AsyncIterable[bytes], *, limit: int) -> ObjectInfo:
        """Store the parts under the key, in place of what was there.

        The object appears whole, once it is durable, or not at all; what `parts` raises is raised
        again. `limit` in bytes; raises ObjectTooLarge.
        """

    async def open(self, key: str) -> OpenObject | None:
        """The object to be read, or None."""

    async def head(self, key: str) -> ObjectInfo | None:
        """What is known of the object, or None."""

    async def delete(self, key: str) -> bool:
        """Remove the object for good; whether there was one."""

    def keys(self, prefix: str = "") -> AsyncIterator[str]:
        """The keys that begin with the prefix, in no promised order."""


def segments(key: str) -> list[str]:
    """The parts of a key; raises InvalidKey."""
    found = key.split("/")
    good = len(key.encode("utf-8", "replace")) <= LONGEST_KEY and key.isprintable()
    if not good or any(segment in ("", ".", "..") for segment in found):
        raise InvalidKey("this is no key of an object")
    return found
