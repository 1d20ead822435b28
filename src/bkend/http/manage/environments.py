"""`…/projects/{project}/environments`: environments of a project (51 §3.5, §5, §8)."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from bkend.errors import ConfirmationRequired, InvalidParameters
from bkend.http.dependencies import REFUSALS, CurrentExchange
from bkend.http.manage import fields
from bkend.http.manage.admission import (
    CreatesEnvironments,
    DeletesEnvironments,
    ReadsEnvironments,
    UpdatesEnvironments,
)
from bkend.http.manage.bodies import (
    Body,
    answer,
    documented,
    read_body,
    read_confirmation,
    read_optional_body,
    require_confirmation,
)
from bkend.http.manage.idempotency import Route
from bkend.http.manage.lists import Listed
from bkend.http.manage.shapes.common import Deleted, ListOf
from bkend.http.manage.shapes.projects import (
    Copied,
    CreatedEnvironment,
    EnvironmentWithStatistics,
    ProjectEnvironment,
)
from bkend.http.openapi import answers
from bkend.inventory import statistics
from bkend.manage.environment_records import shape
from bkend.manage.errors import EnvironmentExists, EnvironmentLimitReached, LastEnvironment
from bkend.manage.rights import Right
from bkend.tables.errors import DuplicateValue, InvalidIndex, TableChanged

router = APIRouter(
    prefix="/manage/v1/projects/{project}/environments",
    tags=["environments"],
    responses=REFUSALS,
    route_class=Route,
)

_COPYING: Right = "table:update"


class NewEnvironment(Body):
    """An environment to make; `copySchemaFrom` names another one of the project."""

    model_config = fields.needs("environment")

    environment: fields.EnvironmentName = None
    environmentType: fields.EnvironmentType = None
    copySchemaFrom: str | None = None


class Copy(Body):
    """What to bring to the other environment: named tables, all of them without `tables`; the
    settings of sign-in and providers; e-mail templates."""

    tables: list[str] | None = None
    auth: bool = False
    templates: bool = False


@router.get("", responses=answers(200, ListOf[ProjectEnvironment]))
async def list_environments(site: ReadsEnvironments, listed: Listed) -> Response:
    """The environments of the project."""
    items, total = await site.core.environment_records.page(site.project, listed.listing)
    return answer(listed.shape([shape(one) for one in items], total))


@router.post(
    "",
    responses=answers(201, CreatedEnvironment, EnvironmentExists, EnvironmentLimitReached),
    openapi_extra=documented(NewEnvironment),
)
async def create_environment(site: CreatesEnvironments, exchange: CurrentExchange) -> Response:
    """An environment that can be used at once, and its publishable key."""
    body = await read_body(exchange, NewEnvironment)
    made, key = await site.core.provisioning.create(
        site.project, body.environment, body.environmentType, body.copySchemaFrom, site.actor
    )
    return answer({**shape(made), "apiKey": key}, 201)


@router.get("/{env}", responses=answers(200, EnvironmentWithStatistics))
async def get_environment(site: ReadsEnvironments, env: str) -> Response:
    """An environment with what it holds."""
    document = await site.environment(env)
    return answer({**shape(document), "stats": await statistics(await site.open(env))})


@router.delete("/{env}", responses=answers(200, Deleted, ConfirmationRequired, LastEnvironment))
async def delete_environment(
    site: DeletesEnvironments, env: str, exchange: CurrentExchange, confirm: str | None = None
) -> Response:
    """Delete an environment with its data, users, files and keys, for good; `confirm` is its
    name."""
    document = await site.environment(env)
    require_confirmation(await read_confirmation(exchange, confirm), document["environment"])
    await site.core.provisioning.delete(site.project, document, site.actor)
    return answer({"deleted": True, "id": document["id"]})


@router.post("/{env}/retry", responses=answers(200, ProjectEnvironment, InvalidParameters))
async def retry(site: UpdatesEnvironments, env: str) -> Response:
    """Set up once more an environment that is `creating` or `failed`."""
    document = await site.environment(env)
    if document["status"] == "active":
        raise InvalidParameters("This environment is active; there is nothing to set up")
    made = await site.core.provisioning.set_up(site.project, document, site.actor)
    return answer(shape(made))


@router.post(
    "/{env}/copy-to/{target}",
    responses=answers(200, Copied, InvalidIndex, DuplicateValue, TableChanged),
    openapi_extra=documented(Copy, optional=True),
)
async def copy_to(
    site: UpdatesEnvironments, env: str, target: str, exchange: CurrentExchange
) -> Response:
    """Bring what was designed here to another environment of the project; no rows, users, keys or
    secrets."""
    site.tenant.require_scope(_COPYING)
    source, other = await site.environment(env), await site.environment(target)
    body = await read_optional_body(exchange, Copy)
    if source["id"] == other["id"]:
        raise InvalidParameters("An environment cannot be copied to itself")
    if body.auth or body.templates:
        site.tenant.require_scope("auth-config:update")
    copied = await site.core.provisioning.copy_to(
        site.project,
        source,
        other,
        site.actor,
        tables=body.tables,
        auth=body.auth,
        templates=body.templates,
    )
    return answer({"from": source["environment"], "to": other["environment"], **copied})
