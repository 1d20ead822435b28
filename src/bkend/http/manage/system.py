"""`/manage/v1/system`: the server itself, for those who look after it (50 §11, 51 §8)."""

from __future__ import annotations

import re
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from bkend.auth.emails import normalise_email
from bkend.auth.errors import InvalidEmail
from bkend.errors import Detail, InvalidParameters
from bkend.http.dependencies import REFUSALS, CurrentExchange
from bkend.http.manage.bodies import (
    Body,
    FromOne,
    Page,
    Paging,
    answer,
    documented,
    read_body,
    read_json,
)
from bkend.http.manage.idempotency import Route
from bkend.http.manage.lists import Lowered
from bkend.http.manage.server_admins import ReadsSystem, UpdatesSystem
from bkend.http.openapi import answers
from bkend.logs import LEVELS, RecentLogs
from bkend.manage.usage import UsageQuery
from bkend.system import shapes
from bkend.system.health import health
from bkend.system.overview import overview, uptime

router = APIRouter(
    prefix="/manage/v1/system", tags=["system"], responses=REFUSALS, route_class=Route
)

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_TOLD = frozenset({"readOnly", "sources", "server"})
"""Parts of the settings' answer that are no settings: who sends them back changes nothing."""
_MOST_LINES = 1000

log = structlog.get_logger("bkend.system")


class ServerSettingsUpdate(Body):
    """What is to change; null brings a default back."""

    signup: Any = None
    trashDays: Any = None
    activityDays: Any = None
    maxProjects: Any = None
    maxEnvironments: Any = None
    maxOrigins: Any = None


class TestAddress(Body):
    """Where a test mail goes, and in which language."""

    to: str
    locale: str | None = None


@router.get("/health", responses=answers(200, shapes.ServerHealth))
async def show_health(admin: ReadsSystem, request: Request) -> Response:
    """What works and what does not, with what to do; and how this process answers."""
    found = await health(admin.core)
    requests = request.app.state.metrics.summary()
    return answer({**uptime(admin.core), **found, "requests": requests})


@router.get("/info", responses=answers(200, shapes.ServerInfo))
async def show_info(admin: ReadsSystem) -> Response:
    """Versions, engines, and how much there is."""
    return answer(await overview(admin.core))


@router.get("/jobs", responses=answers(200, shapes.ServerJobList))
async def list_jobs(admin: ReadsSystem) -> Response:
    """What this process does now and then, and how it went the last time."""
    jobs = [shapes.job_shape(job) for job in admin.core.jobs.all()]
    return answer(Paging(1, max(1, len(jobs))).shape(jobs, len(jobs)))


@router.get("/logs", responses=answers(200, shapes.LogLineList))
async def list_logs(
    admin: ReadsSystem,
    request: Request,
    level: Lowered = None,
    requestId: str | None = None,
    page: FromOne = 1,
    limit: Annotated[FromOne, Query()] = 100,
) -> Response:
    """The last lines of this process's log, the newest first, of at least the level."""
    if level is not None and level not in LEVELS:
        raise _refused("level", "enum", f"level is {', '.join(LEVELS)}")
    logs: RecentLogs = request.app.state.logs
    lines = [shapes.log_shape(one) for one in logs.newest(level or LEVELS[0], requestId)]
    paging = Paging(page, 1)
    paging.limit = min(limit, _MOST_LINES)
    shown = lines[paging.offset : paging.offset + paging.limit]
    return answer(paging.shape(shown, len(lines)))


@router.get("/usage", responses=answers(200, shapes.UsageList))
async def list_usage(
    admin: ReadsSystem,
    page: Page,
    environmentId: str | None = None,
    projectId: str | None = None,
    since: Annotated[str | None, Query(alias="from")] = None,
    until: Annotated[str | None, Query(alias="to")] = None,
) -> Response:
    """How much each environment was used, day by day, the newest first."""
    for name, day in (("from", since), ("to", until)):
        if day is not None and not _DAY.match(day):
            raise _refused(name, "date", f"{name} is a day such as 2027-01-31")
    query = UsageQuery(environmentId, projectId, since, until, page.offset, page.limit)
    items, total = await admin.core.usage.page(query)
    return answer(page.shape(items, total))


@router.get("/settings", responses=answers(200, shapes.ServerSettings))
async def show_settings(admin: ReadsSystem) -> Response:
    """What can be changed while the server runs, and what was given at its start; no secrets."""
    return answer(await admin.core.server_settings.describe())


@router.put(
    "/settings",
    responses=answers(200, shapes.ServerSettings),
    openapi_extra=documented(ServerSettingsUpdate),
)
async def change_settings(admin: UpdatesSystem, exchange: CurrentExchange) -> Response:
    """Change those that are given; null brings a default back."""
    body = await read_json(exchange)
    if not isinstance(body, dict):
        raise _refused("body", "type", "The body must be a JSON object")
    changes = {name: value for name, value in body.items() if name not in _TOLD}
    await admin.core.server_settings.update(changes, admin.account_id)
    return answer(await admin.core.server_settings.describe())


@router.post(
    "/mail/test",
    responses=answers(200, shapes.ServerTestMail),
    openapi_extra=documented(TestAddress),
)
async def send_test(admin: UpdatesSystem, exchange: CurrentExchange) -> Response:
    """Send a mail of the server itself, with sample values; without SMTP it goes to the outbox."""
    mail, body = admin.core.tenants.mail, await read_body(exchange, TestAddress)
    language = await mail.templates.asked_locale(body.locale)
    try:
        to = normalise_email(body.to)
    except InvalidEmail:
        raise _refused("to", "email", "to is an e-mail address") from None
    operation = await mail.send_test("email_verification", to, language)
    await admin.core.database.control.commit([operation])
    mail.send_soon()
    log.info("test mail sent", by=admin.account_id)
    return answer({"message": "The test mail is on its way", "to": to, "captured": mail.captures})


def _refused(field: str, rule: str, message: str) -> InvalidParameters:
    detail: Detail = {"field": field, "rule": rule, "message": message}
    return InvalidParameters(message, details=[detail])
