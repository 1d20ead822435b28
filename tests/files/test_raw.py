"""Bytes at `/raw`: signatures for one thing only, paths, origins (30 §5.2, §7)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from bkend.files.collections import FILES
from bkend.store import Insert
from tests.files.conftest import TEXT, Archive, code

pytestmark = pytest.mark.asyncio(loop_scope="module")

DENIED = (403, "file/access-denied")
NOT_FOUND = (404, "file/not-found")
ORIGIN = "access-control-allow-origin"
SYSTEM = {"id", "createdBy", "createdAt", "updatedAt"}
NOBODY = "00000000-0000-4000-8000-000000000001"


def changed(url: str, **fields: Any) -> str:
    """The address with other fields in its query; None drops one."""
    parts = urlsplit(url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()} | fields
    kept = {name: value for name, value in query.items() if value is not None}
    return parts._replace(query=urlencode(kept)).geturl()


async def test_an_upload_address_ends_after_fifteen_minutes(archive: Archive) -> None:
    made = await archive.presign()
    archive.api.clock.advance(899)
    assert (await archive.put(made["url"], TEXT)).status_code == 200
    archive.api.clock.advance(2)
    answer = await archive.put(made["url"], TEXT)
    assert code(answer) == DENIED
    assert answer.json()["message"] == "Request has expired"


async def test_a_signature_allows_one_thing_only(archive: Archive) -> None:
    """Another method, key, end, size, part, upload, or a word more or less: refused."""
    made = await archive.presign(fileSize=100)
    other = await archive.presign(fileSize=100)
    larger = await archive.presign(fileSize=1000)
    file = await archive.file()
    download = (await archive.ok("ada", "POST", f"{file['id']}/download-url"))["url"]
    url, query = made["url"], urlsplit(made["url"]).query
    expires = int(parse_qs(query)["expires"][0])
    bare = url.partition("?")[0]
    parts = await archive.ok(
        "ada",
        "POST",
        "multipart/init",
        {"filename": "a", "contentType": "a/b", "fileSize": 100},
    )
    part = (
        await archive.ok(
            "ada",
            "POST",
            "multipart/presigned-url",
            {"key": parts["key"], "uploadId": parts["uploadId"], "partNumber": 1},
        )
    )["url"]
    forged = {
        "none": bare,
        "expiry": changed(url, expires=expires + 1),
        "never ending": changed(url, expires=10**12),
        "signature": changed(url, signature="0" * 64),
        "no ASCII": changed(url, signature="é"),
        "empty": changed(url, signature=""),
        "missing": changed(url, signature=None),
        "twice": f"{url}&{query}",
        "more": f"{url}&limit=100000",
        "another key": other["url"].replace(other["key"], made["key"]),
        "another bound": larger["url"].replace(larger["key"], made["key"]),
        "a download": download.replace(file["key"], made["key"]),
        "the download itself": download,
        "a part's": part.replace(parts["key"], made["key"]),
        "part 2": changed(part, partNumber=2),
        "part 01": changed(part, partNumber="01"),
        "another upload": changed(part, uploadId=made["fileId"]),
        "the whole of a part": changed(part, uploadId=None, partNumber=None),
        "a part of the whole": changed(url, uploadId=parts["uploadId"], partNumber=1),
    }
    for name, address in forged.items():
        assert code(await archive.put(address, TEXT)) == DENIED, name
    for name, address in {"upload": url, "part": part}.items():
        assert code(await archive.fetch(address)) == DENIED, name
    assert (await archive.put(url, TEXT)).status_code == 200
    assert (await archive.put(part, TEXT)).status_code == 200
    assert code(await archive.fetch(url)) == DENIED
    assert (await archive.fetch(download)).status_code == 200


async def test_a_signature_of_another_environment_is_worth_nothing(archive: Archive) -> None:
    made = await archive.presign()
    environment = archive.files.environment
    document = await archive.files.uploads.of_key(made["key"])
    assert document is not None
    signer = archive.api.served.core.file_signer
    permit = archive.files.uploads.permit(document)
    good, _ = signer.sign(permit, 100)
    bad, _ = signer.sign(type(permit)("PUT", f"{environment.id}x", permit.key, permit.limit), 100)
    base = f"http://bkend.test/raw/{made['key']}"
    assert code(await archive.put(f"{base}?{bad}", TEXT)) == DENIED
    assert (await archive.put(f"{base}?{good}", TEXT)).status_code == 200


async def test_one_byte_over_what_was_announced_is_refused(archive: Archive) -> None:
    made = await archive.presign(fileSize=4, visibility="public")
    too_large = (413, "file/file-too-large")
    assert code(await archive.put(made["url"], b"12345")) == too_large
    assert code(await archive.shown(made["key"])) == NOT_FOUND
    assert code(await archive.put(made["url"], b"")) == (400, "file/file-too-small")
    assert (await archive.put(made["url"], b"1234")).status_code == 200


async def test_a_body_that_is_cut_off_leaves_nothing(archive: Archive) -> None:
    made = await archive.presign(visibility="public")

    async def half() -> AsyncIterator[bytes]:
        yield TEXT[:10]

    answer = await archive.put(made["url"], half())  # of no announced length
    assert code(answer) == (400, "common/invalid-parameters")
    path, _, query = made["url"].removeprefix("http://bkend.test").partition("?")
    for ending in ({"type": "http.disconnect"}, {"type": "http.request", "body": b""}):
        messages = [{"type": "http.request", "body": TEXT[:10], "more_body": True}, ending]
        sent: list[Any] = []

        async def receive(left: list[Any] = messages) -> Any:
            return left.pop(0)

        async def send(message: Any, sent: list[Any] = sent) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "PUT",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(b"content-length", b"%d" % len(TEXT))],
            "client": ("127.0.0.1", 1),
            "server": None,
        }
        await archive.api.served.app(scope, receive, send)
        assert not sent
        assert code(await archive.shown(made["key"])) == NOT_FOUND
    body = {"s3Key": made["key"], "originalName": "a", "mimeType": "a/b", "size": 1}
    assert await archive.refused("ada", "POST", "", body) == NOT_FOUND


async def test_a_browser_of_any_origin_may_put(archive: Archive) -> None:
    made = await archive.presign()
    answer = await archive.http.options(
        made["url"],
        headers={
            "Origin": "https://app.example",
            "Access-Control-Request-Method": "PUT",
            "Access-Control-Request-Headers": "content-type,x-own",
        },
    )
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "PUT" in answer.headers["access-control-allow-methods"]
    assert answer.headers["access-control-allow-headers"] == "content-type,x-own"


async def test_paths_never_lead_to_another_object(archive: Archive) -> None:
    """Attack 36: dots, encoded slashes, NUL, absolute names."""
    file = await archive.file()
    key, public = file["key"], (await archive.file(visibility="public"))["key"]
    folder = key.rpartition("/")[0]
    for path in (
        f"{folder}/../{key.rpartition('/')[2]}x",
        key.replace("/", "%2F") + "%00",
        f"{folder}%2F..%2F..%2F..%2F..%2F..%2F..%2Fetc%2Fpasswd",
        "../../../../etc/passwd",
        "%2e%2e/%2e%2e/etc/passwd",
        f"/{key}",
        f"{key}/",
        f"{public}%00",
        f"other/{public.partition('/')[2]}",
        folder,
        "",
        "a" * 3000,
        ".tmp/x",
        ".uploads/x",
    ):
        for method in ("GET", "PUT"):
            url = f"http://bkend.test/raw/{path}"
            answer = await archive.http.request(method, url, headers={"Content-Length": "0"})
            assert answer.status_code in (403, 404), path
    hidden = await archive.shown(key.replace("/", "%2F"))
    assert code(hidden) == DENIED  # it is the same key, and no more open


async def test_imported_keys_are_found_by_their_environment(archive: Archive) -> None:
    key, core = "photos/2019/a b#ü.txt", archive.api.served.core
    file = await archive.file(visibility="public")
    document = await archive.files.get(file["id"])
    fields = {name: document[name] for name in document if name not in SYSTEM} | {"s3Key": key}
    now = archive.api.clock.now_ms()
    await core.places.claim(archive.files.environment.id, [key])
    await archive.api.store.commit([Insert(FILES, NOBODY, fields, now, now)])

    async def parts() -> AsyncIterator[bytes]:
        yield TEXT

    await core.objects.put(key, parts(), limit=100)
    shown = await archive.ok("ada", "GET", NOBODY)
    assert shown["url"] == "http://bkend.test/raw/photos/2019/a%20b%23%C3%BC.txt"
    assert (await archive.fetch(shown["url"])).content == TEXT
    row = await archive.ok("secret", "GET", f"/v1/data/files/{NOBODY}")
    assert row["url"].endswith("/raw/photos/2019/a%20b%23%C3%BC.txt")
    await core.objects.put(f"{key}x", parts(), limit=100)
    await archive.ok("ada", "DELETE", NOBODY)
    assert await core.objects.head(key) is None
    assert await core.objects.head(f"{key}x") is not None  # its key only begins like the other


async def test_bytes_that_come_while_the_file_is_registered(archive: Archive) -> None:
    made = await archive.upload(visibility="public")
    document = await archive.files.uploads.of_key(made["key"])
    assert document is not None
    body = {"s3Key": made["key"], "originalName": "a", "mimeType": "a/b", "size": 1}

    async def parts() -> AsyncIterator[bytes]:
        yield b"late"
        await archive.ok("ada", "POST", "", body, status=201)

    with pytest.raises(Exception, match="registered"):
        await archive.files.uploads.receive(document, parts())
    assert (await archive.shown(made["key"])).content == TEXT


async def test_one_of_many_registrations_wins(archive: Archive) -> None:
    made = await archive.upload()
    body = {"s3Key": made["key"], "originalName": "a", "mimeType": "a/b", "size": 1}
    answers = await asyncio.gather(*(archive.call("ada", "POST", "", body) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]


async def test_a_list_of_origins_does_not_narrow_the_addresses_of_bytes(archive: Archive) -> None:
    """Their address is the permission (00 §11); the list holds for `/v1`."""
    await archive.set(allowedOrigins=["https://app.example"])
    try:
        file = await archive.file(visibility="public")
        made = await archive.presign()
        other = {"Origin": "https://other.example"}
        assert (await archive.shown(file["key"], **other)).headers[ORIGIN] == "*"
        assert (await archive.put(made["url"], TEXT, **other)).headers[ORIGIN] == "*"
        refused = await archive.http.get("/v1/files", headers=other)
        assert ORIGIN not in refused.headers
    finally:
        await archive.set(allowedOrigins=None)
