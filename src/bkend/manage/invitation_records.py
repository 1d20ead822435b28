"""Invitations to an organization as they are looked at: lists, one, by link (51 §3.3).

The token is kept as its digest, and sealed so that Owner and Admin can copy the link: invitations
work without mail.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from bkend.clock import Clock
from bkend.errors import NotFound
from bkend.manage.accounts import AccountNames
from bkend.manage.control import INVITATIONS, ORGANIZATIONS
from bkend.manage.listing import Listing, every, first_of, page_of
from bkend.sealing import SealedField, Sealer, Unsealable
from bkend.store import (
    Compare,
    Condition,
    Equals,
    Not,
    OneOf,
    Operation,
    Store,
    Update,
    all_of,
)
from bkend.store.documents import format_time, parse_time

_LONGEST_TOKEN = 256
_SORTS = ("email", "name", "role", "createdAt", "expiresAt")


def purpose(document: Mapping[str, Any]) -> str:
    """What the token of an invitation is sealed for."""
    return f"invitation:{document['id']}"


def _forget(document: dict[str, Any]) -> Sequence[Operation]:
    """A link that nobody can show any more; whoever has it may still use it."""
    return [Update(INVITATIONS, document["id"], set={"sealedToken": None})]


SEALED: tuple[SealedField, ...] = (SealedField(INVITATIONS, "sealedToken", purpose, _forget),)
"""Where the control store keeps sealed values of invitations, for rotations."""


class InvitationRecords:
    """Reads the invitations of the server's organizations."""

    def __init__(
        self, store: Store, accounts: AccountNames, sealer: Sealer, base: str, clock: Clock
    ) -> None:
        """`base` is this server's address, for links."""
        self._store = store
        self._accounts = accounts
        self._sealer = sealer
        self._base = base.rstrip("/")
        self._clock = clock

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
        document = await self.find(organization, id)
        [shown] = await self._shown([document], organization, with_links=with_links)
        return shown

    async def public(self, token: str) -> dict[str, Any]:
        """What the holder of a link may know of it; raises NotFound."""
        document = await self.of_token(token)
        organization = await self.organization(document)
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
            if self.status(document) == "pending":
                try:
                    organization = await self.organization(document)
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
            open_ones = all_of(open_ones, Equals(("digest",), digest_of(token)))
        waiting = await every(self._store, INVITATIONS, open_ones)
        homes = OneOf(("id",), tuple(one["organizationId"] for one in waiting))
        is_there = Not(Equals(("status",), "deleted"))
        return await self._store.count(ORGANIZATIONS, all_of(homes, is_there)) > 0

    async def find(self, organization: Mapping[str, Any], id: str) -> dict[str, Any]:
        """The stored invitation; raises NotFound."""
        body = await self._store.get(INVITATIONS, id)
        document: dict[str, Any] = {} if body is None else orjson.loads(body)
        if document.get("organizationId") != organization["id"]:
            raise NotFound(f"There is no invitation {id[:64]!r}")
        return document

    async def of_token(self, token: str) -> dict[str, Any]:
        """The invitation that a link is for; raises NotFound."""
        if not token or len(token) > _LONGEST_TOKEN:
            raise NotFound("There is no such invitation")
        found = await first_of(self._store, INVITATIONS, Equals(("digest",), digest_of(token)))
        if found is None:
            raise NotFound("There is no such invitation")
        return found

    async def organization(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """The organization it leads to; raises NotFound when that is deleted."""
        body = await self._store.get(ORGANIZATIONS, document["organizationId"])
        found: dict[str, Any] = {} if body is None else orjson.loads(body)
        if not found or found["status"] == "deleted":
            raise NotFound("There is no such invitation")
        return found

    def status(self, document: Mapping[str, Any]) -> str:
        """`pending` ends by itself."""
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
                "status": self.status(one),
                "inviterName": inviter.get("name") or one.get("inviterName"),
            }
            if with_links:
                shown["acceptUrl"] = self._link(one) if self.status(one) == "pending" else None
            found.append(shown)
        return found

    def _link(self, document: Mapping[str, Any]) -> str | None:
        if not document.get("sealedToken"):
            return None
        try:
            token = self._sealer.unseal(purpose(document), document["sealedToken"])
        except Unsealable:
            return None
        return self.address(token)

    def address(self, token: str) -> str:
        """The link that a token is mailed in."""
        return f"{self._base}/console/invite/{token}"


def digest_of(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
