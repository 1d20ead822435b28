"""How a request comes in and its answer goes out: granian's own interface, or plain ASGI.

Granian's interface (RSGI) sends an answer in one call and reads headers only when asked for; it
carries twice the requests of its ASGI (docs/decisions/005). ASGI serves tests and other servers,
and is what FastAPI speaks: `asgi_scope` and `Exchange.receive` make either look like it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, Protocol, TypeAlias
from urllib.parse import quote

from bkend.http.disconnected import Disconnected as Disconnected
from bkend.http.pipes import IS_POSSIBLE, PipeWriter

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
AsgiApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers: TypeAlias = list[tuple[str, str]]

_SMALL_BODY = 64 * 1024
_SMALL_ANSWER = 256 * 1024


class RequestHeaders(Protocol):
    """Header values by lower-case name."""

    def __contains__(self, name: str, /) -> bool:
        """Whether the header was sent."""

    def get(self, name: str, /) -> str | None:
        """The header's value, or None."""

    def get_all(self, name: str, /) -> list[str]:
        """Its values in order: the header may be repeated."""


class Writer(Protocol):
    """The body of an answer that is sent in parts."""

    async def send_bytes(self, data: bytes) -> None:
        """Send a part; raises Disconnected."""


class Transport(Protocol):
    """One request and the way back."""

    method: str
    path: str
    query_string: str
    headers: RequestHeaders

    @property
    def peer(self) -> str:
        """The address of the other end of the connection."""

    def asgi_scope(self) -> Scope:
        """The request as an ASGI scope."""

    async def chunk(self) -> tuple[bytes, bool]:
        """The next part of the body, and whether more may come; raises Disconnected."""

    async def disconnected(self) -> None:
        """Wait until the client has gone away, after the body."""

    def send(self, status: int, headers: Headers, body: bytes) -> Awaitable[None] | None:
        """The whole answer; what is returned, if anything, is to be waited for."""

    def send_file(self, status: int, headers: Headers, path: str, start: int, length: int) -> bool:
        """Have the server itself send so many bytes of a file, at the client's pace; False when
        it cannot. The headers are complete."""

    async def stream(self, status: int, headers: Headers) -> Writer:
        """Begin an answer in parts, whose length need not be known."""

    async def end(self) -> None:
        """End a streamed answer."""


class RsgiTransport:
    """A request of granian's RSGI."""

    __slots__ = (
        "_parts",
        "_pipe",
        "_protocol",
        "_received",
        "_scope",
        "_unsent",
        "headers",
        "method",
        "path",
        "query_string",
    )

    def __init__(self, scope: Any, protocol: Any) -> None:
        self._scope = scope
        self._protocol = protocol
        self._parts: AsyncIterator[bytes] | None = None
        self._received = 0
        self._pipe: PipeWriter | None = None
        self._unsent: tuple[int, Headers] = (200, [])
        self.method: str = scope.method
        self.path: str = scope.path
        self.query_string: str = scope.query_string
        self.headers: RequestHeaders = scope.headers

    @property
    def peer(self) -> str:
        """The address of the other end of the connection."""
        host: str = self._scope.client.rpartition(":")[0]
        return host.strip("[]")

    def asgi_scope(self) -> Scope:
        scope = self._scope
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": scope.http_version,
            "method": self.method,
            "scheme": scope.scheme,
            "path": self.path,
            "raw_path": quote(self.path).encode(),
            "query_string": self.query_string.encode(),
            "root_path": "",
            "headers": [(k.encode(), v.encode()) for k, v in scope.headers.items()],
            "client": (self.peer, 0),
            "server": None,
        }

    async def chunk(self) -> tuple[bytes, bool]:
        if self._parts is None:
            announced = self.headers.get("content-length")
            if announced and announced.isdigit() and int(announced) <= _SMALL_BODY:
                return await self._whole(), False
            if self._is_bodiless():
                return b"", False
            self._parts = aiter(self._protocol)
        try:
            part = await anext(self._parts)
        except StopAsyncIteration:
            self._require_whole()
            return b"", False
        except Exception as error:  # granian has no class of its own for this
            raise Disconnected from error
        self._received += len(part)
        return part, True

    def _require_whole(self) -> None:
        """Granian ends a body that was cut off like one that is complete, which only the announced
        length tells apart; one in chunks announces none. Raises Disconnected."""
        announced = self.headers.get("content-length")
        if announced and announced.isdigit() and self._received < int(announced):
            raise Disconnected

    async def _whole(self) -> bytes:
        """The body in one step: each one crosses between granian's thread and ours."""
        try:
            body: bytes = await self._protocol()
        except Exception as error:  # granian has no class of its own for this
            raise Disconnected from error
        return body

    async def disconnected(self) -> None:
        await self._protocol.client_disconnect()

    def _is_bodiless(self) -> bool:
        """HTTP/1 announces a body; HTTP/2 need not."""
        announced = "content-length" in self.headers or "transfer-encoding" in self.headers
        return not announced and self._scope.http_version.startswith("1")

    def send(self, status: int, headers: Headers, body: bytes) -> None:
        if body:
            self._protocol.response_bytes(status, headers, body)
        else:
            self._protocol.response_empty(status, headers)

    def send_file(self, status: int, headers: Headers, path: str, start: int, length: int) -> bool:
        if status == 206:
            self._protocol.response_file_range(status, headers, path, start, start + length)
        else:
            self._protocol.response_file(status, headers, path)
        return True

    async def stream(self, status: int, headers: Headers) -> Writer:
        announced = next((value for name, value in headers if name == "content-length"), "")
        is_small = announced.isdigit() and int(announced) <= _SMALL_ANSWER
        if is_small or not IS_POSSIBLE:
            return _RsgiWriter(self._protocol.response_stream(status, headers))
        protocol = self._protocol
        self._pipe = PipeWriter(lambda path: protocol.response_file(status, headers, path))
        self._unsent = status, headers
        return self._pipe

    async def end(self) -> None:
        """Granian ends its own streams when the application returns."""
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            if not pipe.has_begun:
                self._protocol.response_empty(*self._unsent)
            pipe.close()


class _RsgiWriter:
    """Granian's writer, whose failures mean that the client went away."""

    __slots__ = ("_writer",)

    def __init__(self, writer: Any) -> None:
        self._writer = writer

    async def send_bytes(self, data: bytes) -> None:
        """Send a part. Raises Disconnected."""
        try:
            await self._writer.send_bytes(data)
        except RuntimeError as error:
            raise Disconnected from error


class AsgiHeaders:
    """ASGI's pairs of bytes as a mapping of strings; of repeated names the last counts."""

    def __init__(self, pairs: list[tuple[bytes, bytes]]) -> None:
        self._pairs = pairs
        self._values = dict(pairs)

    def __contains__(self, name: str, /) -> bool:
        return name.encode() in self._values

    def get(self, name: str, /) -> str | None:
        """The header's value, or None."""
        value = self._values.get(name.encode())
        return None if value is None else value.decode("latin-1")

    def get_all(self, name: str, /) -> list[str]:
        """Its values in order."""
        wanted = name.encode()
        return [value.decode("latin-1") for name_, value in self._pairs if name_ == wanted]


class AsgiTransport:
    """A request of any ASGI server."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.query_string: str = scope["query_string"].decode("latin-1")
        self.headers: RequestHeaders = AsgiHeaders(scope["headers"])

    @property
    def peer(self) -> str:
        """The address of the other end of the connection."""
        client = self._scope.get("client")
        return client[0] if client else ""

    def asgi_scope(self) -> Scope:
        return dict(self._scope)

    async def chunk(self) -> tuple[bytes, bool]:
        message = await self._receive()
        if message["type"] != "http.request":
            raise Disconnected
        return message.get("body", b""), bool(message.get("more_body"))

    async def disconnected(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def send(self, status: int, headers: Headers, body: bytes) -> None:
        await self._start(status, headers)
        await self._send({"type": "http.response.body", "body": body})

    def send_file(self, status: int, headers: Headers, path: str, start: int, length: int) -> bool:
        return False

    async def stream(self, status: int, headers: Headers) -> Writer:
        await self._start(status, headers)
        return self

    async def send_bytes(self, data: bytes) -> None:
        """A part of a streamed answer."""
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self) -> None:
        await self._send({"type": "http.response.body", "body": b""})

    async def _start(self, status: int, headers: Headers) -> None:
        pairs = [(name.encode(), value.encode()) for name, value in headers]
        await self._send({"type": "http.response.start", "status": status, "headers": pairs})
