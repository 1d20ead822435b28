"""All routes of `/manage/v1`, and their OpenAPI document (51 §6)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.openapi.utils import get_openapi
from fastapi.responses import Response
from starlette.routing import Match

from bkend import __version__
from bkend.http.manage import design, files, mail, projects, providers, records, tables, users
from bkend.http.manage.bodies import answer

router = APIRouter()
_PARTS = (
    projects.router,
    tables.router,
    design.router,
    records.router,
    users.router,
    files.router,
    providers.router,
    mail.router,
)
for _part in _PARTS:
    router.include_router(_part)

_routes: list[Any] = [route for part in _PARTS for route in part.routes]


@router.get("/manage/v1/openapi.json", include_in_schema=False)
async def show_openapi() -> Response:
    """The OpenAPI document of the management API."""
    return answer(get_openapi(title="bkend management", version=__version__, routes=_routes))


def allowed_methods(path: str) -> set[str]:
    """Every method that some route of the management API offers on a path."""
    scope = {"type": "http", "path": path, "method": "", "root_path": "", "headers": []}
    return {
        method
        for route in _routes
        if route.matches(scope)[0] is not Match.NONE
        for method in route.methods
    }
