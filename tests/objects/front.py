"""A door before the S3 server that can do what networks and other servers do.

It hands every request on as it came, so signatures stay good, and can answer 503, break off in the
middle, lose an answer, or take bodies of any length under an address signed for one.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.s3 import S3Server

_SLOW_DOWN = (
    b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
)


class Front(ThreadingHTTPServer):
    """The door; its fields say what is to happen to the next requests."""

    daemon_threads = True

    def __init__(self, server: S3Server) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.server = server
        self.ignores_lengths = False
        self.failures = 0
        self.cut_after: list[int] = []
        self.lost_answers = 0
        self.requests: list[str] = []

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Front

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        front = self.server
        front.requests.append(f"{self.command} {self.path}")
        if front.failures > 0:
            front.failures -= 1
            self._answer(503, {"Content-Type": "application/xml"}, _SLOW_DOWN)
            return
        if front.ignores_lengths and "X-Amz-SignedHeaders=content-length" in self.path:
            bucket, _, key = urlsplit(self.path).path.lstrip("/").partition("/")
            front.server.client().put_object(Bucket=bucket, Key=unquote(key), Body=body)
            self._answer(200, {}, b"")
            return
        upstream = http.client.HTTPConnection(front.server.host, timeout=30)
        try:
            upstream.request(self.command, self.path, body, dict(self.headers.items()))
            answer = upstream.getresponse()
            content = answer.read()
        finally:
            upstream.close()
        if front.lost_answers > 0:
            front.lost_answers -= 1
            self.close_connection = True
            return
        cut = front.cut_after.pop(0) if front.cut_after and self.command == "GET" else None
        self._answer(answer.status, dict(answer.getheaders()), content, cut)

    do_PUT = do_POST = do_DELETE = do_HEAD = do_GET

    def _answer(
        self, status: int, headers: dict[str, str], content: bytes, cut: int | None = None
    ) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                self.send_header(name, value)
        length = headers.get("Content-Length", str(len(content)))
        if status != 204:
            self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[:cut])
        if cut is not None:
            self.close_connection = True


@contextmanager
def standing_before(server: S3Server) -> Iterator[Front]:
    """A door on a port of its own."""
    front = Front(server)
    serving = Thread(target=front.serve_forever, args=(0.02,), daemon=True)
    serving.start()
    try:
        yield front
    finally:
        front.shutdown()
        front.server_close()
        serving.join()
