"""Objects as files below the data directory (see `local_names` for where)."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from time import time
from typing import BinaryIO

from bkend.ids import uuid4
from bkend.objects.interface import (
    ObjectInfo,
    ObjectsUnavailable,
    ObjectTooLarge,
    PartInfo,
    UploadInfo,
)
from bkend.objects.local_files import LocalObject, Opener, for_owner, head, info_of, work
from bkend.objects.local_names import keys_below, path_of
from bkend.objects.local_parts import PartFolders, sync_folder

_TEMPORARY = ".tmp"
_UPLOADS = ".uploads"
_RESERVE = 64 * 1024 * 1024
_STALE_SECONDS = 24 * 60 * 60
_WRITTEN = 256 * 1024
_LISTED = 1000
_ATTEMPTS = 10


class LocalObjects:
    """The object store in a folder; several processes may share it."""

    def __init__(self, root: Path, *, reserve: int = _RESERVE) -> None:
        """`reserve` bytes of the disk always stay free."""
        self._root = root
        self._temporary = root / _TEMPORARY
        self._reserve = reserve
        self._uploads = PartFolders(root / _UPLOADS)
        self._opener = Opener(root)

    async def check(self) -> None:
        """Write a file and remove it. Raises ObjectsUnavailable, also when the disk is nearly
        full."""
        draft, file = await work(self._begin, 0)
        await work(_drop, file, draft)

    async def put(
        self,
        key: str,
        parts: AsyncIterable[bytes],
        *,
        limit: int,
        content_type: str = "application/octet-stream",
    ) -> ObjectInfo:
        """Write a temporary file, make it durable, and move it into place. A file has no type."""
        target = self._path(key)
        draft, file = await work(self._begin, limit)
        try:
            _, md5 = await _receive(file, parts, limit)
            info = await work(self._finish, key, file, draft, target)
            return replace(info, md5=md5)
        except BaseException:
            _drop(file, draft)
            raise

    async def open(self, key: str) -> LocalObject | None:
        """The file, opened."""
        return await self._opener.open(key)

    def seen(self, key: str) -> tuple[ObjectInfo, str] | None:
        """The file as it was when it was last opened here."""
        return self._opener.seen(key)

    async def head(self, key: str) -> ObjectInfo | None:
        """What the file system knows of the file."""
        return await work(head, key, self._path(key))

    async def delete(self, key: str) -> bool:
        """Unlink the file, durably, and the folders that it leaves empty."""
        return await work(self._delete, self._path(key))

    async def keys(self, prefix: str = "") -> AsyncIterator[str]:
        """Walks the folder that the prefix names, and what is below."""
        walk = keys_below(self._root, prefix)
        while found := await work(lambda: list(islice(walk, _LISTED))):
            for key in found:
                if key.startswith(prefix):
                    yield key

    # -- multipart uploads --------------------------------------------------------------------

    async def begin_multipart(
        self, key: str, *, content_type: str = "application/octet-stream"
    ) -> str:
        """Make the upload's folder."""
        self._path(key)
        return await work(self._uploads.begin, key)

    async def put_part(
        self, key: str, upload_id: str, number: int, parts: AsyncIterable[bytes], *, limit: int
    ) -> PartInfo:
        """Write a temporary file, make it durable, and move it among the parts."""
        await work(self._uploads.folder, key, upload_id)
        draft, file = await work(self._begin, limit)
        try:
            size, md5 = await _receive(file, parts, limit)
            return await work(self._uploads.take, key, upload_id, number, file, draft, size, md5)
        except BaseException:
            _drop(file, draft)
            raise

    async def list_parts(self, key: str, upload_id: str) -> list[PartInfo]:
        """What lies in the upload's folder."""
        return await work(self._uploads.parts, key, upload_id)

    async def complete_multipart(
        self, key: str, upload_id: str, parts: Sequence[PartInfo]
    ) -> ObjectInfo:
        """Copy the parts into one file, make it durable, and move it into place."""
        target = self._path(key)

        def assemble() -> ObjectInfo:
            draft, file = self._begin(sum(part.size for part in parts))
            try:
                self._uploads.copy(key, upload_id, parts, file)
                info = self._finish(key, file, draft, target)
            except BaseException:
                _drop(file, draft)
                raise
            self._uploads.drop(key, upload_id)
            return info

        return await work(assemble)

    async def abort_multipart(self, key: str, upload_id: str) -> bool:
        """Remove the upload's folder."""
        return await work(self._uploads.drop, key, upload_id)

    async def uploads(self) -> AsyncIterator[UploadInfo]:
        """The folders of uploads."""
        for found in await work(self._uploads.all):
            yield found

    # -- addresses past this server -----------------------------------------------------------

    async def presign_put(
        self, key: str, *, seconds: int, limit: int, content_type: str
    ) -> str | None:
        """Bytes go through this server."""
        return None

    async def presign_get(
        self, key: str, *, seconds: int, content_type: str, disposition: str, cache_control: str
    ) -> str | None:
        """Bytes go through this server."""
        return None

    async def presign_part(
        self, key: str, upload_id: str, number: int, *, seconds: int
    ) -> str | None:
        """Bytes go through this server."""
        return None

    # -- files ------------------------------------------------------------------------------

    def _path(self, key: str) -> Path:
        return path_of(self._root, key)

    def _begin(self, limit: int) -> tuple[Path, BinaryIO]:
        if not self._temporary.is_dir():
            for folder in (self._root, self._temporary):  # a mode is given to the last one only
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._drop_stale()
        if shutil.disk_usage(self._root).free < limit + self._reserve:
            raise ObjectsUnavailable(f"the disk of {self._root} is nearly full")
        draft = self._temporary / uuid4()
        return draft, open(draft, "xb", opener=for_owner)

    def _drop_stale(self) -> None:
        """Remove what writers that were killed have left."""
        oldest = time() - _STALE_SECONDS
        for left in self._temporary.iterdir():
            try:
                if left.stat().st_mtime < oldest:
                    left.unlink()
            except FileNotFoundError:
                pass

    def _finish(self, key: str, file: BinaryIO, draft: Path, target: Path) -> ObjectInfo:
        with file:
            file.flush()
            os.fsync(file.fileno())
            info = info_of(key, os.fstat(file.fileno()))
        for attempt in range(_ATTEMPTS):
            try:
                self._make(target.parent)
                os.replace(draft, target)
                sync_folder(target.parent)
            except FileNotFoundError:  # somebody else has just pruned the folder
                if attempt == _ATTEMPTS - 1:
                    raise
            else:
                break
        return info

    def _make(self, folder: Path) -> None:
        """The folder and those above, each durable in the one that holds it."""
        if folder.is_dir():
            return
        self._make(folder.parent)
        folder.mkdir(exist_ok=True, mode=0o700)
        sync_folder(folder.parent)

    def _delete(self, path: Path) -> bool:
        try:
            path.unlink()
        except FileNotFoundError:
            return False
        sync_folder(path.parent)
        for folder in path.parents:
            if folder == self._root:
                break
            try:
                folder.rmdir()
            except OSError:  # not empty, or gone already
                break
        return True


async def _receive(file: BinaryIO, parts: AsyncIterable[bytes], limit: int) -> tuple[int, str]:
    """Write what comes, and nothing over the limit; its size and MD5."""
    size, digest = 0, hashlib.md5(usedforsecurity=False)
    held: list[bytes] = []  # small parts together: each step to a thread costs as much as a write
    waiting = 0

    def write(some: list[bytes]) -> None:
        for part in some:
            digest.update(part)
            file.write(part)

    async for part in parts:
        size += len(part)
        if size > limit:
            raise ObjectTooLarge(f"over {limit} bytes")
        held.append(part)
        waiting += len(part)
        if waiting >= _WRITTEN:
            await work(write, held)
            held, waiting = [], 0
    await work(write, held)
    return size, digest.hexdigest()


def _drop(file: BinaryIO, draft: Path) -> None:
    """Forget what was begun; a disk that is full may refuse even to close."""
    try:
        file.close()
    except OSError:
        pass
    draft.unlink(missing_ok=True)
