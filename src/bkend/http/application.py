"""The ASGI application: request ids, CORS preflight, the two lanes, one place for errors.

`/v1/data` and its shorthand go to a plain endpoint (the hot lane); everything else to FastAPI.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from itertools import count
from time import perf_counter
from typing import Any, TypeAlias

import structlog

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
from bkend.http.addresses import Network, client_address
from bkend.http.exchange import (
    PREFLIGHT,
    Disconnected,
    Exchange,
    Headers,
    Message,
    Receive,
    Scope,
    Send,
)
from bkend.http.gate import Background, Gate
from bkend.http.metrics import Metrics
from bkend.records.api import handle_records
from bkend.store import Database, DocumentTooLarge, QueryTimeout, StoreUnavailable

AsgiApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

LONGEST_TARGET = 64 * 1024
FIXED_WORDS = frozenset(
    {"auth", "users", "files", "data", "health", "docs", "mcp", "img", "cdn", "storage"}
)
_METHODS = frozenset({"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"})

log = structlog.get_logger("bkend.http")


class Application:
    """The outermost ASGI callable."""

    def __init__(
        self,
        *,
        gate: Gate,
        background: Background,
        fixed: AsgiApp,
        database: Database,
        metrics: Metrics,
        clock: Clock,
        trusted_proxies: tuple[Network, ...],
        log_requests: bool,
    ) -> None:
        self._gate = gate
        self._background = background
        self._fixed = fixed
        self._control = database.control
        self._metrics = metrics
        self._trusted = trusted_proxies
        self._log_requests = log_requests
        self._process = os.urandom(6).hex()
        self._numbers = count(clock.now_ms() & 0xFFFFFF)

    async def finish(self) -> None:
        """Wait for the small tasks that no answer waited for."""
        await self._background.drain()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        exchange = Exchange(scope, receive, send, f"{self._process}{next(self._numbers):08x}")
        scope["bkend.exchange"] = exchange
        try:
            self._control.refresh()
            self._set_address(exchange)
            await self._route(exchange)
        except Disconnected:
            exchange.status = 499
        except ApiError as error:
            await self._refuse(exchange, error)
        except DocumentTooLarge:
            await self._refuse(exchange, PayloadTooLarge("The record is larger than 16 MiB"))
        except QueryTimeout:
            await self._refuse(exchange, Timeout())
        except StoreUnavailable as error:
            log.error("storage unavailable", reason=str(error), request_id=exchange.request_id)
            await self._refuse(exchange, Unavailable())
        except Exception:
            log.exception("request failed", request_id=exchange.request_id, path=exchange.path)
            await self._refuse(exchange, InternalError())
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

    async def _route(self, exchange: Exchange) -> None:
        scope, path = exchange.scope, exchange.path
        if len(scope.get("raw_path") or path) + len(scope["query_string"]) > LONGEST_TARGET:
            raise UriTooLong
        if not path.startswith("/v1/"):
            await self._to_fixed(exchange)
            return
        if exchange.method == "OPTIONS":
            await self._preflight(exchange)
            return
        rest = path[4:]
        if rest.startswith("data/"):
            await self._records(exchange, rest[5:])
            return
        word = rest.partition("/")[0]
        if word not in FIXED_WORDS:
            await self._records(exchange, rest)
            return
        await self._admit_fixed(exchange)
        await self._to_fixed(exchange)

    async def _records(self, exchange: Exchange, path: str) -> None:
        await handle_records(exchange, self._gate, path)

    async def _admit_fixed(self, exchange: Exchange) -> None:
        """Key and rate limit before any fixed endpoint; its token is the endpoint's own matter."""
        await self._gate.admit(exchange, data=False, read_token=False)

    async def _preflight(self, exchange: Exchange) -> None:
        exchange.route, exchange.status = "preflight", 204
        headers: Headers = [(b"x-request-id", exchange.request_id.encode()), *PREFLIGHT]
        await exchange.send({"type": "http.response.start", "status": 204, "headers": headers})
        await exchange.send({"type": "http.response.body", "body": b""})

    async def _to_fixed(self, exchange: Exchange) -> None:
        """Hand the request to FastAPI and add the common headers to its answer."""

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                headers: Headers = list(message.get("headers", ()))
                present = {name.lower() for name, _ in headers}
                headers += [pair for pair in exchange.common_headers() if pair[0] not in present]
                message = {**message, "headers": headers}
            await exchange.send(message)

        scope: dict[str, Any] = dict(exchange.scope)
        if exchange.path.startswith("/v1/"):
            scope["headers"] = _as_json(scope["headers"])
        try:
            await self._fixed(scope, exchange.receive, send)
        finally:
            exchange.route = getattr(scope.get("route"), "path", "unmatched")
        if exchange.status == 0:
            raise NotFound

    async def _refuse(self, exchange: Exchange, error: ApiError) -> None:
        if exchange.status:
            return  # the answer has begun; nothing sensible can be added
        await exchange.refuse(error)

    def _set_address(self, exchange: Exchange) -> None:
        client = exchange.scope.get("client")
        peer = client[0] if client else ""
        forwarded = exchange.headers.get(b"x-forwarded-for")
        text = None if forwarded is None else forwarded.decode("latin-1")
        exchange.address, exchange.address_known = client_address(peer, text, self._trusted)


def _as_json(headers: Headers) -> Headers:
    """Bodies of `/v1` are JSON whatever their declared type; forms are the exception (00 §3)."""
    kept = [
        pair
        for pair in headers
        if pair[0] != b"content-type" or pair[1].startswith(b"multipart/form-data")
    ]
    if len(kept) < len(headers) or not any(pair[0] == b"content-type" for pair in kept):
        kept.append((b"content-type", b"application/json"))
    return kept
