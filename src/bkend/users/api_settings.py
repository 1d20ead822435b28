"""`/v1/users/{userId}/preferences`, `notifications`, `onboarding`, `public-settings` (11 §5 to §8):
for that user and admins, in the order of `api`."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from bkend.errors import ScopeInsufficient
from bkend.http.dependencies import KEYED, WITH_KEY, WITH_USER, CurrentExchange, services_of
from bkend.http.manage.bodies import answer, documented, read_body
from bkend.http.openapi import Route, answers, describes
from bkend.users import bodies, shapes
from bkend.users.actor import Actor
from bkend.users.bodies import given
from bkend.users.callers import CurrentUsers, acting
from bkend.users.errors import SlugAlreadyExists, UserForbidden, UserNotFound, UserUnauthorized

router = APIRouter(prefix="/v1/users/{user_id}", tags=["users"], responses=KEYED, route_class=Route)


_reading, _changing = acting("read"), acting("update")


async def _own(user_id: str, request: Request, actor: Actor) -> dict[str, Any]:
    document: dict[str, Any] = await services_of(request).users.records.get(user_id)
    actor.require_self(document)
    return document


@describes(UserUnauthorized, ScopeInsufficient, security=(*WITH_KEY, *WITH_USER))
async def _read(user_id: str, request: Request) -> dict[str, Any]:
    return await _own(user_id, request, await _reading(request))


@describes(UserUnauthorized, ScopeInsufficient, security=(*WITH_KEY, *WITH_USER))
async def _changed(user_id: str, request: Request) -> dict[str, Any]:
    return await _own(user_id, request, await _changing(request))


_Read = Annotated[dict[str, Any], Depends(_read)]
_Changed = Annotated[dict[str, Any], Depends(_changed)]


@router.get("/preferences", responses=answers(200, shapes.Preferences, UserNotFound, UserForbidden))
async def get_preferences(user: _Read) -> Response:
    """Language, time zone and theme; null until they are set."""
    return answer(shapes.preferences(user))


@router.patch(
    "/preferences",
    responses=answers(200, shapes.Preferences, UserNotFound, UserForbidden),
    openapi_extra=documented(bodies.PreferencesUpdate),
)
async def update_preferences(
    user: _Changed, users: CurrentUsers, exchange: CurrentExchange
) -> Response:
    """Change those that are sent; null clears one."""
    changes = given(await read_body(exchange, bodies.PreferencesUpdate))
    return answer(shapes.preferences(await users.personal.set_preferences(user, changes)))


@router.get(
    "/notifications", responses=answers(200, shapes.Notifications, UserNotFound, UserForbidden)
)
async def get_notifications(user: _Read) -> Response:
    """All seven switches."""
    return answer(shapes.notifications(user))


@router.patch(
    "/notifications",
    responses=answers(200, shapes.Notifications, UserNotFound, UserForbidden),
    openapi_extra=documented(bodies.NotificationsUpdate),
)
async def update_notifications(
    user: _Changed, users: CurrentUsers, exchange: CurrentExchange
) -> Response:
    """Change those that are sent."""
    changes = given(await read_body(exchange, bodies.NotificationsUpdate))
    return answer(shapes.notifications(await users.personal.set_notifications(user, changes)))


@router.get("/onboarding", responses=answers(200, shapes.Onboarding, UserNotFound, UserForbidden))
async def get_onboarding(user: _Read) -> Response:
    """How far the user has come."""
    return answer(shapes.onboarding(user))


@router.patch(
    "/onboarding",
    responses=answers(200, shapes.Onboarding, UserNotFound, UserForbidden),
    openapi_extra=documented(bodies.OnboardingUpdate),
)
async def update_onboarding(
    user: _Changed, users: CurrentUsers, exchange: CurrentExchange
) -> Response:
    """Change status, steps or both; `completed` is timed."""
    changes = given(await read_body(exchange, bodies.OnboardingUpdate))
    status = changes.get("status", changes.get("onboardingStatus"))
    steps = changes.get("completedSteps")
    return answer(shapes.onboarding(await users.personal.set_onboarding(user, status, steps)))


@router.get(
    "/public-settings", responses=answers(200, shapes.PublicSettings, UserNotFound, UserForbidden)
)
async def get_public_settings(user: _Read) -> Response:
    """Slug and visibility."""
    return answer(shapes.public_settings(user))


@router.patch(
    "/public-settings",
    responses=answers(200, shapes.PublicSettings, UserNotFound, UserForbidden, SlugAlreadyExists),
    openapi_extra=documented(bodies.PublicSettingsUpdate),
)
async def update_public_settings(
    user: _Changed, users: CurrentUsers, exchange: CurrentExchange
) -> Response:
    """Change those that are sent; a null slug is free for others."""
    changes = given(await read_body(exchange, bodies.PublicSettingsUpdate))
    return answer(shapes.public_settings(await users.personal.set_public_settings(user, changes)))
