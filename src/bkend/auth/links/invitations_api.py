"""`/v1/auth/invitations` (10 §12)."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import StringConstraints

from bkend.auth.errors import InvalidEmail
from bkend.auth.links.errors import (
    InvitationAlreadyAccepted,
    InvitationExpired,
    InvitationNotFound,
    NotAllowed,
)
from bkend.auth.links.inviting import Inviting, NewInvitation
from bkend.auth.links.shapes import Empty, Invitation, InvitationList
from bkend.auth.shapes import Message
from bkend.core import Core
from bkend.errors import ScopeInsufficient, Unauthorized
from bkend.http.bodies import Body, JsonRoute, answer
from bkend.http.dependencies import KEYED, WITH_KEY, WITH_USER, CurrentLinks, FromOne, exchange_of
from bkend.http.gate import identify
from bkend.http.openapi import answers, describes

router = APIRouter(
    prefix="/v1/auth/invitations", tags=["auth"], route_class=JsonRoute, responses=KEYED
)

_LARGEST_PAGE = 100
_OPERATIONS = {"GET": "read", "POST": "create", "DELETE": "delete"}

_Text = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$"
    ),
]


class NewInvitationBody(Body):
    """Whom to invite to what."""

    resourceType: Literal["organization", "project"]
    resourceId: _Text
    resourceName: _Text
    resourceRole: _Text
    email: str
    name: _Text
    inviterName: _Text | None = None


class Acceptance(Body):
    """The token of an invitation."""

    token: Annotated[str, StringConstraints(min_length=1)]
    email: str | None = None


class Rejection(Body):
    """The token of an invitation and whom it was sent to."""

    token: Annotated[str, StringConstraints(min_length=1)]
    email: str


@describes(Unauthorized, ScopeInsufficient, NotAllowed, security=(*WITH_KEY, *WITH_USER))
async def _inviting(request: Request) -> Inviting:
    """Who calls. A secret key with scopes needs `invitations:…` (21 §6.1): roles are given here."""
    exchange = exchange_of(request)
    assert exchange.environment is not None
    core: Core = request.app.state.core
    value = exchange.headers.get("x-api-key") or ""
    key = core.keys.cached(value) or await core.keys.find(value)
    assert key is not None
    operation = _OPERATIONS[request.method]
    if key.is_secret and not key.allows("invitations", operation):
        raise ScopeInsufficient(f"invitations:{operation}")
    caller = Inviting(await identify(exchange, exchange.environment), key.is_secret)
    caller.require_anybody()
    return caller


_Caller = Annotated[Inviting, Depends(_inviting)]


async def _inviting_admin(caller: _Caller) -> Inviting:
    """Who invites: asked before the body is looked at. Raises NotAllowed."""
    caller.require_admin()
    return caller


_Admin = Annotated[Inviting, Depends(_inviting_admin)]


@router.post("", responses=answers(201, Invitation, InvalidEmail, NotAllowed))
async def invite(body: NewInvitationBody, caller: _Admin, links: CurrentLinks) -> Response:
    """Mail an invitation to a role in the app, or to an organization of the app's."""
    wanted = NewInvitation(
        body.resourceType,
        body.resourceId,
        body.resourceName,
        body.resourceRole,
        body.email,
        body.name,
        body.inviterName,
    )
    return answer(await links.invitations.create(wanted, caller), 201)


@router.get("", responses=answers(200, InvitationList))
async def list_invitations(
    caller: _Caller,
    links: CurrentLinks,
    resourceType: Literal["organization", "project", "user"] | None = None,
    resourceId: str | None = None,
    status: Literal["pending", "accepted", "rejected", "expired", "revoked"] | None = None,
    page: FromOne = 1,
    limit: FromOne = 10,
) -> Response:
    """The invitations that the caller sent or got; all of them for admins."""
    found = await links.invitations.list(
        caller,
        page,
        min(limit, _LARGEST_PAGE),
        resource_type=resourceType,
        resource_id=resourceId,
        status=status,
    )
    return answer(found)


@router.post(
    "/accept",
    responses=answers(200, Invitation, InvalidEmail, InvitationExpired, InvitationAlreadyAccepted),
)
async def accept(body: Acceptance, links: CurrentLinks) -> Response:
    """Accept an invitation, once."""
    return answer(await links.invitations.accept(body.token, body.email))


@router.post(
    "/reject",
    responses=answers(200, Empty, InvalidEmail, InvitationExpired, InvitationAlreadyAccepted),
)
async def reject(body: Rejection, links: CurrentLinks) -> Response:
    """Decline an invitation."""
    await links.invitations.reject(body.token, body.email)
    return answer({})


@router.get("/{invitation_id}", responses=answers(200, Invitation, InvitationNotFound))
async def read_invitation(invitation_id: str, caller: _Caller, links: CurrentLinks) -> Response:
    """An invitation that the caller sent; any for admins."""
    return answer(await links.invitations.read(invitation_id, caller))


@router.delete(
    "/{invitation_id}",
    responses=answers(
        200, Message, InvitationNotFound, NotAllowed, InvitationExpired, InvitationAlreadyAccepted
    ),
)
async def revoke(invitation_id: str, caller: _Caller, links: CurrentLinks) -> Response:
    """Take an invitation back."""
    await links.invitations.revoke(invitation_id, caller)
    return answer({"message": "The invitation was revoked"})
