"""All routes of `/manage/v1`, and their OpenAPI document (51 §6)."""

from __future__ import annotations

from typing import Any

from fastapi.responses import Response

from bkend import __version__
from bkend.http.dependencies import ErrorBody
from bkend.http.manage import (
    account,
    design,
    device,
    environments,
    files,
    invitations,
    keys,
    mail,
    members,
    notifications,
    oauth,
    organizations,
    projects,
    providers,
    records,
    server_mail,
    session,
    setup,
    system,
    system_accounts,
    tables,
    users,
)
from bkend.http.manage.admission import SCHEMES
from bkend.http.manage.bodies import answer
from bkend.http.openapi import Document, Route

_PARTS = (
    organizations.router,
    members.router,
    invitations.router,
    invitations.invited,
    setup.router,
    session.router,
    oauth.router,
    account.router,
    device.router,
    notifications.router,
    server_mail.router,
    system.router,
    system_accounts.router,
    projects.router,
    environments.router,
    keys.router,
    tables.router,
    design.router,
    records.router,
    users.router,
    files.router,
    providers.router,
    mail.router,
)
_documented: list[Any] = [route for part in _PARTS for route in part.routes]


_DOCUMENT = Document(
    lambda: _documented,
    error=ErrorBody,
    schemes=SCHEMES,
    title="bkend management",
    version=__version__,
    description="What console, command line and tools are made with: organizations, projects, "
    "environments, tables, users, files.",
)


async def show_openapi() -> Response:
    """The OpenAPI document of the management API."""
    return answer(await _DOCUMENT.body())


routes: list[Any] = [
    *_documented,
    Route("/manage/v1/openapi.json", show_openapi, methods=["GET"], include_in_schema=False),
]
"""Every route of the management API."""
