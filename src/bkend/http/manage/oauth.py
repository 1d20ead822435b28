"""`/manage/v1/session/oauth/{provider}`: signing in through Google or GitHub (51 §8)."""

from __future__ import annotations

from urllib.parse import urlencode

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from bkend.auth.social.errors import OAuthNotConfigured, UnsupportedProvider
from bkend.errors import ApiError
from bkend.http.base import base_url
from bkend.http.dependencies import REFUSALS, CurrentClient
from bkend.http.manage.admission import CurrentCore
from bkend.http.manage.cookies import is_secure, own_path, with_session
from bkend.http.openapi import Route, answers

router = APIRouter(
    prefix="/manage/v1/session/oauth", tags=["session"], responses=REFUSALS, route_class=Route
)

_COOKIE = "bkend_oauth"
_PATH = "/manage/v1/session/oauth"
_SECONDS = 600

log = structlog.get_logger("bkend.tenants")


@router.get("/{provider}", responses=answers(303, None, OAuthNotConfigured, UnsupportedProvider))
async def begin(
    provider: str, request: Request, core: CurrentCore, next: str = "/console/"
) -> Response:
    """Go to the provider."""
    callback = f"{base_url(request)}{_PATH}/{provider}/callback"
    trip = await core.tenants.providers.begin(provider, callback, own_path(next))
    response = RedirectResponse(trip.url, 303, {"Cache-Control": "no-store"})
    response.set_cookie(
        _COOKIE,
        trip.binding,
        max_age=_SECONDS,
        path=_PATH,
        secure=is_secure(request),
        httponly=True,
        samesite="lax",
    )
    return response


@router.get("/{provider}/callback", responses=answers(303, None))
async def come_back(
    provider: str,
    request: Request,
    core: CurrentCore,
    client: CurrentClient,
    code: str = "",
    state: str = "",
) -> Response:
    """Come back from the provider: to where it began, or to the login page with `error`."""
    binding = request.cookies.get(_COOKIE)
    try:
        arrival = await core.tenants.providers.finish(provider, code, state, binding, client)
    except ApiError as error:
        log.info("sign-in through a provider failed", provider=provider[:32], code=error.code)
        response = _to("/console/login", error=error.code)
    else:
        if arrival.session is None:
            response = _to("/console/magic", token=arrival.link or "")
        else:
            response = with_session(_to(arrival.onward), request, arrival.session)
    response.delete_cookie(_COOKIE, path=_PATH)
    return response


def _to(path: str, **query: str) -> Response:
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return RedirectResponse(f"{path}?{urlencode(query)}" if query else path, 303, headers)
