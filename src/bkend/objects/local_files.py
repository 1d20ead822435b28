"""Files of a local store being read, and work on them in threads."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

from bkend.objects.interface import InvalidKey, ObjectInfo, ObjectsUnavailable
from bkend.objects.local_names import path_of

_PART = 256 * 1024
_REMEMBERED = 10_000
P = ParamSpec("P")
T = TypeVar("T")


def for_owner(path: str, flags: int) -> int:
    """An opener of files that nobody else may read."""
    return os.open(path, flags, 0o600)


class LocalObject:
    """A file being read."""

    def __init__(self, path: str, descriptor: int, info: ObjectInfo) -> None:
        self._descriptor = descriptor
        self.path = path
        self.info = info

    async def parts(self, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from an offset on."""
        end = self.info.size if length is None else offset + length
        while offset < end:
            part = await work(os.pread, self._descriptor, min(_PART, end - offset), offset)
            if not part:
                return
            offset += len(part)
            yield part

    async def close(self) -> None:
        """Let the file go."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class Opener:
    """Opens files in a thread, and remembers what it found."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._seen: OrderedDict[str, tuple[ObjectInfo, str]] = OrderedDict()

    async def open(self, key: str) -> LocalObject | None:
        """The file, or None."""
        path = str(path_of(self._root, key))
        found = await work(_open, key, path)
        if found is None:
            self._seen.pop(key, None)
            return None
        self._seen[key] = found.info, path
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return found

    def seen(self, key: str) -> tuple[ObjectInfo, str] | None:
        """What `open` found the last time, and where."""
        return self._seen.get(key)


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


def _open(key: str, path: str) -> LocalObject | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    return LocalObject(path, descriptor, info_of(key, os.fstat(descriptor)))
