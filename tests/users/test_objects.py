"""Objects as files: whole or not at all, and never outside their folder."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path
from time import time
from typing import Any

import pytest

from bkend.objects.interface import InvalidKey, ObjectsUnavailable, ObjectTooLarge
from bkend.objects.local import LocalObjects


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "objects"


@pytest.fixture
def objects(root: Path) -> LocalObjects:
    return LocalObjects(root, reserve=0)


async def parts(*given: bytes) -> AsyncIterator[bytes]:
    for part in given:
        yield part


async def put(objects: LocalObjects, key: str, *given: bytes, limit: int = 100) -> Any:
    return await objects.put(key, parts(*given), limit=limit)


async def read(objects: LocalObjects, key: str, *window: int) -> bytes | None:
    found = await objects.open(key)
    if found is None:
        return None
    try:
        return b"".join([part async for part in found.parts(*window)])
    finally:
        await found.close()


async def keys(objects: LocalObjects, prefix: str = "") -> list[str]:
    return sorted([key async for key in objects.keys(prefix)])


def files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


KEYS = [
    "a",
    "a/b",
    "a/b/c.png",
    "avatars/dev/x/1.png",
    ".hidden/.x",
    "..a/b..",
    "a b/ü€🎉",
    "a%2Fb",
    "a=/b=",
    "x" * 1024,
    "é" * 255 + "/y",
    "CON/nul",
]


async def test_what_is_put_is_read_under_every_key(objects: LocalObjects) -> None:
    for key in KEYS:
        info = await put(objects, key, key.encode(), b"!", limit=2000)
        assert info == await objects.head(key)
        assert info.size == len(key.encode()) + 1
    for key in KEYS:
        assert await read(objects, key) == key.encode() + b"!"
    assert await keys(objects) == sorted(KEYS)


@pytest.mark.parametrize(
    "key",
    ["", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "../a", "a/.", "a\x00b", "a\nb", "x" * 1025],
)
async def test_what_is_no_key_is_refused(objects: LocalObjects, root: Path, key: str) -> None:
    for call in (
        put(objects, key, b"x"),
        objects.open(key),
        objects.head(key),
        objects.delete(key),
    ):
        with pytest.raises(InvalidKey):
            await call
    assert not root.exists()


async def test_nothing_is_written_beside_the_folder(objects: LocalObjects, root: Path) -> None:
    for key in ("....//x".replace("//", "/"), "%2e%2e/%2e%2e/x", "..\\..\\x", "~/x", "C:\\x"):
        await put(objects, key, b"x")
    assert [path.name for path in root.parent.iterdir()] == ["objects"]
    assert len(files(root)) == 5


async def test_prefixes_are_of_texts_not_of_folders(objects: LocalObjects) -> None:
    for key in ("a/b/1", "a/b/2", "a/bc/3", "a/b", "ab/4"):
        await put(objects, key, b"x")
    assert await keys(objects, "a/b") == ["a/b", "a/b/1", "a/b/2", "a/bc/3"]
    assert await keys(objects, "a/b/") == ["a/b/1", "a/b/2"]
    assert await keys(objects, "a") == ["a/b", "a/b/1", "a/b/2", "a/bc/3", "ab/4"]
    assert await keys(objects, "nothing/here/") == []


async def test_a_window_of_the_bytes(objects: LocalObjects) -> None:
    await put(objects, "k", b"0123456789")
    assert await read(objects, "k", 3) == b"3456789"
    assert await read(objects, "k", 3, 4) == b"3456"
    assert await read(objects, "k", 8, 100) == b"89"
    assert await read(objects, "k", 10) == b""


async def test_too_much_is_refused_and_the_former_stays(objects: LocalObjects, root: Path) -> None:
    await put(objects, "k", b"former")
    await put(objects, "full", b"x" * 50, b"x" * 50)
    with pytest.raises(ObjectTooLarge):
        await put(objects, "k", b"x" * 50, b"x" * 51)
    assert await read(objects, "k") == b"former"
    assert len(files(root)) == 2


async def test_a_broken_stream_leaves_nothing(objects: LocalObjects, root: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"begun"
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        await objects.put("k", broken(), limit=100)
    assert await objects.head("k") is None
    assert files(root) == []


async def test_an_object_being_written_is_not_seen(objects: LocalObjects) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"first"
        begun.set()
        await go_on.wait()
        yield b" last"

    await put(objects, "k", b"former")
    writing = asyncio.create_task(objects.put("k", slow(), limit=100))
    await begun.wait()
    assert await read(objects, "k") == b"former"
    assert await keys(objects) == ["k"]
    go_on.set()
    await writing
    assert await read(objects, "k") == b"first last"


async def test_who_reads_keeps_reading_what_was_there(objects: LocalObjects) -> None:
    await put(objects, "k", b"former")
    found = await objects.open("k")
    assert found is not None
    changed = await put(objects, "k", b"new")
    assert changed.etag != found.info.etag
    await objects.delete("k")
    assert b"".join([part async for part in found.parts()]) == b"former"
    await found.close()
    await found.close()
    assert await objects.open("k") is None


async def test_deleting_tells_whether_and_leaves_no_folder(
    objects: LocalObjects, root: Path
) -> None:
    await put(objects, "a/b/c", b"x")
    await put(objects, "a/d", b"x")
    assert await objects.delete("a/b/c") is True
    assert await objects.delete("a/b/c") is False
    assert await keys(objects) == ["a/d"]
    await objects.delete("a/d")
    assert [path.name for path in root.iterdir()] == [".tmp"]


async def test_writing_and_deleting_neighbours_at_once(objects: LocalObjects) -> None:
    async def cycle(number: int) -> None:
        for _ in range(10):
            await put(objects, f"a/b/{number}", b"x")
            await objects.delete(f"a/b/{number}")

    await asyncio.gather(*(cycle(number) for number in range(6)))
    assert await keys(objects) == []


async def test_a_nearly_full_disk_takes_nothing(root: Path) -> None:
    with pytest.raises(ObjectsUnavailable, match="nearly full"):
        await put(LocalObjects(root, reserve=1 << 62), "k", b"x")
    assert files(root) == []


async def test_a_full_disk_is_told_and_leaves_nothing(
    objects: LocalObjects, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("bkend.objects.local.os.fsync", full)
    with pytest.raises(ObjectsUnavailable, match="No space left"):
        await put(objects, "k", b"x")
    assert files(root) == []


async def test_bytes_and_folders_are_durable_before_the_answer(
    objects: LocalObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, os.replace

    def synced(descriptor: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        done.append("folder" if path.is_dir() else "file")
        fsync(descriptor)

    def moved(source: Path, target: Path) -> None:
        done.append("moved")
        replace(source, target)

    monkeypatch.setattr("bkend.objects.local.os.fsync", synced)
    monkeypatch.setattr("bkend.objects.local.os.replace", moved)
    await put(objects, "a/b", b"x")
    assert done[0] == "file"
    assert done[-2:] == ["moved", "folder"]
    assert done[1:-2] == ["folder"] * 3  # each new folder, in the one above it
    done.clear()
    await objects.delete("a/b")
    assert done == ["folder"]


async def test_what_a_killed_writer_left_goes_after_a_day(
    objects: LocalObjects, root: Path
) -> None:
    await put(objects, "k", b"x")
    old, new = root / ".tmp" / "old", root / ".tmp" / "new"
    for left in (old, new):
        left.write_bytes(b"half")
    os.utime(old, (time() - 90_000, time() - 90_000))
    await put(objects, "k", b"y")
    assert [path.name for path in (root / ".tmp").iterdir()] == ["new"]
    assert await keys(objects) == ["k"]


async def test_nobody_else_reads_the_folder(root: Path) -> None:
    for number, key in enumerate(("k", "a/b")):
        place = root / f"above{number}" / "objects"
        await put(LocalObjects(place, reserve=0), key, b"x")
        assert place.stat().st_mode & 0o077 == 0
        await LocalObjects(place, reserve=0).begin_multipart(key)
        assert (place / ".uploads").stat().st_mode & 0o077 == 0
