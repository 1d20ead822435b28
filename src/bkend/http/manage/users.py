"""`…/environments/{env}/users`: an app's users, for tenants (51 §8).

A tenant sees and changes them as an admin of the app does (11), with the rights of 51 §4.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BeforeValidator, StringConstraints
from starlette.requests import Request

from bkend.auth.errors import EmailAlreadyExists, InvalidEmail
from bkend.auth.links.shapes import Sent, sent
from bkend.auth.shapes import SessionList
from bkend.errors import ConfirmationRequired, NotFound
from bkend.http.base import raw_url
from bkend.http.dependencies import REFUSALS, CurrentExchange
from bkend.http.manage.admission import CurrentCore, DeletesUsers, ReadsUsers, Room, UpdatesUsers
from bkend.http.manage.bodies import (
    Page,
    answer,
    documented,
    read_confirmation,
    require_confirmation,
)
from bkend.http.manage.idempotency import Route
from bkend.http.manage.shapes.activity import Activity
from bkend.http.manage.shapes.common import Deleted, DeletedMany, ListOf
from bkend.http.openapi import answers
from bkend.manage.activities import ActivityQuery
from bkend.users import shapes
from bkend.users.actor import Actor
from bkend.users.bodies import (
    AdminUserUpdate,
    ClaimedAddress,
    NewUser,
    ProfileUpdate,
    RoleUpdate,
    given,
    read_fields,
)
from bkend.users.errors import InvalidName, InvalidNickname, InvalidRole, UserNotFound
from bkend.users.listing import Direction, Provider, SearchType, SortBy, Status, UserQuery

router = APIRouter(
    prefix="/manage/v1/projects/{project}/environments/{env}/users",
    tags=["users"],
    responses=REFUSALS,
    route_class=Route,
)

_TENANT = Actor("", is_admin=True)
_Blank = BeforeValidator(lambda value: value or None)
_Search = Annotated[str, StringConstraints(strip_whitespace=True, max_length=100)]


class UserUpdate(ProfileUpdate, AdminUserUpdate):
    """Profile fields, `name` and `status`."""


@router.get("", responses=answers(200, shapes.UserList))
async def list_users(
    room: ReadsUsers,
    paging: Page,
    search: _Search = "",
    searchType: Annotated[SearchType | None, _Blank] = None,
    sortBy: SortBy = "createdAt",
    sortDirection: Direction = "desc",
    role: Annotated[str | None, _Blank] = None,
    status: Annotated[Status | None, _Blank] = None,
    verified: Annotated[bool | None, Query()] = None,
    provider: Annotated[Provider | None, _Blank] = None,
) -> Response:
    """A page of users with their ways to sign in."""
    query = UserQuery(
        page=paging.page,
        limit=paging.limit,
        search=search,
        search_type=searchType,
        sort_by=sortBy,
        descending=sortDirection == "desc",
        include_accounts=True,
        role=role,
        status=status,
        is_verified=verified,
        provider=provider,
    )
    items, total = await room.services.users.page(_TENANT, query)
    return answer(paging.shape(items, total))


@router.post(
    "",
    responses=answers(201, shapes.User, InvalidName, InvalidEmail, InvalidRole, EmailAlreadyExists),
    openapi_extra=documented(NewUser),
)
async def create_user(room: UpdatesUsers, exchange: CurrentExchange) -> Response:
    """Make a user without a password."""
    body = await read_fields(exchange, NewUser)
    made = await room.services.users.create(body.name, body.email, body.role, _roles(room))
    return answer(shapes.user(made), 201)


@router.get("/{id}", responses=answers(200, shapes.User, UserNotFound))
async def get_user(id: str, room: ReadsUsers) -> Response:
    """A user with the ways to sign in."""
    users = room.services.users
    user = shapes.user(await users.records.get(id))
    return answer(shapes.with_accounts(user, await users.accounts(id)))


@router.patch(
    "/{id}",
    responses=answers(200, shapes.User, UserNotFound, InvalidName, InvalidNickname),
    openapi_extra=documented(UserUpdate),
)
async def update_user(
    id: str, room: UpdatesUsers, exchange: CurrentExchange, request: Request
) -> Response:
    """Change profile fields, `name`, `status`; `banned` ends all sessions of the user."""
    users = room.services.users
    document = await users.records.get(id)
    changes = given(await read_fields(exchange, UserUpdate))
    status = {"status": changes.pop("status")} if "status" in changes else {}
    document = await users.profiles.update(document, changes, raw_url(request))
    return answer(shapes.user(await users.update(document, status)))


@router.delete("/{id}", responses=answers(200, Deleted, UserNotFound, ConfirmationRequired))
async def delete_user(
    id: str, room: DeletesUsers, exchange: CurrentExchange, confirm: str | None = None
) -> Response:
    """Delete a user for good; `confirm` is the address, or the id of a user without one."""
    document = await room.services.users.records.get(id)
    name = document.get("email") or id
    require_confirmation(await read_confirmation(exchange, confirm), name)
    await room.services.users.remove(document)
    return answer({"deleted": True, "id": id})


@router.patch(
    "/{id}/role",
    responses=answers(200, shapes.User, UserNotFound, InvalidRole),
    openapi_extra=documented(RoleUpdate),
)
async def change_role(id: str, room: UpdatesUsers, exchange: CurrentExchange) -> Response:
    """Give a user another role, which acts on the next request."""
    document = await room.services.users.records.get(id)
    body = await read_fields(exchange, RoleUpdate)
    changed = await room.services.users.set_role(document, body.role, _roles(room))
    return answer(shapes.user(changed))


@router.put(
    "/{id}/claim-email",
    responses=answers(200, shapes.User, UserNotFound, InvalidEmail, EmailAlreadyExists),
    openapi_extra=documented(ClaimedAddress),
)
async def claim_email(id: str, room: UpdatesUsers, exchange: CurrentExchange) -> Response:
    """Give an imported user, who has no address, the address of the person it is."""
    document = await room.services.users.records.get(id)
    body = await read_fields(exchange, ClaimedAddress)
    return answer(shapes.user(await room.services.users.claim(document, body.email)))


@router.post("/{id}/password-reset", responses=answers(200, Sent, UserNotFound))
async def mail_password_reset(id: str, room: UpdatesUsers) -> Response:
    """Mail the user a link that sets a password, whether or not there is one."""
    document = await room.services.users.records.get(id)
    address = await room.services.links.resets.send_to(document)
    return answer(sent("A link to set a password is on its way", address))


@router.post("/{id}/verify-email", responses=answers(200, Sent, UserNotFound))
async def mail_verification(id: str, room: UpdatesUsers) -> Response:
    """Mail the user a link that verifies the address."""
    document = await room.services.users.records.get(id)
    address = await room.services.links.verification.send_to(document)
    return answer(sent("A link to verify the address is on its way", address))


@router.get("/{id}/accounts", responses=answers(200, ListOf[shapes.Account], UserNotFound))
async def list_accounts(id: str, room: ReadsUsers, paging: Page) -> Response:
    """The user's ways to sign in, oldest first."""
    await room.services.users.records.get(id)
    accounts = await room.services.users.accounts(id)
    page = accounts[paging.offset : paging.offset + paging.limit]
    return answer(paging.shape(page, len(accounts)))


@router.get("/{id}/sessions", responses=answers(200, SessionList, UserNotFound))
async def list_sessions(id: str, room: ReadsUsers, paging: Page) -> Response:
    """The user's live sessions, newest activity first."""
    await room.services.users.records.get(id)
    devices = room.services.users.devices
    items, total = await devices.page(id, paging.offset, paging.limit)
    return answer(paging.shape(items, total))


@router.get("/{id}/events", responses=answers(200, ListOf[Activity], UserNotFound))
async def list_events(id: str, room: ReadsUsers, core: CurrentCore, paging: Page) -> Response:
    """What tenants did with the user, newest first."""
    await room.services.users.records.get(id)
    query = ActivityQuery(
        room.project["organizationId"],
        room.project["id"],
        environment=room.environment.state.name,
        target_id=id,
        offset=paging.offset,
        limit=paging.limit,
    )
    items, total = await core.activities.page(query)
    return answer(paging.shape(items, total))


@router.delete("/{id}/sessions", responses=answers(200, DeletedMany, UserNotFound))
async def end_sessions(id: str, room: UpdatesUsers) -> Response:
    """Sign the user out everywhere."""
    await room.services.users.records.get(id)
    return answer({"deleted": True, "count": await room.services.users.devices.end_all(id)})


@router.delete("/{id}/sessions/{session_id}", responses=answers(200, Deleted, UserNotFound))
async def end_session(id: str, session_id: str, room: UpdatesUsers) -> Response:
    """Sign one of the user's devices out."""
    await room.services.users.records.get(id)
    if not await room.services.users.devices.end(id, session_id):
        raise NotFound("There is no such session")
    return answer({"deleted": True, "id": session_id})


def _roles(room: Room) -> frozenset[str]:
    return room.environment.state.project.custom_roles
