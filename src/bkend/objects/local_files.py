"""Files of a local store being read, and work on them in threads."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import BinaryIO, ParamSpec, TypeVar

from bkend.objects.interface import InvalidKey, ObjectInfo, ObjectsUnavailable

_PART = 256 * 1024
_REMEMBERED = 4096
_NOWAIT = getattr(os, "RWF_NOWAIT", 0)
P = ParamSpec("P")
T = TypeVar("T")


class LocalObject:
    """A file being read."""

    def __init__(self, path: Path, file: BinaryIO, info: ObjectInfo) -> None:
        self._file = file
        self.path = str(path)
        self.info = info

    def at_once(self, offset: int, length: int) -> bytes | None:
        """The bytes where the kernel has them in memory."""
        if not _NOWAIT:
            return None
        found = bytearray(length)
        try:
            got = os.preadv(self._file.fileno(), [found], offset, _NOWAIT)
        except OSError:  # they are on the disk, or the file system cannot tell
            return None
        return bytes(found) if got == length else None

    async def parts(self, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from an offset on."""
        left = self.info.size - offset if length is None else length
        await work(self._file.seek, offset)
        while left > 0:
            part = await work(self._file.read, min(_PART, left))
            if not part:
                return
            left -= len(part)
            yield part

    async def close(self) -> None:
        """Let the file go."""
        self._file.close()


class Opener:
    """Opens files: in a thread, or at once where it was done lately, so that the kernel has the
    folders on the way in memory."""

    def __init__(self) -> None:
        self._lately: OrderedDict[Path, None] = OrderedDict()

    async def open(self, key: str, path: Path) -> LocalObject | None:
        """The file, or None."""
        found = await work(_open, key, path)
        if found is not None:
            self._lately[path] = None
            if len(self._lately) > _REMEMBERED:
                self._lately.popitem(last=False)
        return found

    def at_once(self, key: str, path: Path) -> LocalObject | None:
        """The file where that needs no waiting."""
        if path not in self._lately:
            return None
        self._lately.move_to_end(path)
        try:
            return _open(key, path)
        except OSError:
            return None


def head(key: str, path: Path) -> ObjectInfo | None:
    """What the file system knows of a file, or None."""
    try:
        return info_of(key, path.stat())
    except FileNotFoundError:
        return None


def info_of(key: str, found: os.stat_result) -> ObjectInfo:
    """The same of what was asked already."""
    etag = hashlib.sha256(
        f"{found.st_ino}-{found.st_mtime_ns}-{found.st_size}".encode()
    ).hexdigest()
    return ObjectInfo(key, found.st_size, found.st_mtime_ns // 1_000_000, etag[:32])


async def work(function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Run in a thread. What the file system refuses is raised as ObjectsUnavailable, or InvalidKey
    for a name that it cannot take."""
    try:
        return await asyncio.to_thread(function, *arguments, **named)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise InvalidKey("the key is too long for the file system") from error
        raise ObjectsUnavailable(f"objects: {error}") from error


def _open(key: str, path: Path) -> LocalObject | None:
    try:
        file = os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC), "rb")
    except FileNotFoundError:
        return None
    return LocalObject(path, file, info_of(key, os.fstat(file.fileno())))
