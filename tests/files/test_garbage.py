"""What crashes and quitters leave is collected, in bounded steps, and nothing else (30 §2)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bkend.files.collections import UPLOADS
from bkend.files.uploads import Limits
from bkend.objects.collections import OBJECT_REMOVALS
from bkend.objects.interface import ObjectsUnavailable
from bkend.store import Find, Insert, Update
from bkend.store.documents import decode
from tests.files.conftest import TEXT, Archive, code
from tests.objects.stores import put

pytestmark = pytest.mark.asyncio(loop_scope="module")

_DAY = 24 * 60 * 60
FILM = {"filename": "film.mp4", "contentType": "video/mp4", "fileSize": 100}


@pytest.fixture(autouse=True)
def small_parts(archive: Archive) -> None:
    archive.files.uploads.limits = Limits(smallest_part=4, largest_part=1000)


async def removals(archive: Archive) -> int:
    return await archive.api.store.count(OBJECT_REMOVALS)


async def uploads(archive: Archive) -> int:
    return await archive.api.store.count(UPLOADS)


async def test_bytes_of_a_deletion_that_was_interrupted_are_collected(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, other = await archive.file(visibility="public"), await archive.file()
    objects = archive.api.served.core.objects

    async def crash(*_: Any) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr(archive.files._removals, "carry_out", crash)
        with pytest.raises(asyncio.CancelledError):
            await archive.call("ada", "DELETE", file["id"])
    assert code(await archive.shown(file["key"])) == (404, "file/not-found")
    assert await objects.head(file["key"]) is not None
    archive.api.clock.advance(60)
    await archive.files._removals.sweep()
    assert await objects.head(file["key"]) is None
    assert await objects.head(other["key"]) is not None
    assert await removals(archive) == 0


async def test_one_sweep_removes_so_many_and_the_next_goes_on(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bkend.objects.removals.MOST_AT_ONCE", 4)
    objects, found = archive.api.served.core.objects, archive.files._removals
    for number in range(7):
        await put(objects, f"gone/{archive.api.environment}/{number}", b"x")
    await archive.api.store.commit([found.of(f"gone/{archive.api.environment}/")])
    archive.api.clock.advance(60)

    async def left() -> int:
        await found.sweep()
        return len([key async for key in objects.keys(f"gone/{archive.api.environment}/")])

    assert await left() == 3
    assert await removals(archive) == 1
    assert await left() == 0
    assert await removals(archive) == 0


async def test_a_removal_that_can_never_be_does_not_hold_up_the_others(archive: Archive) -> None:
    file, found = await archive.file(), archive.files._removals
    never = Insert(OBJECT_REMOVALS, "0", {"key": "../never"}, 0, 0)
    await archive.api.store.commit([never, found.of_key(f"{file['key']}x")])
    archive.api.clock.advance(60)
    await found.sweep()
    assert await removals(archive) == 0


async def test_a_key_that_is_in_use_again_is_left_alone(archive: Archive) -> None:
    """A crash during a deletion, then the same file imported again under its former key."""
    file, found = await archive.file(visibility="public"), archive.files._removals
    await archive.api.store.commit([found.of_key(file["key"])])
    archive.api.clock.advance(60)
    await found.sweep()
    assert await removals(archive) == 0
    assert (await archive.shown(file["key"])).content == TEXT


async def test_an_outage_keeps_what_is_to_be_removed(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, objects = await archive.file(), archive.api.served.core.objects

    async def down(*_: Any) -> None:
        raise ObjectsUnavailable("down")

    with monkeypatch.context() as patched:
        patched.setattr(type(objects), "delete", down)
        assert await archive.ok("ada", "DELETE", file["id"]) == {"success": True}
        archive.api.clock.advance(60)
        with pytest.raises(ObjectsUnavailable):
            await archive.files._removals.sweep()
    assert await removals(archive) == 1
    await archive.files._removals.sweep()
    assert await objects.head(file["key"]) is None


async def test_intents_are_looked_at_in_bounded_numbers(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bkend.files.sweeping.MOST_AT_ONCE", 4)
    monkeypatch.setattr("bkend.files.sweeping._PAGE", 2)
    for _ in range(6):
        await archive.presign()
    archive.api.clock.advance(_DAY)
    await archive.files.sweep()
    assert await uploads(archive) == 2
    await archive.files.sweep()
    assert await uploads(archive) == 0


async def test_bytes_that_went_past_the_server_keep_their_intent(archive: Archive) -> None:
    made, objects = await archive.presign(visibility="public"), archive.api.served.core.objects
    await put(objects, made["key"], TEXT)
    archive.api.clock.advance(_DAY)
    await archive.files.sweep()
    assert (await archive.shown(made["key"])).content == TEXT
    document = await archive.files.uploads.of_key(made["key"])
    assert document is not None
    assert document["objectTag"]  # so it is not looked for again
    assert (await archive.ok("secret", "POST", f"{made['fileId']}/complete"))["size"] == len(TEXT)


async def test_a_crash_between_the_parts_becoming_one_and_its_note_loses_nothing(
    archive: Archive,
) -> None:
    made = await archive.ok("ada", "POST", "multipart/init", FILM)
    document = await archive.files.uploads.of_upload(made["uploadId"])
    assert document is not None
    objects = archive.api.served.core.objects

    async def content() -> Any:
        yield TEXT

    part = await archive.files.multipart.receive_part(document, 1, content(), len(TEXT))
    await objects.complete_multipart(made["key"], made["uploadId"], [part])
    archive.api.clock.advance(8 * _DAY)
    await archive.files.sweep()
    assert (await archive.ok("secret", "POST", f"{made['fileId']}/complete"))["size"] == len(TEXT)


async def test_an_upload_in_parts_that_no_intent_knows_is_dropped_after_a_week(
    archive: Archive,
) -> None:
    core, store = archive.api.served.core, archive.api.store
    known = await archive.ok("ada", "POST", "multipart/init", FILM)
    document = await archive.files.uploads.of_key((await archive.presign())["key"])
    assert document is not None
    stray = await core.objects.begin_multipart(document["s3Key"])
    foreign = await core.objects.begin_multipart("somebody/elses.bin")
    young = await core.objects.begin_multipart(document["s3Key"])
    folder = core.settings.data / "objects" / ".uploads"
    now = archive.api.clock.now
    for path in folder.iterdir():
        _age(path, now if young in path.name else now - 8 * _DAY * 1000)
    assert await core.stray_uploads.sweep() == 1
    left = {upload.upload_id async for upload in core.objects.uploads()}
    assert left >= {known["uploadId"], foreign, young}
    assert stray not in left
    await store.commit([Update(UPLOADS, known["fileId"], set={"uploadId": None})])
    assert await core.stray_uploads.sweep() == 1
    await core.objects.abort_multipart("somebody/elses.bin", foreign)


def _age(path: Any, at_ms: int) -> None:
    import os

    os.utime(path, (at_ms / 1000, at_ms / 1000))


async def test_what_is_uploaded_and_never_registered_is_kept(archive: Archive) -> None:
    made = await archive.upload(visibility="public")
    archive.api.clock.advance(400 * _DAY)
    await archive.files.sweep()
    await archive.files._removals.sweep()
    assert (await archive.shown(made["key"])).content == TEXT
    page = await archive.api.store.find(Find(UPLOADS))
    assert [decode(page.items[1:-1])["id"]] == [made["fileId"]]
