"""Finished images are kept, within bounds, and no longer than they may be seen."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bkend.images.cache import ImageCache
from bkend.images.recent import RecentImages
from bkend.images.results import Result
from bkend.objects.interface import ObjectInfo
from tests.files.conftest import code
from tests.images.conftest import Gallery
from tests.images.pictures import BLUE, GREEN, RED, WEBP, jpeg, noisy, plain, png

KIB = 1024


async def keep(cache: ImageCache, key: str, tag: str, content: bytes) -> Result:
    await cache.prepare()
    draft = cache.draft()
    draft.write_bytes(content)
    return await cache.keep(key, tag, draft, "png")


async def content(result: Result | None) -> bytes | None:
    if result is None:
        return None
    found = b"".join([part async for part in result.parts()])
    await result.close()
    await result.close()
    return found


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def use(folder: Path, tag: str, seconds_ago: float) -> None:
    [path] = folder.rglob(tag)
    os.utime(path, (time.time() - seconds_ago,) * 2)


@pytest.mark.parametrize("size", [1, 100, 300 * KIB, 700 * KIB])
async def test_what_is_kept_is_found_again_even_by_others(tmp_path: Path, size: int) -> None:
    made = os.urandom(size)
    kept = await keep(ImageCache(tmp_path, 10**7), "a/b", "tag", made)
    assert await content(kept.again()) == made
    assert await content(kept) == made
    restarted = ImageCache(tmp_path, 10**7)
    found = await restarted.open("a/b", "tag")
    assert found is not None
    assert (found.format, found.info.size) == ("png", size)
    parts = [part async for part in found.parts(size // 2, 10)]
    assert b"".join(parts) == made[size // 2 : size // 2 + 10]
    assert await content(found) == made
    assert await restarted.open("a/b", "other") is None
    assert await restarted.open("a", "tag") is None


async def test_the_oldest_use_goes_first(tmp_path: Path) -> None:
    cache = ImageCache(tmp_path, 100 * KIB)
    for number in range(9):
        await keep(cache, f"k{number}", f"t{number}", bytes(10 * KIB))
        use(tmp_path, f"t{number}", 1000 - number)
    assert await content(await cache.open("k0", "t0")) is not None  # used just now
    for number in range(9, 12):
        await keep(cache, f"k{number}", f"t{number}", bytes(10 * KIB))
    left = sorted(int(path.name[1:]) for path in files(tmp_path))
    assert sum(path.stat().st_size for path in files(tmp_path)) <= 100 * KIB
    assert {0, 11} <= set(left)
    assert 1 not in left
    assert left == sorted({0, *range(12 - len(left) + 1, 12)})


async def test_processes_that_share_a_folder_stay_within_its_bound(tmp_path: Path) -> None:
    caches = [ImageCache(tmp_path, 100 * KIB) for _ in range(3)]
    for number in range(60):
        await keep(caches[number % 3], f"k{number}", f"t{number}", bytes(5 * KIB))
    assert sum(path.stat().st_size for path in files(tmp_path)) <= 150 * KIB


@pytest.mark.parametrize("size", [100 * KIB, 500 * KIB])
async def test_an_image_that_does_not_fit_is_read_once(tmp_path: Path, size: int) -> None:
    cache = ImageCache(tmp_path, 0)
    made = os.urandom(size)
    result = await keep(cache, "k", "t", made)
    assert files(tmp_path) == []
    assert await content(result.again()) == made
    assert await content(result) == made


@pytest.mark.parametrize("size", [0, 3, 60, 115])
async def test_a_file_cut_short_is_none(tmp_path: Path, size: int) -> None:
    cache = ImageCache(tmp_path, 10**6)
    (await keep(cache, "k", "t", bytes(100))).let_go()
    [path] = tmp_path.rglob("t")
    os.truncate(path, size)
    assert await cache.open("k", "t") is None


async def test_purging_takes_all_of_a_key_and_nothing_else(tmp_path: Path) -> None:
    cache = ImageCache(tmp_path, 10**6)
    for key in ("a", "a/b"):
        for tag in ("1", "2"):
            await keep(cache, key, tag, bytes(10))
    await cache.purge("a")
    await cache.purge("never seen")
    assert await cache.open("a", "1") is None
    assert await content(await cache.open("a/b", "2")) == bytes(10)
    assert len(files(tmp_path)) == 2


async def test_sweeping_drops_what_nobody_uses_and_what_was_never_finished(tmp_path: Path) -> None:
    cache = ImageCache(tmp_path, 10**6)
    await keep(cache, "k", "new", bytes(10))
    await keep(cache, "k", "old", bytes(10))
    use(tmp_path, "old", 8 * 24 * 60 * 60)
    begun, left = cache.draft(), cache.draft()
    begun.touch()
    left.touch()
    os.utime(left, (time.time() - 2 * 60 * 60,) * 2)
    await cache.sweep()
    assert {path.name for path in files(tmp_path)} == {"new", begun.name}
    await ImageCache(tmp_path / "nothing", 10).sweep()


# -- through the server ---------------------------------------------------------------------------


class Counted:
    """The jobs that reach the pool; each may be held up."""

    def __init__(self, gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
        self.jobs: list[Mapping[str, Any]] = []
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()
        run = gallery.images.pool.run

        async def counted(job: Mapping[str, Any]) -> dict[str, Any]:
            self.jobs.append(job)
            self.begun.set()
            await self.go_on.wait()
            return await run(job)

        monkeypatch.setattr(gallery.images.pool, "run", counted)


@pytest.fixture
def counted(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(gallery, monkeypatch)


@pytest.mark.asyncio(loop_scope="module")
async def test_an_image_is_made_once(gallery: Gallery, counted: Counted) -> None:
    key = await gallery.key(jpeg(noisy(100, 100)))
    answers = await asyncio.gather(*(gallery.get(f"50x50/{key}") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert len(counted.jobs) == 1
    for again in (f"50x50/{key}", f"050x50/filters:unknown()/{key}"):
        assert (await gallery.get(again)).content == answers[0].content
    assert (await gallery.archive.http.head(f"/img/50x50/{key}")).status_code == 200
    assert len(counted.jobs) == 1
    await gallery.get(f"50x50/{key}", **WEBP)
    await gallery.get(f"50x51/{key}")
    assert len(counted.jobs) == 3


@pytest.mark.asyncio(loop_scope="module")
async def test_an_image_in_memory_is_answered_as_one_on_disk(gallery: Gallery) -> None:
    file = await gallery.picture(jpeg(noisy(100, 100)))
    path = f"40x40/{file['key']}"
    for accept in ({}, WEBP):
        made = await gallery.get(path, **accept)
        again = [await gallery.get(path, **accept) for _ in range(2)]
        gallery.images.recent.forget(file["key"])
        from_disk = await gallery.get(path, **accept)
        for answer in (*again, from_disk):
            assert answer.content == made.content
            names = {"x-request-id", "date"}
            assert {pair for pair in answer.headers.items() if pair[0] not in names} == {
                pair for pair in made.headers.items() if pair[0] not in names
            }
    assert (await gallery.get(path)).status_code == 200
    change = {"visibility": "protected"}
    await gallery.archive.ok("ada", "PATCH", file["id"], change)
    assert code(await gallery.get(path)) == (403, "file/access-denied")


def image_of(key: str, tag: str, size: int) -> Result:
    return Result(ObjectInfo(key, size, 0, tag), "png", bytes(size))


def test_memory_for_images_is_bounded_and_forgets_by_key() -> None:
    recent = RecentImages(100)
    for number in range(5):
        recent.keep(f"t{number}", image_of("k" if number % 2 else "l", f"t{number}", 30))
        recent.get("t0")
    assert [tag for tag in ("t0", "t1", "t2", "t3", "t4") if recent.get(tag)] == ["t0", "t3", "t4"]
    recent.keep("large", image_of("k", "large", 101))
    assert recent.get("large") is None
    recent.forget("l")
    recent.forget("never seen")
    assert [tag for tag in ("t0", "t3", "t4") if recent.get(tag)] == ["t3"]
    recent.forget("k")
    recent.keep("new", image_of("n", "new", 100))
    assert recent.get("new") is not None


@pytest.mark.asyncio(loop_scope="module")
async def test_who_leaves_takes_the_image_from_nobody(gallery: Gallery, counted: Counted) -> None:
    key = await gallery.key(jpeg(noisy(100, 100)))
    counted.go_on.clear()
    first, second, third = (asyncio.create_task(gallery.get(f"9x9/{key}")) for _ in range(3))
    await counted.begun.wait()
    first.cancel()
    third.cancel()
    await asyncio.wait([first, third])
    counted.go_on.set()
    assert (await second).status_code == 200
    assert len(counted.jobs) == 1


@pytest.mark.asyncio(loop_scope="module")
async def test_an_image_that_all_have_left_is_made_to_the_end(
    gallery: Gallery, counted: Counted
) -> None:
    key = await gallery.key(jpeg(noisy(100, 100)))
    counted.go_on.clear()
    only = asyncio.create_task(gallery.get(f"9x9/{key}"))
    await counted.begun.wait()
    only.cancel()
    await asyncio.wait([only])
    counted.go_on.set()
    assert (await gallery.get(f"9x9/{key}")).status_code == 200
    assert len(counted.jobs) == 1


@pytest.mark.asyncio(loop_scope="module")
async def test_what_is_no_picture_is_looked_at_once(gallery: Gallery, counted: Counted) -> None:
    key = await gallery.key(jpeg(noisy(100, 100))[:700])
    for _ in range(3):
        assert code(await gallery.get(f"9x9/{key}")) == (400, "file/invalid-format")
    assert len(counted.jobs) == 1


@pytest.mark.asyncio(loop_scope="module")
async def test_a_file_that_is_public_no_more_leaves_no_images(gallery: Gallery) -> None:
    archive, before = gallery.archive, len(gallery.kept())
    file = await gallery.picture(jpeg(plain(20, 20)))
    for path in (f"5x5/{file['key']}", f"6x6/{file['key']}"):
        assert (await gallery.get(path)).status_code == 200
    assert len(gallery.kept()) == before + 2
    await archive.ok("ada", "PATCH", f"{file['id']}/visibility", {"visibility": "private"})
    assert code(await gallery.get(f"5x5/{file['key']}")) == (403, "file/access-denied")
    assert len(gallery.kept()) == before
    await archive.ok("ada", "PATCH", file["id"], {"visibility": "public"})
    assert (await gallery.get(f"5x5/{file['key']}")).status_code == 200
    await archive.ok("ada", "DELETE", file["id"])
    assert code(await gallery.get(f"5x5/{file['key']}")) == (404, "file/not-found")
    assert len(gallery.kept()) == before


@pytest.mark.asyncio(loop_scope="module")
async def test_a_registration_may_end_what_was_public(gallery: Gallery) -> None:
    archive, before = gallery.archive, len(gallery.kept())
    made = await archive.upload("ada", jpeg(plain(9, 9)), visibility="public")
    assert (await gallery.get(made["key"])).status_code == 200
    body = {"s3Key": made["key"], "originalName": "a", "mimeType": "image/jpeg", "size": 1}
    await archive.ok("ada", "POST", "", {**body, "visibility": "protected"}, status=201)
    assert code(await gallery.get(made["key"])) == (403, "file/access-denied")
    assert len(gallery.kept()) == before


@pytest.mark.asyncio(loop_scope="module")
async def test_new_bytes_give_new_images(gallery: Gallery) -> None:
    archive, before = gallery.archive, len(gallery.kept())
    made = await archive.upload("ada", png(plain(20, 20, RED)), visibility="public")
    first = await gallery.get(f"5x5/{made['key']}")
    assert (await archive.put(made["url"], png(plain(20, 20, BLUE)))).status_code == 200
    assert len(gallery.kept()) == before
    tag = {"If-None-Match": first.headers["etag"]}
    second = await gallery.get(f"5x5/{made['key']}", **tag)
    assert second.status_code == 200
    assert second.content != first.content
    assert len(gallery.kept()) == before + 1


@pytest.mark.asyncio(loop_scope="module")
async def test_a_file_withdrawn_while_its_image_is_made(gallery: Gallery, counted: Counted) -> None:
    before = len(gallery.kept())
    file = await gallery.picture(jpeg(plain(20, 20)))
    counted.go_on.clear()
    asking = asyncio.create_task(gallery.get(f"5x5/{file['key']}"))
    await counted.begun.wait()
    await gallery.archive.ok("ada", "PATCH", file["id"], {"visibility": "private"})
    counted.go_on.set()
    assert code(await asking) == (403, "file/access-denied")
    assert len(gallery.kept()) == before


@pytest.mark.asyncio(loop_scope="module")
async def test_bytes_replaced_while_the_image_is_made(gallery: Gallery, counted: Counted) -> None:
    archive, core = gallery.archive, gallery.archive.api.served.core
    made = await archive.upload("ada", png(plain(20, 20, RED)), visibility="public")
    counted.go_on.clear()
    asking = asyncio.create_task(gallery.seen(f"5x5/filters:format(png)/{made['key']}"))
    await counted.begun.wait()

    async def parts() -> AsyncIterator[bytes]:
        yield png(plain(20, 20, GREEN))

    await core.objects.put(made["key"], parts(), limit=10**6)
    counted.go_on.set()
    assert (await asking).is_like(2, 2, GREEN)
    assert len(counted.jobs) == 2
