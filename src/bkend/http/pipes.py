"""Answers in parts at the client's pace, through a pipe that granian reads like a file.

Granian's own stream takes every part at once and keeps what the client has not read yet: somebody
who reads slowly, or not at all, would have a whole file put into memory. A file it reads as the
client does. So it is given the reading end of a pipe under its name in `/proc`, and whoever writes
waits until there is room (docs/decisions/010).
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import struct
import termios
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from bkend.http.disconnected import Disconnected

IS_POSSIBLE = Path("/proc/self/fd").is_dir() and hasattr(fcntl, "F_SETPIPE_SZ")
_SIZE = 256 * 1024
_OPENED_SECONDS = 10.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.0005, 0.02


class PipeWriter:
    """The writing end. `begin` is told the name of the reading end, with the first part."""

    def __init__(self, begin: Callable[[str], None]) -> None:
        self._begin = begin
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        try:
            fcntl.fcntl(self._writing, fcntl.F_SETPIPE_SZ, _SIZE)
        except OSError:  # the user has too many large pipes already
            pass
        self._sent = 0

    @property
    def has_begun(self) -> bool:
        """Whether a part was sent."""
        return self._sent > 0

    async def send_bytes(self, data: bytes) -> None:
        """Send a part, once there is room for it. Raises Disconnected."""
        left = memoryview(data)
        while left:
            try:
                count = os.write(self._writing, left)
            except BlockingIOError:
                await self._room()
                continue
            except BrokenPipeError as error:
                raise Disconnected from error
            left = left[count:]
            self._sent += count
            if self._reading >= 0:
                if self._sent == count:
                    self._begin(f"/proc/self/fd/{self._reading}")
                await self._opened()

    def close(self) -> None:
        """End the answer, also one that nobody reads any more."""
        for name in ("_reading", "_writing"):
            descriptor = getattr(self, name)
            if descriptor >= 0:
                os.close(descriptor)
                setattr(self, name, -1)

    async def _opened(self) -> None:
        """Wait until the reader has its own end, which shows as it reads; then ours is closed, so
        that a reader who goes away is noticed. Raises Disconnected when there is none."""
        until, pause = monotonic() + _OPENED_SECONDS, 0.0
        while _waiting(self._reading) >= self._sent:
            if monotonic() > until:
                raise Disconnected
            await asyncio.sleep(pause)
            pause = min(pause * 2 or _FIRST_PAUSE, _LONGEST_PAUSE)
        os.close(self._reading)
        self._reading = -1

    async def _room(self) -> None:
        loop, is_free = asyncio.get_running_loop(), asyncio.Event()
        loop.add_writer(self._writing, is_free.set)
        try:
            await is_free.wait()
        finally:
            loop.remove_writer(self._writing)


def _waiting(descriptor: int) -> int:
    """How many bytes are in the pipe."""
    answer = fcntl.ioctl(descriptor, termios.FIONREAD, b"\0" * 4)
    found: int = struct.unpack("i", answer)[0]
    return found
