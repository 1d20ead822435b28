"""Objects as files below the data directory.

A segment of a key becomes a folder in one of 256 folders named by a digest of it, so that none
grows without end. Names are percent-encoded to a safe alphabet, so no key leads out; a file's name
ends in `=`, a folder's never does, so `a` and `a/b` can both be stored.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import shutil
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from time import time
from typing import BinaryIO, ParamSpec, TypeVar
from urllib.parse import quote, unquote

from bkend.ids import uuid4
from bkend.objects.interface import (
    InvalidKey,
    ObjectInfo,
    ObjectsUnavailable,
    ObjectTooLarge,
    PartInfo,
    segments,
)
from bkend.objects.local_parts import PartFolders, sync_folder

_PIECE = 200
_FILE = "="
_GOES_ON = "%"
_TEMPORARY = ".tmp"
_UPLOADS = ".uploads"
_RESERVE = 64 * 1024 * 1024
_STALE_SECONDS = 24 * 60 * 60
_PART = 256 * 1024
_LISTED = 1000
_ATTEMPTS = 10
P = ParamSpec("P")
T = TypeVar("T")


class LocalObject:
    """A file being read."""

    def __init__(self, file: BinaryIO, info: ObjectInfo) -> None:
        self._file = file
        self.info = info

    async def parts(self, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from an offset on."""
        left = self.info.size - offset if length is None else length
        await _work(self._file.seek, offset)
        while left > 0:
            part = await _work(self._file.read, min(_PART, left))
            if not part:
                return
            left -= len(part)
            yield part

    async def close(self) -> None:
        """Let the file go."""
        self._file.close()


class LocalObjects:
    """The object store in a folder; several processes may share it."""

    def __init__(self, root: Path, *, reserve: int = _RESERVE) -> None:
        """`reserve` bytes of the disk always stay free."""
        self._root = root
        self._temporary = root / _TEMPORARY
        self._reserve = reserve
        self._uploads = PartFolders(root / _UPLOADS)

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
        draft, file = await _work(self._begin, limit)
        try:
            _, md5 = await _receive(file, parts, limit)
            info = await _work(self._finish, key, file, draft, target)
            return replace(info, md5=md5)
        except BaseException:
            _drop(file, draft)
            raise

    async def open(self, key: str) -> LocalObject | None:
        """The file, opened."""
        return await _work(_open, key, self._path(key))

    async def head(self, key: str) -> ObjectInfo | None:
        """What the file system knows of the file."""
        return await _work(_head, key, self._path(key))

    async def delete(self, key: str) -> bool:
        """Unlink the file, durably, and the folders that it leaves empty."""
        return await _work(self._delete, self._path(key))

    async def keys(self, prefix: str = "") -> AsyncIterator[str]:
        """Walks the folder that the prefix names, and what is below."""
        folder, _, _ = prefix.rpartition("/")
        start = self._folder(segments(folder)) if folder else self._root
        walk = _walk(start, f"{folder}/" if folder else "")
        while found := await _work(lambda: list(islice(walk, _LISTED))):
            for key in found:
                if key.startswith(prefix):
                    yield key

    # -- multipart uploads --------------------------------------------------------------------

    async def begin_multipart(
        self, key: str, *, content_type: str = "application/octet-stream"
    ) -> str:
        """Make the upload's folder."""
        self._path(key)
        return await _work(self._uploads.begin, key)

    async def put_part(
        self, key: str, upload_id: str, number: int, parts: AsyncIterable[bytes], *, limit: int
    ) -> PartInfo:
        """Write a temporary file, make it durable, and move it among the parts."""
        await _work(self._uploads.folder, key, upload_id)
        draft, file = await _work(self._begin, limit)
        try:
            size, md5 = await _receive(file, parts, limit)
            return await _work(self._uploads.take, key, upload_id, number, file, draft, size, md5)
        except BaseException:
            _drop(file, draft)
            raise

    async def list_parts(self, key: str, upload_id: str) -> list[PartInfo]:
        """What lies in the upload's folder."""
        return await _work(self._uploads.parts, key, upload_id)

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

        return await _work(assemble)

    async def abort_multipart(self, key: str, upload_id: str) -> bool:
        """Remove the upload's folder."""
        return await _work(self._uploads.drop, key, upload_id)

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

    def _folder(self, parts: list[str]) -> Path:
        path = self._root
        for segment in parts:
            path = path.joinpath(_shard(segment), *_pieces(segment))
        return path

    def _path(self, key: str) -> Path:
        *folders, name = segments(key)
        *folded, last = _pieces(name)
        return self._folder(folders).joinpath(_shard(name), *folded, last + _FILE)

    def _begin(self, limit: int) -> tuple[Path, BinaryIO]:
        if not self._temporary.is_dir():
            self._root.mkdir(parents=True, exist_ok=True, mode=0o700)  # parents ignore modes
            self._temporary.mkdir(exist_ok=True, mode=0o700)
        self._drop_stale()
        if shutil.disk_usage(self._root).free < limit + self._reserve:
            raise ObjectsUnavailable(f"the disk of {self._root} is nearly full")
        draft = self._temporary / uuid4()
        return draft, open(draft, "xb")

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
            info = _info(key, os.fstat(file.fileno()))
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


def _open(key: str, path: Path) -> LocalObject | None:
    try:
        file = os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC), "rb")
    except FileNotFoundError:
        return None
    return LocalObject(file, _info(key, os.fstat(file.fileno())))


def _head(key: str, path: Path) -> ObjectInfo | None:
    try:
        return _info(key, path.stat())
    except FileNotFoundError:
        return None


def _info(key: str, found: os.stat_result) -> ObjectInfo:
    etag = hashlib.sha256(
        f"{found.st_ino}-{found.st_mtime_ns}-{found.st_size}".encode()
    ).hexdigest()
    return ObjectInfo(key, found.st_size, found.st_mtime_ns // 1_000_000, etag[:32])


def _shard(segment: str) -> str:
    return hashlib.sha256(segment.encode()).hexdigest()[:2]


def _pieces(segment: str) -> list[str]:
    """The encoded segment, in pieces that file systems take; all but the last end in `%`."""
    encoded = quote(segment, safe="")
    if encoded.startswith("."):
        encoded = f"%2E{encoded[1:]}"
    pieces = [encoded[at : at + _PIECE] for at in range(0, len(encoded), _PIECE)]
    return [*(piece + _GOES_ON for piece in pieces[:-1]), pieces[-1]]


def _walk(folder: Path, above: str) -> Iterator[str]:
    """The keys of the files below a folder; `above` is the key so far."""
    for shard in _entries(folder):
        if not shard.name.startswith("."):
            yield from _walk_pieces(Path(shard.path), above, "")


def _walk_pieces(folder: Path, above: str, begun: str) -> Iterator[str]:
    """The same of a shard, or of the rest of a long segment that has begun."""
    for entry in _entries(folder):
        if entry.name.endswith(_FILE):
            yield above + unquote(begun + entry.name.removesuffix(_FILE))
        elif entry.name.endswith(_GOES_ON):
            rest = begun + entry.name.removesuffix(_GOES_ON)
            yield from _walk_pieces(Path(entry.path), above, rest)
        else:
            yield from _walk(Path(entry.path), f"{above}{unquote(begun + entry.name)}/")


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except FileNotFoundError:
        return []


async def _receive(file: BinaryIO, parts: AsyncIterable[bytes], limit: int) -> tuple[int, str]:
    """Write what comes, and nothing over the limit; its size and MD5."""
    size, digest = 0, hashlib.md5(usedforsecurity=False)

    def write(part: bytes) -> None:
        digest.update(part)
        file.write(part)

    async for part in parts:
        size += len(part)
        if size > limit:
            raise ObjectTooLarge(f"over {limit} bytes")
        await _work(write, part)
    return size, digest.hexdigest()


def _drop(file: BinaryIO, draft: Path) -> None:
    """Forget what was begun; a disk that is full may refuse even to close."""
    try:
        file.close()
    except OSError:
        pass
    draft.unlink(missing_ok=True)


async def _work(function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Run in a thread. What the file system refuses is raised as ObjectsUnavailable, or InvalidKey
    for a name that it cannot take."""
    try:
        return await asyncio.to_thread(function, *arguments, **named)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise InvalidKey("the key is too long for the file system") from error
        raise ObjectsUnavailable(f"objects: {error}") from error
