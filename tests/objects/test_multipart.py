"""Uploads in parts, on every kind of object store (30 §5.9)."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import AsyncIterator

import pytest

from bkend.objects.interface import Objects, ObjectTooLarge, UnknownUpload
from tests.objects.stores import SMALLEST_PART, keys, put, put_part, read, stream


async def test_parts_in_reverse_with_one_replaced(objects: Objects) -> None:
    first, second, last = os.urandom(SMALLEST_PART), os.urandom(SMALLEST_PART), b"the end"
    id = await objects.begin_multipart("a/k", content_type="video/mp4")
    ending = await put_part(objects, "a/k", id, 10_000, last)
    await put_part(objects, "a/k", id, 7, b"to be replaced")
    beginning = await put_part(objects, "a/k", id, 1, first)
    middle = await put_part(objects, "a/k", id, 7, second)
    unlisted = await put_part(objects, "a/k", id, 8, b"not listed")
    assert middle.etag == hashlib.md5(second).hexdigest()
    assert middle.size == SMALLEST_PART
    listed = await objects.list_parts("a/k", id)
    assert [part.number for part in listed] == [1, 7, 8, 10_000]
    kept = {1: beginning, 8: unlisted, 10_000: ending}
    for part in listed:  # of a part replaced within a second, some servers list the former
        if part.number in kept:
            assert (part.etag, part.size) == (kept[part.number].etag, kept[part.number].size)
    assert await keys(objects) == []

    made = await objects.complete_multipart("a/k", id, [beginning, middle, ending])
    assert made.size == 2 * SMALLEST_PART + 7
    assert await read(objects, "a/k") == first + second + last
    assert await objects.head("a/k") is not None
    assert await read(objects, "a/k", SMALLEST_PART - 2, 4) == first[-2:] + second[:2]


async def test_a_completed_upload_is_spent(objects: Objects) -> None:
    id = await objects.begin_multipart("k")
    part = await put_part(objects, "k", id, 1, b"whole")
    await objects.complete_multipart("k", id, [part])
    with pytest.raises(UnknownUpload):
        await objects.list_parts("k", id)
    with pytest.raises(UnknownUpload):
        await put_part(objects, "k", id, 2, b"late")
    assert await objects.abort_multipart("k", id) is False
    assert await read(objects, "k") == b"whole"


async def test_an_aborted_upload_is_gone_and_leaves_the_former(objects: Objects) -> None:
    await put(objects, "k", b"former")
    id = await objects.begin_multipart("k")
    part = await put_part(objects, "k", id, 1, b"never")
    assert await objects.abort_multipart("k", id) is True
    assert await objects.abort_multipart("k", id) is False
    with pytest.raises(UnknownUpload):
        await objects.complete_multipart("k", id, [part])
    assert await read(objects, "k") == b"former"
    assert await keys(objects) == ["k"]


async def test_an_upload_is_of_its_key_alone(objects: Objects) -> None:
    id = await objects.begin_multipart("mine")
    part = await put_part(objects, "mine", id, 1, b"x")
    for call in (
        put_part(objects, "other", id, 1, b"y"),
        objects.list_parts("other", id),
        objects.complete_multipart("other", id, [part]),
    ):
        with pytest.raises(UnknownUpload):
            await call
    assert await objects.abort_multipart("other", id) is False
    assert [found.etag for found in await objects.list_parts("mine", id)] == [part.etag]


@pytest.mark.parametrize("id", ["", "nothing", "../../etc", "a/b", "x" * 1024, "\x00", "%2e%2e"])
async def test_an_unknown_upload(objects: Objects, id: str) -> None:
    with pytest.raises(UnknownUpload):
        await put_part(objects, "k", id, 1, b"x")
    with pytest.raises(UnknownUpload):
        await objects.list_parts("k", id)
    assert await objects.abort_multipart("k", id) is False


async def test_an_upload_without_parts_yet(objects: Objects) -> None:
    id = await objects.begin_multipart("k")
    assert await objects.list_parts("k", id) == []
    assert await objects.abort_multipart("k", id) is True


async def test_a_part_is_whole_or_not_at_all(objects: Objects) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"begun"
        raise ConnectionError("gone")

    id = await objects.begin_multipart("k")
    kept = await put_part(objects, "k", id, 1, b"kept")
    with pytest.raises(ConnectionError):
        await objects.put_part("k", id, 1, broken(), limit=100)
    with pytest.raises(ObjectTooLarge):
        await objects.put_part("k", id, 1, stream(b"x" * 50, b"x" * 51), limit=100)
    assert [part.etag for part in await objects.list_parts("k", id)] == [kept.etag]


async def test_a_part_that_is_gone_or_changed_completes_nothing(objects: Objects) -> None:
    id = await objects.begin_multipart("k")
    first = await put_part(objects, "k", id, 1, b"first")
    second = await put_part(objects, "k", id, 2, b"second")
    await put_part(objects, "k", id, 2, b"another")
    with pytest.raises(UnknownUpload):
        await objects.complete_multipart("k", id, [first, second])
    assert await objects.head("k") is None


async def test_uploads_under_way_are_told(objects: Objects) -> None:
    assert [upload async for upload in objects.uploads()] == []
    before = time.time() * 1000 - 2000
    keys = {await objects.begin_multipart(key): key for key in ("a/ü k", "b")}
    for id, key in keys.items():
        await put_part(objects, key, id, 1, b"x")
    found = {upload.upload_id: upload async for upload in objects.uploads()}
    assert {id: upload.key for id, upload in found.items()} == keys
    for upload in found.values():
        assert before < upload.begun_at < time.time() * 1000 + 2000
    done, left = keys
    assert await objects.abort_multipart(keys[done], done)
    assert [upload.upload_id async for upload in objects.uploads()] == [left]


async def test_a_store_that_works_says_so_and_keeps_nothing(objects: Objects) -> None:
    await objects.check()
    assert await keys(objects) == []
    assert [upload async for upload in objects.uploads()] == []
