"""What the FastAPI applications have in common: the core, and how they refuse."""

from __future__ import annotations

from collections.abc import Iterable

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute, Match

from bkend.auth.errors import invalid_request
from bkend.core import Core
from bkend.errors import ApiError, Detail, InvalidParameters, MethodNotAllowed, NotFound
from bkend.http.answered import Answered


def new_endpoints(core: Core, *parts: Iterable[BaseRoute]) -> FastAPI:
    """An application of these routes; the first that matches answers."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.state.core = core
    for routes in parts:
        # Routers are not included, which would compile every route once more.
        app.router.routes.extend(routes)
    app.add_exception_handler(RequestValidationError, _refuse_malformed)
    app.add_exception_handler(HTTPException, _refuse_http)
    app.add_exception_handler(Exception, _leave)
    return app


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
        raise MethodNotAllowed(request.method, sorted(_methods(request)) or ["GET"]) from None
    if error.status_code == 404:
        raise NotFound from None
    raise InvalidParameters(str(error.detail)) from None


def _methods(request: Request) -> set[str]:
    """Every method that some route offers on the path."""
    scope = {"type": "http", "path": request.scope["path"], "root_path": "", "headers": []}
    return {
        method
        for route in request.app.router.routes
        if route.matches({**scope, "method": ""})[0] is not Match.NONE
        for method in route.methods or ()
    }
