"""`/manage/v1/setup`: the first account (50 §3, 51 §8)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from bkend import __version__
from bkend.core import Core
from bkend.http.dependencies import REFUSALS, CurrentClient, CurrentExchange
from bkend.http.manage.account_bodies import FirstAccount, Naming
from bkend.http.manage.admission import CurrentCore
from bkend.http.manage.bodies import answer, documented, read_body
from bkend.http.manage.cookies import is_on_this_machine, require_own_page, with_session
from bkend.http.manage.idempotency import PublicRoute
from bkend.http.manage.shapes.setup import SetUp, SetupState
from bkend.http.openapi import answers
from bkend.manage.control import ORGANIZATIONS, PROJECTS
from bkend.manage.errors import OrganizationSlugTaken
from bkend.store.documents import decode
from bkend.tenants.accounts import shape
from bkend.tenants.errors import BadSetupToken, CsrfFailed, SetupAlreadyDone
from bkend.tenants.setup import Named, Person

router = APIRouter(prefix="/manage/v1", tags=["setup"], responses=REFUSALS, route_class=PublicRoute)


def needs_token(request: Request) -> bool:
    """Whether the set-up token must be given: a browser on this machine needs none, unless the
    settings say so."""
    always = request.app.state.core.settings.setup_token_required
    return always == "on" or not is_on_this_machine(request)


@router.get("/setup", responses=answers(200, SetupState))
async def get_setup(request: Request, core: CurrentCore) -> Response:
    """Whether the first account is still to be made, and how people get in; for everybody."""
    required = await core.tenants.setup.required()
    return answer(
        {
            "required": required,
            "tokenRequired": required and needs_token(request),
            "signupMode": await core.tenants.parts.signup_mode(),
            "loginMethods": ["password", "magic_link", *core.tenants.providers.names],
            "mailConfigured": not core.tenants.mail.captures,
            "version": __version__,
        }
    )


@router.post(
    "/setup",
    responses=answers(
        201, SetUp, SetupAlreadyDone, BadSetupToken, CsrfFailed, OrganizationSlugTaken
    ),
    openapi_extra=documented(FirstAccount),
)
async def set_up(
    request: Request, core: CurrentCore, exchange: CurrentExchange, client: CurrentClient
) -> Response:
    """Make the first account, with its organization, and sign in."""
    require_own_page(request)
    body = await read_body(exchange, FirstAccount)
    made = await core.tenants.setup.set_up(
        body.token,
        Person(body.name, body.email, body.password),
        _named(body.organization),
        _named(body.project) if body.project else None,
        client,
        trusted=not needs_token(request),
    )
    account = await core.tenants.accounts.get(made.session.account_id)
    assert account is not None
    organization = await _stored(core, ORGANIZATIONS, made.organization["id"])
    shown: dict[str, Any] = {
        "account": shape(account),
        "organization": await core.organizations.shape(organization, "owner"),
        "project": None,
        "publishableKey": made.publishable_key,
    }
    if made.project is not None:
        project = await _stored(core, PROJECTS, made.project["id"])
        shown["project"] = await core.projects.shape(project)
    return with_session(answer(shown, 201), request, made.session)


async def _stored(core: Core, collection: str, id: str) -> dict[str, Any]:
    body = await core.database.control.get(collection, id)
    assert body is not None
    return decode(body)


def _named(body: Naming) -> Named:
    return Named(body.name.strip(), body.slug)
