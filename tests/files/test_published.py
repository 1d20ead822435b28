"""What the published clients do, step by step (30 §10)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

from bkend.files.uploads import Limits
from tests.files.conftest import TEXT, Archive

pytestmark = pytest.mark.asyncio(loop_scope="module")

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x01\x00\x00\x00\x00\x20" + b"\x00" * 40
ORIGIN = {"Origin": "https://blog.example"}


async def test_the_blog_and_the_recipes_keep_the_key(archive: Archive) -> None:
    wanted = {
        "filename": "Kimchi 김치.png",
        "fileSize": len(PNG),
        "contentType": "image/png",
        "visibility": "public",
        "category": "images",
    }
    made = await archive.ok("ada", "POST", "presigned-url", wanted)
    put = await archive.put(made["url"], PNG, **ORIGIN, **{"Content-Type": "image/png"})
    assert put.status_code == 200
    assert put.headers["access-control-allow-origin"] == "*"
    body = {
        "s3Key": made["key"],
        "originalName": made["filename"],
        "mimeType": made["contentType"],
        "size": len(PNG),
        "visibility": "public",
    }
    file = await archive.ok("ada", "POST", "", body, status=201)
    found = await archive.ok("ada", "POST", f"{file['id']}/download-url", {})
    assert found["url"] == f"http://bkend.test/raw/{file['key']}"
    assert file["key"] == made["key"]
    assert "/images/" in file["key"]
    assert (await archive.fetch(found["url"])).content == PNG


@pytest.mark.parametrize("is_address_kept", [False, True], ids=["shop", "mobile"])
async def test_apps_that_never_register_show_what_they_put(
    archive: Archive, is_address_kept: bool
) -> None:
    """The shop keeps the key; the mobile apps the address of the PUT, its query cut off."""
    await archive.set(storage__defaultVisibility="public")
    made = await archive.ok(
        "ada", "POST", "presigned-url", {"filename": "a.png", "contentType": "image/png"}
    )
    assert (await archive.put(made["url"], PNG, **{"Content-Type": "image/png"})).is_success
    kept = made["url"].split("?")[0]
    if not is_address_kept:
        kept = f"http://bkend.test/raw/{made['key']}"
    assert urlsplit(kept).query == ""
    archive.api.clock.advance(30 * 24 * 60 * 60)
    await archive.files.sweep()
    answer = await archive.fetch(kept)
    assert (answer.status_code, answer.content) == (200, PNG)
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-disposition"].startswith("inline;")


async def test_the_export_script_reads_raw_text_and_follows(archive: Archive) -> None:
    files = [await archive.file(originalName=f"{n}.txt", content=TEXT * n) for n in (1, 2, 3)]
    contents: dict[str, bytes] = {}
    page = 1
    while True:
        answer = await archive.call("secret", "GET", f"/v1/files?page={page}&limit=2")
        for one in answer.json()["items"]:
            found = await archive.ok("secret", "POST", f"{one['id']}/download-url")
            got = await archive.http.get(found["url"], follow_redirects=True)
            contents[one["originalName"]] = got.content
        if '"hasNextPage":true' not in answer.text:
            break
        page += 1
    assert page == 2
    assert contents == {file["originalName"]: TEXT * n for n, file in enumerate(files, start=1)}


async def test_the_browser_sample_sends_etags_with_their_quotes(archive: Archive) -> None:
    archive.files.uploads.limits = Limits(smallest_part=4)
    body: dict[str, Any] = {"filename": "film.mp4", "contentType": "video/mp4", "fileSize": 8}
    made = await archive.ok("ada", "POST", "multipart/init", body)
    reference = {"key": made["key"], "uploadId": made["uploadId"]}
    listed = []
    for number, content in ((1, b"aaaa"), (2, b"bbbb")):
        asked = {**reference, "partNumber": number}
        url = (await archive.ok("ada", "POST", "multipart/presigned-url", asked))["url"]
        put = await archive.put(url, content, **ORIGIN)
        assert "ETag" in put.headers["access-control-expose-headers"].split(", ")
        assert put.headers["etag"].startswith('"')
        listed.append({"partNumber": number, "etag": put.headers["etag"]})
    done = await archive.ok("ada", "POST", "multipart/complete", {**reference, "parts": listed})
    assert done["key"] == made["key"]
    given = {"s3Key": made["key"], "originalName": "film.mp4", "mimeType": "video/mp4", "size": 8}
    assert (await archive.ok("ada", "POST", "", given, status=201))["size"] == 8
