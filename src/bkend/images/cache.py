"""Finished images on disk, so that each is made once: bounded, oldest use out first.

Those of one key are files of one folder, which goes when the object does. Several processes may
share the whole: a file appears complete, under a name that tells what it was made of, and never
changes.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from bkend.ids import uuid4
from bkend.images.formats import Format
from bkend.images.recent import RecentImages
from bkend.images.results import Result, annotate, read_result

_TEMPORARY = "tmp"
_STALE_SECONDS = 60 * 60
_UNUSED_SECONDS = 7 * 24 * 60 * 60
_LEFT = 0.9
_IN_MEMORY = 16 * 1024 * 1024
_LOOKED_AFTER = 8
_ATTEMPTS = 10

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Entry:
    path: Path
    size: int
    used_at: float
    """Seconds since 1970."""


class ImageCache:
    """The images of one data directory, of at most `limit` bytes."""

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = Path(os.path.abspath(folder))
        self._limit = limit
        self.recent = RecentImages(min(limit, _IN_MEMORY))
        self._size: int | None = None
        self._added = 0
        self._sizing = asyncio.Lock()

    @property
    def temporary(self) -> Path:
        """The folder of what is not finished."""
        return self._folder / _TEMPORARY

    async def prepare(self) -> None:
        """Make the folders. Raises OSError."""
        await asyncio.to_thread(self._make_folders)

    def draft(self) -> Path:
        """A name in the temporary folder that nobody else has."""
        return self.temporary / uuid4()

    async def open(self, key: str, tag: str) -> Result | None:
        """A kept image."""
        return await asyncio.to_thread(read_result, self._path(key, tag))

    async def keep(self, key: str, tag: str, draft: Path, format_: Format) -> Result:
        """Take a finished image over from its draft; it can be read even if there is no place for
        it. Raises OSError."""
        result = await asyncio.to_thread(self._move, draft, self._path(key, tag), format_)
        await self._make_room(result.info.size)
        return result

    async def purge(self, key: str) -> None:
        """Drop the images of a key; a failure is logged, and the images drop out in time."""
        self.recent.forget(key)
        await asyncio.to_thread(self._purge, key)

    async def sweep(self) -> None:
        """Drop what nobody has used for a week, what was never finished, and what is too much."""
        async with self._sizing:
            self._size = await asyncio.to_thread(self._shrink, _UNUSED_SECONDS)
            self._added = 0

    async def _make_room(self, added: int) -> None:
        async with self._sizing:
            self._added += added
            is_known = self._size is not None and self._size + self._added <= self._limit
            if is_known and self._added * _LOOKED_AFTER <= self._limit:
                return  # other processes add to it too, hence a look now and then
            self._size = await asyncio.to_thread(self._shrink, None)
            self._added = 0

    # -- files ------------------------------------------------------------------------------

    def _make_folders(self) -> None:
        if not self.temporary.is_dir():
            self._folder.mkdir(0o700, True, True)  # parents ignore modes
            self.temporary.mkdir(0o700, True, True)

    def _of_key(self, key: str) -> Path:
        name = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        return self._folder / name[:2] / name

    def _path(self, key: str, tag: str) -> Path:
        return self._of_key(key) / tag

    def _move(self, draft: Path, path: Path, format_: Format) -> Result:
        annotate(draft, format_)
        result = read_result(draft)
        assert result is not None
        for attempt in range(_ATTEMPTS):
            try:
                for folder in (path.parents[1], path.parent):  # parents ignore modes
                    folder.mkdir(0o700, exist_ok=True)
                os.replace(draft, path)
            except FileNotFoundError:  # the folder has just been removed
                if attempt + 1 == _ATTEMPTS:
                    result.let_go()
                    raise
            else:
                break
        return result

    def _purge(self, key: str) -> None:
        try:
            shutil.rmtree(self._of_key(key))
        except FileNotFoundError:
            pass
        except OSError as error:
            log.warning("images not removed yet", reason=str(error))

    def _shrink(self, unused_seconds: float | None) -> int:
        """Drop what has to go; the bytes that stay."""
        now = time.time()
        self._drop_stale(now)
        entries = sorted(self._entries(), key=lambda entry: entry.used_at)
        size = sum(entry.size for entry in entries)
        most = size if size <= self._limit else int(self._limit * _LEFT)
        for entry in entries:
            is_unused = unused_seconds is not None and now - entry.used_at > unused_seconds
            if size <= most and not is_unused:
                break
            _drop(entry.path)
            size -= entry.size
        return size

    def _drop_stale(self, now: float) -> None:
        for entry in _scan(self.temporary):
            if now - entry.used_at > _STALE_SECONDS:
                _drop(entry.path)

    def _entries(self) -> Iterator[_Entry]:
        for shard in _folders(self._folder):
            if shard.name != _TEMPORARY:
                for folder in _folders(shard):
                    yield from _scan(folder)


def _folders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as found:
            return [Path(entry.path) for entry in found if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []


def _scan(folder: Path) -> list[_Entry]:
    entries = []
    try:
        with os.scandir(folder) as found:
            for entry in found:
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:  # dropped in this moment
                    continue
                entries.append(_Entry(Path(entry.path), status.st_size, status.st_mtime))
    except FileNotFoundError:
        pass
    return entries


def _drop(path: Path) -> None:
    """The file, and the folders that it leaves empty."""
    path.unlink(missing_ok=True)
    if path.parent.name == _TEMPORARY:
        return
    for folder in (path.parent, path.parent.parent):
        try:
            folder.rmdir()
        except OSError:  # not empty, or gone already
            return
