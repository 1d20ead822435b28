"""What only a bucket can meet: faults on the way, refusals at the start, neighbours in it."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bkend.clock import SystemClock
from bkend.objects.interface import InvalidKey, ObjectsUnavailable
from bkend.objects.opening import check_objects, close_objects, open_objects, parse_storage_url
from bkend.objects.s3 import S3Objects
from bkend.objects.s3_url import parse_s3_url
from bkend.store import StoreRefused
from tests.objects.front import Front
from tests.objects.stores import LIMIT, keys, put, put_part, read
from tests.s3 import S3Server
from tests.servers import clean_environment, free_port


def opened(url: str) -> S3Objects:
    return S3Objects(parse_s3_url(url, {}), SystemClock())


# -- faults -----------------------------------------------------------------------------------


async def test_a_server_that_asks_to_slow_down_is_asked_again(
    front: Front, behind: S3Objects
) -> None:
    front.failures = 1
    await put(behind, "k", b"x" * 700_000)
    front.failures = 1
    assert await read(behind, "k") == b"x" * 700_000
    front.failures = 1
    assert await keys(behind) == ["k"]


async def test_a_download_that_breaks_off_goes_on(front: Front, behind: S3Objects) -> None:
    content = os.urandom(3_000_000)
    await put(behind, "k", content)
    front.cut_after = [100_000, 1_000_000, 500_000]
    assert await read(behind, "k") == content
    assert front.cut_after == []
    assert sum(request.startswith("GET") for request in front.requests) == 4


async def test_a_download_does_not_go_on_with_other_bytes(front: Front, behind: S3Objects) -> None:
    await put(behind, "k", b"a" * 3_000_000)
    front.cut_after = [1_000_000]
    found = await behind.open("k")
    assert found is not None
    parts = found.parts()
    got = await anext(parts)
    await put(behind, "k", b"b" * 3_000_000)
    with pytest.raises(ObjectsUnavailable, match="replaced"):
        got += b"".join([part async for part in parts])
    assert set(got) == {ord("a")}
    await found.close()


async def test_a_lost_answer_does_not_undo_an_upload(front: Front, behind: S3Objects) -> None:
    id = await behind.begin_multipart("k")
    part = await put_part(behind, "k", id, 1, b"whole")
    front.lost_answers = 1
    made = await behind.complete_multipart("k", id, [part])
    assert made.size == 5
    assert await read(behind, "k") == b"whole"


async def test_an_outage_is_told_and_loses_nothing(s3_server: S3Server, shared_bucket: str) -> None:
    lost = opened(f"s3://K:S@127.0.0.1:{free_port()}/{shared_bucket}?tls=off")
    for call in (put(lost, "k", b"x"), lost.head("k")):
        with pytest.raises(ObjectsUnavailable, match="no connection to http:"):
            await call
    lost.close()


async def test_memory_does_not_grow_with_the_object(s3: S3Objects) -> None:
    async def large() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield bytes(1024 * 1024)

    await put(s3, "warm", b"x")
    tracemalloc.start()
    try:
        await s3.put("k", large(), limit=LIMIT)
        found = await s3.open("k")
        assert found is not None
        assert sum([len(part) async for part in found.parts()]) == 40 * 1024 * 1024
        await found.close()
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 12 * 1024 * 1024


# -- the start --------------------------------------------------------------------------------


async def refusal(url: str) -> str:
    objects = opened(url)
    try:
        with pytest.raises(StoreRefused) as refused:
            await check_objects(objects)
        return str(refused.value)
    finally:
        objects.close()


async def test_a_good_bucket_is_left_as_it_was(s3: S3Objects) -> None:
    await check_objects(s3)
    assert await keys(s3) == []


async def test_what_is_wrong_is_told_at_the_start(s3_server: S3Server, shared_bucket: str) -> None:
    good = s3_server.url(shared_bucket)
    missing = await refusal(s3_server.url("nothing-here"))
    assert "BKEND_STORAGE_URL: S3: there is no bucket 'nothing-here'" in missing
    secret = await refusal(good.replace(s3_server.secret, "wrong"))
    assert "does not accept the secret of 'BKENDTESTKEY'" in secret
    assert "wrong" not in secret
    key = await refusal(good.replace(s3_server.key, "NOBODY"))
    assert "does not know the access key 'NOBODY'" in key
    for sentence in (missing, key):
        assert s3_server.secret not in sentence


async def test_a_wrong_clock_is_told_at_the_start(
    s3_server: S3Server, shared_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import botocore.auth

    now = botocore.auth.get_current_datetime

    def late(*given: Any, **named: Any) -> Any:
        return now(*given, **named) - timedelta(hours=1)

    monkeypatch.setattr("botocore.auth.get_current_datetime", late)
    assert "clock" in await refusal(s3_server.url(shared_bucket))


async def test_a_server_that_is_not_reached_is_no_reason_not_to_start(tmp_path: Path) -> None:
    place = parse_storage_url(f"s3://K:S@127.0.0.1:{free_port()}/files?tls=off", tmp_path, {})
    objects = open_objects(place, SystemClock())
    await check_objects(objects)
    close_objects(objects)


# -- neighbours -------------------------------------------------------------------------------


async def test_a_prefix_keeps_neighbours_apart(s3_server: S3Server) -> None:
    bucket = s3_server.bucket()
    one, other, all_ = (opened(s3_server.url(bucket, path)) for path in ("/one", "/one-two", ""))
    await put(one, "k", b"one")
    await put(other, "k", b"two")
    assert await keys(one) == ["k"]
    assert await keys(one, "-two") == []
    assert await keys(all_) == ["one-two/k", "one/k"]
    assert await other.delete("k") is True
    assert await read(one, "k") == b"one"
    for objects in (one, other, all_):
        objects.close()


async def test_more_keys_than_one_page_holds(
    s3: S3Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bkend.objects.s3._LISTED", 3)
    wanted = [f"a/{number}" for number in range(8)]
    for key in wanted:
        await put(s3, key, b"x")
    assert await keys(s3, "a/") == wanted
    id = await s3.begin_multipart("k")
    for number in range(1, 8):
        await put_part(s3, "k", id, number, b"x")
    assert [part.number for part in await s3.list_parts("k", id)] == list(range(1, 8))


async def test_what_others_put_there_is_no_key_of_ours(s3_server: S3Server) -> None:
    bucket = s3_server.bucket()
    client = s3_server.client()
    for name in ("folder/", "good"):
        client.put_object(Bucket=bucket, Key=name, Body=b"")
    objects = opened(s3_server.url(bucket))
    assert await keys(objects) == ["good"]
    objects.close()


async def test_a_key_that_s3_finds_too_long(s3: S3Objects) -> None:
    with pytest.raises(InvalidKey):
        await put(s3, "x" * 1024, b"x")


async def test_the_type_is_stored(s3_server: S3Server, s3: S3Objects, shared_bucket: str) -> None:
    async def one() -> AsyncIterator[bytes]:
        yield b"x"

    await s3.put("k", one(), limit=1, content_type="image/png")
    id = await s3.begin_multipart("m", content_type="video/mp4")
    await s3.complete_multipart("m", id, [await put_part(s3, "m", id, 1, b"x")])
    for key, wanted in (("k", "image/png"), ("m", "video/mp4")):
        name = s3._address.prefix + key
        found = s3_server.client().head_object(Bucket=shared_bucket, Key=name)
        assert found["ContentType"] == wanted


# -- the guide ----------------------------------------------------------------------------------


async def test_the_guide_moves_a_folder_into_a_bucket(
    s3: S3Objects, s3_server: S3Server, shared_bucket: str, tmp_path: Path
) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "guides" / "s3.md").read_text()
    script = guide.split("```python\n")[1].split("```")[0]
    folder = open_objects(tmp_path / "objects", SystemClock())
    wanted = {"a/b.png": b"1", "ü x": b"2" * 700_000}
    for key, content in wanted.items():
        await put(folder, key, content)
    url = s3_server.url(shared_bucket, "/" + s3._address.prefix.rstrip("/"))
    done = subprocess.run(
        [sys.executable, "-c", script.replace("/var/lib/bkend", str(tmp_path))],
        env=clean_environment({"BKEND_STORAGE_URL": url}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert await keys(s3) == sorted(wanted)
    for key, content in wanted.items():
        assert await read(s3, key) == content
