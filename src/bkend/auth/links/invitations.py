"""Invitations into the app: to a role, or to an organization of the app's own (10 §12).

Nothing here gives rights in the console: those come from the team of the organization that
owns the project.
"""

from __future__ import annotations

import secrets
from typing import Any

import orjson

from bkend.auth.emails import normalise_email
from bkend.auth.links.acceptance import Acceptance
from bkend.auth.links.addresses import INVITATION_PAGE, with_query
from bkend.auth.links.collections import INVITATIONS
from bkend.auth.links.errors import (
    InvitationAlreadyAccepted,
    InvitationExpired,
    InvitationNotFound,
    NotAllowed,
)
from bkend.auth.links.inviting import Inviting, NewInvitation
from bkend.auth.links.shapes import Invitation, InvitationList, invitation
from bkend.auth.links.tokens import digest
from bkend.auth.parts import AuthParts
from bkend.auth.shapes import session_list
from bkend.auth.users import user_by_email
from bkend.errors import InvalidToken
from bkend.ids import uuid4
from bkend.store import (
    ALWAYS,
    NEVER,
    Compare,
    Condition,
    Conflict,
    Duplicate,
    Equals,
    Find,
    Insert,
    Missing,
    Operation,
    Update,
    all_of,
    any_of,
)
from bkend.store.documents import decode, format_time

_DAY_MS = 24 * 60 * 60 * 1000
_BYTES = 32
_TRIES = 5


class Invitations:
    """The invitations of one environment."""

    def __init__(self, parts: AuthParts) -> None:
        self._parts = parts
        self._store = parts.store
        self._acceptance = Acceptance(parts)

    # -- inviting ---------------------------------------------------------------------------

    async def create(self, wanted: NewInvitation, caller: Inviting) -> Invitation:
        """Mail an invitation; a pending one of the same address and resource is revoked.

        Raises Unauthorized, NotAllowed, InvalidEmail, InvalidRequest.
        """
        caller.require_anybody()
        caller.require_admin()
        address = normalise_email(wanted.email)
        self._acceptance.require_role(wanted.resource_type, wanted.resource_role)
        if wanted.resource_type == "project" and (
            wanted.resource_id != self._parts.environment.project.id
        ):
            raise NotAllowed("This key invites to its own project only")
        settings = await self._parts.settings.current()
        page = settings.invite_url or self._hosted_page()
        inviter = caller.identity.user if caller.identity else None
        token = secrets.token_hex(_BYTES)
        pending_key = wanted.pending_key(address)
        invited = await user_by_email(self._store, address)
        inviter_name = wanted.inviter_name or (inviter["name"] if inviter else None)
        while True:
            now = self._parts.clock.now_ms()
            fields = {
                "resourceType": wanted.resource_type,
                "resourceId": wanted.resource_id,
                "resourceName": wanted.resource_name,
                "resourceRole": wanted.resource_role,
                "email": address,
                "name": wanted.name,
                "status": "pending",
                "expiresAt": format_time(now + settings.invitation_expiration_days * _DAY_MS),
                "invitedBy": inviter["id"] if inviter else None,
                "inviterName": inviter_name,
                "digest": digest(token),
                "pendingKey": pending_key,
            }
            made = Insert(INVITATIONS, uuid4(), fields, now, now, inviter["id"] if inviter else "")
            mail = await self._parts.mail.compose(
                "invitation",
                address,
                {
                    "userName": wanted.name,
                    "userEmail": address,
                    "inviterName": inviter_name or "",
                    "resourceName": wanted.resource_name,
                    "inviteLink": with_query(page, token=token, email=address),
                    "token": token,
                },
                (invited or {}).get("locale"),
            )
            try:
                await self._store.commit([*await self._older(pending_key), made, mail])
            except (Conflict, Duplicate, Missing):
                continue  # another one was made or answered at the same moment
            self._parts.mail.send_soon()
            return invitation(stored(made), format_time(now))

    def _hosted_page(self) -> str:
        # The token is 64 hex digits and no more, so the page is told its environment beside it.
        page = self._parts.address + INVITATION_PAGE
        return with_query(page, environment=self._parts.environment.id)

    async def _older(self, pending_key: str) -> list[Operation]:
        """Revokes the pending one, or writes down that it has expired."""
        same = Equals(("pendingKey",), pending_key)
        found = await self._store.find(Find(INVITATIONS, same, limit=1))
        documents: list[dict[str, Any]] = orjson.loads(found.items)
        return [self._ended(held, self._status_unless_expired(held)) for held in documents]

    def _status_unless_expired(self, held: dict[str, Any]) -> str:
        return "expired" if held["expiresAt"] <= self._now() else "revoked"

    def _ended(self, held: dict[str, Any], status: str) -> Operation:
        """Pending no more; Conflict when somebody else has ended it."""
        return Update(
            INVITATIONS,
            held["id"],
            set={"status": status},
            unset=("pendingKey",),
            updated_at=self._parts.clock.now_ms(),
            guard=Equals(("status",), "pending"),
        )

    # -- reading ----------------------------------------------------------------------------

    async def list(
        self,
        caller: Inviting,
        page: int,
        limit: int,
        *,
        resource_type: str | None = None,
        resource_id: str | None = None,
        status: str | None = None,
    ) -> InvitationList:
        """The invitations that the caller may see, newest first. Raises Unauthorized."""
        caller.require_anybody()
        wanted = all_of(
            self._visible(caller),
            Equals(("resourceType",), resource_type) if resource_type else ALWAYS,
            Equals(("resourceId",), resource_id) if resource_id else ALWAYS,
            self._has_status(status) if status else ALWAYS,
        )
        query = Find(INVITATIONS, wanted, offset=(page - 1) * limit, limit=limit)
        found = await self._store.find(query)
        now = self._now()
        items = [invitation(document, now) for document in orjson.loads(found.items)]
        pages = session_list((), found.total, page, limit)["pagination"]
        return {"items": items, "pagination": pages}

    async def read(self, id: str, caller: Inviting) -> Invitation:
        """One that the caller sent, or any for admins; raises Unauthorized, InvitationNotFound."""
        caller.require_anybody()
        return invitation(await self._of(id, caller), self._now())

    async def _of(self, id: str, caller: Inviting) -> dict[str, Any]:
        body = await self._store.get(INVITATIONS, id)
        held = decode(body) if body else None
        if held is None or not (caller.is_admin or _is_inviter(held, caller)):
            raise InvitationNotFound
        return held

    def _visible(self, caller: Inviting) -> Condition:
        if caller.is_admin:
            return ALWAYS
        if caller.identity is None:
            return NEVER
        user = caller.identity.user
        return any_of(Equals(("invitedBy",), user["id"]), Equals(("email",), user["email"]))

    def _has_status(self, status: str) -> Condition:
        pending = Equals(("status",), "pending")
        if status == "pending":
            return all_of(pending, Compare(("expiresAt",), "gt", self._now()))
        if status == "expired":
            run_out = all_of(pending, Compare(("expiresAt",), "lte", self._now()))
            return any_of(Equals(("status",), "expired"), run_out)
        return Equals(("status",), status)

    # -- answering --------------------------------------------------------------------------

    async def preview(self, token: str) -> Invitation:
        """The pending invitation of a token, for the hosted page.

        Raises InvalidToken, InvitationExpired, InvitationAlreadyAccepted.
        """
        return invitation(await self._by_token(token, None), self._now())

    async def accept(self, token: str, email: str | None) -> Invitation:
        """Accept, once: the invited address gets the role or the membership, and a user where
        it has none.

        Raises InvalidEmail, InvalidToken, InvitationExpired, InvitationAlreadyAccepted.
        """
        address = normalise_email(email) if email is not None else None
        for _ in range(_TRIES):
            held = await self._by_token(token, address)
            effect = await self._acceptance.effect(held)
            try:
                results = await self._store.commit([self._ended(held, "accepted"), *effect])
            except (Conflict, Duplicate, Missing):
                continue  # answered, or the user was changed, at the same moment: look again
            body = results[0]
            assert isinstance(body, bytes)
            return invitation(decode(body), self._now())
        raise InvalidToken

    async def reject(self, token: str, email: str) -> None:
        """Decline. Raises what `accept` raises."""
        address = normalise_email(email)
        for _ in range(_TRIES):
            held = await self._by_token(token, address)
            try:
                await self._store.commit([self._ended(held, "rejected")])
            except (Conflict, Missing):
                continue
            return
        raise InvalidToken

    async def revoke(self, id: str, caller: Inviting) -> None:
        """Take an invitation back: the inviter, or a secret key.

        Raises Unauthorized, InvitationNotFound, NotAllowed, InvitationExpired,
        InvitationAlreadyAccepted.
        """
        caller.require_anybody()
        held = await self._of(id, caller)
        if not (caller.has_secret_key or _is_inviter(held, caller)):
            raise NotAllowed
        for _ in range(_TRIES):
            self._require_pending(held, InvitationNotFound)
            try:
                await self._store.commit([self._ended(held, "revoked")])
            except (Conflict, Missing):
                held = await self._of(id, caller)
                continue
            return
        raise InvitationNotFound

    async def _by_token(self, token: str, address: str | None) -> dict[str, Any]:
        query = Find(INVITATIONS, Equals(("digest",), digest(token)), limit=1)
        documents: list[dict[str, Any]] = orjson.loads((await self._store.find(query)).items)
        if not documents or (address is not None and documents[0]["email"] != address):
            raise InvalidToken
        self._require_pending(documents[0], InvalidToken)
        return documents[0]

    def _require_pending(
        self, held: dict[str, Any], ended: type[InvalidToken | InvitationNotFound]
    ) -> None:
        status = invitation(held, self._now())["status"]
        if status == "accepted":
            raise InvitationAlreadyAccepted
        if status == "expired":
            raise InvitationExpired
        if status != "pending":
            raise ended

    def _now(self) -> str:
        return format_time(self._parts.clock.now_ms())


def stored(made: Insert) -> dict[str, Any]:
    """The document that an Insert makes."""
    times = {"createdAt": format_time(made.created_at), "updatedAt": format_time(made.updated_at)}
    return {"id": made.id, **made.fields, **times}


def _is_inviter(held: dict[str, Any], caller: Inviting) -> bool:
    return caller.identity is not None and held["invitedBy"] == caller.identity.user_id
