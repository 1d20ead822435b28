"""`Idempotency-Key` on POST: the same request again gets the answer of before (51 §6)."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from bkend.errors import InvalidParameters
from bkend.http import openapi
from bkend.http.dependencies import exchange_of
from bkend.http.manage.admission import core_of, tenant_of
from bkend.manage.errors import IdempotencyMismatch, StillRunning
from bkend.manage.idempotency import Kept

_KEY = re.compile(r"[\x21-\x7e]{1,255}\Z")


class Route(openapi.Route):
    """A route of the management API."""

    on_post = (InvalidParameters, IdempotencyMismatch, StillRunning)
    post_parameters = (
        openapi.parameter(
            "Idempotency-Key",
            "header",
            {"type": "string", "pattern": r"^[\x21-\x7e]{1,255}$"},
            "The same request again with the same key gets the answer of before, for 24 hours",
        ),
    )

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, asked once a key."""
        handle = super().get_route_handler()

        async def once(request: Request) -> Response:
            key = request.headers.get("idempotency-key")
            if request.method != "POST" or key is None:
                return await handle(request)
            return await _once(request, key, handle)

        return once


async def _once(
    request: Request, key: str, handle: Callable[[Request], Coroutine[Any, Any, Response]]
) -> Response:
    core, exchange = core_of(request), exchange_of(request)
    tenant = await tenant_of(request)
    who = tenant.account_id or (tenant.key.id if tenant.key is not None else "")
    if not _KEY.match(key):
        message = "Idempotency-Key has 1 to 255 printable ASCII characters, without spaces"
        raise InvalidParameters(message)
    body = await exchange.keep_body()
    route = f"{request.url.path}?{request.url.query}"
    taken = await core.idempotency.take(who, route, key, body)
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
