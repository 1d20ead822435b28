"""The way of a file: address, bytes, registration, reading, change, end (30 §5, §11)."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from bkend.store.documents import parse_time
from tests.files.conftest import TEXT, Archive, code

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOT_FOUND = (404, "file/not-found")
DENIED = (403, "file/access-denied")
INVALID = (400, "common/invalid-parameters")
TAKEN = (409, "file/s3-key-already-exists")
NOBODY = "00000000-0000-4000-8000-000000000000"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x01\x00\x00\x00\x00\x20" + b"\x00" * 40


async def test_from_the_address_to_the_download_the_bytes_are_the_same(archive: Archive) -> None:
    made = await archive.presign(fileSize=len(TEXT), visibility="public", category="documents")
    assert (made["filename"], made["contentType"]) == ("fox.txt", "text/plain")
    assert made["method"] == "PUT"
    assert made["url"].startswith(f"http://bkend.test/raw/{made['key']}?")
    query = parse_qs(urlsplit(made["url"]).query)
    assert query.keys() == {"expires", "signature"}
    project = archive.files.environment.project.id
    assert made["key"].startswith(f"{project}/{archive.api.environment}/documents/2027/01/")
    assert made["key"].endswith(".txt")
    put = await archive.put(made["url"], TEXT)
    assert (put.status_code, put.content) == (200, b"")
    assert put.headers["etag"] == f'"{hashlib.md5(TEXT).hexdigest()}"'
    assert "ETag" in put.headers["access-control-expose-headers"]
    body = {"s3Key": made["key"], "originalName": "Fuchs.txt", "mimeType": "text/plain", "size": 7}
    file = await archive.ok("ada", "POST", "", body, status=201)
    assert file["id"] == made["fileId"]
    assert file["key"] == file["s3Key"] == made["key"]
    assert file["size"] == len(TEXT)
    assert file["url"] == f"http://bkend.test/raw/{made['key']}"
    assert (file["visibility"], file["bucket"], file["category"]) == (
        "public",
        "documents",
        "documents",
    )
    assert (file["ownerType"], file["ownerId"]) == ("user", archive.ids["ada"])
    assert (file["metadata"], file["sharedWith"]) == ({}, [])
    assert await archive.ok("ada", "GET", file["id"]) == file
    assert await archive.listed("ada") == [file["id"]]
    for method in ("GET", "POST"):
        found = await archive.ok("ada", method, f"{file['id']}/download-url")
        assert found["url"] == file["url"]
        assert found["permanent"] is True
        assert found["filename"] == "Fuchs.txt"
        assert (await archive.fetch(found["url"])).content == TEXT
    answer = await archive.call("ada", "GET", f"{file['id']}/download")
    assert (answer.status_code, answer.headers["location"]) == (302, file["url"])


async def test_before_the_bytes_and_before_registration(archive: Archive) -> None:
    made = await archive.presign(visibility="public")
    body = {"s3Key": made["key"], "originalName": "a", "mimeType": "a/b", "size": 1}
    assert await archive.refused("ada", "POST", "", body) == NOT_FOUND
    assert code(await archive.shown(made["key"])) == NOT_FOUND
    await archive.put(made["url"], TEXT)
    assert (await archive.shown(made["key"])).content == TEXT
    for method in ("GET", "PATCH", "DELETE"):
        assert await archive.refused("ada", method, made["fileId"], {}) == NOT_FOUND
    assert await archive.listed("ada") == []


async def test_registering_twice_by_another_and_of_an_unknown_key(archive: Archive) -> None:
    made = await archive.upload()
    body = {"s3Key": made["key"], "originalName": "a", "mimeType": "a/b", "size": 1}
    assert await archive.refused("bob", "POST", "", body) == DENIED
    await archive.ok("ada", "POST", "", body, status=201)
    assert await archive.refused("ada", "POST", "", body) == TAKEN
    assert await archive.refused("bob", "POST", "", body) == DENIED
    unknown = {**body, "s3Key": "x/dev/files/2027/01/none.txt"}
    assert await archive.refused("ada", "POST", "", unknown) == (400, "file/invalid-path")
    assert code(await archive.put(made["url"], b"other")) == TAKEN
    assert (await archive.files.get(made["fileId"]))["size"] == len(TEXT)


async def test_until_registration_an_upload_may_be_repeated(archive: Archive) -> None:
    made = await archive.upload(visibility="public")
    first = await archive.shown(made["key"])
    assert (await archive.put(made["url"], b"second")).status_code == 200
    second = await archive.shown(made["key"])
    assert second.content == b"second"
    assert first.headers["etag"] != second.headers["etag"]
    done = await archive.ok("ada", "POST", f"{made['fileId']}/complete")
    assert (done["size"], done["visibility"], done["originalName"]) == (6, "public", "fox.txt")
    assert await archive.ok("ada", "POST", f"{made['fileId']}/complete") == done
    assert await archive.refused("bob", "POST", f"{made['fileId']}/complete") == DENIED
    assert await archive.refused("ada", "POST", f"{NOBODY}/complete") == NOT_FOUND


@pytest.mark.parametrize(
    ("change", "status_code"),
    [
        ({"filename": ""}, "file/invalid-name"),
        ({"filename": "  "}, "file/invalid-name"),
        ({"filename": ".."}, "file/invalid-name"),
        ({"filename": "a/b"}, "file/invalid-name"),
        ({"filename": "a\\b"}, "file/invalid-name"),
        ({"filename": "a\x00b"}, "file/invalid-name"),
        ({"filename": "a\nb"}, "file/invalid-name"),
        ({"filename": "x" * 256}, "file/original-name-too-long"),
        ({"filename": 7}, "common/invalid-parameters"),
        ({"contentType": "text"}, "file/invalid-format"),
        ({"contentType": "text/plain\r\nX: y"}, "file/invalid-format"),
        ({"contentType": "a/" + "b" * 126}, "file/mime-type-too-long"),
        ({"fileSize": -1}, "file/size-negative"),
        ({"fileSize": 0}, "file/file-too-small"),
        ({"fileSize": 100 * 1024 * 1024 + 1}, "file/file-too-large"),
        ({"fileSize": "7"}, "common/invalid-parameters"),
        ({"visibility": "secret"}, "common/invalid-parameters"),
        ({"category": "../x"}, "common/invalid-parameters"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_bad_request_for_an_address(
    archive: Archive, change: Any, status_code: str
) -> None:
    body = {"filename": "a.txt", "contentType": "text/plain", **change}
    assert await archive.refused("ada", "POST", "presigned-url", body) == (400, status_code)
    if "fileSize" not in change or change["fileSize"] == -1:
        assert await archive.refused("ada", "POST", "multipart/init", {"fileSize": 1, **body}) == (
            400,
            status_code,
        )


@pytest.mark.parametrize(
    ("change", "status_code"),
    [
        ({"originalName": "a/b"}, "file/invalid-name"),
        ({"originalName": "x" * 256}, "file/original-name-too-long"),
        ({"mimeType": "a/" + "b" * 126}, "file/mime-type-too-long"),
        ({"mimeType": "nope"}, "file/invalid-format"),
        ({"s3Key": "x" * 1025}, "file/s3-key-too-long"),
        ({"size": -1}, "file/size-negative"),
        ({"size": None}, "common/invalid-parameters"),
        ({"width": 0}, "common/invalid-parameters"),
        ({"bucket": "other"}, "common/invalid-parameters"),
        ({"metadata": []}, "common/invalid-parameters"),
        ({"metadata": {"tags": "x"}}, "common/invalid-parameters"),
        ({"metadata": {"x": "y" * 16400}}, "common/invalid-parameters"),
        ({"sharedWith": ["x"] * 101}, "common/invalid-parameters"),
        ({"sharedWith": ["x" * 65]}, "common/invalid-parameters"),
        ({"sharedWith": "x"}, "common/invalid-parameters"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_bad_registration(archive: Archive, change: Any, status_code: str) -> None:
    made = await archive.upload()
    body = {"s3Key": made["key"], "originalName": "a", "mimeType": "a/b", "size": 1, **change}
    assert await archive.refused("ada", "POST", "", body) == (400, status_code)


async def test_what_is_left_out_is_what_was_said_before(archive: Archive) -> None:
    await archive.set(storage__defaultVisibility="protected")
    plain = await archive.file(presigned={"contentType": "", "filename": "x.TAR"})
    assert (plain["visibility"], plain["bucket"]) == ("protected", "files")
    assert plain["key"].endswith(".tar")
    assert "/files/" in plain["key"]
    given = await archive.file(presigned={"visibility": "public"}, visibility="private")
    assert given["visibility"] == "private"


async def test_a_picture_is_measured_unless_its_sides_are_given(archive: Archive) -> None:
    image = {"contentType": "image/png", "filename": "a.png"}
    found = await archive.file(content=PNG, presigned=image, mimeType="image/png")
    assert (found["width"], found["height"]) == (256, 32)
    given = await archive.file(
        content=PNG, presigned=image, mimeType="image/png", width=3, height=4
    )
    assert (given["width"], given["height"]) == (3, 4)
    assert "width" not in await archive.file()


async def test_of_sides_what_is_not_given_is_measured(archive: Archive) -> None:
    image = {"contentType": "image/png", "filename": "a.png"}
    found = await archive.file(content=PNG, presigned=image, mimeType="image/png", width=7)
    assert (found["width"], found["height"]) == (7, 32)


@pytest.mark.parametrize(
    ("change", "status_code"),
    [
        ({"originalName": "a/b"}, "file/invalid-name"),
        ({"mimeType": "nope"}, "file/invalid-format"),
        ({"size": -1}, "file/size-negative"),
        ({}, "file/invalid-path"),
    ],
    ids=str,
)
async def test_what_is_wrong_with_a_body_comes_before_what_its_key_is(
    archive: Archive, change: Any, status_code: str
) -> None:
    body = {"s3Key": "never/given", "originalName": "a", "mimeType": "a/b", "size": 1, **change}
    assert await archive.refused("ada", "POST", "", body) == (400, status_code)


async def test_the_end_of_a_public_address_is_advice_of_an_hour(archive: Archive) -> None:
    archive.files.download_seconds = 60
    for visibility, seconds in (("public", 3600), ("private", 60)):
        file = await archive.file(visibility=visibility)
        found = await archive.ok("ada", "POST", f"{file['id']}/download-url")
        at = archive.api.clock.now_ms() // 1000 + seconds
        assert parse_time(found["expiresAt"]) // 1000 == at


async def test_metadata_is_merged_and_shares_are_replaced(archive: Archive) -> None:
    file = await archive.file(
        metadata={"tags": ["a"], "alt": "x", "own": 1, "custom": {"a": 1}}, sharedWith=["u1"]
    )
    change = {"metadata": {"description": "d", "alt": None}, "sharedWith": ["u2", "u2"]}
    changed = await archive.ok("ada", "PATCH", file["id"], change)
    assert changed["metadata"] == {
        "tags": ["a"],
        "description": "d",
        "own": 1,
        "custom": {"a": 1},
    }
    assert changed["sharedWith"] == ["u2"]
    named = {"originalName": "Cafe\u0301.txt", "size": 1, "ownerId": "x", "s3Key": "y"}
    changed = await archive.ok("ada", "PATCH", file["id"], named)
    assert changed["originalName"] == "Caf\u00e9.txt"
    assert (changed["size"], changed["ownerId"], changed["s3Key"]) == (
        len(TEXT),
        archive.ids["ada"],
        file["s3Key"],
    )
    for bad in ({"visibility": "x"}, {"metadata": {"alt": 1}}, {"metadata": {"x": "y" * 16384}}):
        assert await archive.refused("ada", "PATCH", file["id"], bad) == INVALID
    bad_name = await archive.refused("ada", "PATCH", file["id"], {"originalName": "a/b"})
    assert bad_name == (400, "file/invalid-name")


async def test_a_deleted_file_is_gone_with_its_bytes_and_addresses(archive: Archive) -> None:
    file = await archive.file()
    beside = await archive.file(visibility="public")
    signed = (await archive.ok("ada", "POST", f"{file['id']}/download-url"))["url"]
    assert (await archive.fetch(signed)).content == TEXT
    assert await archive.ok("ada", "DELETE", file["id"]) == {"success": True}
    assert await archive.refused("ada", "DELETE", file["id"]) == NOT_FOUND
    assert code(await archive.fetch(signed)) == NOT_FOUND
    assert code(await archive.shown(file["key"])) == NOT_FOUND
    assert await archive.api.served.core.objects.head(file["key"]) is None
    assert (await archive.shown(beside["key"])).content == TEXT
    body = {"s3Key": file["key"], "originalName": "a", "mimeType": "a/b", "size": 1}
    assert await archive.refused("ada", "POST", "", body) == (400, "file/invalid-path")


@pytest.mark.parametrize("id", ["none", "..", "a b", "0" * 300, NOBODY])
async def test_what_is_no_file(archive: Archive, id: str) -> None:
    for method in ("GET", "PATCH", "DELETE"):
        answer = await archive.call("eve", method, f"/v1/files/{id}", {})
        if id != "..":
            assert answer.json()["code"] == "file/not-found"


async def test_the_limit_of_the_project_holds(archive: Archive) -> None:
    await archive.set(storage__maxUploadBytes=10)
    body = {"filename": "a", "contentType": "a/b", "fileSize": 11}
    too_large = (400, "file/file-too-large")
    assert await archive.refused("ada", "POST", "presigned-url", body) == too_large
    made = await archive.presign(visibility="public")
    assert code(await archive.put(made["url"], b"x" * 11)) == (413, "file/file-too-large")
    assert code(await archive.shown(made["key"])) == NOT_FOUND
    assert (await archive.put(made["url"], b"x" * 10)).status_code == 200


async def test_environments_do_not_see_each_others_files(archive: Archive) -> None:
    file = await archive.file(visibility="public")
    _, key, secret_key = await archive.api.served.new_environment()
    archive.callers["foreign"] = (secret_key, "")
    archive.callers["mixed"] = (key, archive.callers["ada"][1])
    assert await archive.refused("foreign", "GET", file["id"]) == NOT_FOUND
    assert await archive.listed("foreign") == []
    body = {"s3Key": file["key"], "originalName": "a", "mimeType": "a/b", "size": 1}
    assert await archive.refused("foreign", "POST", "", body) == (400, "file/invalid-path")
    foreign = (403, "data/project-access-denied")
    assert await archive.refused("mixed", "GET", file["id"]) == foreign


async def test_the_system_table_shows_the_same(archive: Archive) -> None:
    file = await archive.file(visibility="public", metadata={"alt": "x"})
    hidden = await archive.file()
    found = await archive.ok("eve", "GET", "/v1/data/files")
    rows = {row["id"]: row for row in found["items"]}
    assert rows.keys() == {file["id"], hidden["id"]}
    assert rows[file["id"]].keys() - file.keys() <= {"width", "height"}
    assert rows[file["id"]]["url"].endswith(f"/raw/{file['key']}")
    assert rows[hidden["id"]]["url"] is None
    assert (await archive.call("ada", "GET", "/v1/data/files")).status_code == 403
