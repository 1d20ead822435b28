"""`/v1/users`: parse, call, answer (11).

Every endpoint asks in this order: who calls, does the user exist, may the caller, is the body good.
So bodies are read inside, after the permission.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BeforeValidator, StringConstraints

from bkend.auth.errors import EmailAlreadyExists, InvalidEmail
from bkend.auth.shapes import Message
from bkend.http.base import raw_url
from bkend.http.dependencies import KEYED, CurrentAuth, CurrentExchange, SignedIn
from bkend.http.manage.bodies import Page, answer, documented
from bkend.http.openapi import Route, answers
from bkend.objects.errors import (
    ObjectAccessDenied,
    ObjectNotFound,
    ObjectOverLimit,
    UnsupportedObjectType,
)
from bkend.users import bodies, shapes
from bkend.users.bodies import given, read_fields
from bkend.users.callers import Creates, CurrentUsers, Deletes, Lists, Reads, Updates
from bkend.users.errors import (
    InvalidName,
    InvalidNickname,
    InvalidRole,
    UserForbidden,
    UserNotFound,
)
from bkend.users.listing import Direction, SearchType, SortBy, UserQuery

router = APIRouter(prefix="/v1/users", tags=["users"], responses=KEYED, route_class=Route)
withdrawal = APIRouter(prefix="/v1/auth", tags=["auth"], responses=KEYED, route_class=Route)

_Blank = BeforeValidator(lambda value: value or None)
_Search = Annotated[str, StringConstraints(strip_whitespace=True, max_length=100)]


@withdrawal.delete("/withdraw", responses=answers(200, Message))
async def withdraw(identity: SignedIn, users: CurrentUsers, auth: CurrentAuth) -> Response:
    """Delete the signed-in user for good; the address may sign up again at once."""
    await users.withdraw(identity)
    return answer({"message": "The account was deleted"})


@router.get("", responses=answers(200, shapes.UserList, UserForbidden))
async def list_users(
    actor: Lists,
    users: CurrentUsers,
    paging: Page,
    search: _Search = "",
    searchType: Annotated[SearchType | None, _Blank] = None,
    sortBy: SortBy = "createdAt",
    sortDirection: Direction = "desc",
    includeAccounts: bool = False,
) -> Response:
    """A page of users: whole for admins, for others what is public of them."""
    query = UserQuery(
        page=paging.page,
        limit=paging.limit,
        search=search,
        search_type=searchType,
        sort_by=sortBy,
        descending=sortDirection == "desc",
        include_accounts=includeAccounts,
    )
    items, total = await users.page(actor, query)
    return answer(paging.shape(items, total))


@router.post(
    "",
    responses=answers(
        201, shapes.User, UserForbidden, InvalidName, InvalidEmail, InvalidRole, EmailAlreadyExists
    ),
    openapi_extra=documented(bodies.NewUser),
)
async def create_user(actor: Creates, users: CurrentUsers, exchange: CurrentExchange) -> Response:
    """Make a user without a password; admins only."""
    actor.require_admin()
    body = await read_fields(exchange, bodies.NewUser)
    assert exchange.environment is not None
    roles = exchange.environment.state.project.custom_roles
    made = await users.create(body.name, body.email, body.role, roles)
    return answer(shapes.user(made), 201)


@router.get("/{user_id}", responses=answers(200, shapes.User | shapes.PublicUser, UserNotFound))
async def get_user(user_id: str, actor: Reads, users: CurrentUsers) -> Response:
    """A user: whole for that user and admins, for others what is public."""
    return answer(users.shown(actor, await users.records.get(user_id)))


@router.patch(
    "/{user_id}",
    responses=answers(200, shapes.User, UserNotFound, UserForbidden, InvalidName),
    openapi_extra=documented(bodies.AdminUserUpdate),
)
async def update_user(
    user_id: str, actor: Updates, users: CurrentUsers, exchange: CurrentExchange
) -> Response:
    """Change `name`; admins also `status`, where `banned` ends all sessions of the user."""
    document = await users.records.get(user_id)
    actor.require_self(document)
    model = bodies.AdminUserUpdate if actor.is_admin else bodies.UserUpdate
    changes = given(await read_fields(exchange, model))
    return answer(shapes.user(await users.update(document, changes)))


@router.delete("/{user_id}", responses=answers(200, Message, UserNotFound, UserForbidden))
async def delete_user(user_id: str, actor: Deletes, users: CurrentUsers) -> Response:
    """Delete a user for good; the address may sign up again at once."""
    document = await users.records.get(user_id)
    actor.require_self(document)
    await users.remove(document)
    return answer({"message": "The user was deleted"})


@router.patch(
    "/{user_id}/role",
    responses=answers(200, shapes.User, UserNotFound, UserForbidden, InvalidRole),
    openapi_extra=documented(bodies.RoleUpdate),
)
async def change_role(
    user_id: str, actor: Updates, users: CurrentUsers, exchange: CurrentExchange
) -> Response:
    """Give a user another role, which acts on the next request; admins only."""
    document = await users.records.get(user_id)
    actor.require_admin()
    body = await read_fields(exchange, bodies.RoleUpdate)
    assert exchange.environment is not None
    roles = exchange.environment.state.project.custom_roles
    return answer(shapes.user(await users.set_role(document, body.role, roles)))


@router.get(
    "/{user_id}/profile",
    responses=answers(200, shapes.Profile | shapes.PublicProfile, UserNotFound, UserForbidden),
)
async def get_profile(user_id: str, actor: Reads, users: CurrentUsers) -> Response:
    """The profile: whole for that user and admins, reduced for others if it is public."""
    return answer(users.profile(actor, await users.records.get(user_id)))


@router.patch(
    "/{user_id}/profile",
    responses=answers(
        200, shapes.Profile, UserNotFound, UserForbidden, InvalidName, InvalidNickname
    ),
    openapi_extra=documented(bodies.ProfileUpdate),
)
async def update_profile(
    user_id: str, actor: Updates, users: CurrentUsers, exchange: CurrentExchange, request: Request
) -> Response:
    """Change the fields that are sent; null clears one."""
    document = await users.records.get(user_id)
    actor.require_self(document)
    changes = given(await read_fields(exchange, bodies.ProfileUpdate))
    changed = await users.profiles.update(document, changes, raw_url(request))
    return answer(shapes.profile(changed))


@router.post(
    "/{user_id}/avatar/upload-url",
    responses=answers(200, shapes.Upload, UserNotFound, UserForbidden),
    openapi_extra=documented(bodies.UploadRequest),
)
async def request_upload(
    user_id: str, actor: Updates, users: CurrentUsers, exchange: CurrentExchange, request: Request
) -> Response:
    """An address to PUT a picture to within 15 minutes, without key or token."""
    document = await users.records.get(user_id)
    actor.require_self(document)
    body = await read_fields(exchange, bodies.UploadRequest)
    base = raw_url(request)
    return answer(users.avatars.upload_url(document, body.filename, body.contentType, base))


@router.patch(
    "/{user_id}/avatar",
    responses=answers(
        200,
        shapes.User,
        UserNotFound,
        UserForbidden,
        ObjectNotFound,
        ObjectAccessDenied,
        ObjectOverLimit,
        UnsupportedObjectType,
    ),
    openapi_extra=documented(bodies.AvatarUpdate),
)
async def set_avatar(
    user_id: str, actor: Updates, users: CurrentUsers, exchange: CurrentExchange, request: Request
) -> Response:
    """Make an uploaded picture the user's image."""
    document = await users.records.get(user_id)
    actor.require_self(document)
    body = await read_fields(exchange, bodies.AvatarUpdate)
    changed = await users.avatars.attach(document, body.s3Key, raw_url(request))
    return answer(shapes.user(changed))


@router.delete("/{user_id}/avatar", responses=answers(200, Message, UserNotFound, UserForbidden))
async def remove_avatar(user_id: str, actor: Updates, users: CurrentUsers) -> Response:
    """The user has no image any more; a stored picture is removed."""
    document = await users.records.get(user_id)
    actor.require_self(document)
    await users.avatars.detach(document)
    return answer({"message": "The image was removed"})
