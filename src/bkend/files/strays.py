"""Uploads in parts that the object store has and no intent knows of: a crash came between beginning
one and noting it (30 §4)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from bkend.clock import Clock
from bkend.environment import EnvironmentServices
from bkend.files.places import Places
from bkend.files.sweeping import PARTS_MS
from bkend.manage.environments import Environments
from bkend.objects.interface import Objects, UploadInfo

MOST_AT_ONCE = 1000


class StrayUploads:
    """Of the whole server. Uploads whose key belongs to no environment here are somebody else's,
    and left alone: a bucket may be shared."""

    def __init__(
        self,
        objects: Objects,
        places: Places,
        environments: Environments[EnvironmentServices],
        clock: Clock,
    ) -> None:
        self._objects = objects
        self._places = places
        self._environments = environments
        self._clock = clock

    async def found(self) -> AsyncIterator[UploadInfo]:
        """Those that nobody has gone on with for seven days. Raises StoreError."""
        oldest = self._clock.now_ms() - PARTS_MS
        async for upload in self._objects.uploads():
            if upload.begun_at <= oldest and await self._is_stray(upload):
                yield upload

    async def sweep(self) -> int:
        """Remove them, at most so many at once; how many. Raises StoreError."""
        count = 0
        async for upload in self.found():
            count += await self._objects.abort_multipart(upload.key, upload.upload_id)
            if count == MOST_AT_ONCE:
                break
        return count

    async def _is_stray(self, upload: UploadInfo) -> bool:
        id = await self._places.environment_of(upload.key)
        environment = await self._environments.get(id) if id else None
        if environment is None:
            return False
        return await environment.services.files.uploads.of_upload(upload.upload_id) is None
