"""`…/environments/{env}/auth`: how users may sign in (10 §13, 51 §3.9, 00 §11)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from bkend.auth.settings import AuthSettingProblem, AuthSettings
from bkend.auth.social.api import callback_url
from bkend.auth.social.configuration import Provider, ProviderProblem
from bkend.auth.social.errors import UnsupportedProvider
from bkend.errors import InvalidParameters
from bkend.http.dependencies import REFUSALS, CurrentExchange
from bkend.http.manage.admission import ReadsAuth, Room, UpdatesAuth
from bkend.http.manage.auth_bodies import (
    AUTH_SETTINGS,
    AuthSettingsBody,
    EmailProviderUpdate,
    OAuthProviderUpdate,
    changes_of_email,
    changes_of_settings,
)
from bkend.http.manage.bodies import Page, answer, documented, read_json
from bkend.http.manage.idempotency import Route
from bkend.http.manage.shapes import auth as shapes
from bkend.http.manage.shapes.common import Deleted
from bkend.http.openapi import answers

PREFIX = "/manage/v1/projects/{project}/environments/{env}/auth"

router = APIRouter(prefix=PREFIX, tags=["auth"], responses=REFUSALS, route_class=Route)


@router.get("/providers", responses=answers(200, shapes.ProviderList))
async def list_providers(room: ReadsAuth, page: Page, request: Request) -> Response:
    """E-mail, Google, GitHub, then the other providers by name."""
    email = _email_shape(await room.services.auth.settings.current())
    others = [_shape(p, request) for p in await room.services.social.providers.list()]
    shown = [email, *others]
    return answer(page.shape(shown[page.offset : page.offset + page.limit], len(shown)))


@router.get("/providers/email", responses=answers(200, shapes.EmailProvider))
async def get_email_provider(room: ReadsAuth) -> Response:
    """Sign-in with e-mail address and password, or a magic link."""
    return answer(_email_shape(await room.services.auth.settings.current()))


@router.put(
    "/providers/email",
    responses=answers(200, shapes.EmailProvider),
    openapi_extra=documented(EmailProviderUpdate),
)
async def update_email_provider(room: UpdatesAuth, exchange: CurrentExchange) -> Response:
    """Change what is given; null brings a default back."""
    changes = changes_of_email(await _read_object(exchange))
    return answer(_email_shape(await _update(room, changes)))


@router.get(
    "/providers/oauth/{provider}", responses=answers(200, shapes.OAuthProvider, UnsupportedProvider)
)
async def get_oauth_provider(room: ReadsAuth, provider: str, request: Request) -> Response:
    """A provider's configuration, without its secret."""
    return answer(_shape(await room.services.social.providers.find(provider), request))


@router.put(
    "/providers/oauth/{provider}",
    responses=answers(200, shapes.OAuthProvider, UnsupportedProvider),
    openapi_extra=documented(OAuthProviderUpdate),
)
async def update_oauth_provider(
    room: UpdatesAuth, provider: str, request: Request, exchange: CurrentExchange
) -> Response:
    """Configure a provider: what is not given stays, the secret too; null brings a default back.

    The first time switches it on, unless `enabled` is false.
    """
    changes = await _read_object(exchange)
    if changes.get("redirectUri") == callback_url(request, provider):
        changes["redirectUri"] = None  # as reads show it: it follows this server's address
    try:
        found = await room.services.social.providers.update(provider, changes)
    except ProviderProblem as problem:
        raise _invalid(problem.field, str(problem)) from None
    return answer(_shape(found, request))


@router.delete("/providers/oauth/{provider}", responses=answers(200, Deleted, UnsupportedProvider))
async def delete_oauth_provider(room: UpdatesAuth, provider: str) -> Response:
    """Forget a provider's configuration. Linked accounts stay, and wait for another one."""
    await room.services.social.providers.delete(provider)
    return answer({"deleted": True, "id": provider})


@router.get("/settings", responses=answers(200, shapes.AuthSettings))
async def get_settings(room: ReadsAuth) -> Response:
    """Lifetimes, redirect addresses, who may sign up."""
    return answer(_settings_shape(await room.services.auth.settings.current()))


@router.put(
    "/settings",
    responses=answers(200, shapes.AuthSettings),
    openapi_extra=documented(AuthSettingsBody),
)
async def update_settings(room: UpdatesAuth, exchange: CurrentExchange) -> Response:
    """Change what is given; null brings a default back."""
    changes = changes_of_settings(await _read_object(exchange))
    return answer(_settings_shape(await _update(room, changes)))


async def _read_object(exchange: CurrentExchange) -> dict[str, Any]:
    body = await read_json(exchange)
    if not isinstance(body, dict):
        raise _invalid("body", "The body must be a JSON object")
    return body


async def _update(room: Room, changes: Mapping[str, Any]) -> AuthSettings:
    try:
        return await room.services.auth.settings.update(changes)
    except AuthSettingProblem as problem:
        sentence = str(problem).removeprefix("email.")  # is `enabled` in the body
        names = [name.removeprefix("email.") for name in changes]
        named = next((name for name in names if sentence.startswith(name)), "body")
        raise _invalid(named, sentence) from None


def _invalid(field: str, message: str) -> InvalidParameters:
    return InvalidParameters(message, details=[{"field": field, "message": message}])


def _shape(provider: Provider, request: Request) -> dict[str, Any]:
    callback = callback_url(request, provider.name)
    shape = provider.shape
    return {**shape, "redirectUri": shape["redirectUri"] or callback, "callbackUrl": callback}


def _email_shape(settings: AuthSettings) -> dict[str, Any]:
    values = settings.values
    prefix = "passwordPolicy."
    policy = {n.removeprefix(prefix): v for n, v in values.items() if n.startswith(prefix)}
    return {
        "provider": "email",
        "enabled": values["email.enabled"],
        "passwordPolicy": policy,
        "magicLinkEnabled": values["magicLinkEnabled"],
        "magicLinkExpirationMinutes": values["magicLinkExpirationMinutes"],
        "requireEmailVerification": values["requireEmailVerification"],
        "sendVerificationOnSignup": values["sendVerificationOnSignup"],
    }


def _settings_shape(settings: AuthSettings) -> dict[str, Any]:
    return {name: settings.values[name] for name in AUTH_SETTINGS}
