"""Invitations to an organization (51 §3.3): made, sent again, revoked, accepted, declined.

The token is kept as its digest, and sealed so that Owner and Admin can copy the link: invitations
work without mail.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import orjson

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
    RoleNotAllowed,
)
from bkend.manage.listing import Listing, every, first_of, page_of
from bkend.manage.members import new_member
from bkend.manage.rights import MAY_INVITE
from bkend.sealing import SealedField, Sealer, Unsealable
from bkend.store import (
    Check,
    Compare,
    Condition,
    Conflict,
    Duplicate,
    Equals,
    Insert,
    Missing,
    Not,
    OneOf,
    Operation,
    Store,
    Update,
    all_of,
)
from bkend.store.documents import format_time, parse_time

LIFETIME_MS = 7 * 24 * 60 * 60 * 1000
_LONGEST_TOKEN = 256
_ROLES = ("admin", "member", "billing")
_SORTS = ("email", "name", "role", "createdAt", "expiresAt")


def _purpose(document: Mapping[str, Any]) -> str:
    return f"invitation:{document['id']}"


def _forget(document: dict[str, Any]) -> Sequence[Operation]:
    """A link that nobody can show any more; whoever has it may still use it."""
    return [Update(INVITATIONS, document["id"], set={"sealedToken": None})]


SEALED: tuple[SealedField, ...] = (SealedField(INVITATIONS, "sealedToken", _purpose, _forget),)
"""Where the control store keeps sealed values of invitations, for rotations."""


class Post(Protocol):
    """What writes mails, on the store that the invitations are in."""

    async def compose(
        self, category: Any, to: str, values: Mapping[str, str], locale: str | None = None
    ) -> Operation:
        """The operation that puts a mail in the outbox."""

    def send_soon(self) -> None:
        """To be called after the commit."""


class Invitations:
    """The invitations of the server's organizations."""

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
        self._store = store
        self._accounts = accounts
        self._sealer = sealer
        self._mail = mail
        self._base = base.rstrip("/")
        self._clock = clock

    # -- reading ----------------------------------------------------------------------------

    async def page(
        self,
        organization: Mapping[str, Any],
        listing: Listing,
        status: str | None,
        *,
        with_links: bool,
    ) -> tuple[list[dict[str, Any]], int]:
        """A page of invitations; of one status, if it is named."""
        of_it: Condition = Equals(("organizationId",), organization["id"])
        now = format_time(self._clock.now_ms())
        is_pending = Equals(("status",), "pending")
        if status == "expired":
            of_it = all_of(of_it, is_pending, Compare(("expiresAt",), "lte", now))
        elif status == "pending":
            of_it = all_of(of_it, is_pending, Compare(("expiresAt",), "gt", now))
        elif status is not None:
            of_it = all_of(of_it, Equals(("status",), status))
        query = listing.find(INVITATIONS, of_it, ("email", "name"), _SORTS)
        documents, total = await page_of(self._store, query)
        return await self._shown(documents, organization, with_links=with_links), total

    async def get(
        self, organization: Mapping[str, Any], id: str, *, with_links: bool
    ) -> dict[str, Any]:
        """One invitation; raises NotFound."""
        document = await self._find(organization, id)
        [shown] = await self._shown([document], organization, with_links=with_links)
        return shown

    async def public(self, token: str) -> dict[str, Any]:
        """What the holder of a link may know of it; raises NotFound."""
        document = await self._of_token(token)
        organization = await self._organization(document)
        [shown] = await self._shown([document], organization, with_links=False)
        names = (
            "organizationName",
            "email",
            "name",
            "role",
            "status",
            "expiresAt",
            "inviterName",
        )
        return {name: shown[name] for name in names}

    async def waiting_for(self, email: str) -> list[dict[str, Any]]:
        """The open invitations to an address, with their links: for who has shown that it is
        theirs."""
        is_theirs = all_of(Equals(("email",), email), Equals(("status",), "pending"))
        found = []
        for document in await every(self._store, INVITATIONS, is_theirs):
            if self._status(document) == "pending":
                try:
                    organization = await self._organization(document)
                except NotFound:
                    continue
                found += await self._shown([document], organization, with_links=True)
        return found

    async def awaits(self, email: str, token: str | None) -> bool:
        """Whether an organization waits for the address; with a token, that one's must."""
        now = format_time(self._clock.now_ms())
        open_ones = all_of(
            Equals(("email",), email),
            Equals(("status",), "pending"),
            Compare(("expiresAt",), "gt", now),
        )
        if token is not None:
            open_ones = all_of(open_ones, Equals(("digest",), _digest(token)))
        waiting = await every(self._store, INVITATIONS, open_ones)
        homes = OneOf(("id",), tuple(one["organizationId"] for one in waiting))
        is_there = Not(Equals(("status",), "deleted"))
        return await self._store.count(ORGANIZATIONS, all_of(homes, is_there)) > 0

    async def _find(self, organization: Mapping[str, Any], id: str) -> dict[str, Any]:
        body = await self._store.get(INVITATIONS, id)
        document: dict[str, Any] = {} if body is None else orjson.loads(body)
        if document.get("organizationId") != organization["id"]:
            raise NotFound(f"There is no invitation {id[:64]!r}")
        return document

    async def _of_token(self, token: str) -> dict[str, Any]:
        if not token or len(token) > _LONGEST_TOKEN:
            raise NotFound("There is no such invitation")
        found = await first_of(self._store, INVITATIONS, Equals(("digest",), _digest(token)))
        if found is None:
            raise NotFound("There is no such invitation")
        return found

    async def _organization(self, document: Mapping[str, Any]) -> dict[str, Any]:
        body = await self._store.get(ORGANIZATIONS, document["organizationId"])
        found: dict[str, Any] = {} if body is None else orjson.loads(body)
        if not found or found["status"] == "deleted":
            raise NotFound("There is no such invitation")
        return found

    def _status(self, document: Mapping[str, Any]) -> str:
        is_over = parse_time(document["expiresAt"]) <= self._clock.now_ms()
        return "expired" if document["status"] == "pending" and is_over else document["status"]

    async def _shown(
        self,
        documents: Sequence[dict[str, Any]],
        organization: Mapping[str, Any],
        *,
        with_links: bool,
    ) -> list[dict[str, Any]]:
        inviters = await self._accounts.of(one["invitedBy"] for one in documents)
        found = []
        for one in documents:
            shown = {
                name: one[name]
                for name in (
                    "id",
                    "organizationId",
                    "email",
                    "name",
                    "role",
                    "expiresAt",
                    "invitedBy",
                    "createdAt",
                    "updatedAt",
                )
            }
            inviter = inviters.get(one["invitedBy"], {})
            shown |= {
                "organizationName": organization["name"],
                "status": self._status(one),
                "inviterName": inviter.get("name") or one.get("inviterName"),
            }
            if with_links:
                shown["acceptUrl"] = self._link(one) if self._status(one) == "pending" else None
            found.append(shown)
        return found

    def _link(self, document: Mapping[str, Any]) -> str | None:
        if not document.get("sealedToken"):
            return None
        try:
            token = self._sealer.unseal(_purpose(document), document["sealedToken"])
        except Unsealable:
            return None
        return self._address(token)

    def _address(self, token: str) -> str:
        return f"{self._base}/console/invite/{token}"

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
        if held is not None and self._status(held) == "pending":
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
        return await self.get(organization, id, with_links=True)

    async def resend(
        self, organization: Mapping[str, Any], id: str, actor: Actor, own_role: str
    ) -> dict[str, Any]:
        """Another token with a new term; the old one is void. Pending, expired and revoked ones.

        Raises NotFound, RoleNotAllowed, AlreadyMember, InvitationPending.
        """
        document = await self._find(organization, id)
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
        return await self.get(organization, id, with_links=True)

    async def revoke(
        self, organization: Mapping[str, Any], id: str, actor: Actor, own_role: str
    ) -> None:
        """Nobody can accept it any more; raises NotFound, also for one that is answered."""
        document = await self._find(organization, id)
        _require_may_invite(own_role, document["role"])
        await self._end(organization, document, "revoked", "invitation_revoked", actor, [])

    # -- answering --------------------------------------------------------------------------

    async def accept(self, token: str, actor: Actor) -> dict[str, Any]:
        """Make the actor's account a member: one commit. The organization and the role.

        Raises NotFound, InvitationForSomebodyElse, OrganizationInvitationExpired, AlreadyMember.
        """
        document, organization = await self._for(token, actor)
        inviter, now = document["invitedBy"] or None, self._clock.now_ms()
        is_there = all_of(Equals(("id",), organization["id"]), Not(Equals(("status",), "deleted")))
        joined: list[Operation] = [
            Check(ORGANIZATIONS, is_there, at_least=1),
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
        document = await self._of_token(token)
        organization = await self._organization(document)
        account = await self._accounts.get(actor.account_id)
        if account is None or account.get("email") != document["email"]:
            raise InvitationForSomebodyElse
        status = self._status(document)
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
            "digest": _digest(token),
            "sealedToken": self._sealer.seal(_purpose({"id": id}), token),
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
            "inviteLink": self._address(token),
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


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
