"""Requests and answers as granian's own interface carries them, and as ASGI does."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tests.asgi import InProcess, in_process
from tests.servers import RunningServer

ENDLESS = 1000


class Headers:
    """granian's headers: names in small letters, each perhaps several times."""

    def __init__(self, *pairs: tuple[str, str]) -> None:
        self._pairs = pairs
        self.looks = 0

    def __contains__(self, name: str) -> bool:
        self.looks += 1
        assert self.looks < ENDLESS
        return any(held == name for held, _ in self._pairs)

    def get(self, name: str) -> str | None:
        return next((value for held, value in self._pairs if held == name), None)

    def get_all(self, name: str) -> list[str]:
        return [value for held, value in self._pairs if held == name]

    def items(self) -> list[tuple[str, str]]:
        return list(self._pairs)


@dataclass
class Protocol:
    """granian's protocol of one request: gives the parts of a body, keeps the answer."""

    parts: list[bytes] = field(default_factory=list)
    breaks_off: bool = False
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    sends: int = 0
    reading: Thread | None = None

    async def __call__(self) -> bytes:
        return b"".join([part async for part in self])

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self.parts:
            yield part
        if self.breaks_off:
            raise RuntimeError("the connection was closed")

    async def client_disconnect(self) -> None:
        await asyncio.Event().wait()

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        assert not self.status, "one answer only"
        self.status, self.headers, self.body = status, dict(headers), body

    def response_empty(self, status: int, headers: list[tuple[str, str]]) -> None:
        self.response_bytes(status, headers, b"")

    def response_stream(self, status: int, headers: list[tuple[str, str]]) -> Protocol:
        self.response_bytes(status, headers, b"")
        return self

    async def send_bytes(self, data: bytes) -> None:
        self.sends += 1
        self.body += data

    def response_file(self, status: int, headers: list[tuple[str, str]], path: str) -> None:
        """Read it elsewhere, as granian does: it may be a pipe."""
        self.response_bytes(status, headers, b"")
        self.reading = Thread(target=self._read, args=(path,))
        self.reading.start()

    def _read(self, path: str) -> None:
        with open(path, "rb") as file:
            self.body = file.read()


@dataclass
class Scope:
    """granian's scope of one request."""

    method: str
    path: str
    headers: Headers
    query_string: str = ""
    proto: str = "http"
    http_version: str = "1.1"
    scheme: str = "http"
    client: str = "127.0.0.1:5000"


@pytest_asyncio.fixture
async def opened(tmp_path: Path) -> AsyncIterator[InProcess]:
    async def parts() -> AsyncIterator[bytes]:
        for letter in b"abc":
            yield bytes([letter])

    async def failing() -> AsyncIterator[bytes]:
        yield b"a"
        raise RuntimeError("on the way")

    async def stream(request: Request) -> Response:
        return StreamingResponse(parts(), headers={"X-Name": "1"})

    async def fail(request: Request) -> Response:
        return StreamingResponse(failing())

    async def short(request: Request) -> Response:
        return StreamingResponse(parts(), headers={"Content-Length": "3"})

    async def nothing() -> AsyncIterator[bytes]:
        for part in list[bytes]():
            yield part

    async def send_nothing(request: Request) -> Response:
        return StreamingResponse(nothing(), headers={"X-Name": "2"})

    async with in_process(tmp_path / "data", log_level="error") as opened:
        fixed: Any = await opened.app._fixed.loaded()
        fixed.router.routes += [Route("/stream", stream), Route("/failing", fail)]
        fixed.router.routes += [Route("/short", short), Route("/nothing", send_nothing)]
        yield opened


async def call(
    opened: InProcess,
    method: str,
    path: str,
    protocol: Protocol,
    *headers: tuple[str, str],
    **more: Any,
) -> Protocol:
    """The request through granian's interface; its answer must come at once."""
    key = ("x-api-key", opened.made.secret_key or "")
    scope = Scope(method, path, Headers(key, *headers), **more)
    await asyncio.wait_for(opened.app.__rsgi__(scope, protocol), 10)
    if protocol.reading is not None:
        await asyncio.to_thread(protocol.reading.join, 10)
    assert scope.headers.looks < ENDLESS, "the request was asked for its body without end"
    return protocol


async def test_answer_in_one_piece(opened: InProcess) -> None:
    answer = await call(opened, "GET", "/healthz", Protocol())
    assert (answer.status, answer.body, answer.sends) == (200, b'{"status":"ok"}', 0)
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("headers", "version", "is_read"),
    [
        ([("content-length", "9")], "1.1", True),
        ([("transfer-encoding", "chunked")], "1.1", True),
        ([], "1.1", False),
        ([], "2", True),
    ],
)
async def test_body_is_read_where_there_may_be_one(
    opened: InProcess, headers: list[tuple[str, str]], version: str, is_read: bool
) -> None:
    body = [b'{"email"', b':"x"}']
    answer = await call(
        opened, "POST", "/v1/auth/refresh", Protocol(body), *headers, http_version=version
    )
    details = orjson.loads(answer.body)["error"].get("details", [{"field": ""}])
    assert (details[0]["field"] == "refreshToken") is is_read


async def test_client_that_goes_away_is_no_fault(
    opened: InProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    protocol = Protocol([b"{"], breaks_off=True)
    answer = await call(opened, "POST", "/v1/data/none", protocol, ("content-length", "9"))
    assert answer.status in (0, 404)
    await call(opened, "POST", "/v1/auth/refresh", Protocol([b"{"], True), ("content-length", "9"))
    assert "failed" not in capsys.readouterr().out


async def test_stream_goes_out_as_it_comes(opened: InProcess) -> None:
    answer = await call(opened, "GET", "/stream", Protocol())
    assert (answer.status, answer.body) == (200, b"abc")
    assert answer.headers["x-name"] == "1"
    assert answer.headers["x-request-id"]
    plain = await opened.call("GET", "/stream")
    assert (plain.status, plain.body) == (200, b"abc")


async def test_a_short_stream_needs_no_pipe(opened: InProcess) -> None:
    answer = await call(opened, "GET", "/short", Protocol())
    assert (answer.status, answer.body, answer.sends) == (200, b"abc", 3)


async def test_a_stream_of_nothing_is_an_empty_answer(opened: InProcess) -> None:
    answer = await call(opened, "GET", "/nothing", Protocol())
    assert (answer.status, answer.body, answer.headers["x-name"]) == (200, b"", "2")


async def test_head_of_a_stream_has_no_body(opened: InProcess) -> None:
    answer = await call(opened, "HEAD", "/stream", Protocol())
    assert (answer.status, answer.body, answer.sends) == (200, b"", 0)
    plain = await opened.call("HEAD", "/stream")
    assert (plain.status, plain.body) == (200, b"")


async def test_stream_that_fails_ends(opened: InProcess) -> None:
    answer = await call(opened, "GET", "/failing", Protocol())
    assert (answer.status, answer.body) == (200, b"a")


async def test_repeated_header_counts_whole_for_the_address(tmp_path: Path) -> None:
    async with in_process(tmp_path / "data", trusted_proxies="127.0.0.1") as opened:
        forwarded = [("x-forwarded-for", "127.0.0.1"), ("x-forwarded-for", "203.0.113.1")]
        assert (await call(opened, "GET", "/metrics", Protocol(), *forwarded)).status == 404
        assert (await opened.call("GET", "/metrics", headers=forwarded)).status == 404
        assert (await call(opened, "GET", "/metrics", Protocol(), forwarded[0])).status == 200


@pytest.mark.parametrize("client", ["127.0.0.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1"])
async def test_address_of_the_peer(opened: InProcess, client: str) -> None:
    assert (await call(opened, "GET", "/metrics", Protocol(), client=client)).status == 200


async def test_other_protocols_are_left_alone(opened: InProcess) -> None:
    assert (await call(opened, "GET", "/healthz", Protocol(), proto="ws")).status == 0


def test_http2_needs_no_length(server: RunningServer) -> None:
    arguments = ["curl", "--silent", "--show-error", "--http2-prior-knowledge", "--data-binary"]
    arguments += ["@-", "-H", "Content-Length:", "-H", f"X-API-Key: {server.secret}"]
    done = subprocess.run(
        [*arguments, f"{server.url}/v1/data/plain"],
        input=b'{"title":"over http2"}',
        capture_output=True,
        timeout=30,
        check=True,
    )
    assert orjson.loads(done.stdout)["title"] == "over http2"


def test_odd_bytes_in_headers_are_no_fault(server: RunningServer) -> None:
    odd = [b"\xff\xfe", b"Bearer \xe9", "Bearer é😀".encode(), b"a\tb", b"", b"\x80" * 999]
    names = ["Authorization", "Origin", "X-Forwarded-For", "User-Agent", "Content-Type", "Cookie"]
    with httpx.Client(base_url=server.url) as client:
        for path in ("/v1/data/posts", "/v1/auth/me", "/healthz", "/metrics", "/docs/"):
            for name in names:
                for value in odd:
                    headers = [(b"X-API-Key", server.key.encode()), (name.encode(), value)]
                    assert client.get(path, headers=headers).status_code < 500
            for value in odd:
                answer = client.get(path, headers=[(b"X-API-Key", value)])
                assert answer.status_code < 500
