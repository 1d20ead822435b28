"""A body that is refused before it was read: the answer arrives, and nothing after it is lost."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

import pytest

from tests.servers import RunningServer

MIB = 1024 * 1024
WAITED_FOR = [(f"Content-Length: {900 * MIB}",), ("Expect: 100-continue", "Content-Length: 5")]
REFUSED = [
    ("POST", "/v1/data/plain", 400),  # the data API itself
    ("POST", "/v1/auth/email/signin", 401),  # a fixed endpoint, refused before it is asked
    ("POST", "/manage/v1/projects", 401),  # a fixed endpoint that refuses itself
    ("PUT", "/raw/avatars/dev/x/y.png?signature=x", 403),  # bytes
    ("POST", "/nowhere", 404),
]


@dataclass
class Connection:
    """A connection that is used again and again."""

    socket: socket.socket
    incoming: BinaryIO

    def send(self, method: str, target: str, *headers: str) -> None:
        lines = [f"{method} {target} HTTP/1.1", "Host: x", *headers, "", ""]
        self.socket.sendall("\r\n".join(lines).encode())

    def answer(self) -> tuple[int, dict[str, str]]:
        """Status and headers of the next answer; (0, {}) when the connection has ended."""
        line = self.incoming.readline()
        if not line:
            return 0, {}
        headers: dict[str, str] = {}
        while (header := self.incoming.readline().strip()) != b"":
            name, _, value = header.decode().partition(": ")
            headers[name.lower()] = value
        self.incoming.read(int(headers.get("content-length", "0")))
        return int(line.split()[1]), headers


@contextmanager
def connected(server: RunningServer) -> Iterator[Connection]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as found:
        yield Connection(found, found.makefile("rb"))


@pytest.fixture
def connection(server: RunningServer) -> Iterator[Connection]:
    with connected(server) as found:
        yield found


@pytest.mark.parametrize(("method", "target", "status"), REFUSED)
def test_the_connection_goes_on_after_a_body_that_nobody_read(
    connection: Connection, method: str, target: str, status: int
) -> None:
    for size in (3, 3 * MIB):
        connection.send(method, target, f"Content-Length: {size}")
        connection.socket.sendall(b"x" * size)
        refused, headers = connection.answer()
        assert (refused, headers.get("connection")) == (status, None), target
        connection.send("GET", "/healthz")
        assert connection.answer()[0] == 200, target


@pytest.mark.parametrize(("method", "target", "status"), REFUSED)
def test_it_goes_on_after_one_without_an_announced_length(
    connection: Connection, method: str, target: str, status: int
) -> None:
    connection.send(method, target, "Transfer-Encoding: chunked")
    for _ in range(30):
        connection.socket.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
    connection.socket.sendall(b"0\r\n\r\n")
    assert connection.answer()[0] == status
    connection.send("GET", "/healthz")
    assert connection.answer()[0] == 200


@pytest.mark.parametrize(("method", "target", "status"), REFUSED)
@pytest.mark.parametrize("headers", WAITED_FOR, ids=["large", "expecting"])
def test_the_end_is_announced_where_the_body_is_not_waited_for(
    connection: Connection, method: str, target: str, status: int, headers: tuple[str, ...]
) -> None:
    """One that is far too large; one whose sender waits for a sign before it begins."""
    connection.send(method, target, *headers)
    refused, answered = connection.answer()
    assert (refused, answered.get("connection")) == (status, "close"), target
    assert connection.answer()[0] == 0


def test_who_waits_for_a_sign_gets_it_where_the_body_is_wanted(
    server: RunningServer, connection: Connection
) -> None:
    key = f"X-API-Key: {server.secret}"
    connection.send("POST", "/v1/data/plain", key, "Expect: 100-continue", "Content-Length: 16")
    assert connection.answer()[0] == 100
    connection.socket.sendall(b'{"title": "yes"}')
    status, headers = connection.answer()
    assert (status, headers.get("connection")) == (201, None)
