"""The face of the object store: what every kind offers and all that services may use.

A key is a path of `/`-separated segments, of at most 1024 bytes, none empty, `.` or `..`.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bkend.store import StoreError, StoreUnavailable

LONGEST_KEY = 1024


class InvalidKey(StoreError):
    """No key of an object."""


class ObjectTooLarge(StoreError):
    """The bytes are more than the limit; nothing was kept."""


class UnknownUpload(StoreError):
    """No multipart upload of this id for this key: never begun, completed or aborted."""


class ObjectsUnavailable(StoreUnavailable):
    """The object store cannot serve: full, read-only, unreadable."""


class ObjectsMisconfigured(ObjectsUnavailable):
    """The object store answers, and will not serve until its or our configuration is changed."""


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What is known of an object without its bytes."""

    key: str
    size: int
    modified_at: int
    """Milliseconds since 1970."""
    etag: str
    """Changes with every `put`; without quotes."""
    md5: str | None = field(default=None, compare=False)
    """Of the bytes, in hex; known for certain only where `put` answers."""


@dataclass(frozen=True, slots=True)
class PartInfo:
    """A stored part of a multipart upload."""

    number: int
    size: int
    etag: str
    """MD5 of its bytes in hex, without quotes."""
    modified_at: int
    """Milliseconds since 1970."""


@dataclass(frozen=True, slots=True)
class UploadInfo:
    """A multipart upload under way."""

    key: str
    upload_id: str
    begun_at: int
    """Milliseconds since 1970; of some stores, when its last part came."""


class OpenObject(Protocol):
    """An object being read: its bytes stay the same even if it is replaced or deleted."""

    @property
    def info(self) -> ObjectInfo:
        """Of the bytes that are read."""

    @property
    def path(self) -> str | None:
        """The file of this machine that the object is, for those who read it themselves; what is
        there changes when the object is replaced. None of other stores."""

    def parts(self, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from an offset on, all of them or so many."""

    async def close(self) -> None:
        """To be called in the end; a second time does nothing."""


class Objects(Protocol):
    """One store of objects. Every call may raise InvalidKey and ObjectsUnavailable."""

    async def check(self) -> None:
        """Try to write, leaving nothing. Raises ObjectsMisconfigured with a sentence for the
        operator, ObjectsUnavailable."""

    async def put(
        self,
        key: str,
        parts: AsyncIterable[bytes],
        *,
        limit: int,
        content_type: str = "application/octet-stream",
    ) -> ObjectInfo:
        """Store the parts under the key, in place of what was there; the answer has `md5`.

        The object appears whole, once it is durable, or not at all; what `parts` raises is raised
        again. `limit` in bytes; raises ObjectTooLarge.
        """

    async def open(self, key: str) -> OpenObject | None:
        """The object to be read, or None."""

    def seen(self, key: str) -> tuple[ObjectInfo, str] | None:
        """What was known of the object when this process last opened it, and the path of its file.
        It may have been replaced or removed since: for objects of which somebody else knows that
        they were not. None of stores without files."""

    async def head(self, key: str) -> ObjectInfo | None:
        """What is known of the object, or None."""

    async def delete(self, key: str) -> bool:
        """Remove the object for good; whether there was one."""

    def keys(self, prefix: str = "") -> AsyncIterator[str]:
        """The keys that begin with the prefix, in no promised order."""

    # -- multipart uploads (30 §5.9) ----------------------------------------------------------

    async def begin_multipart(
        self, key: str, *, content_type: str = "application/octet-stream"
    ) -> str:
        """Begin an upload in parts; its id, of at most 1024 characters of any kind."""

    async def put_part(
        self, key: str, upload_id: str, number: int, parts: AsyncIterable[bytes], *, limit: int
    ) -> PartInfo:
        """Store a part (1–10000) in place of one of that number, as `put` does: whole or not at
        all. Raises ObjectTooLarge, UnknownUpload."""

    async def list_parts(self, key: str, upload_id: str) -> list[PartInfo]:
        """The parts there are, by ascending number; raises UnknownUpload."""

    async def complete_multipart(
        self, key: str, upload_id: str, parts: Sequence[PartInfo]
    ) -> ObjectInfo:
        """Make the object of the parts in the given order, durably and whole, and forget the
        upload with its other parts. Raises UnknownUpload, also when one of the parts is gone."""

    async def abort_multipart(self, key: str, upload_id: str) -> bool:
        """Remove an upload with its parts; whether there was one."""

    def uploads(self) -> AsyncIterator[UploadInfo]:
        """The uploads under way, in no promised order."""

    # -- addresses past this server -----------------------------------------------------------

    async def presign_put(
        self, key: str, *, seconds: int, limit: int, content_type: str
    ) -> str | None:
        """An address of the store itself to PUT the object to; None from stores whose bytes go
        through this server, as for the next two. `limit` in bytes; a store may take no fewer
        either, so ask only where the size is known."""

    async def presign_get(
        self, key: str, *, seconds: int, content_type: str, disposition: str, cache_control: str
    ) -> str | None:
        """An address of the store itself that answers with these headers, or None."""

    async def presign_part(
        self, key: str, upload_id: str, number: int, *, seconds: int
    ) -> str | None:
        """An address of the store itself to PUT a part to, or None."""


def segments(key: str) -> list[str]:
    """The parts of a key; raises InvalidKey."""
    found = key.split("/")
    good = len(key.encode("utf-8", "replace")) <= LONGEST_KEY and key.isprintable()
    if not good or any(segment in ("", ".", "..") for segment in found):
        raise InvalidKey("this is no key of an object")
    return found
