"""One request and its answer, as light as the hot lane needs it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from time import perf_counter
from typing import Any, TypeAlias

import orjson

from bkend.environment import Environment
from bkend.errors import ApiError, PayloadTooLarge
from bkend.http.addresses import Network, client_address, is_loopback
from bkend.http.envelope import enveloped
from bkend.http.transports import Disconnected, Headers, Message, Transport
from bkend.manage.keys import Key

Sending: TypeAlias = Awaitable[None] | None

BODY_LIMIT = 10 * 1024 * 1024
_READ_AT_MOST = 8 * 1024 * 1024
_READ_SECONDS = 5
_JSON = ("content-type", "application/json; charset=utf-8")
_FORWARDED = "x-forwarded-for"
_CLOSE = ("connection", "close")
_NO_STORE = ("cache-control", "no-store")
_ANY_ORIGIN = ("access-control-allow-origin", "*")
_VARY_ORIGIN = ("vary", "Origin")
_EXPOSE = (
    "access-control-expose-headers",
    "X-RateLimit-Limit, X-RateLimit-Remaining, Retry-After, X-Request-Id",
)
_PREFLIGHT: Headers = [
    _ANY_ORIGIN,
    ("access-control-allow-methods", "GET, POST, PATCH, PUT, DELETE, OPTIONS"),
    ("access-control-allow-headers", "Content-Type, X-API-Key, Authorization"),
    ("access-control-max-age", "7200"),
]


class Exchange:
    """A request on its transport, and the headers that every answer to it carries."""

    __slots__ = (
        "_is_read",
        "_is_received",
        "_kept",
        "_received",
        "_trusted",
        "environment",
        "headers",
        "key",
        "method",
        "path",
        "query_string",
        "rate",
        "request_id",
        "route",
        "started",
        "status",
        "transport",
    )

    def __init__(
        self, transport: Transport, request_id: str, trusted_proxies: tuple[Network, ...] = ()
    ) -> None:
        self.transport = transport
        self._trusted = trusted_proxies
        self.request_id = request_id
        self.method = transport.method
        self.path = transport.path
        self.query_string = transport.query_string
        self.headers = transport.headers
        self.started = perf_counter()
        self.status = 0
        self.route = "unmatched"
        self.environment: Environment | None = None
        self.key: Key | None = None
        self.rate: tuple[int, int] | None = None
        self._received = -1
        self._is_read = False
        self._is_received = False
        self._kept: bytes | None = None

    @property
    def address(self) -> str:
        """The client's address: the peer's, or what a trusted proxy says it is."""
        return self._client_address()[0]

    @property
    def is_local(self) -> bool:
        """Whether the client is certainly on this machine."""
        address, is_known = self._client_address()
        return is_known and is_loopback(address)

    def _client_address(self) -> tuple[str, bool]:
        forwarded = None
        if _FORWARDED in self.headers:
            # A proxy may add a line of its own: all of them count, in order.
            forwarded = ", ".join(self.headers.get_all(_FORWARDED))
        return client_address(self.transport.peer, forwarded, self._trusted)

    @property
    def bearer(self) -> str | None:
        """The bearer token, None when there is none or it is an API key (10 §1)."""
        value = self.headers.get("authorization")
        if value is None or value[:7].lower() != "bearer ":
            return None
        token = value[7:].strip()
        return None if not token or token.startswith(("pk_", "sk_")) else token

    async def chunk(self) -> tuple[bytes, bool]:
        """The next part of the body, and whether more may come.

        Raises PayloadTooLarge once the body is known to be too large, and Disconnected.
        """
        if self._kept is not None:
            return self._kept, False
        if self._received < 0:
            self._received = 0
            declared = self.headers.get("content-length")
            if declared and declared.isdigit() and int(declared) > BODY_LIMIT:
                raise PayloadTooLarge
        part, more = await self.transport.chunk()
        self._is_read = not more
        self._received += len(part)
        if self._received > BODY_LIMIT:
            raise PayloadTooLarge
        return part, more

    async def stream(self) -> AsyncIterator[bytes]:
        """The body as it comes, for those who count and store it themselves. Raises Disconnected
        when it ends before its announced length."""
        if self._kept is not None:
            yield self._kept
            return
        announced, received, more = self.headers.get("content-length"), 0, True
        while more:
            part, more = await self.transport.chunk()
            self._is_read = not more
            received += len(part)
            if part:
                yield part
        if announced and announced.isdigit() and received != int(announced):
            raise Disconnected

    async def body(self) -> bytes:
        """The whole body; raises PayloadTooLarge, and Disconnected when it stays incomplete."""
        part, more = await self.chunk()
        parts = [part]
        while more:
            part, more = await self.chunk()
            parts.append(part)
        return b"".join(parts)

    async def keep_body(self) -> bytes:
        """As `body`, which may then be asked for again."""
        self._kept = await self.body()
        return self._kept

    async def finish_body(self) -> bool:
        """Read what is left of the body, and drop it: whoever is refused has then sent all and
        reads the answer. False when it is too much, too slow or cut off, or when the sender waits
        for a sign before it begins; the connection cannot be used again then, which has to be
        said, or its next request would be lost.
        """
        headers = self.headers
        announced = headers.get("content-length")
        if self._is_read or (announced in (None, "0") and "transfer-encoding" not in headers):
            return True
        left = _READ_AT_MOST
        if (announced and announced.isdigit() and int(announced) > left) or "expect" in headers:
            return False
        try:
            async with asyncio.timeout(_READ_SECONDS):
                while not self._is_read:
                    part, more = await self.transport.chunk()
                    self._is_read = not more
                    left -= len(part)
                    if left < 0:
                        return False
        except (TimeoutError, Disconnected):
            return False
        return True

    async def receive(self) -> Message:
        """The body as ASGI messages, then the client's leaving, for FastAPI."""
        if self._is_received:
            await self.transport.disconnected()
            return {"type": "http.disconnect"}
        try:
            part, more = await self.chunk()
        except Disconnected:
            return {"type": "http.disconnect"}
        self._is_received = not more
        return {"type": "http.request", "body": part, "more_body": more}

    # -- answers ----------------------------------------------------------------------------

    def common_headers(self) -> Headers:
        """Request id, CORS (00 §6) and rate-limit state (00 §5)."""
        headers: Headers = [("x-request-id", self.request_id)]
        self._add_common(headers)
        return headers

    def _add_common(self, headers: Headers) -> None:
        origin = self.headers.get("origin")
        if origin is not None and self.path.startswith("/v1/"):
            headers.extend(self._cors(origin))
        if self.rate is not None:
            headers.append(("x-ratelimit-limit", str(self.rate[0])))
            headers.append(("x-ratelimit-remaining", str(self.rate[1])))

    def _cors(self, origin: str) -> Headers:
        allowed = self.environment.state.project.allowed_origins if self.environment else None
        if not allowed:
            return [_ANY_ORIGIN, _EXPOSE]
        if origin.lower().rstrip("/") not in allowed:
            return [_VARY_ORIGIN]
        return [("access-control-allow-origin", origin), _VARY_ORIGIN, _EXPOSE]

    def respond(self, status: int, body: bytes, extra: Headers | None = None) -> Sending:
        """Send a JSON body that is already encoded; what is returned, if anything, is to be
        waited for."""
        headers: Headers = [
            _JSON,
            ("content-length", str(len(body))),
            _NO_STORE,
            ("x-request-id", self.request_id),
        ]
        self._add_common(headers)
        if extra:
            headers += extra
        self.status = status
        return self.transport.send(status, headers, b"" if self.method == "HEAD" else body)

    async def answer(self, status: int, body: bytes, extra: Headers | None = None) -> None:
        """`respond`, and wait."""
        sending = self.respond(status, body, extra)
        if sending is not None:
            await sending

    async def succeed(self, status: int, body: bytes, extra: Headers | None = None) -> None:
        """Send a success of `/v1` in the project's envelope (00 §3)."""
        await self.answer(status, self.wrap(body), extra)

    def wrap(self, body: bytes) -> bytes:
        """The body in the envelope that the project has chosen."""
        if self.environment is None:
            return body
        mode = self.environment.state.project.response_envelope
        return body if mode == "bare" else enveloped(body, mode)

    async def allow_preflight(self) -> None:
        """Answer a CORS preflight: it carries no key, so it is the same for everybody (00 §6)."""
        self.route = "preflight"
        await self.send(204, [("x-request-id", self.request_id), *_PREFLIGHT], b"")

    async def send(self, status: int, headers: Headers, body: bytes) -> None:
        """Send an answer whose headers are complete."""
        self.status = status
        sending = self.transport.send(status, headers, body)
        if sending is not None:
            await sending

    async def refuse(self, error: ApiError) -> None:
        """Send the one error body."""
        extra = [(name.lower(), value) for name, value in error.headers.items()]
        if any(name == "x-ratelimit-limit" for name, _ in extra):
            self.rate = None
        if not await self.finish_body():
            extra.append(_CLOSE)
        await self.answer(error.status, error_body(error, self.request_id), extra)


def error_body(error: ApiError, request_id: str) -> bytes:
    """The error body of 00 §3: code and message at both levels."""
    inner: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.details:
        inner["details"] = error.details
    body: dict[str, Any] = {
        "success": False,
        "statusCode": error.status,
        "code": error.code,
        "message": error.message,
        "error": inner,
    }
    if error.status >= 500:
        body["requestId"] = request_id
    return orjson.dumps(body)
