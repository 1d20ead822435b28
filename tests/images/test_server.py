"""What only real servers show: restarts, buckets, several processes on one data directory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import StartServer
from tests.http.test_workers import is_alive, until
from tests.images.pictures import WEBP, halves, jpeg, noisy, png, seen, turned
from tests.postgres import Postgres
from tests.s3 import S3Server
from tests.servers import RunningServer


def uploaded(server: RunningServer, content: bytes, kind: str = "image/jpeg") -> Any:
    with server.client(server.secret) as client:
        files = {"file": ("picture", content, kind)}
        answer = client.post("/v1/files/upload", data={"visibility": "public"}, files=files)
        assert answer.status_code == 201, answer.text
        return answer.json()


def image(server: RunningServer, path: str, **headers: str) -> httpx.Response:
    """On a connection of its own, so that every process is met."""
    with httpx.Client(base_url=server.url, timeout=30, verify=False) as client:
        return client.get(f"/img/{path}", headers=headers)


def workers(server: RunningServer) -> list[int]:
    """The processes that make images, of a server that is one process."""
    assert server.process is not None
    pid = server.process.pid
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return [pid for pid in found if b"bkend.images" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def kept(server: RunningServer) -> list[Path]:
    return [path for path in (server.data / "image-cache").rglob("*") if path.is_file()]


def test_images_survive_a_restart(start_server: StartServer) -> None:
    server = start_server(tables=None)
    assert workers(server) == []
    file = uploaded(server, turned(halves(60, 90), 6))
    made = image(server, f"fit-in/45x45/{file['key']}", **WEBP)
    assert seen(made.content).sides == (45, 30)
    assert len(workers(server)) == 1
    assert server.stop() == 0
    server.start()
    again = image(server, f"fit-in/45x45/{file['key']}", **WEBP)
    assert (again.content, again.headers["etag"]) == (made.content, made.headers["etag"])
    assert workers(server) == []
    for path in (server.data / "image-cache", *(server.data / "image-cache").rglob("*")):
        assert path.stat().st_mode & 0o077 == 0, path
    with server.client(server.secret) as client:
        assert client.delete(f"/v1/files/{file['id']}").status_code == 200
    assert image(server, f"fit-in/45x45/{file['key']}", **WEBP).status_code == 404
    assert kept(server) == []


def test_a_large_image_comes_whole(start_server: StartServer) -> None:
    server = start_server(tables=None)
    key = uploaded(server, png(noisy(900, 900)), "image/png")["key"]
    for _ in range(2):
        found = image(server, f"filters:format(png)/{key}")
        assert len(found.content) == int(found.headers["content-length"]) > 1024 * 1024
        assert seen(found.content).sides == (900, 900)
        part = image(server, f"filters:format(png)/{key}", Range="bytes=400000-1100000")
        assert part.content == found.content[400000:1100001]


def test_a_server_that_is_killed_leaves_no_process(start_server: StartServer) -> None:
    server = start_server(tables=None)
    key = uploaded(server, jpeg(halves(60, 40)))["key"]
    assert image(server, f"30x20/{key}").status_code == 200
    [pid] = workers(server)
    server.kill()
    until(lambda: not is_alive(pid))


def test_pictures_in_a_bucket(start_server: StartServer, s3_server: S3Server) -> None:
    server = start_server(tables=None, BKEND_STORAGE_URL=s3_server.url(s3_server.bucket()))
    file = uploaded(server, jpeg(halves(600, 400)))
    for _ in range(2):
        found = image(server, f"80x80/smart/{file['key']}", **WEBP)
        assert found.status_code == 200, found.text
        assert (seen(found.content).format, seen(found.content).sides) == ("webp", (80, 80))
    assert len(kept(server)) == 1
    with server.client(server.secret) as client:
        assert client.delete(f"/v1/files/{file['id']}").status_code == 200
    assert image(server, f"80x80/smart/{file['key']}", **WEBP).status_code == 404
    assert kept(server) == []


@pytest.fixture(scope="module")
def shared(
    postgres_server: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    found = RunningServer(
        tmp_path_factory.mktemp("images"),
        environment={"BKEND_WORKERS": "2"},
        database_url=postgres_server.make(),
    )
    found.init()
    try:
        found.start()
        yield found
    finally:
        ended = found.stop()
    assert ended == 0
    assert "Traceback" not in found.log


def test_several_processes_keep_one_image(shared: RunningServer) -> None:
    file = uploaded(shared, jpeg(noisy(300, 200)))
    answers = [image(shared, f"50x50/{file['key']}") for _ in range(24)]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert len(kept(shared)) == 1
    with shared.client(shared.secret) as client:
        change = client.patch(f"/v1/files/{file['id']}", json={"visibility": "private"})
        assert change.status_code == 200
    assert {image(shared, f"50x50/{file['key']}").status_code for _ in range(24)} == {403}
    assert kept(shared) == []
