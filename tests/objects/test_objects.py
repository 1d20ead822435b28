"""What every kind of object store does alike."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator

import pytest

from bkend.objects.interface import InvalidKey, Objects, ObjectTooLarge
from tests.objects.stores import keys, put, read

NESTED = ["a", "a/b", "a/b/c.png"]
KEYS = [
    *NESTED,
    "project/dev/files/2026/11/6b045116-ac3f.png",
    ".hidden/.x",
    "..a/b..",
    "a b/ü€🎉",
    "a%2Fb",
    "a%252Fb",
    "a=/b=",
    "a+b&c=d?e#f",
    "!$'()*,;:@[]~",
    'q"uote/<x>|^`{}',
    "é" * 100 + "/y",
    "CON/nul",
]
NO_KEYS = ["", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "../a", "a/.", "a\x00b", "a\nb"]


async def test_what_is_put_is_read_under_every_key(objects: Objects) -> None:
    # SeaweedFS may leave a key out of its lists that becomes the folder of another at the very same
    # moment. The server's own keys are never folders of others.
    for key in NESTED:
        await put(objects, key, key.encode(), b"!")
    others = KEYS[len(NESTED) :]
    await asyncio.gather(*(put(objects, key, key.encode(), b"!") for key in others))
    for key in KEYS:
        assert await read(objects, key) == key.encode() + b"!", key
    assert await keys(objects) == sorted(KEYS)


@pytest.mark.parametrize("key", [*NO_KEYS, "x" * 1025])
async def test_what_is_no_key_is_refused(objects: Objects, key: str) -> None:
    signed = {"seconds": 60, "limit": 1, "content_type": "a/b"}
    headers = {"content_type": "a/b", "disposition": "inline", "cache_control": "no-store"}
    for call in (
        put(objects, key, b"x"),
        objects.open(key),
        objects.head(key),
        objects.delete(key),
        objects.begin_multipart(key),
    ):
        with pytest.raises(InvalidKey):
            await call
    assert await keys(objects) == []
    for address in (
        objects.presign_put(key, **signed),  # type: ignore[arg-type]
        objects.presign_get(key, seconds=60, **headers),
        objects.presign_part(key, "id", 1, seconds=60),
    ):
        try:
            assert await address is None
        except InvalidKey:
            pass


async def test_a_key_that_leads_out_is_refused_in_a_prefix_too(objects: Objects) -> None:
    await put(objects, "a/b", b"x")
    for prefix in ("../", "a/../", "/a/"):
        with pytest.raises(InvalidKey):
            await keys(objects, prefix)


async def test_what_is_told_of_an_object(objects: Objects) -> None:
    before = time.time() * 1000 - 2000
    made = await put(objects, "k", b"some ", b"bytes")
    assert made.key == "k"
    assert made.size == 10
    assert made.md5 == hashlib.md5(b"some bytes").hexdigest()
    found = await objects.head("k")
    opened = await objects.open("k")
    assert opened is not None
    assert found is not None
    assert found == opened.info
    assert (found.key, found.size, found.etag) == ("k", 10, made.etag)
    assert '"' not in found.etag
    for info in (made, found):
        assert before < info.modified_at < time.time() * 1000 + 2000
    await opened.close()


async def test_other_bytes_have_another_tag(objects: Objects) -> None:
    first = await put(objects, "k", b"former")
    second = await put(objects, "k", b"latter")
    assert first.etag != second.etag
    assert await read(objects, "k") == b"latter"


async def test_what_is_not_there(objects: Objects) -> None:
    await put(objects, "a/b", b"x")
    for key in ("a", "a/b/c", "b", "A/b"):
        assert await objects.open(key) is None
        assert await objects.head(key) is None
        assert await objects.delete(key) is False
    assert await keys(objects) == ["a/b"]


async def test_an_empty_object(objects: Objects) -> None:
    await put(objects, "k")
    assert await read(objects, "k") == b""
    found = await objects.head("k")
    assert found is not None
    assert found.size == 0


async def test_prefixes_are_of_texts_not_of_folders(objects: Objects) -> None:
    for key in ("a/b/1", "a/b/2", "a/bc/3", "a/b", "ab/4"):
        await put(objects, key, b"x")
    assert await keys(objects, "a/b") == ["a/b", "a/b/1", "a/b/2", "a/bc/3"]
    assert await keys(objects, "a/b/") == ["a/b/1", "a/b/2"]
    assert await keys(objects, "a") == ["a/b", "a/b/1", "a/b/2", "a/bc/3", "ab/4"]
    assert await keys(objects, "nothing/here/") == []


async def test_a_window_of_the_bytes(objects: Objects) -> None:
    await put(objects, "k", b"0123456789")
    assert await read(objects, "k", 3) == b"3456789"
    assert await read(objects, "k", 3, 4) == b"3456"
    assert await read(objects, "k", 8, 100) == b"89"
    assert await read(objects, "k", 10) == b""
    assert await read(objects, "k", 0, 0) == b""


async def test_windows_of_a_large_object_in_any_order(objects: Objects) -> None:
    content = os.urandom(3_000_000)
    await put(objects, "k", content[:1_000_000], content[1_000_000:])
    found = await objects.open("k")
    assert found is not None
    for offset, length in ((0, 12), (0, 3_000_000), (2_999_990, 100), (1, 700_000), (300_000, 9)):
        got = b"".join([part async for part in found.parts(offset, length)])
        assert got == content[offset : offset + length]
    await found.close()
    assert await read(objects, "k", 1_234_567) == content[1_234_567:]


async def test_too_much_is_refused_and_the_former_stays(objects: Objects) -> None:
    await put(objects, "k", b"former")
    await put(objects, "full", b"x" * 50, b"x" * 50, limit=100)
    with pytest.raises(ObjectTooLarge):
        await put(objects, "k", b"x" * 50, b"x" * 51, limit=100)
    assert await read(objects, "k") == b"former"
    assert await keys(objects) == ["full", "k"]


async def test_what_is_too_much_is_not_awaited(objects: Objects) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1000

    with pytest.raises(ObjectTooLarge):
        await objects.put("k", endless(), limit=1_000_000)
    assert await objects.head("k") is None


async def test_a_broken_stream_leaves_nothing(objects: Objects) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"begun" * 200_000
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        await objects.put("k", broken(), limit=10_000_000)
    assert await keys(objects) == []


async def test_an_object_being_written_is_not_seen(objects: Objects) -> None:
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


async def test_of_writes_at_once_one_wins_whole(objects: Objects) -> None:
    contents = [bytes([65 + number]) * 700_000 for number in range(6)]
    await asyncio.gather(*(put(objects, "k", content) for content in contents))
    assert await read(objects, "k") in contents
    assert await keys(objects) == ["k"]


async def test_who_reads_keeps_reading_what_was_there(objects: Objects) -> None:
    await put(objects, "k", b"former")
    found = await objects.open("k")
    assert found is not None
    await put(objects, "k", b"new")
    await objects.delete("k")
    assert b"".join([part async for part in found.parts()]) == b"former"
    assert b"".join([part async for part in found.parts(2)]) == b"rmer"
    await found.close()
    await found.close()
    assert await objects.open("k") is None


async def test_deleting_tells_whether_there_was_one(objects: Objects) -> None:
    await put(objects, "a/b/c", b"x")
    await put(objects, "a/d", b"x")
    assert await objects.delete("a/b/c") is True
    assert await objects.delete("a/b/c") is False
    assert await keys(objects) == ["a/d"]
