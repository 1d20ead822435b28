"""`/manage/v1/device`: letting a program in by a code (51 §7, §8)."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from bkend.errors import Forbidden, NotFound
from bkend.http.base import base_url
from bkend.http.dependencies import REFUSALS, CurrentClient, CurrentExchange
from bkend.http.manage import account_bodies as bodies
from bkend.http.manage.admission import CurrentCore, CurrentSession
from bkend.http.manage.bodies import answer, documented, read_body, read_optional_body
from bkend.http.manage.idempotency import PublicRoute
from bkend.http.manage.shapes.accounts import DeviceApproved, DeviceAuthorization, DeviceRequest
from bkend.http.manage.shapes.common import Deleted
from bkend.http.manage.shapes.keys import AccessToken
from bkend.http.openapi import answers
from bkend.tenants.errors import (
    AuthorizationPending,
    DeviceDenied,
    DeviceExpired,
    SlowDown,
    TooManyAttempts,
)

router = APIRouter(
    prefix="/manage/v1/device", tags=["device"], responses=REFUSALS, route_class=PublicRoute
)


@router.post(
    "/authorize",
    responses=answers(201, DeviceAuthorization, TooManyAttempts),
    openapi_extra=documented(bodies.NewDevice, optional=True),
)
async def authorize(
    request: Request, core: CurrentCore, exchange: CurrentExchange, client: CurrentClient
) -> Response:
    """Begin: a code to show to the person, and one to ask with."""
    body = await read_optional_body(exchange, bodies.NewDevice)
    return answer(
        await core.tenants.devices.authorize(body.name or "", client, base_url(request)), 201
    )


@router.post(
    "/token",
    responses=answers(
        200,
        AccessToken,
        AuthorizationPending,
        SlowDown,
        DeviceDenied,
        DeviceExpired,
        Forbidden,
        NotFound,
    ),
    openapi_extra=documented(bodies.DeviceCode),
)
async def fetch_token(
    core: CurrentCore, exchange: CurrentExchange, client: CurrentClient
) -> Response:
    """The token, once the person has approved: until then 400 `device/authorization-pending`."""
    body = await read_body(exchange, bodies.DeviceCode)
    return answer(await core.tenants.devices.fetch(body.deviceCode, client))


@router.get("/{code}", responses=answers(200, DeviceRequest))
async def show_device(code: str, core: CurrentCore, found: CurrentSession) -> Response:
    """Who asks under a code."""
    return answer(await core.tenants.devices.show(code))


@router.post(
    "/{code}",
    responses=answers(200, DeviceApproved, Forbidden),
    openapi_extra=documented(bodies.Approval, optional=True),
)
async def approve_device(
    code: str, core: CurrentCore, found: CurrentSession, exchange: CurrentExchange
) -> Response:
    """Let the program in, in one's own name."""
    body = await read_optional_body(exchange, bodies.Approval)
    organization = await core.tenants.devices.approve(
        code, found.account["id"], body.organizationId
    )
    return answer({"approved": True, "organizationId": organization})


@router.delete("/{code}", responses=answers(200, Deleted))
async def deny_device(code: str, core: CurrentCore, found: CurrentSession) -> Response:
    """Keep it out."""
    await core.tenants.devices.deny(code)
    return answer({"deleted": True, "id": code})
