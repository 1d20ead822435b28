"""Objects as files, beyond what every kind of store does: where they lie and who may read them."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path
from time import time

import pytest

from bkend.objects.interface import InvalidKey, ObjectsUnavailable, ObjectTooLarge
from bkend.objects.local import LocalObjects
from tests.objects.stores import keys, put, put_part, read


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "objects"


@pytest.fixture
def objects(root: Path) -> LocalObjects:
    return LocalObjects(root, reserve=0)


def files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


async def test_nothing_is_written_beside_the_folder(objects: LocalObjects, root: Path) -> None:
    for key in ("....//x".replace("//", "/"), "%2e%2e/%2e%2e/x", "..\\..\\x", "~/x", "C:\\x"):
        await put(objects, key, b"x")
    assert [path.name for path in root.parent.iterdir()] == ["objects"]
    assert len(files(root)) == 5


@pytest.mark.parametrize("key", ["x" * 1024, "é" * 255 + "/y"], ids=["long", "wide"])
async def test_keys_longer_than_names_of_files_may_be(objects: LocalObjects, key: str) -> None:
    await put(objects, key, b"x")
    assert await read(objects, key) == b"x"
    assert await keys(objects) == [key]


async def test_what_is_no_key_makes_no_folder(objects: LocalObjects, root: Path) -> None:
    with pytest.raises(InvalidKey):
        await put(objects, "../a", b"x")
    assert not root.exists()


async def test_what_was_not_written_whole_leaves_no_file(objects: LocalObjects, root: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"begun"
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        await objects.put("k", broken(), limit=100)
    with pytest.raises(ObjectTooLarge):
        await put(objects, "k", b"x" * 50, b"x" * 51, limit=100)
    assert files(root) == []


async def test_the_last_object_takes_its_folders_along(objects: LocalObjects, root: Path) -> None:
    await put(objects, "a/b/c", b"x")
    await put(objects, "a/d", b"x")
    await objects.delete("a/b/c")
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


@pytest.mark.parametrize("key", ["k", "a/b"])
async def test_nobody_else_reads_what_is_kept(root: Path, key: str) -> None:
    place = root / "above" / "objects"
    objects = LocalObjects(place, reserve=0)
    await put(objects, key, b"x")
    upload = await objects.begin_multipart(key)
    await put_part(objects, key, upload, 1, b"x")
    kept = [place, *place.rglob("*")]
    assert any(path.parent.parent.name == ".uploads" for path in kept)
    for path in kept:
        assert path.stat().st_mode & 0o077 == 0, path
