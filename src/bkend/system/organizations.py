"""All organizations of the server, for server admins (51 §3.2, §4, §5); nothing of what they
hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bkend.clock import Clock
from bkend.errors import NotFound
from bkend.manage.activity import Actor, Place, Target, entry
from bkend.manage.control import MEMBERS, ORGANIZATIONS
from bkend.manage.documents import Checks
from bkend.manage.errors import LastOwner
from bkend.manage.listing import Listing, first_of, page_of
from bkend.manage.members import new_member
from bkend.manage.organizations import Organizations
from bkend.store import (
    ALWAYS,
    Check,
    Condition,
    Conflict,
    Duplicate,
    Equals,
    Missing,
    Not,
    Operation,
    Store,
    Update,
    all_of,
)

STATUSES = ("active", "suspended", "deleted")
_SORTS = ("name", "slug", "status", "createdAt", "updatedAt")


class ServerOrganizations:
    """Lists organizations, and helps those that have lost their Owner."""

    def __init__(self, store: Store, organizations: Organizations, clock: Clock) -> None:
        self._store = store
        self._organizations = organizations
        self._clock = clock

    async def page(
        self, listing: Listing, status: str | None = None
    ) -> tuple[list[dict[str, Any]], int]:
        """A page of them, those in the trash too. Raises InvalidParameters."""
        where: Condition = ALWAYS
        if status is not None:
            checks = Checks()
            where = Equals(("status",), checks.choice("status", status, STATUSES))
            checks.done()
        query = listing.find(ORGANIZATIONS, where, ("name", "slug", "displayName"), _SORTS)
        documents, total = await page_of(self._store, query)
        return [await self._shown(one) for one in documents], total

    async def get(self, id_or_slug: str) -> dict[str, Any]:
        """One of them; raises NotFound."""
        return await self._shown(await self._found(id_or_slug))

    async def set_status(self, id_or_slug: str, status: Any, actor: Actor) -> dict[str, Any]:
        """Suspend it, or make it active again, out of the trash too.

        Raises NotFound, InvalidParameters.
        """
        return await self._shown(await self._organizations.set_status(id_or_slug, status, actor))

    async def adopt(self, id_or_slug: str, actor: Actor) -> dict[str, Any]:
        """Make the actor's account the Owner of an organization that has none: one commit.

        Raises NotFound (also for one in the trash), LastOwner for one that has an Owner.
        """
        found = await self._found(id_or_slug)
        id, now = found["id"], self._clock.now_ms()
        of_it = Equals(("organizationId",), id)
        mine = all_of(of_it, Equals(("accountId",), actor.account_id))
        held = await first_of(self._store, MEMBERS, mine)
        joining: Operation = new_member(id, actor.account_id, "owner", now)
        if held is not None:
            joining = Update(MEMBERS, held["id"], set={"role": "owner"}, updated_at=now)
        is_there = all_of(Equals(("id",), id), Not(Equals(("status",), "deleted")))
        said = entry(
            "organization_ownership_transferred",
            actor,
            Place(id),
            Target("organization", id, found["name"]),
            now,
            {
                "changed": ["ownerId"],
                "before": {"ownerId": None},
                "after": {"ownerId": actor.account_id},
            },
        )
        try:
            await self._store.commit(
                [
                    Check(ORGANIZATIONS, is_there, at_least=1),
                    Check(MEMBERS, all_of(of_it, Equals(("role",), "owner")), at_most=0),
                    joining,
                    said,
                ]
            )
        except Conflict as conflict:
            if conflict.collection == ORGANIZATIONS:
                raise NotFound("The organization is in the trash; restore it first") from None
            raise LastOwner("This organization has an Owner") from None
        except (Duplicate, Missing):  # joined or left at this moment
            raise NotFound("Your membership has changed meanwhile; try again") from None
        return await self._shown(found, "owner")

    async def _shown(self, document: Mapping[str, Any], role: str | None = None) -> dict[str, Any]:
        """The organization of 51 §3.2, and since when it is in the trash."""
        shown = await self._organizations.shape(document, role)
        return shown | {"deletedAt": document.get("deletedAt")}

    async def _found(self, id_or_slug: str) -> dict[str, Any]:
        id = await self._organizations.id_of(id_or_slug)
        found = await first_of(self._store, ORGANIZATIONS, Equals(("id",), id)) if id else None
        if found is None:
            raise NotFound(f"There is no organization {id_or_slug[:64]!r}")
        return found
