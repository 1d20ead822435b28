"""Uploads in parts (30 §5.9), and what nobody goes on with (§2, §4)."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from bkend.files.collections import UPLOADS
from bkend.files.uploads import Limits
from bkend.objects.interface import ObjectsMisconfigured, ObjectsUnavailable
from bkend.objects.local import LocalObjects
from bkend.store import Find
from tests.files.conftest import TEXT, Archive, code

pytestmark = pytest.mark.asyncio(loop_scope="module")

DENIED = (403, "file/access-denied")
NOT_FOUND = (404, "file/not-found")
BAD_PARTS = (400, "file/invalid-parts-array")
BAD_NUMBER = (400, "file/invalid-part-number-range")
_DAY = 24 * 60 * 60


@pytest.fixture(autouse=True)
def small_parts(archive: Archive) -> None:
    archive.files.uploads.limits = Limits(smallest_part=4, largest_part=1000)


async def begin(archive: Archive, **body: Any) -> Any:
    wanted = {"filename": "film.mp4", "contentType": "video/mp4", "fileSize": 100, **body}
    return await archive.ok("ada", "POST", "multipart/init", wanted)


async def part(archive: Archive, made: Any, number: int, content: bytes) -> str:
    """Upload a part; its ETag as it is answered, with quotes."""
    body = {"key": made["key"], "uploadId": made["uploadId"], "partNumber": number}
    found = await archive.ok("ada", "POST", "multipart/presigned-url", body)
    assert found["partNumber"] == number
    answer = await archive.put(found["url"], content)
    assert answer.status_code == 200, answer.text
    return answer.headers["etag"]


def listed(*parts: tuple[int, str]) -> list[dict[str, Any]]:
    return [{"partNumber": number, "etag": etag} for number, etag in parts]


async def test_parts_in_any_order_become_one_file(archive: Archive) -> None:
    made = await begin(archive, visibility="public", category="media")
    last = await part(archive, made, 30, b"ccc")
    second = await part(archive, made, 7, b"bbbb")
    await part(archive, made, 8, b"unlisted")
    old = await part(archive, made, 2, b"old part")
    first = await part(archive, made, 2, b"aaaa")
    assert first == f'"{hashlib.md5(b"aaaa").hexdigest()}"'
    body = {"key": made["key"], "uploadId": made["uploadId"]}
    stale = {**body, "parts": listed((2, old), (7, second), (30, last))}
    assert await archive.refused("ada", "POST", "multipart/complete", stale) == BAD_PARTS
    good = {**body, "parts": listed((30, last), (2, first.strip('"')), (7, second))}
    done = await archive.ok("ada", "POST", "multipart/complete", good)
    assert done == {"key": made["key"], "location": f"http://bkend.test/raw/{made['key']}"}
    assert (await archive.shown(made["key"])).content == b"aaaabbbbccc"
    assert await archive.refused("ada", "POST", "multipart/complete", good) == NOT_FOUND
    assert await archive.refused("ada", "GET", made["fileId"]) == NOT_FOUND
    given = {"s3Key": made["key"], "originalName": "a.mp4", "mimeType": "video/mp4", "size": 1}
    file = await archive.ok("ada", "POST", "", given, status=201)
    assert (file["id"], file["size"], file["bucket"]) == (made["fileId"], 11, "media")
    answer = await archive.shown(made["key"], Range="bytes=3-8")
    assert answer.content == b"abbbbc"
    root = archive.api.served.core.settings.data / "objects" / ".uploads"
    assert not any(made["uploadId"] in path.name for path in root.iterdir())


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (ObjectsUnavailable("down"), (500, "file/upload-init-failed")),
        (ObjectsMisconfigured("no such bucket"), (500, "file/bucket-not-configured")),
    ],
    ids=["down", "refused"],
)
async def test_an_upload_that_cannot_begin_leaves_no_intent(
    archive: Archive,
    monkeypatch: pytest.MonkeyPatch,
    failure: Exception,
    expected: tuple[int, str],
) -> None:
    async def fail(*_: Any, **__: Any) -> str:
        raise failure

    monkeypatch.setattr(LocalObjects, "begin_multipart", fail)
    wanted = {"filename": "film.mp4", "contentType": "video/mp4", "fileSize": 100}
    answer = await archive.call("ada", "POST", "multipart/init", wanted)
    assert (answer.status_code, answer.json()["code"]) == expected
    assert answer.json()["requestId"]
    assert "bucket'" not in answer.text
    assert await archive.api.store.count(UPLOADS) == 0


async def test_part_numbers(archive: Archive) -> None:
    made = await begin(archive)
    body = {"key": made["key"], "uploadId": made["uploadId"]}
    for bad in (0, -1, 10001, "1", 1.5, None, True, [1]):
        refused = await archive.refused(
            "ada", "POST", "multipart/presigned-url", {**body, "partNumber": bad}
        )
        assert refused == BAD_NUMBER, bad
    for good in (1, 10000):
        await part(archive, made, good, b"x")


async def test_lists_of_parts_that_do_not_fit(archive: Archive) -> None:
    made = await begin(archive, fileSize=10)
    one = await part(archive, made, 1, b"aaaaaa")
    two = await part(archive, made, 2, b"b")
    three = await part(archive, made, 3, b"cccccc")
    body = {"key": made["key"], "uploadId": made["uploadId"]}
    bads: tuple[Any, ...] = (
        [],
        None,
        "x",
        {},
        [1],
        [{"partNumber": 1}],
        listed((1, one), (1, one)),
        listed((4, one)),
        listed((1, two)),
        listed((1, one), (2, two), (3, three)),  # the second is too small
        [{"partNumber": "1", "etag": one}],
        [{"partNumber": 1, "etag": 7}],
        listed(*((n, one) for n in range(1, 10_002))),
    )
    for bad in bads:
        found = await archive.refused("ada", "POST", "multipart/complete", {**body, "parts": bad})
        assert found == BAD_PARTS, str(bad)[:80]
    too_much = {**body, "parts": listed((1, one), (3, three))}
    found = await archive.refused("ada", "POST", "multipart/complete", too_much)
    assert found == (400, "file/file-too-large")
    small = {**body, "parts": listed((1, one), (2, two))}
    await archive.ok("ada", "POST", "multipart/complete", small)


async def test_uploads_of_others_and_unknown_ones(archive: Archive) -> None:
    made, other = await begin(archive), await begin(archive)
    etag = await part(archive, made, 1, b"x")
    body = {
        "key": made["key"],
        "uploadId": made["uploadId"],
        "partNumber": 1,
        "parts": listed((1, etag)),
    }
    for word in ("presigned-url", "complete", "abort"):
        assert await archive.refused("bob", "POST", f"multipart/{word}", body) == DENIED
        for wrong in ({"key": other["key"]}, {"uploadId": "none"}, {"uploadId": ""}):
            found = await archive.refused("ada", "POST", f"multipart/{word}", {**body, **wrong})
            assert found == NOT_FOUND, (word, wrong)
    done = await archive.ok("ada", "POST", "multipart/abort", body)
    assert done == {"success": True, "key": made["key"]}
    assert await archive.refused("ada", "POST", "multipart/abort", body) == NOT_FOUND
    assert await archive.refused("ada", "POST", "multipart/complete", body) == NOT_FOUND


async def test_a_part_for_an_upload_that_was_aborted(archive: Archive) -> None:
    made = await begin(archive)
    body = {"key": made["key"], "uploadId": made["uploadId"], "partNumber": 1}
    url = (await archive.ok("ada", "POST", "multipart/presigned-url", body))["url"]
    assert code(await archive.put(url, b"")) == (400, "file/file-too-small")
    assert code(await archive.put(url, b"x" * 101)) == (413, "file/file-too-large")
    await archive.ok("ada", "POST", "multipart/abort", body)
    assert code(await archive.put(url, b"x")) == DENIED


async def test_the_other_names(archive: Archive) -> None:
    wanted = {"filename": "a.bin", "contentType": "", "fileSize": 4}
    made = await archive.ok("ada", "POST", "multipart/initiate", wanted)
    path = f"multipart/{made['uploadId']}"
    url = (await archive.ok("ada", "POST", f"{path}/part-url", {"partNumber": 1}))["url"]
    etag = (await archive.put(url, b"abcd")).headers["etag"]
    assert await archive.refused("bob", "POST", f"{path}/abort", {}) == DENIED
    await archive.ok("ada", "POST", f"{path}/complete", {"parts": listed((1, etag))})
    assert await archive.refused("ada", "POST", f"{path}/abort") == NOT_FOUND
    done = await archive.ok("ada", "POST", f"{made['fileId']}/complete")
    assert (done["size"], done["mimeType"]) == (4, "application/octet-stream")
    names = await archive.ok("ada", "GET", "buckets")
    assert [one["name"] for one in names["items"]] == [
        "avatars",
        "documents",
        "media",
        "files",
        "images",
        "temp",
    ]


async def test_what_nobody_goes_on_with_is_dropped(archive: Archive) -> None:
    pending = await archive.presign()
    uploaded = await archive.upload(visibility="public")
    abandoned = await begin(archive)
    await part(archive, abandoned, 1, b"x")
    parts = {"key": abandoned["key"], "uploadId": abandoned["uploadId"], "partNumber": 2}

    async def left() -> int:
        await archive.files.sweep()
        return (await archive.api.store.find(Find(UPLOADS))).total

    archive.api.clock.advance(_DAY - 1)
    assert await left() == 3
    archive.api.clock.advance(1)
    assert await left() == 2
    assert await archive.refused("secret", "POST", f"{pending['fileId']}/complete") == NOT_FOUND
    archive.api.clock.advance(5 * _DAY)
    await archive.ok("secret", "POST", "multipart/presigned-url", parts)  # it goes on after all
    archive.api.clock.advance(7 * _DAY - 1)
    assert await left() == 2
    archive.api.clock.advance(1)
    assert await left() == 1
    assert (await archive.shown(uploaded["key"])).content == TEXT
