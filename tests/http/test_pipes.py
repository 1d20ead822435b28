"""Answers in parts, at the pace of whoever reads them."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from bkend.http.disconnected import Disconnected
from bkend.http.pipes import PipeWriter


class Reader:
    """Opens the pipe by its name in a thread, as granian does, and reads when told to."""

    def __init__(self) -> None:
        self.found = bytearray()
        self.go_on = threading.Event()
        self.leaves = False
        self.thread: threading.Thread | None = None

    def begin(self, path: str) -> None:
        self.thread = threading.Thread(target=self._read, args=(path,))
        self.thread.start()

    def _read(self, path: str) -> None:
        with open(path, "rb", buffering=0) as file:
            self.found += file.read(128 * 1024)
            self.go_on.wait(10)
            if not self.leaves:
                while part := file.read(128 * 1024):
                    self.found += part

    def join(self) -> None:
        assert self.thread is not None
        self.go_on.set()
        self.thread.join(10)
        assert not self.thread.is_alive()


def pipes() -> int:
    """How many ends of pipes this process holds."""
    links = Path("/proc/self/fd").iterdir()
    return sum(_target(link).startswith("pipe:") for link in links)


def _target(link: Path) -> str:
    try:
        return os.readlink(link)
    except FileNotFoundError:
        return ""


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.005)


async def test_everything_arrives_in_order_and_no_faster_than_it_is_read() -> None:
    before, reader = pipes(), Reader()
    writer = PipeWriter(reader.begin)
    parts = [bytes([number]) * 300_000 for number in range(20)]
    sent = 0

    async def write() -> None:
        nonlocal sent
        for part in parts:
            await writer.send_bytes(part)
            sent += len(part)

    writing = asyncio.create_task(write())
    await until(lambda: len(reader.found) > 0)
    await asyncio.sleep(0.1)
    assert sent <= len(reader.found) + 300_000 + 256 * 1024  # the rest waits for the reader
    assert not writing.done()
    reader.go_on.set()
    await writing
    writer.close()
    await asyncio.to_thread(reader.join)
    assert bytes(reader.found) == b"".join(parts)
    assert pipes() == before


async def test_a_small_answer_is_taken_before_its_end_is_closed() -> None:
    for size in (1, 100, 70_000):
        reader = Reader()
        writer = PipeWriter(reader.begin)
        await writer.send_bytes(b"x" * size)
        writer.close()
        await asyncio.to_thread(reader.join)
        assert len(reader.found) == size


async def test_a_reader_that_goes_is_noticed() -> None:
    before, reader = pipes(), Reader()
    reader.leaves = True
    writer = PipeWriter(reader.begin)
    await writer.send_bytes(b"x" * 1000)
    await asyncio.to_thread(reader.join)
    with pytest.raises(Disconnected):
        await writer.send_bytes(b"x" * 1_000_000)
    writer.close()
    assert pipes() == before


async def test_nobody_who_reads_is_not_waited_for_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bkend.http.pipes._OPENED_SECONDS", 0.05)
    before, names = pipes(), list[str]()
    writer = PipeWriter(names.append)
    with pytest.raises(Disconnected):
        await writer.send_bytes(b"x" * 10)
    assert len(names) == 1
    assert writer.has_begun
    writer.close()
    writer.close()
    assert pipes() == before
