"""What only a real server shows: memory, connections cut off, housekeeping after a restart."""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from bkend.clock import SystemClock
from bkend.objects.opening import close_objects, open_objects, parse_storage_url
from tests.conftest import StartServer
from tests.http.conftest import bare
from tests.objects.stores import KINDS, Kind
from tests.s3 import S3Server
from tests.servers import RunningServer, clean_environment

__all__ = ["bare"]

MIB = 1024 * 1024


def presigned(server: RunningServer, **body: Any) -> Any:
    wanted = {"filename": "a.bin", "contentType": "", "visibility": "public", **body}
    with server.client(server.secret) as client:
        answer = client.post("/v1/files/presigned-url", json=wanted)
        assert answer.status_code == 200, answer.text
        return answer.json()


def stored(server: RunningServer) -> list[Path]:
    """The files below the folder of objects, half-written ones too."""
    return [path for path in (server.data / "objects").rglob("*") if path.is_file()]


def peak(server: RunningServer) -> int:
    """The most memory that the server has had, in bytes."""
    assert server.process is not None
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


def streamed(size: int, digest: Any) -> Iterator[bytes]:
    for number in range(size // MIB):
        part = number.to_bytes(4, "big") * (MIB // 4)
        digest.update(part)
        yield part


def registered(server: RunningServer, made: Any) -> Any:
    """The uploaded file, public."""
    with server.client(server.secret) as client:
        answer = client.post(f"/v1/files/{made['fileId']}/complete")
        assert answer.status_code == 200, answer.text
        return answer.json()


def warm(server: RunningServer, bare: httpx.Client) -> int:
    """Use what allocates once; the most memory so far."""
    made = presigned(server)
    assert bare.put(made["url"], content=b"x" * MIB).status_code == 200
    assert len(bare.get(made["url"].partition("?")[0]).content) == MIB
    return peak(server)


def put_whole(server: RunningServer, bare: httpx.Client, size: int, _: Path) -> Any:
    digest = hashlib.md5()
    made = presigned(server, fileSize=size)
    headers = {"Content-Length": str(size)}
    answer = bare.put(made["url"], content=streamed(size, digest), headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["etag"] == f'"{digest.hexdigest()}"'
    return registered(server, made)


def put_parts(server: RunningServer, bare: httpx.Client, size: int, _: Path) -> Any:
    count, one = 10, size // 10
    content = b"".join(streamed(one, hashlib.md5()))
    with server.client(server.secret) as client:
        wanted = {"filename": "a.bin", "contentType": "", "visibility": "public"}
        made = client.post("/v1/files/multipart/init", json={**wanted, "fileSize": size}).json()
        reference = {"key": made["key"], "uploadId": made["uploadId"]}
        listed = []
        for number in range(1, count + 1):
            body = {**reference, "partNumber": number}
            url = client.post("/v1/files/multipart/presigned-url", json=body).json()["url"]
            answer = bare.put(url, content=content)
            assert answer.status_code == 200, answer.text
            listed.append({"partNumber": number, "etag": answer.headers["etag"]})
        body = {**reference, "parts": listed}
        answer = client.post("/v1/files/multipart/complete", json=body)
        assert answer.status_code == 200, answer.text
    return registered(server, made)


def post_form(server: RunningServer, _: httpx.Client, size: int, directory: Path) -> Any:
    source = directory / "source"
    with source.open("wb") as file:
        for part in streamed(size, hashlib.md5()):
            file.write(part)
    with server.client(server.secret) as client, source.open("rb") as file:
        answer = client.post(
            "/v1/files/upload", data={"visibility": "public"}, files={"file": ("a.bin", file)}
        )
        assert answer.status_code == 201, answer.text
        return answer.json()


@pytest.mark.parametrize("upload", [put_whole, put_parts, post_form], ids=lambda f: f.__name__)
def test_a_hundred_megabytes_come_and_go_in_constant_memory(
    start_server: StartServer, bare: httpx.Client, tmp_path: Path, upload: Any
) -> None:
    server = start_server()
    before, size = warm(server, bare), 100 * MIB
    file = upload(server, bare, size, tmp_path)
    assert file["size"] == size
    assert peak(server) - before <= 30 * MIB
    wanted, found, length = hashlib.md5(), hashlib.md5(), 0
    for part in streamed(size if upload is not put_parts else size // 10, wanted):
        del part
    with bare.stream("GET", file["url"]) as shown:
        assert shown.headers["content-length"] == str(size)
        for part in shown.iter_bytes():
            found.update(part)
            length += len(part)
    assert length == size
    if upload is not put_parts:
        assert found.hexdigest() == wanted.hexdigest()
    assert peak(server) - before <= 30 * MIB


def asking(server: RunningServer, url: str, *headers: str) -> socket.socket:
    """A connection that has asked for the bytes and takes little of the answer."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
    connection.connect(("127.0.0.1", server.port))
    lines = [f"GET {urlsplit(url).path} HTTP/1.1", "Host: x", *headers, "", ""]
    connection.sendall("\r\n".join(lines).encode())
    assert connection.recv(1024).startswith(b"HTTP/1.1 20")
    return connection


def open_files(server: RunningServer) -> list[str]:
    """The objects that the server holds open."""
    assert server.process is not None
    found = []
    for link in Path(f"/proc/{server.process.pid}/fd").iterdir():
        try:
            target = os.readlink(link)
        except FileNotFoundError:
            continue
        if "/objects/" in target:
            found.append(target)
    return found


def test_clients_that_read_nothing_or_go_cost_nothing(
    start_server: StartServer, bare: httpx.Client
) -> None:
    server = start_server()
    before, size = warm(server, bare), 40 * MIB
    urls = []
    for is_registered in (False, True):
        made = presigned(server, fileSize=size)
        content, headers = streamed(size, hashlib.md5()), {"Content-Length": str(size)}
        assert bare.put(made["url"], content=content, headers=headers).status_code == 200
        if is_registered:
            registered(server, made)
        urls.append(made["url"].partition("?")[0])
    slow = [
        asking(server, url, header)
        for url in urls
        for header in ("X-Whole: 1", "Range: bytes=5-", "Range: bytes=0-9,20-")
        for _ in range(2)
    ]
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        for url in urls:
            assert bare.get(url, headers={"Range": "bytes=0-9"}).status_code == 206
    grown = peak(server) - before
    were_open = open_files(server)
    for connection in slow:
        connection.close()
    assert grown <= 30 * MIB
    assert were_open
    deadline = time.monotonic() + 20
    while open_files(server):
        assert time.monotonic() < deadline, open_files(server)
        time.sleep(0.05)
    for url in urls:
        assert bare.get(url, headers={"Range": "bytes=0-9"}).content == b"\0" * 10
        assert len(bare.get(url, headers={"Range": "bytes=0-9,20-"}).content) > size - 20
    assert server.stop() == 0
    assert "Traceback" not in server.log
    assert "failed" not in server.log


def test_a_connection_that_is_cut_off_leaves_nothing(
    start_server: StartServer, bare: httpx.Client
) -> None:
    server = start_server()
    made = presigned(server)
    parts = urlsplit(made["url"])
    for announced, sent in ((100, 50), (5 * MIB, MIB), (5 * MIB, 10)):
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            head = (
                f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nHost: x\r\n"
                f"Content-Length: {announced}\r\n\r\n"
            )
            connection.sendall(head.encode() + b"x" * sent)
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(10)
            assert not connection.recv(1).startswith(b"2")
        assert bare.get(made["url"].partition("?")[0]).status_code == 404
    assert server.stop() == 0
    assert stored(server) == []
    server.start()
    assert bare.put(made["url"], content=b"whole").status_code == 200


def test_what_is_too_large_is_told(server: RunningServer, bare: httpx.Client) -> None:
    made = presigned(server, fileSize=1000)
    answer = bare.put(made["url"], content=b"x" * 1001)
    assert (answer.status_code, answer.json()["code"]) == (413, "file/file-too-large")
    answer = bare.get(made["url"].partition("?")[0], headers={"Range": "bytes=0-1"})
    assert answer.status_code == 404


def test_the_quick_way_out_gives_the_same_answers(
    server: RunningServer, bare: httpx.Client
) -> None:
    for content in (b"small", os.urandom(2 * MIB)):
        made = presigned(server, visibility="public", contentType="image/svg+xml")
        assert bare.put(made["url"], content=content).status_code == 200
        file, url = registered(server, made), made["url"].partition("?")[0]
        answers = [bare.get(url) for _ in range(4)]
        for answer in answers:
            assert (answer.status_code, answer.content) == (200, content)
            shown = {**answer.headers, "date": "", "x-request-id": ""}
            assert shown == {**answers[0].headers, "date": "", "x-request-id": ""}
        assert answers[0].headers["content-disposition"].startswith("attachment;")
        assert answers[0].headers["content-security-policy"] == "sandbox; default-src 'none'"
        etag = answers[0].headers["etag"]
        assert etag == f'"{hashlib.md5(content).hexdigest()}"'
        assert bare.get(url, headers={"If-None-Match": etag}).status_code == 304
        assert bare.get(url, headers={"Range": "bytes=1-2"}).content == content[1:3]
        assert bare.head(url).headers["content-length"] == str(len(content))
        with server.client(server.secret) as client:
            path = f"/v1/files/{file['id']}"
            for visibility, status in (("private", 403), ("public", 200), ("shared", 403)):
                assert client.patch(path, json={"visibility": visibility}).status_code == 200
                assert bare.get(url).status_code == status
            signed = client.post(f"{path}/download-url").json()["url"]
            assert bare.get(signed).content == content
            client.patch(path, json={"visibility": "public"})
            assert bare.get(url).status_code == 200
            assert client.delete(path).status_code == 200
        answer = bare.get(url)
        assert (answer.status_code, answer.json()["code"]) == (404, "file/not-found")


def test_ranges_of_a_large_file(server: RunningServer, bare: httpx.Client) -> None:
    made = presigned(server)
    content = b"".join(number.to_bytes(4, "big") for number in range(MIB // 2))
    assert bare.put(made["url"], content=content).status_code == 200
    url = made["url"].partition("?")[0]
    for start, end in ((0, 0), (MIB - 1, MIB + 300_000), (2 * MIB - 1, 2 * MIB - 1)):
        answer = bare.get(url, headers={"Range": f"bytes={start}-{end}"})
        assert answer.status_code == 206
        assert answer.content == content[start : end + 1]
    assert bare.head(url).headers["content-length"] == str(2 * MIB)


def test_a_part_or_a_form_that_is_cut_off_leaves_nothing(
    start_server: StartServer, bare: httpx.Client
) -> None:
    server = start_server()
    with server.client(server.secret) as client:
        wanted = {"filename": "a.bin", "contentType": "", "fileSize": 10 * MIB}
        made = client.post("/v1/files/multipart/init", json=wanted).json()
        reference = {"key": made["key"], "uploadId": made["uploadId"]}
        body = {**reference, "partNumber": 1}
        url = client.post("/v1/files/multipart/presigned-url", json=body).json()["url"]
    parts = urlsplit(url)
    begun = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    form = f"X-API-Key: {server.secret}\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    for line, headers, sent in (
        (f"PUT {parts.path}?{parts.query}", "", b"x" * MIB),
        ("POST /v1/files/upload", form, begun + b"x" * MIB),
    ):
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            head = f"{line} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {5 * MIB}\r\n\r\n"
            connection.sendall(head.encode() + sent)
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(10)
            assert not connection.recv(1).startswith(b"2")
    deadline = time.monotonic() + 10
    while len(stored(server)) > 1:  # the key of the upload in parts
        assert time.monotonic() < deadline, stored(server)
        time.sleep(0.02)
    with server.client(server.secret) as client:
        assert client.get("/v1/files").json()["items"] == []
        listed = {**reference, "parts": [{"partNumber": 1, "etag": "0" * 32}]}
        answer = client.post("/v1/files/multipart/complete", json=listed)
        assert answer.json()["code"] == "file/invalid-parts-array"


def keys_of(server: RunningServer, environment: dict[str, str]) -> set[str]:
    """What lies in the object store."""

    async def listed() -> set[str]:
        url = environment.get("BKEND_STORAGE_URL", "file:")
        objects = open_objects(parse_storage_url(url, server.data, {}), SystemClock())
        found = {key async for key in objects.keys("")}
        close_objects(objects)
        return found

    return asyncio.run(listed())


_DIE = """
import asyncio, os, sys
from pathlib import Path
from bkend.clock import SystemClock
from bkend.core import open_core
from bkend.files.actor import FileActor
from bkend.objects.removals import Removals
from bkend.settings import Settings

class Earlier(SystemClock):
    def now_ms(self):
        return super().now_ms() - 120_000

async def die(self, removals):
    os._exit(9)

async def main():
    Removals.carry_out = die
    settings = Settings(data=Path(sys.argv[1]))
    async with open_core(settings, serving=False, clock=Earlier()) as core:
        services = await core.environment("app", "dev")
        await services.files.remove(FileActor("x", "service", is_admin=True), sys.argv[2])

asyncio.run(main())
"""


@pytest.mark.parametrize("kind", KINDS)
def test_a_kill_between_the_row_and_the_bytes_is_made_good_after_a_restart(
    start_server: StartServer,
    bare: httpx.Client,
    request: pytest.FixtureRequest,
    kind: Kind,
) -> None:
    environment = {}
    if kind == "s3":
        s3: S3Server = request.getfixturevalue("s3_server")
        url = s3.url(s3.bucket(), f"/{secrets.token_hex(4)}", proxy="1")
        environment["BKEND_STORAGE_URL"] = url
    server = start_server(**environment)
    made, kept = presigned(server), presigned(server)
    for one in (made, kept):
        assert bare.put(one["url"], content=b"bytes").status_code == 200
        registered(server, one)
    done = subprocess.run(
        [sys.executable, "-c", _DIE, str(server.data), made["fileId"]],
        env=clean_environment(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 9, done.stderr
    before = keys_of(server, environment)
    assert made["key"] in before
    assert server.stop() == 0
    server.start()
    deadline = time.monotonic() + 20
    while made["key"] in (left := keys_of(server, environment)):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert kept["key"] in left
    assert bare.get(kept["url"].partition("?")[0]).content == b"bytes"
