"""One request and its answer, as light as the hot lane needs it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from time import perf_counter
from typing import Any, TypeAlias

import orjson

from bkend.caller import Caller
from bkend.environment import Environment
from bkend.errors import ApiError, InvalidParameters, PayloadTooLarge
from bkend.manage.keys import Key

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Headers: TypeAlias = list[tuple[bytes, bytes]]

BODY_LIMIT = 10 * 1024 * 1024
JSON = (b"content-type", b"application/json; charset=utf-8")
NO_STORE = (b"cache-control", b"no-store")


class Disconnected(Exception):
    """The client went away before its body was complete."""


class Exchange:
    """A request with its parsed headers, and the headers that every answer to it carries."""

    __slots__ = (
        "_receive",
        "_received",
        "address",
        "address_known",
        "caller",
        "environment",
        "headers",
        "key",
        "method",
        "path",
        "rate",
        "request_id",
        "route",
        "scope",
        "send",
        "started",
        "status",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        self.scope = scope
        self._receive = receive
        self._received = 0
        self.send = send
        self.request_id = request_id
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.started = perf_counter()
        self.status = 0
        self.route = "unmatched"
        self.address = ""
        self.address_known = False
        self.key: Key | None = None
        self.environment: Environment | None = None
        self.caller: Caller | None = None
        self.rate: tuple[int, int] | None = None

    @property
    def bearer(self) -> str | None:
        """The bearer token, None when there is none or it is an API key (10 §1)."""
        value = self.headers.get(b"authorization")
        if value is None or value[:7].lower() != b"bearer ":
            return None
        token = value[7:].strip().decode("latin-1")
        return None if not token or token.startswith(("pk_", "sk_")) else token

    async def receive(self) -> Message:
        """The next ASGI message; raises PayloadTooLarge once the body is known to be too large."""
        if not self._received:
            declared = self.headers.get(b"content-length", b"0")
            if declared.isdigit() and int(declared) > BODY_LIMIT:
                raise PayloadTooLarge
        message = await self._receive()
        self._received += len(message.get("body", b""))
        if self._received > BODY_LIMIT:
            raise PayloadTooLarge
        return message

    async def body(self) -> bytes:
        """The whole body; raises PayloadTooLarge, and Disconnected when it stays incomplete."""
        parts: list[bytes] = []
        while True:
            message = await self.receive()
            if message["type"] != "http.request":
                raise Disconnected
            parts.append(message.get("body", b""))
            if not message.get("more_body"):
                return b"".join(parts)

    # -- answers ----------------------------------------------------------------------------

    def common_headers(self) -> Headers:
        """Request id, CORS (00 §6) and rate-limit state (00 §5)."""
        headers: Headers = [(b"x-request-id", self.request_id.encode())]
        if b"origin" in self.headers and self.path.startswith("/v1/"):
            headers.extend(self._cors())
        if self.rate is not None:
            headers.append((b"x-ratelimit-limit", b"%d" % self.rate[0]))
            headers.append((b"x-ratelimit-remaining", b"%d" % self.rate[1]))
        return headers

    def _cors(self) -> Headers:
        allowed = self.environment.state.project.allowed_origins if self.environment else None
        origin = self.headers[b"origin"]
        if not allowed:
            return [(b"access-control-allow-origin", b"*"), _EXPOSE]
        if origin.decode("latin-1").lower().rstrip("/") not in allowed:
            return [_VARY_ORIGIN]
        return [(b"access-control-allow-origin", origin), _VARY_ORIGIN, _EXPOSE]

    async def answer(self, status: int, body: bytes, extra: Headers | None = None) -> None:
        """Send a JSON body that is already encoded."""
        headers = [JSON, (b"content-length", b"%d" % len(body)), NO_STORE]
        headers += self.common_headers()
        if extra:
            headers += extra
        self.status = status
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send(
            {"type": "http.response.body", "body": b"" if self.method == "HEAD" else body}
        )

    async def refuse(self, error: ApiError) -> None:
        """Send the one error body."""
        extra = [(name.lower().encode(), value.encode()) for name, value in error.headers.items()]
        if b"x-ratelimit-limit" in dict(extra):
            self.rate = None
        await self.answer(error.status, error_body(error, self.request_id), extra)


_VARY_ORIGIN = (b"vary", b"Origin")
_EXPOSE = (
    b"access-control-expose-headers",
    b"X-RateLimit-Limit, X-RateLimit-Remaining, Retry-After, X-Request-Id",
)
PREFLIGHT: Headers = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"GET, POST, PATCH, PUT, DELETE, OPTIONS"),
    (b"access-control-allow-headers", b"Content-Type, X-API-Key, Authorization"),
    (b"access-control-max-age", b"7200"),
]


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


def decode_json(body: bytes) -> Any:
    """A JSON body; raises InvalidParameters."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise InvalidParameters("The body is not valid JSON") from None
