"""The HTTP application: request ids, CORS preflight, the two lanes, one place for errors.

`/v1/data` and its shorthand, and the bytes of files at `/raw`, go to plain endpoints (the hot
lane); everything else to FastAPI.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Coroutine
from itertools import count
from time import perf_counter
from typing import Any

import structlog

from bkend.auth.me import PATH as ME
from bkend.auth.me import MeDoor
from bkend.clock import Clock
from bkend.errors import (
    ApiError,
    InternalError,
    NotFound,
    PayloadTooLarge,
    Timeout,
    Unavailable,
    UriTooLong,
)
from bkend.http.addresses import Network
from bkend.http.exchange import Exchange, Sending
from bkend.http.gate import Background, Gate
from bkend.http.keyless import needs_no_key, versioned
from bkend.http.later import Later
from bkend.http.metrics import Metrics
from bkend.http.transports import (
    AsgiTransport,
    Disconnected,
    Headers,
    Message,
    Receive,
    RsgiTransport,
    Scope,
    Send,
    Transport,
    Writer,
)
from bkend.manage.recording import begin_report
from bkend.records.api import handle_records
from bkend.records.door import TableDoor
from bkend.store import (
    Database,
    DocumentTooLarge,
    QueryTimeout,
    StoreUnavailable,
    UnknownCollection,
)

LONGEST_TARGET = 64 * 1024
IMAGES = "/img/{path:path}"
ALIVE_PATH = "/healthz"
ALIVE = b'{"status":"ok"}'
FIXED_WORDS = frozenset(
    {"auth", "users", "files", "data", "health", "docs", "mcp", "img", "cdn", "storage"}
)
_MANAGEMENT = ("/manage/", "/console")
_METHODS = frozenset({"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"})

log = structlog.get_logger("bkend.http")


class Application:
    """The outermost callable, for granian (RSGI) and for ASGI servers."""

    def __init__(
        self,
        *,
        gate: Gate,
        door: TableDoor,
        me: MeDoor,
        background: Background,
        raw: Callable[[Exchange], Sending],
        kept_image: Callable[[Exchange], tuple[Headers, bytes] | None],
        fixed: Later,
        management: Later,
        database: Database,
        metrics: Metrics,
        clock: Clock,
        trusted_proxies: tuple[Network, ...],
        log_requests: bool,
    ) -> None:
        self._gate = gate
        self._door = door
        self._me = me
        self._background = background
        self._raw = raw
        self._kept_image = kept_image
        self._fixed = fixed
        self._management = management
        self._database = database
        self._metrics = metrics
        self._trusted = trusted_proxies
        self._log_requests = log_requests
        self._process = os.urandom(6).hex()
        self._numbers = count(clock.now_ms() & 0xFFFFFF)

    async def prepare(self) -> None:
        """Load what the first request to a fixed endpoint of apps would have to wait for."""
        await self._fixed.loaded()

    async def prepare_management(self) -> None:
        """The same for the management API and the console."""
        await self._management.loaded()

    async def finish(self) -> None:
        """Wait for the small tasks that no answer waited for."""
        await self._background.drain()

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """A request from granian."""
        waiting = self.begin(scope, protocol)
        if waiting is not None:
            await waiting

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A request from an ASGI server."""
        if scope["type"] == "http":
            waiting = self._begin(AsgiTransport(scope, receive, send))
            if waiting is not None:
                await waiting

    def begin(self, scope: Any, protocol: Any) -> Coroutine[Any, Any, None] | None:
        """Answer a request from granian, if that needs no waiting; else what is to be run."""
        return self._begin(RsgiTransport(scope, protocol)) if scope.proto == "http" else None

    def _begin(self, transport: Transport) -> Coroutine[Any, Any, None] | None:
        request_id = f"{self._process}{next(self._numbers):08x}"
        exchange = Exchange(transport, request_id, self._trusted)
        waiting: Awaitable[None] | None
        try:
            self._database.refresh()
            path = exchange.path
            if len(path) + len(exchange.query_string) > LONGEST_TARGET:
                raise UriTooLong
            if path.startswith("/v1/data/") and exchange.method != "OPTIONS":
                waiting = handle_records(exchange, self._door, path[9:])
            elif path.startswith("/raw/"):
                waiting = self._raw(exchange)
            elif path.startswith("/img/"):
                waiting = self._answer_image(exchange, path)
            elif path == ME and exchange.method == "GET":
                waiting = self._answer_me(exchange)
            elif path == ALIVE_PATH and exchange.method in ("GET", "HEAD"):
                exchange.route = ALIVE_PATH
                waiting = exchange.respond(200, ALIVE)
            else:
                waiting = self._route(exchange, path)
        except Exception as error:
            waiting = _raise(error)
        if waiting is None:
            self._note(exchange)
            return None
        return self._finish(exchange, waiting)

    async def _finish(self, exchange: Exchange, waiting: Awaitable[None]) -> None:
        """Wait for the answer; what it fails with becomes one."""
        try:
            await waiting
        except Disconnected:
            exchange.status = 499
        except ApiError as error:
            await self._refuse(exchange, error)
        except DocumentTooLarge:
            await self._refuse(exchange, PayloadTooLarge("The record is larger than 16 MiB"))
        except QueryTimeout:
            await self._refuse(exchange, Timeout())
        except UnknownCollection:
            await self._refuse(exchange, NotFound("What this is about was removed meanwhile"))
        except StoreUnavailable as error:
            log.error("storage unavailable", reason=str(error), request_id=exchange.request_id)
            await self._refuse(exchange, Unavailable())
        except Exception:
            log.exception("request failed", request_id=exchange.request_id, path=exchange.path)
            await self._refuse(exchange, InternalError())
        self._note(exchange)

    def _note(self, exchange: Exchange) -> None:
        """Count the answered request, and log it where that is wanted."""
        seconds = perf_counter() - exchange.started
        method = exchange.method if exchange.method in _METHODS else "OTHER"
        self._metrics.observe(exchange.route, method, exchange.status, seconds)
        if self._log_requests:
            log.debug(
                "request",
                method=exchange.method,
                path=exchange.path,
                status=exchange.status,
                ms=round(seconds * 1000, 2),
                client=exchange.address,
                request_id=exchange.request_id,
            )

    def _answer_me(self, exchange: Exchange) -> Awaitable[None] | None:
        body = self._me.remembered(exchange)
        if body is None:
            return self._route(exchange, ME)
        exchange.route = ME
        return exchange.respond(200, exchange.wrap(body))

    def _answer_image(self, exchange: Exchange, path: str) -> Awaitable[None] | None:
        found = self._kept_image(exchange)
        if found is None:
            return self._route(exchange, path)
        exchange.route, exchange.status = IMAGES, 200
        return exchange.transport.send(200, *found)

    async def _route(self, exchange: Exchange, path: str) -> None:
        if path.startswith("/auth/"):
            path = exchange.path = versioned(path)
        if not path.startswith("/v1/"):
            if path.startswith("/auth/"):  # the hosted pages of mailed links
                self._gate.admit_without_key(exchange)
            await self._to_fixed(exchange)
            return
        if exchange.method == "OPTIONS":
            await exchange.allow_preflight()
            return
        rest = path[4:]
        if rest.partition("/")[0] not in FIXED_WORDS:
            waiting = handle_records(exchange, self._door, rest)
            if waiting is not None:
                await waiting
        else:
            # Key and rate limit before any fixed endpoint; its token is the endpoint's own matter.
            if needs_no_key(exchange.method, path) and not exchange.headers.get("x-api-key"):
                self._gate.admit_without_key(exchange)
            else:
                await self._gate.admit(exchange, data=False, read_token=False)
            await self._to_fixed(exchange)

    async def _to_fixed(self, exchange: Exchange) -> None:
        """Hand the request to FastAPI and add the common headers to its answer."""
        scope = exchange.transport.asgi_scope()
        scope["bkend.exchange"] = exchange
        scope["path"] = exchange.path
        if exchange.path.startswith("/v1/"):
            scope["headers"] = _as_json(scope["headers"])
        answer = FixedAnswer(exchange)
        endpoints = self._management if exchange.path.startswith(_MANAGEMENT) else self._fixed
        try:
            await endpoints(scope, exchange.receive, answer.send)
        finally:
            begin_report(None)  # what was said of this request is not said of a later one
            exchange.route = getattr(scope.get("route"), "path", "unmatched")
            await answer.finish()

    async def _refuse(self, exchange: Exchange, error: ApiError) -> None:
        if exchange.status:
            return  # the answer has begun; nothing sensible can be added
        await exchange.refuse(error)


async def _raise(error: Exception) -> None:
    raise error


class FixedAnswer:
    """FastAPI's answer on its way out: short ones in one piece, others as they come.

    JSON of `/v1` is put in the project's envelope, for which it is collected.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._status = 500
        self._headers: Headers = []
        self._writer: Writer | None = None
        self._collected: list[bytes] | None = None

    async def send(self, message: Message) -> None:
        """ASGI's send."""
        if message["type"] == "http.response.start":
            self._start(message)
            if not await self._exchange.finish_body():
                self._headers.append(("connection", "close"))
            return
        body, more = message.get("body", b""), message.get("more_body", False)
        if self._collected is None:
            await self._forward(body, more)
            return
        self._collected.append(body)
        if not more:
            body = self._exchange.wrap(b"".join(self._collected))
            self._headers = [pair for pair in self._headers if pair[0] != "content-length"]
            self._headers.append(("content-length", str(len(body))))
            await self._forward(body, False)

    def _start(self, message: Message) -> None:
        exchange = self._exchange
        self._status = message["status"]
        self._headers = [
            (name.decode().lower(), value.decode("latin-1"))
            for name, value in message.get("headers", ())
        ]
        present = dict(self._headers)
        self._headers += [pair for pair in exchange.common_headers() if pair[0] not in present]
        is_json = present.get("content-type", "").startswith("application/json")
        if is_json and 200 <= self._status < 300 and exchange.path.startswith("/v1/"):
            self._collected = []

    async def _forward(self, body: bytes, more: bool) -> None:
        exchange = self._exchange
        if self._writer is not None:
            if body:
                await self._writer.send_bytes(body)
        elif exchange.status:
            pass  # a HEAD was answered with the headers alone
        elif more and exchange.method != "HEAD":
            exchange.status = self._status
            self._writer = await exchange.transport.stream(self._status, self._headers)
            await self._writer.send_bytes(body)
        else:
            body = b"" if exchange.method == "HEAD" else body
            await exchange.send(self._status, self._headers, body)

    async def finish(self) -> None:
        """End what was streamed, also after a fault: granian does so when the writer is let go."""
        if self._writer is not None:
            self._writer = None
            await self._exchange.transport.end()


def _as_json(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Bodies of `/v1` are JSON whatever their declared type; forms are the exception (00 §3)."""
    forms = [
        value
        for name, value in headers
        if name == b"content-type" and value.startswith(b"multipart/")
    ]
    kept = [pair for pair in headers if pair[0] != b"content-type"]
    return [*kept, (b"content-type", forms[0] if forms else b"application/json")]
