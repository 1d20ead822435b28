"""One finished image: what its file holds, and reading it.

A file is the image and then a note of its format and length, so that a file cut short by a power
failure is known for what it is.
"""

from __future__ import annotations

import asyncio
import os
import struct
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from io import FileIO
from pathlib import Path

from bkend.images.formats import FORMATS, Format
from bkend.objects.interface import ObjectInfo

_NOTE = struct.Struct(">4s4sQ")
_MARK = b"bkim"
_PART = 256 * 1024
_FRESH_SECONDS = 60


@dataclass(eq=False)
class Result:
    """A finished image being read; of small ones the bytes, of others an open file, which stays
    readable when the cache drops it."""

    info: ObjectInfo
    """Of the image: its own size and tag, the time of its source."""
    format: Format
    content: bytes | None
    _file: FileIO | None = None
    path = None

    def of(self, source: ObjectInfo, tag: str) -> Result:
        """This image under the name and time of what it was made of."""
        self.info = replace(source, size=self.info.size, etag=tag)
        return self

    def again(self) -> Result:
        """Another reader of the same image, to be closed by itself."""
        file = None if self._file is None else FileIO(os.dup(self._file.fileno()))
        return Result(self.info, self.format, self.content, file)

    async def parts(self, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from an offset on, all of them or so many."""
        end = self.info.size if length is None else min(self.info.size, offset + length)
        if self.content is not None:
            yield self.content[offset:end]
            return
        assert self._file is not None
        file = self._file.fileno()
        while offset < end:
            part = await asyncio.to_thread(os.pread, file, min(_PART, end - offset), offset)
            if not part:
                return
            offset += len(part)
            yield part

    async def close(self) -> None:
        """Let the file go; a second time does nothing."""
        self.let_go()

    def let_go(self) -> None:
        """The same at once."""
        if self._file is not None:
            self._file.close()


def annotate(path: Path, format_: Format) -> None:
    """Add the note to a finished image, and make it durable. Raises OSError."""
    with open(path, "ab") as file:
        size = file.tell()
        file.write(_NOTE.pack(_MARK, format_.encode(), size))
        file.flush()
        os.fsync(file.fileno())


def read_result(path: Path) -> Result | None:
    """The image of a file with its note, now used; None where there is none, or a broken one."""
    try:
        file = FileIO(path)
    except FileNotFoundError:
        return None
    found = None
    try:
        found = _read(file)
        _mark_used(path, os.fstat(file.fileno()))
    finally:
        if found is None or found.content is not None:
            file.close()
    return found


def _read(opened: FileIO) -> Result | None:
    file = opened.fileno()
    size = os.fstat(file).st_size - _NOTE.size
    if size < 0:
        return None
    mark, word, noted = _NOTE.unpack(os.pread(file, _NOTE.size, size))
    format_ = FORMATS.get(word.rstrip(b"\0").decode("latin-1"))
    if mark != _MARK or noted != size or format_ is None:
        return None
    info = ObjectInfo("", size, 0, "")
    if size <= _PART:
        return Result(info, format_, os.pread(file, size, 0))
    return Result(info, format_, None, opened)


def _mark_used(path: Path, found: os.stat_result) -> None:
    """The time of the file is that of its last use, to the minute."""
    if time.time() - found.st_mtime > _FRESH_SECONDS:
        try:
            os.utime(path)
        except FileNotFoundError:  # dropped in this moment
            pass
