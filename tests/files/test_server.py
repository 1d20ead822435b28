"""What only a real server shows: memory, connections cut off, housekeeping after a restart."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.conftest import StartServer
from tests.http.conftest import bare
from tests.servers import RunningServer

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


def test_a_hundred_megabytes_come_and_go_in_constant_memory(
    start_server: StartServer, bare: httpx.Client
) -> None:
    server = start_server()
    warm = presigned(server)
    assert bare.put(warm["url"], content=b"x" * MIB).status_code == 200
    assert len(bare.get(warm["url"].partition("?")[0]).content) == MIB
    before, size, digest = peak(server), 100 * MIB, hashlib.md5()
    made = presigned(server, fileSize=size)
    headers = {"Content-Length": str(size)}
    answer = bare.put(made["url"], content=streamed(size, digest), headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["etag"] == f'"{digest.hexdigest()}"'
    found, length = hashlib.md5(), 0
    with bare.stream("GET", made["url"].partition("?")[0]) as shown:
        assert shown.headers["content-length"] == str(size)
        for part in shown.iter_bytes():
            found.update(part)
            length += len(part)
    assert (length, found.hexdigest()) == (size, digest.hexdigest())
    assert peak(server) - before <= 30 * MIB


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


def test_what_is_too_large_is_told(start_server: StartServer, bare: httpx.Client) -> None:
    server = start_server()
    made = presigned(server, fileSize=1000)
    answer = bare.put(made["url"], content=b"x" * 1001)
    assert (answer.status_code, answer.json()["code"]) == (413, "file/file-too-large")
    answer = bare.get(made["url"].partition("?")[0], headers={"Range": "bytes=0-1"})
    assert answer.status_code == 404


def test_ranges_of_a_large_file(start_server: StartServer, bare: httpx.Client) -> None:
    server = start_server()
    made = presigned(server)
    content = b"".join(number.to_bytes(4, "big") for number in range(MIB // 2))
    assert bare.put(made["url"], content=content).status_code == 200
    url = made["url"].partition("?")[0]
    for start, end in ((0, 0), (MIB - 1, MIB + 300_000), (2 * MIB - 1, 2 * MIB - 1)):
        answer = bare.get(url, headers={"Range": f"bytes={start}-{end}"})
        assert answer.status_code == 206
        assert answer.content == content[start : end + 1]
    assert bare.head(url).headers["content-length"] == str(2 * MIB)
