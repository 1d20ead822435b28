"""The members of an organization: listed, given another role, removed, leaving (51 §3.3, §4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bkend.clock import Clock
from bkend.errors import NotFound
from bkend.manage.accounts import AccountNames
from bkend.manage.activity import Actor, Place, Target, entry
from bkend.manage.control import KEYS, MEMBERS
from bkend.manage.documents import Checks
from bkend.manage.errors import LastOwner, RoleNotAllowed
from bkend.manage.listing import Listing, every
from bkend.manage.organizations import revoked
from bkend.manage.rights import MAY_GIVE, MAY_REMOVE, ROLES
from bkend.store import (
    Condition,
    Conflict,
    Delete,
    Equals,
    Missing,
    Operation,
    Store,
    Update,
    all_of,
)
from bkend.store.text import fold

GRANTS = "mcp_grants"


class Team:
    """The members of organizations."""

    def __init__(self, store: Store, accounts: AccountNames, clock: Clock) -> None:
        self._store = store
        self._accounts = accounts
        self._clock = clock

    # -- reading ----------------------------------------------------------------------------

    async def page(
        self, organization_id: str, listing: Listing, viewer: str, role: str | None = None
    ) -> tuple[list[dict[str, Any]], int]:
        """A page of members, the Owner first, then in the order of joining; `viewer` is the account
        that looks. Names live with the accounts, so the search is over all members."""
        where: Condition = Equals(("organizationId",), organization_id)
        if role is not None:
            where = all_of(where, Equals(("role",), role))
        shown = await self._shown(await every(self._store, MEMBERS, where), viewer)
        wanted = fold(listing.search.strip())
        found = [one for one in shown if wanted in fold(f"{one['name']}\n{one['email']}")]
        found.sort(key=lambda one: one["role"] != "owner")
        return found[listing.offset : listing.offset + listing.limit], len(found)

    async def get(self, organization_id: str, id: str, viewer: str) -> dict[str, Any]:
        """One member, by its own id or the account's; raises NotFound."""
        [shown] = await self._shown([await self.find(organization_id, id)], viewer)
        return shown

    async def find(self, organization_id: str, id: str) -> dict[str, Any]:
        """The stored member; raises NotFound."""
        of_it = Equals(("organizationId",), organization_id)
        for field in ("id", "accountId"):
            found = await every(self._store, MEMBERS, all_of(of_it, Equals((field,), id)))
            if found:
                return found[0]
        raise NotFound(f"There is no member {id[:64]!r}")

    async def _shown(self, members: Sequence[Any], viewer: str) -> list[dict[str, Any]]:
        accounts = await self._accounts.of(one["accountId"] for one in members)
        return [_shape(one, accounts.get(one["accountId"], {}), viewer) for one in members]

    # -- changing ---------------------------------------------------------------------------

    async def set_role(
        self, organization_id: str, id: str, role: Any, actor: Actor, own_role: str
    ) -> dict[str, Any]:
        """Give a member another role, as somebody whose own role is `own_role`.

        Raises NotFound, InvalidParameters, LastOwner (the Owner's, or the Owner's role to
        somebody: transfer instead), RoleNotAllowed.
        """
        member = await self.find(organization_id, id)
        checks = Checks()
        wanted = checks.choice("role", role, ROLES)
        checks.done()
        if "owner" in (wanted, member["role"]):
            if own_role == "owner":
                raise LastOwner
            raise RoleNotAllowed("Only the Owner hands on ownership, by transfer")
        allowed = MAY_GIVE.get(own_role, frozenset())
        if not {wanted, member["role"]} <= allowed:
            raise RoleNotAllowed(f"The role {own_role!r} may not make {member['role']} {wanted}")
        if wanted != member["role"]:
            now = self._clock.now_ms()
            metadata = {
                "changed": ["role"],
                "before": {"role": member["role"]},
                "after": {"role": wanted},
            }
            change = Update(
                MEMBERS,
                member["id"],
                set={"role": wanted},
                updated_at=now,
                guard=Equals(("role",), member["role"]),
            )
            await self._commit(
                [change, await self._said("member_role_updated", member, actor, metadata)]
            )
        return await self.get(organization_id, member["id"], actor.account_id)

    async def remove(self, organization_id: str, id: str, actor: Actor, own_role: str) -> str:
        """Take a member out, with the tokens and grants the account has for the organization: one
        commit. The member's id. Raises NotFound, LastOwner, RoleNotAllowed."""
        member = await self.find(organization_id, id)
        if member["role"] == "owner":
            if own_role == "owner":
                raise LastOwner
            raise RoleNotAllowed("The Owner cannot be removed")
        if member["role"] not in MAY_REMOVE.get(own_role, frozenset()):
            raise RoleNotAllowed(f"The role {own_role!r} may not remove an {member['role']}")
        await self._take_out(member, actor, "member_removed")
        return str(member["id"])

    async def leave(self, organization_id: str, actor: Actor) -> None:
        """The actor's account is no member any more; raises NotFound, LastOwner."""
        member = await self.find(organization_id, actor.account_id)
        if member["role"] == "owner":
            raise LastOwner
        await self._take_out(member, actor, "member_left")

    async def _take_out(self, member: Mapping[str, Any], actor: Actor, event: str) -> None:
        now = self._clock.now_ms()
        is_same = Equals(("role",), member["role"])
        await self._commit(
            [
                Delete(MEMBERS, member["id"], guard=is_same),
                *revoked(await self._tokens(member), now),
                *await self._grants(member),
                await self._said(event, member, actor, {"role": member["role"]}),
            ]
        )

    async def _tokens(self, member: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The management tokens that the account made for the organization."""
        where = all_of(
            Equals(("organizationId",), member["organizationId"]),
            Equals(("type",), "bearer"),
            Equals(("createdBy",), member["accountId"]),
            Equals(("revokedAt",), None),
        )
        return await every(self._store, KEYS, where)

    async def _grants(self, member: Mapping[str, Any]) -> list[Operation]:
        """The operations that end what the account granted to tools for the organization."""
        if self._store.collection(GRANTS) is None:
            return []
        where = all_of(
            Equals(("organizationId",), member["organizationId"]),
            Equals(("accountId",), member["accountId"]),
        )
        return [Delete(GRANTS, one["id"]) for one in await every(self._store, GRANTS, where)]

    async def _commit(self, operations: list[Operation]) -> None:
        try:
            await self._store.commit(operations)
        except (Missing, Conflict):
            raise NotFound("The member was changed by somebody else; look again") from None

    async def _said(
        self, event: str, member: Mapping[str, Any], actor: Actor, metadata: Mapping[str, Any]
    ) -> Operation:
        account = await self._accounts.get(member["accountId"]) or {}
        name = account.get("name") or account.get("email")
        target = Target("member", member["id"], name)
        place = Place(member["organizationId"])
        said = {"accountId": member["accountId"], **metadata}
        return entry(event, actor, place, target, self._clock.now_ms(), said)


def _shape(member: Mapping[str, Any], account: Mapping[str, Any], viewer: str) -> dict[str, Any]:
    return {
        "id": member["id"],
        "accountId": member["accountId"],
        "name": account.get("name") or "",
        "email": account.get("email") or "",
        "avatarUrl": account.get("avatarUrl"),
        "role": member["role"],
        "status": "active",
        "joinedAt": member["joinedAt"],
        "invitedBy": member.get("invitedBy"),
        "isYou": bool(viewer) and member["accountId"] == viewer,
        "createdAt": member["createdAt"],
        "updatedAt": member["updatedAt"],
    }
