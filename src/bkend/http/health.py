"""Liveness, readiness, metrics (00 §2)."""

from __future__ import annotations

from time import monotonic

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bkend.core import Core
from bkend.errors import NotFound, Unauthorized, Unavailable
from bkend.http.application import ALIVE, ALIVE_PATH
from bkend.http.exchange import Exchange
from bkend.http.metrics import Metrics
from bkend.manage.rights import admit_token
from bkend.store import StoreUnavailable

_READY_SECONDS = 1.0
_JSON = "application/json; charset=utf-8"
_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
_NO_STORE = {"Cache-Control": "no-store"}


def health_routes(core: Core, metrics: Metrics) -> list[BaseRoute]:
    """`/healthz`, `/readyz`, `/metrics`."""

    async def healthz(request: Request) -> Response:
        return Response(ALIVE, headers=_NO_STORE, media_type=_JSON)

    ready_until = 0.0

    async def readyz(request: Request) -> Response:
        nonlocal ready_until
        if monotonic() >= ready_until:  # anybody may ask, and the question costs a write
            try:
                await core.database.ping()
            except StoreUnavailable:
                raise Unavailable("The database does not answer") from None
            ready_until = monotonic() + _READY_SECONDS
        body = {"status": "ok", "database": core.database.describe()}
        return Response(orjson.dumps(body), headers=_NO_STORE, media_type=_JSON)

    async def show_metrics(request: Request) -> Response:
        exchange: Exchange = request.scope["bkend.exchange"]
        if not (exchange.is_local or await _holds_management_token(core, exchange)):
            raise NotFound
        return Response(metrics.render(), headers=_NO_STORE, media_type=_PROMETHEUS)

    return [
        Route(ALIVE_PATH, healthz),
        Route("/readyz", readyz),
        Route("/metrics", show_metrics),
    ]


async def _holds_management_token(core: Core, exchange: Exchange) -> bool:
    try:
        tenant = await admit_token(core.keys, core.members, core.clock, exchange.bearer)
        await core.tenants.require_active(tenant.account_id)
    except Unauthorized:
        return False
    return True
