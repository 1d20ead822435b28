"""What only a real server shows: streamed bodies, connections cut off, restarts."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from bkend.store import Missing
from bkend.users.avatars import LARGEST_AVATAR
from tests.backdoor import set_user
from tests.conftest import StartServer
from tests.http.conftest import bare
from tests.servers import RunningServer
from tests.users.conftest import JPEG, PNG

__all__ = ["bare"]

MIB = 1024 * 1024


def upload_url(server: RunningServer, email: str) -> tuple[str, str]:
    """A new user's id, and an address for a picture."""
    made = server.sign_up(email)
    id = made["user"]["id"]
    with server.client(token=made["accessToken"]) as client:
        answer = client.post(f"/v1/users/{id}/avatar/upload-url", json={"filename": "a.png"})
        assert answer.status_code == 200, answer.text
        return id, str(answer.json()["url"])


def until(is_true: Callable[[], bool]) -> None:
    """Wait for what the server does in its own time."""
    deadline = time.monotonic() + 20
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def stored(server: RunningServer) -> list[Path]:
    """The files below the folder of objects, half-written ones too."""
    return [path for path in (server.data / "objects").rglob("*") if path.is_file()]


def streamed(size: int) -> Iterator[bytes]:
    """A picture of that size in parts, of no announced length."""
    yield PNG
    left = size - len(PNG)
    while left > 0:
        part = min(64 * 1024, left)
        left -= part
        yield b"\x00" * part


def test_a_streamed_picture_arrives_whole(server: RunningServer, bare: httpx.Client) -> None:
    id, url = upload_url(server, "streamed@server.example")
    assert url.startswith(f"{server.url}/raw/avatars/dev/{id}/")
    put = bare.put(url, content=streamed(LARGEST_AVATAR), headers={"Content-Type": "image/png"})
    assert (put.status_code, put.content) == (200, b"")
    address = url.partition("?")[0]
    shown = bare.get(address)
    assert (shown.status_code, len(shown.content)) == (200, LARGEST_AVATAR)
    assert shown.content.startswith(PNG)
    assert shown.headers["content-length"] == str(LARGEST_AVATAR)
    assert bare.get(address, headers={"If-None-Match": shown.headers["etag"]}).status_code == 304
    head = bare.head(address)
    assert (head.status_code, head.headers["content-length"]) == (200, str(LARGEST_AVATAR))
    assert bare.options(address, headers={"Origin": "https://x.example"}).status_code == 204


def test_refusals_reach_the_sender(server: RunningServer, bare: httpx.Client) -> None:
    _, url = upload_url(server, "refused@server.example")
    before = len(stored(server))
    cases: list[tuple[Any, str, int]] = [
        (streamed(LARGEST_AVATAR + 1), "image/png", 413),
        (b"".join(streamed(LARGEST_AVATAR + 1)), "image/png", 413),
        (b"".join(streamed(8 * MIB)), "image/png", 413),
        (b"".join(streamed(4 * MIB)), "image/jpeg", 415),
        (streamed(4 * MIB), "text/html", 415),
        (b"<script>alert(1)</script>", "image/png", 415),
    ]
    for content, content_type, status in cases:
        put = bare.put(url, content=content, headers={"Content-Type": content_type})
        assert put.status_code == status, put.text
        assert put.json()["success"] is False
        assert put.headers["access-control-allow-origin"] == "*"
    forged = bare.put(url + "0", content=streamed(4 * MIB), headers={"Content-Type": "image/png"})
    assert forged.status_code == 403
    assert len(stored(server)) == before


def test_a_connection_that_is_cut_off_leaves_nothing(
    server: RunningServer, bare: httpx.Client
) -> None:
    url = urlsplit(upload_url(server, "cut@server.example")[1])
    before = len(stored(server))
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        head = f"PUT {url.path}?{url.query} HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
        connection.sendall(f"{head}Content-Length: {MIB}\r\n\r\n".encode() + PNG * 1000)
        until(lambda: len(stored(server)) == before + 1)  # it is being written
    until(lambda: len(stored(server)) == before)
    assert bare.get(url.path).status_code == 404


def test_paths_are_taken_as_they_come(server: RunningServer) -> None:
    """Clients clean paths up; this one does not."""
    for path in (
        "/raw/avatars/../../secret",
        "/raw/avatars/%2e%2e/%2e%2e/secret",
        "/raw/avatars/..%2f..%2fsecret",
        "/raw//etc/passwd",
        "/raw/avatars/dev/%00",
    ):
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            request = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            connection.sendall(request.encode())
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        assert answer.split(b" ", 2)[1] in (b"404", b"400"), (path, answer)


def test_addresses_pictures_and_the_purge_survive_a_restart(start_server: StartServer) -> None:
    server = start_server(tables=None)
    id, url = upload_url(server, "kept@server.example")
    gone = server.sign_up("gone@server.example")
    gone_id = gone["user"]["id"]
    with server.client(token=gone["accessToken"]) as client:
        assert client.put(url, content=PNG, headers={"Content-Type": "image/png"}).is_success
        assert client.delete("/v1/auth/withdraw").status_code == 200
    set_user(server, gone_id, deletedAt="2020-01-01T00:00:00.000Z")
    server.stop()
    server.start()
    with server.client(server.secret) as admin:
        assert admin.get(url.partition("?")[0]).content == PNG
        assert admin.put(url, content=JPEG, headers={"Content-Type": "image/jpeg"}).is_success
        assert admin.get(f"/v1/users/{gone_id}").status_code == 404
    until(lambda: not exists(server, gone_id))
    assert exists(server, id)


def exists(server: RunningServer, id: str) -> bool:
    """Whether the row of the user is there at all."""
    try:
        set_user(server, id, seen=True)
    except Missing:
        return False
    return True
