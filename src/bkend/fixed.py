"""The fixed endpoints: everything that FastAPI and Starlette answer.

Loading this takes longer than everything else of a start, so it is done beside the first requests.
"""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from bkend import __version__
from bkend.auth.api import router as auth_router
from bkend.auth.errors import invalid_request
from bkend.auth.links.api import router as links_router
from bkend.auth.links.invitations_api import router as invitations_router
from bkend.auth.links.pages import routes as link_pages
from bkend.auth.me import MeDoor
from bkend.auth.mfa.api import router as mfa_router
from bkend.auth.social.api import router as social_router
from bkend.client.routes import routes as client_routes
from bkend.console.routes import routes as console_routes
from bkend.core import Core
from bkend.docs import routes as docs_routes
from bkend.errors import ApiError, Detail, InvalidParameters, MethodNotAllowed, NotFound
from bkend.files.api import router as files_router
from bkend.files.api_multipart import router as multipart_router
from bkend.http.answered import Answered
from bkend.http.dependencies import SCHEMES, WITH_KEY, ErrorBody
from bkend.http.health import health_routes
from bkend.http.manage.bodies import answer
from bkend.http.manage.pages import routes as account_pages
from bkend.http.manage.router import allowed_methods
from bkend.http.manage.router import routes as manage_routes
from bkend.http.metrics import Metrics
from bkend.http.openapi import Document
from bkend.images.api import routes as image_routes
from bkend.logs import RecentLogs
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


def build_fixed(core: Core, metrics: Metrics, me: MeDoor, logs: RecentLogs) -> FastAPI:
    """The FastAPI app of an opened core."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.state.core = core
    app.state.me = me
    app.state.metrics = metrics
    app.state.logs = logs
    for router in _ROUTERS:
        # Not included, which would compile every route once more.
        app.router.routes.extend(router.routes)
    app.router.routes.extend(manage_routes)
    app.router.routes.extend(link_pages)
    app.router.routes.extend(client_routes)
    app.router.routes.extend(console_routes)
    app.router.routes.extend(account_pages)  # last: the console's own take their place
    app.router.routes.extend(docs_routes)
    app.router.routes.extend(image_routes)
    app.router.routes.extend(health_routes(core, metrics))
    app.add_route("/openapi.json", _show_openapi, include_in_schema=False)
    app.add_api_route("/", _to_console, include_in_schema=False)
    app.add_exception_handler(RequestValidationError, _refuse_malformed)
    app.add_exception_handler(HTTPException, _refuse_http)
    app.add_exception_handler(Exception, _leave)
    return app


async def _to_console() -> RedirectResponse:
    return RedirectResponse("/console/")


async def _leave(request: Request, error: Exception) -> Response:
    """Starlette raises the error again once it was handled, and the application around answers
    every refusal and fault, in one place."""
    return Answered()


async def _refuse_malformed(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    if request.scope["path"].startswith("/v1/auth/"):
        raise invalid_request(error.errors()) from None
    fields = [str(place) for problem in error.errors() for place in problem["loc"][1:2]]
    details: list[Detail] = [
        {"field": name, "rule": "type", "message": f"{name} is not valid"} for name in fields
    ]
    raise InvalidParameters(details[0]["message"] if details else None, details=details) from None


async def _refuse_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, ApiError):  # while the body was read
        raise error.__cause__
    if error.status_code == 405:
        named = (error.headers or {}).get("Allow", "").split(",")
        allowed = sorted({m.strip() for m in named} - {""} | allowed_methods(request.scope["path"]))
        raise MethodNotAllowed(request.method, allowed or ["GET"]) from None
    if error.status_code == 404:
        raise NotFound from None
    raise InvalidParameters(str(error.detail)) from None
