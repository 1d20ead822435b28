"""An object store that tells when a key's object has changed, for those who keep what they made of
it."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Sequence

from bkend.objects.interface import ObjectInfo, Objects, OpenObject, PartInfo, UploadInfo

Changed = Callable[[str], Awaitable[None]]
"""Told a key; raises nothing."""


class WatchedObjects:
    """A store as it is; after each put, completion and removal `changed` is told the key."""

    def __init__(self, objects: Objects, changed: Changed) -> None:
        self._objects = objects
        self._changed = changed

    async def check(self) -> None:
        """See Objects."""
        await self._objects.check()

    async def put(
        self,
        key: str,
        parts: AsyncIterable[bytes],
        *,
        limit: int,
        content_type: str = "application/octet-stream",
    ) -> ObjectInfo:
        """See Objects."""
        info = await self._objects.put(key, parts, limit=limit, content_type=content_type)
        await self._changed(key)
        return info

    async def open(self, key: str) -> OpenObject | None:
        """See Objects."""
        return await self._objects.open(key)

    def seen(self, key: str) -> tuple[ObjectInfo, str] | None:
        """See Objects."""
        return self._objects.seen(key)

    async def head(self, key: str) -> ObjectInfo | None:
        """See Objects."""
        return await self._objects.head(key)

    async def delete(self, key: str) -> bool:
        """See Objects."""
        was_there = await self._objects.delete(key)
        await self._changed(key)
        return was_there

    def keys(self, prefix: str = "") -> AsyncIterator[str]:
        """See Objects."""
        return self._objects.keys(prefix)

    # -- multipart uploads --------------------------------------------------------------------

    async def begin_multipart(
        self, key: str, *, content_type: str = "application/octet-stream"
    ) -> str:
        """See Objects."""
        return await self._objects.begin_multipart(key, content_type=content_type)

    async def put_part(
        self, key: str, upload_id: str, number: int, parts: AsyncIterable[bytes], *, limit: int
    ) -> PartInfo:
        """See Objects."""
        return await self._objects.put_part(key, upload_id, number, parts, limit=limit)

    async def list_parts(self, key: str, upload_id: str) -> list[PartInfo]:
        """See Objects."""
        return await self._objects.list_parts(key, upload_id)

    async def complete_multipart(
        self, key: str, upload_id: str, parts: Sequence[PartInfo]
    ) -> ObjectInfo:
        """See Objects."""
        info = await self._objects.complete_multipart(key, upload_id, parts)
        await self._changed(key)
        return info

    async def abort_multipart(self, key: str, upload_id: str) -> bool:
        """See Objects."""
        return await self._objects.abort_multipart(key, upload_id)

    def uploads(self) -> AsyncIterator[UploadInfo]:
        """See Objects."""
        return self._objects.uploads()

    # -- addresses past this server -----------------------------------------------------------

    async def presign_put(
        self, key: str, *, seconds: int, limit: int, content_type: str
    ) -> str | None:
        """See Objects."""
        return await self._objects.presign_put(
            key, seconds=seconds, limit=limit, content_type=content_type
        )

    async def presign_get(
        self, key: str, *, seconds: int, content_type: str, disposition: str, cache_control: str
    ) -> str | None:
        """See Objects."""
        return await self._objects.presign_get(
            key,
            seconds=seconds,
            content_type=content_type,
            disposition=disposition,
            cache_control=cache_control,
        )

    async def presign_part(
        self, key: str, upload_id: str, number: int, *, seconds: int
    ) -> str | None:
        """See Objects."""
        return await self._objects.presign_part(key, upload_id, number, seconds=seconds)
