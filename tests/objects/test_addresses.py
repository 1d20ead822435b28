"""Addresses past the server, used as browsers use them: plain requests without any key."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from bkend.clock import SystemClock
from bkend.objects.interface import InvalidKey, Objects
from bkend.objects.s3 import LARGEST_PUT, S3Objects
from bkend.objects.s3_url import parse_s3_url
from tests.objects.front import Front
from tests.objects.stores import SMALLEST_PART, keys, put, put_part, read
from tests.s3 import S3Server

HEADERS = {
    "content_type": "text/plain; charset=utf-8",
    "disposition": "attachment; filename*=UTF-8''%C3%BC%20x.txt",
    "cache_control": "private, no-store",
}


class Shifted:
    """A clock that is some seconds off."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds

    def now_ms(self) -> int:
        return SystemClock().now_ms() + self._seconds * 1000


def send(method: str, url: str, content: bytes | None = None, **headers: str) -> httpx.Response:
    with httpx.Client(verify=False) as http:
        return http.request(method, url, content=content, headers=headers)


async def address_of(objects: S3Objects, key: str, seconds: int = 60) -> str:
    found = await objects.presign_get(key, seconds=seconds, **HEADERS)
    assert found is not None
    return found


async def upload_address(objects: Objects, key: str, limit: int) -> str | None:
    return await objects.presign_put(key, seconds=60, limit=limit, content_type="image/png")


async def test_a_download_has_the_headers_that_were_asked_for(s3: S3Objects) -> None:
    key = "a b/ü+&.txt"
    await put(s3, key, b"some text")
    answer = send("GET", await address_of(s3, key))
    assert (answer.status_code, answer.content) == (200, b"some text")
    assert answer.headers["Content-Type"] == HEADERS["content_type"]
    assert answer.headers["Content-Disposition"] == HEADERS["disposition"]
    assert answer.headers["Cache-Control"] == HEADERS["cache_control"]
    window = send("GET", await address_of(s3, key), Range="bytes=5-6")
    assert (window.status_code, window.content) == (206, b"te")


async def test_a_download_address_is_for_nothing_else(s3: S3Objects) -> None:
    await put(s3, "k", b"mine")
    await put(s3, "other", b"other")
    good = await address_of(s3, "k")
    path, _, query = good.partition("?")
    refused = [
        ("PUT", good),
        ("DELETE", good),
        ("GET", f"{path.removesuffix('k')}other?{query}"),
        ("GET", good.replace("X-Amz-Expires=60", "X-Amz-Expires=600")),
        ("GET", good.replace("no-store", "max-age%3D1")),
        ("GET", path),
        ("GET", good[:-4] + "0000"),
    ]
    for method, url in refused:
        assert send(method, url, b"x" if method == "PUT" else None).status_code == 403, url
    assert await read(s3, "k") == b"mine"


@pytest.mark.parametrize(("ago", "status"), [(58, 200), (61, 403)])
async def test_addresses_end_when_they_say(s3: S3Objects, ago: int, status: int) -> None:
    await put(s3, "k", b"x")
    former = S3Objects(s3._address, Shifted(-ago))
    assert send("GET", await address_of(former, "k", 60)).status_code == status
    part = await former.presign_part("k", await s3.begin_multipart("k"), 1, seconds=60)
    assert part is not None
    assert send("PUT", part, b"x").status_code == status
    former.close()


async def test_parts_past_the_server(s3: S3Objects) -> None:
    id = await s3.begin_multipart("k")
    content = b"x" * SMALLEST_PART
    tags: dict[int, str] = {}
    for number, bytes_ in ((2, b"the end"), (1, content)):
        url = await s3.presign_part("k", id, number, seconds=60)
        assert url is not None
        answer = send("PUT", url, bytes_)
        assert answer.status_code == 200
        tags[number] = answer.headers["ETag"].strip('"')
        assert send("PUT", url.replace(f"partNumber={number}", "partNumber=3")).status_code == 403
        assert send("GET", url).status_code == 403
    listed = await s3.list_parts("k", id)
    assert {part.number: part.etag for part in listed} == tags
    await s3.complete_multipart("k", id, listed)
    assert await read(s3, "k") == content + b"the end"


async def test_an_upload_address_takes_the_length_that_it_was_made_for(s3: S3Objects) -> None:
    url = await upload_address(s3, "a/k", 5)
    assert url is not None
    assert urlsplit(url).path.endswith("/a/k")
    for body in (b"123456", b"1234", b""):
        assert send("PUT", url, body).status_code == 403
    assert await s3.head("a/k") is None
    answer = send("PUT", url, b"12345", **{"Content-Type": "anything/at-all"})
    assert answer.status_code == 200
    assert await read(s3, "a/k") == b"12345"
    assert send("PUT", url.replace("/a/k?", "/a/other?"), b"12345").status_code == 403
    assert send("GET", url).status_code == 403
    assert await keys(s3) == ["a/k"]


async def test_no_upload_address_where_the_length_is_not_checked(
    front: Front, behind: S3Objects, s3_server: S3Server, shared_bucket: str
) -> None:
    front.ignores_lengths = True
    assert await upload_address(behind, "k", 5) is None
    left = s3_server.client().list_objects_v2(Bucket=shared_bucket, Prefix=behind._address.prefix)
    assert left["KeyCount"] == 0


async def test_the_server_is_asked_once_whether_it_checks(front: Front, behind: S3Objects) -> None:
    for _ in range(3):
        assert await upload_address(behind, "k", 5) is not None
    assert len(front.requests) == 1


async def test_a_server_that_could_not_be_asked_is_asked_again(
    front: Front, behind: S3Objects
) -> None:
    front.failures = 1
    assert await upload_address(behind, "k", 5) is None
    assert await upload_address(behind, "k", 5) is not None


@pytest.mark.parametrize("limit", [0, -1, LARGEST_PUT + 1])
async def test_no_address_for_lengths_that_s3_does_not_take(s3: S3Objects, limit: int) -> None:
    assert await upload_address(s3, "k", limit) is None


async def addresses(objects: Objects, key: str) -> list[Any]:
    return [
        await upload_address(objects, key, 5),
        await objects.presign_get(key, seconds=60, **HEADERS),
        await objects.presign_part(key, "id", 1, seconds=60),
    ]


async def test_a_proxied_store_gives_none(s3_server: S3Server, shared_bucket: str) -> None:
    url = s3_server.url(shared_bucket, proxy="1")
    objects = S3Objects(parse_s3_url(url, {}), SystemClock())
    assert await addresses(objects, "k") == [None] * 3
    objects.close()


async def test_clients_may_reach_s3_elsewhere_than_the_server(
    s3_server: S3Server, shared_bucket: str, front: Front
) -> None:
    url = s3_server.url(shared_bucket, "/elsewhere", public=f"http://{front.host}")
    objects = S3Objects(parse_s3_url(url, {}), SystemClock())
    await put(objects, "k", b"x")
    assert front.requests == []
    found = await address_of(objects, "k")
    assert found.startswith(f"http://{front.host}/{shared_bucket}/elsewhere/k?")
    assert send("GET", found).content == b"x"
    objects.close()


@pytest.mark.parametrize("key", ["", "../k", "a/../../k", "a//b", "a\\b", "..\\..\\x"])
async def test_no_address_of_what_is_no_key(s3: S3Objects, key: str) -> None:
    for call in (
        upload_address(s3, key, 5),
        s3.presign_get(key, seconds=60, **HEADERS),
        s3.presign_part(key, "id", 1, seconds=60),
        put_part(s3, key, "id", 1, b"x"),
        put(s3, key, b"x"),
        s3.open(key),
        s3.head(key),
        s3.delete(key),
    ):
        with pytest.raises(InvalidKey):
            await call
