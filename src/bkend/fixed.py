"""The fixed endpoints of apps: everything of `/v1` but records, hosted pages and documents.

FastAPI and Starlette answer them. Loading this takes as long as everything else of a start, so it
is done beside the first requests; so is the management API, after this.
"""

from __future__ import annotations

from fastapi import FastAPI, Request
from starlette.responses import RedirectResponse, Response

from bkend import __version__
from bkend.auth.api import router as auth_router
from bkend.auth.links.api import router as links_router
from bkend.auth.links.invitations_api import router as invitations_router
from bkend.auth.links.pages import routes as link_pages
from bkend.auth.me import MeDoor
from bkend.auth.mfa.api import router as mfa_router
from bkend.auth.social.api import router as social_router
from bkend.client.routes import routes as client_routes
from bkend.core import Core
from bkend.docs import routes as docs_routes
from bkend.files.api import router as files_router
from bkend.files.api_multipart import router as multipart_router
from bkend.http.dependencies import SCHEMES, WITH_KEY, ErrorBody
from bkend.http.endpoints import new_endpoints
from bkend.http.health import health_routes
from bkend.http.manage.bodies import answer
from bkend.http.metrics import Metrics
from bkend.http.openapi import Document
from bkend.images.api import routes as image_routes
from bkend.users.api import router as users_router
from bkend.users.api import withdrawal as withdrawal_router
from bkend.users.api_settings import router as user_settings_router

_ROUTERS = (
    auth_router,
    mfa_router,
    withdrawal_router,
    links_router,  # its email/callback before the providers' own
    invitations_router,
    social_router,  # last of /v1/auth: `{provider}` stands for any word
    users_router,
    user_settings_router,
    multipart_router,
    files_router,
)


_DOCUMENT = Document(
    lambda: [route for router in _ROUTERS for route in router.routes],
    error=ErrorBody,
    schemes=SCHEMES,
    security=WITH_KEY,
    title="bkend",
    version=__version__,
    description="The fixed endpoints. Each table has its own document beside its data.",
)


async def _show_openapi(request: Request) -> Response:
    return answer(await _DOCUMENT.body())


async def _to_console() -> RedirectResponse:
    return RedirectResponse("/console/")


def build_fixed(core: Core, metrics: Metrics, me: MeDoor) -> FastAPI:
    """The application of an opened core."""
    app = new_endpoints(
        core,
        *(router.routes for router in _ROUTERS),
        link_pages,
        client_routes,
        docs_routes,
        image_routes,
        health_routes(core, metrics),
    )
    app.state.me = me
    app.add_route("/openapi.json", _show_openapi, include_in_schema=False)
    app.add_api_route("/", _to_console, include_in_schema=False)
    return app
