"""How a serving process learns, without a system call, that another process changed the data.

One eight-byte counter in a file that both map. A writer that is not the server makes it odd
before its commit and even after. The server compares it on every request; while it is odd the
server trusts no cache, and when its maker died in between, the server makes it even itself.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_COUNTER = struct.Struct("<Q")


class ChangeFile:
    """The shared counter of one data directory."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            missing = _COUNTER.size - os.fstat(self._descriptor).st_size
            if missing > 0:
                # Written, not just made longer: a hole could not be filled on a full disk, and
                # touching it through the mapping would then end the process.
                os.pwrite(self._descriptor, bytes(missing), _COUNTER.size - missing)
            self._map = mmap.mmap(self._descriptor, _COUNTER.size)
        except BaseException:
            os.close(self._descriptor)
            raise
        self._mine = threading.Lock()

    @property
    def raw(self) -> bytes:
        """The counter's bytes: cheap to compare."""
        return self._map[:]

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Around a commit by a process that is not the server."""
        with self._mine:  # a file lock does not keep apart the threads of one process
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            try:
                (value,) = _COUNTER.unpack(self._map[:])
                self._map[:] = _COUNTER.pack(value | 1)
                try:
                    yield
                finally:
                    self._map[:] = _COUNTER.pack((value | 1) + 1)
            finally:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def settled(self) -> bool:
        """Whether no change is under way; repairs the mark of a writer that died."""
        if self._map[0] % 2 == 0:
            return True
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        try:
            (value,) = _COUNTER.unpack(self._map[:])
            if value % 2:
                self._map[:] = _COUNTER.pack(value + 1)
            return True
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the mapping."""
        self._map.close()
        os.close(self._descriptor)
