"""Invitations to an organization (51 §3.3): made, sent again, revoked, accepted, declined."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Protocol

from bkend.auth.emails import normalise_email
from bkend.auth.errors import InvalidEmail
from bkend.clock import Clock
from bkend.errors import NotFound
from bkend.ids import prefixed
from bkend.manage.accounts import AccountNames
from bkend.manage.activity import Actor, Place, Target, entry
from bkend.manage.control import INVITATIONS, MEMBERS, ORGANIZATIONS
from bkend.manage.documents import Checks
from bkend.manage.errors import (
    AlreadyMember,
    InvitationForSomebodyElse,
    InvitationPending,
    OrganizationInvitationExpired,
    OrganizationSuspended,
    RoleNotAllowed,
)
from bkend.manage.invitation_records import InvitationRecords, digest_of, purpose
from bkend.manage.listing import first_of
from bkend.manage.members import new_member
from bkend.manage.rights import MAY_INVITE
from bkend.sealing import Sealer
from bkend.store import (
    Check,
    Conflict,
    Duplicate,
    Equals,
    Insert,
    Missing,
    Operation,
    Store,
    Update,
    all_of,
)
from bkend.store.documents import format_time

LIFETIME_MS = 7 * 24 * 60 * 60 * 1000
_LONGEST_TOKEN = 256
_ROLES = ("admin", "member", "billing")
_SORTS = ("email", "name", "role", "createdAt", "expiresAt")


class Post(Protocol):
    """What writes mails, on the store that the invitations are in."""

    async def compose(
        self, category: Any, to: str, values: Mapping[str, str], locale: str | None = None
    ) -> Operation:
        """The operation that puts a mail in the outbox."""

    def send_soon(self) -> None:
        """To be called after the commit."""


class Invitations:
    """Makes, ends and answers the invitations of the server's organizations."""

    def __init__(
        self,
        store: Store,
        accounts: AccountNames,
        sealer: Sealer,
        mail: Post,
        base: str,
        clock: Clock,
    ) -> None:
        """`base` is this server's address, for links."""
        self.records = InvitationRecords(store, accounts, sealer, base, clock)
        self._store = store
        self._accounts = accounts
        self._sealer = sealer
        self._mail = mail
        self._clock = clock

    # -- inviting ---------------------------------------------------------------------------

    async def create(
        self,
        organization: Mapping[str, Any],
        body: Mapping[str, Any],
        actor: Actor,
        own_role: str,
    ) -> dict[str, Any]:
        """Invite an address, as somebody of the role; the mail is part of the same commit.

        Raises InvalidParameters, RoleNotAllowed, AlreadyMember, InvitationPending.
        """
        checks = Checks()
        email = _address(checks, body.get("email"))
        name = checks.text("name", body.get("name"), 1, 100)
        role = checks.choice("role", body.get("role") or "member", _ROLES)
        checks.done()
        _require_may_invite(own_role, role)
        if await self._is_member(organization["id"], email):
            raise AlreadyMember(f"{email} is a member already")
        pending_key = f"{organization['id']}|{email}"
        held = await first_of(self._store, INVITATIONS, Equals(("pendingKey",), pending_key))
        if held is not None and self.records.status(held) == "pending":
            raise InvitationPending(f"{email} is invited already; send that invitation again")
        id, now = prefixed("inv"), self._clock.now_ms()
        fields = {
            "organizationId": organization["id"],
            "email": email,
            "name": name,
            "role": role,
            "status": "pending",
            "pendingKey": pending_key,
            "invitedBy": actor.account_id,
            "inviterName": actor.name,
            **self._new_token(id, now),
        }
        token = fields.pop("token")
        operations: list[Operation] = [
            Insert(INVITATIONS, id, fields, now, now, actor.account_id),
            await self._letter(organization, {"id": id, **fields}, token),
            self._said("invitation_created", organization, {"id": id, **fields}, actor),
        ]
        if held is not None:  # it has expired, and makes room
            operations.insert(0, Update(INVITATIONS, held["id"], unset=("pendingKey",)))
        try:
            await self._store.commit(operations)
        except (Duplicate, Missing):
            raise InvitationPending(f"{email} is invited already") from None
        self._mail.send_soon()
        return await self.records.get(organization, id, with_links=True)

    async def resend(
        self, organization: Mapping[str, Any], id: str, actor: Actor, own_role: str
    ) -> dict[str, Any]:
        """Another token with a new term; the old one is void. Pending, expired and revoked ones.

        Raises NotFound, RoleNotAllowed, AlreadyMember, InvitationPending.
        """
        document = await self.records.find(organization, id)
        _require_may_invite(own_role, document["role"])
        if document["status"] not in ("pending", "revoked"):
            raise AlreadyMember(f"{document['email']} has answered this invitation")
        if await self._is_member(organization["id"], document["email"]):
            raise AlreadyMember(f"{document['email']} is a member already")
        now = self._clock.now_ms()
        fields = {
            "status": "pending",
            "pendingKey": f"{organization['id']}|{document['email']}",
            **self._new_token(id, now),
        }
        token = fields.pop("token")
        after = {**document, **fields}
        try:
            await self._store.commit(
                [
                    Update(
                        INVITATIONS,
                        id,
                        set=fields,
                        updated_at=now,
                        guard=Equals(("status",), document["status"]),
                    ),
                    await self._letter(organization, after, token),
                    self._said("invitation_resent", organization, after, actor),
                ]
            )
        except (Duplicate, Conflict, Missing):
            raise InvitationPending(f"{document['email']} has another invitation") from None
        self._mail.send_soon()
        return await self.records.get(organization, id, with_links=True)

    async def revoke(
        self, organization: Mapping[str, Any], id: str, actor: Actor, own_role: str
    ) -> None:
        """Nobody can accept it any more; raises NotFound, also for one that is answered."""
        document = await self.records.find(organization, id)
        _require_may_invite(own_role, document["role"])
        await self._end(organization, document, "revoked", "invitation_revoked", actor, [])

    # -- answering --------------------------------------------------------------------------

    async def accept(self, token: str, actor: Actor) -> dict[str, Any]:
        """Make the actor's account a member: one commit. The organization and the role.

        Raises NotFound, InvitationForSomebodyElse, OrganizationInvitationExpired,
        OrganizationSuspended, AlreadyMember.
        """
        document, organization = await self._for(token, actor)
        if organization["status"] == "suspended":
            raise OrganizationSuspended
        inviter, now = document["invitedBy"] or None, self._clock.now_ms()
        is_active = all_of(Equals(("id",), organization["id"]), Equals(("status",), "active"))
        joined: list[Operation] = [
            Check(ORGANIZATIONS, is_active, at_least=1),
            new_member(
                organization["id"], actor.account_id, document["role"], now, invited_by=inviter
            ),
        ]
        try:
            await self._end(
                organization, document, "accepted", "invitation_accepted", actor, joined
            )
        except Duplicate:
            raise AlreadyMember("You are a member already") from None
        return {
            "organizationId": organization["id"],
            "organizationName": organization["name"],
            "organizationSlug": organization["slug"],
            "role": document["role"],
        }

    async def decline(self, token: str, actor: Actor) -> None:
        """Refuse it; raises NotFound, InvitationForSomebodyElse, OrganizationInvitationExpired."""
        document, organization = await self._for(token, actor)
        await self._end(organization, document, "rejected", "invitation_rejected", actor, [])

    async def _for(self, token: str, actor: Actor) -> tuple[dict[str, Any], dict[str, Any]]:
        document = await self.records.of_token(token)
        organization = await self.records.organization(document)
        account = await self._accounts.get(actor.account_id)
        if account is None or account.get("email") != document["email"]:
            raise InvitationForSomebodyElse
        status = self.records.status(document)
        if status == "expired":
            raise OrganizationInvitationExpired
        if status != "pending":
            raise NotFound("This invitation is not open any more")
        return document, organization

    async def _end(
        self,
        organization: Mapping[str, Any],
        document: Mapping[str, Any],
        status: str,
        event: str,
        actor: Actor,
        operations: list[Operation],
    ) -> None:
        now = self._clock.now_ms()
        is_open = all_of(Equals(("status",), "pending"), Equals(("digest",), document["digest"]))
        ended = Update(
            INVITATIONS,
            document["id"],
            set={"status": status, "sealedToken": None},
            unset=("pendingKey",),
            updated_at=now,
            guard=is_open,
        )
        said = self._said(event, organization, document, actor)
        try:
            await self._store.commit([ended, *operations, said])
        except (Conflict, Missing):
            raise NotFound("This invitation is not open any more") from None

    # -- parts ------------------------------------------------------------------------------

    def _new_token(self, id: str, now: int) -> dict[str, Any]:
        token = secrets.token_urlsafe(32)
        return {
            "token": token,
            "digest": digest_of(token),
            "sealedToken": self._sealer.seal(purpose({"id": id}), token),
            "expiresAt": format_time(now + LIFETIME_MS),
        }

    async def _letter(
        self, organization: Mapping[str, Any], document: Mapping[str, Any], token: str
    ) -> Operation:
        values = {
            "userName": document["name"],
            "inviterName": document.get("inviterName") or organization["name"],
            "resourceName": organization["name"],
            "token": token,
            "inviteLink": self.records.address(token),
        }
        return await self._mail.compose("invitation", document["email"], values)

    async def _is_member(self, organization_id: str, email: str) -> bool:
        account = await self._accounts.with_address(email)
        if account is None:
            return False
        where = all_of(
            Equals(("organizationId",), organization_id), Equals(("accountId",), account["id"])
        )
        return await self._store.count(MEMBERS, where) > 0

    def _said(
        self,
        event: str,
        organization: Mapping[str, Any],
        document: Mapping[str, Any],
        actor: Actor,
    ) -> Operation:
        target = Target("invitation", document["id"], document["email"])
        metadata = {"email": document["email"], "role": document["role"]}
        place = Place(organization["id"])
        return entry(event, actor, place, target, self._clock.now_ms(), metadata)


def _require_may_invite(own_role: str, role: str) -> None:
    if role not in MAY_INVITE.get(own_role, frozenset()):
        raise RoleNotAllowed(f"The role {own_role!r} may not invite with the role {role!r}")


def _address(checks: Checks, value: Any) -> str:
    try:
        return normalise_email(value if isinstance(value, str) else "")
    except InvalidEmail:
        checks.note("email", "email", "email is an e-mail address")
        return ""
