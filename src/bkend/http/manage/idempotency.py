"""`Idempotency-Key` on POST: the same request again gets the answer of before (51 §6).

An answer goes to nobody but the caller it was made for: the account that has signed in, the token;
on routes for those who have not signed in, whoever sends the very same body from the same network
address. There the body holds what only the caller knows, or the answer holds nothing secret. What
opens a session, or hands out a code that does, is never answered again.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeAlias

from fastapi import Request
from fastapi.responses import Response

from bkend.errors import InvalidParameters
from bkend.http import openapi
from bkend.http.dependencies import exchange_of
from bkend.http.manage.admission import core_of, tenant_of
from bkend.http.manage.cookies import require_own_page
from bkend.manage.errors import IdempotencyMismatch, StillRunning
from bkend.manage.idempotency import Kept, Taken
from bkend.tenants.errors import CsrfFailed

_KEY = re.compile(r"[\x21-\x7e]{1,255}\Z")
_MANAGE = "/manage/v1"

BY_CALLER = frozenset({f"{_MANAGE}/session/verify-email/resend", f"{_MANAGE}/device/{{code}}"})
"""Routes among those of a `PublicRoute` that need a session."""
NEVER = frozenset(
    {
        f"{_MANAGE}/session/login",
        f"{_MANAGE}/session/magic-link/confirm",
        f"{_MANAGE}/device/authorize",
    }
)
"""Routes whose every call is worked on: sessions and codes are handed out once."""

_Handler: TypeAlias = Callable[[Request], Coroutine[Any, Any, Response]]
_Taking: TypeAlias = Callable[[Request, str, str], Awaitable[Kept | Taken]]


class Route(openapi.Route):
    """A route for those who have signed in."""

    on_post = (InvalidParameters, IdempotencyMismatch, StillRunning)
    post_parameters = (
        openapi.parameter(
            "Idempotency-Key",
            "header",
            {"type": "string", "pattern": r"^[\x21-\x7e]{1,255}$"},
            "The same request again with the same key gets the answer of before, for 24 hours",
        ),
    )

    def get_route_handler(self) -> _Handler:
        """The handler, asked once a key."""
        return _once(super().get_route_handler(), _take_by_caller)


class PublicRoute(openapi.Route):
    """A route that most callers call before they have signed in."""

    def __init__(self, path: str, endpoint: Any, **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        if path not in NEVER:
            self.on_post = (*Route.on_post, CsrfFailed)
            self.post_parameters = Route.post_parameters

    def get_route_handler(self) -> _Handler:
        """The handler, asked once a key where that is safe."""
        handle = super().get_route_handler()
        if self.path in NEVER:
            return handle
        return _once(handle, _take_by_caller if self.path in BY_CALLER else _take_by_body)


def _once(handle: _Handler, take: _Taking) -> _Handler:
    """The handler, which works on a POST with a key once."""

    async def once(request: Request) -> Response:
        key = request.headers.get("idempotency-key")
        if request.method != "POST" or key is None:
            return await handle(request)
        core = core_of(request)
        taken = await take(request, f"{request.url.path}?{request.url.query}", key)
        if isinstance(taken, Kept):
            headers = {"Cache-Control": "no-store", "Idempotency-Replayed": "true"}
            return Response(taken.body, taken.status, headers, "application/json; charset=utf-8")
        try:
            response = await handle(request)
        except BaseException:
            await core.idempotency.release(taken)
            raise
        await core.idempotency.keep(taken, response.status_code, bytes(response.body))
        return response

    return once


async def _take_by_caller(request: Request, route: str, key: str) -> Kept | Taken:
    tenant = await tenant_of(request)
    _check(key)
    # A token may do less than its account: it is a caller of its own.
    who = tenant.account_id if tenant.key is None else f"{tenant.account_id}|{tenant.key.id}"
    body = await exchange_of(request).keep_body()
    return await core_of(request).idempotency.take(who, route, key, body)


async def _take_by_body(request: Request, route: str, key: str) -> Kept | Taken:
    require_own_page(request)
    _check(key)
    exchange = exchange_of(request)
    body = await exchange.keep_body()
    return await core_of(request).idempotency.take_by_body(exchange.address, route, key, body)


def _check(key: str) -> None:
    if not _KEY.match(key):
        message = "Idempotency-Key has 1 to 255 printable ASCII characters, without spaces"
        raise InvalidParameters(message)
