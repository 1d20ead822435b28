"""Organizations: found, listed, made, changed, handed on, ended (51 §3.2, §4, §5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from bkend.auth.emails import normalise_email
from bkend.auth.errors import InvalidEmail
from bkend.clock import Clock
from bkend.errors import Forbidden, InvalidParameters, NotFound, TokenScopeInsufficient
from bkend.ids import prefixed
from bkend.manage.accounts import AccountNames
from bkend.manage.activity import Actor, Place, Target, difference, entry
from bkend.manage.control import KEYS, MEMBERS, ORGANIZATIONS, PROJECTS
from bkend.manage.documents import Checks, numbered, organization_fields, slug_of
from bkend.manage.errors import OrganizationSlugTaken, OrganizationSuspended
from bkend.manage.listing import Listing, every, first_of, page_of
from bkend.manage.members import Members, new_member
from bkend.manage.projects import IS_THERE
from bkend.manage.rights import Right, Tenant
from bkend.store import (
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
    any_of,
)
from bkend.store.documents import format_time

_MOST_NUMBERED = 50
_SHOWN = (
    "id",
    "name",
    "displayName",
    "slug",
    "description",
    "plan",
    "status",
    "notificationEmail",
    "createdAt",
    "updatedAt",
)
_SORTS = ("name", "slug", "createdAt", "updatedAt")
_LOOKING = frozenset({"organization:read", "member:read", "access-token:read", "project:read"})
_IN_SUSPENSION: frozenset[str] = frozenset({"organization:leave", "organization:delete"})


class Organizations:
    """The organizations of the server."""

    def __init__(
        self, store: Store, members: Members, accounts: AccountNames, clock: Clock
    ) -> None:
        self._store = store
        self._members = members
        self._accounts = accounts
        self._clock = clock

    # -- who may ----------------------------------------------------------------------------

    async def admit(
        self, tenant: Tenant, id_or_slug: str, right: Right
    ) -> tuple[dict[str, Any], str]:
        """The organization and the tenant's role in it, which includes the right.

        Raises NotFound (also for who is no member), Forbidden, TokenScopeInsufficient,
        OrganizationSuspended.
        """
        document = await self._named(id_or_slug)
        if document is None or document["status"] == "deleted":
            raise NotFound(f"There is no organization {id_or_slug[:64]!r}")
        try:
            role = await tenant.require(right, document["id"])
        except NotFound:
            raise NotFound(f"There is no organization {id_or_slug[:64]!r}") from None
        require_whole(tenant, right)
        _require_writable(document, right)
        return document, role

    async def require(self, tenant: Tenant, organization_id: str, right: Right) -> str:
        """The role in the organization of something that was found; raises as `admit`."""
        document = await self._named(organization_id)
        if document is None or document["status"] == "deleted":
            raise NotFound
        role = await tenant.require(right, organization_id)
        _require_writable(document, right)
        return role

    async def id_of(self, id_or_slug: str) -> str:
        """The id of an organization; `""` of one that is not there."""
        document = await self._named(id_or_slug)
        return "" if document is None else str(document["id"])

    async def _named(self, id_or_slug: str) -> dict[str, Any] | None:
        where = any_of(Equals(("id",), id_or_slug), Equals(("slug",), id_or_slug))
        return await first_of(self._store, ORGANIZATIONS, where)

    # -- reading ----------------------------------------------------------------------------

    async def present(self, ids: Iterable[str]) -> tuple[str, ...]:
        """Those of the organizations that are not deleted."""
        there = all_of(OneOf(("id",), tuple(ids)), Not(Equals(("status",), "deleted")))
        return tuple(one["id"] for one in await every(self._store, ORGANIZATIONS, there))

    async def page(
        self, tenant: Tenant, listing: Listing, *, everybody: bool = False
    ) -> tuple[list[dict[str, Any]], int]:
        """A page of the tenant's organizations; with `everybody`, for a server admin, of all."""
        roles = await tenant.organizations()
        where: Condition = all_of(OneOf(("id",), tuple(roles)), Not(Equals(("status",), "deleted")))
        if everybody:
            if not await self._accounts.is_server_admin(tenant.account_id):
                raise Forbidden("tenant", "the list of all organizations")
            where = all_of()
        query = listing.find(ORGANIZATIONS, where, ("name", "slug", "displayName"), _SORTS)
        documents, total = await page_of(self._store, query)
        return [await self.shape(one, roles.get(one["id"])) for one in documents], total

    async def shape(self, document: Mapping[str, Any], role: str | None) -> dict[str, Any]:
        """The organization as it is shown to somebody of this role."""
        of_it = Equals(("organizationId",), document["id"])
        owner = await first_of(self._store, MEMBERS, all_of(of_it, Equals(("role",), "owner")))
        return {
            **{name: document.get(name) for name in _SHOWN},
            "ownerId": None if owner is None else owner["accountId"],
            "memberCount": await self._store.count(MEMBERS, of_it),
            "projectCount": await self._store.count(PROJECTS, all_of(of_it, IS_THERE)),
            "role": role,
        }

    async def projects(self, organization_id: str) -> list[dict[str, Any]]:
        """All projects that are there."""
        where = all_of(Equals(("organizationId",), organization_id), IS_THERE)
        return await every(self._store, PROJECTS, where)

    # -- making and changing ----------------------------------------------------------------

    async def create(self, actor: Actor, body: Mapping[str, Any]) -> dict[str, Any]:
        """An organization whose Owner is the actor's account.

        Raises InvalidParameters, OrganizationSlugTaken.
        """
        fields, given = _new(body)
        for number in range(1, _MOST_NUMBERED):
            try:
                return await self._create(
                    {**fields, "slug": numbered(fields["slug"], number)}, actor
                )
            except OrganizationSlugTaken:
                if given:
                    raise
        raise OrganizationSlugTaken(f"the slug {fields['slug']!r} is taken; name another one")

    async def _create(self, fields: dict[str, Any], actor: Actor) -> dict[str, Any]:
        now, id = self._clock.now_ms(), prefixed("org")
        operations: list[Operation] = [
            Insert(ORGANIZATIONS, id, fields, now, now, actor.account_id),
            new_member(id, actor.account_id, "owner", now),
            self._entry("organization_created", id, fields, actor, now, difference(None, fields)),
        ]
        try:
            [body, *_] = await self._store.commit(operations)
        except Duplicate:
            raise OrganizationSlugTaken(
                f"there is an organization {fields['slug']!r} already"
            ) from None
        assert isinstance(body, bytes)
        found: dict[str, Any] = orjson.loads(body)
        return found

    async def update(
        self, document: Mapping[str, Any], changes: Mapping[str, Any], actor: Actor
    ) -> dict[str, Any]:
        """Change name, displayName, description, notificationEmail; raises InvalidParameters.

        The slug is fixed.
        """
        checks = Checks()
        fields: dict[str, Any] = {}
        if "name" in changes:
            fields["name"] = checks.text("name", changes["name"], 1, 100)
        for name, most in (("displayName", 200), ("description", 1000)):
            if name in changes:
                fields[name] = checks.optional_text(name, changes[name], most)
        if "notificationEmail" in changes:
            fields["notificationEmail"] = _address(checks, changes["notificationEmail"])
        if changes.get("slug", document["slug"]) != document["slug"]:
            checks.note("slug", "fixed", "the slug of an organization cannot be changed")
        checks.done()
        return await self._change(document, fields, "organization_updated", actor)

    async def set_status(self, id_or_slug: str, status: Any, actor: Actor) -> dict[str, Any]:
        """Suspend an organization, or make it active again, a deleted one too: for server admins,
        whether or not they are members. Raises Forbidden, NotFound, InvalidParameters."""
        if not await self._accounts.is_server_admin(actor.account_id):
            raise Forbidden("tenant", "the status of an organization")
        document = await self._named(id_or_slug)
        if document is None:
            raise NotFound(f"There is no organization {id_or_slug[:64]!r}")
        checks = Checks()
        wanted = checks.choice("status", status, ("active", "suspended"))
        checks.done()
        fields = {"status": wanted} | ({"deletedAt": None} if "deletedAt" in document else {})
        return await self._change(document, fields, "organization_updated", actor)

    async def _change(
        self, document: Mapping[str, Any], fields: dict[str, Any], event: str, actor: Actor
    ) -> dict[str, Any]:
        now, id = self._clock.now_ms(), document["id"]
        after = {**document, **fields}
        metadata = difference(document, after)
        if not metadata["changed"]:
            return dict(document)
        operations: list[Operation] = [
            Update(ORGANIZATIONS, id, set=fields, updated_at=now),
            self._entry(event, id, after, actor, now, metadata),
        ]
        try:
            [body, _] = await self._store.commit(operations)
        except Missing:
            raise NotFound from None
        assert isinstance(body, bytes)
        found: dict[str, Any] = orjson.loads(body)
        return found

    # -- the Owner --------------------------------------------------------------------------

    async def transfer(self, document: Mapping[str, Any], account_id: Any, actor: Actor) -> None:
        """Make another member the Owner, and the old Owner an Admin: one commit.

        Raises InvalidParameters, NotFound for who is no member.
        """
        if not isinstance(account_id, str) or not account_id:
            message = "accountId is the account of the new Owner"
            raise InvalidParameters(
                message, details=[{"field": "accountId", "rule": "required", "message": message}]
            )
        id, now = document["id"], self._clock.now_ms()
        of_it = Equals(("organizationId",), id)
        heir = await first_of(
            self._store, MEMBERS, all_of(of_it, Equals(("accountId",), account_id))
        )
        owner = await first_of(self._store, MEMBERS, all_of(of_it, Equals(("role",), "owner")))
        if heir is None:
            raise NotFound("There is no such member")
        if heir["role"] == "owner":
            raise InvalidParameters("This account is the Owner already")
        operations: list[Operation] = []
        if owner is not None:
            was = Equals(("role",), "owner")
            operations.append(
                Update(MEMBERS, owner["id"], set={"role": "admin"}, updated_at=now, guard=was)
            )
        metadata = {
            "changed": ["ownerId"],
            "before": {"ownerId": owner["accountId"] if owner else None},
            "after": {"ownerId": account_id},
        }
        event = "organization_ownership_transferred"
        operations += [
            Update(MEMBERS, heir["id"], set={"role": "owner"}, updated_at=now),
            self._entry(event, id, document, actor, now, metadata),
        ]
        try:
            await self._store.commit(operations)
        except (Missing, Conflict):
            raise NotFound("The member has left meanwhile") from None

    # -- ending -----------------------------------------------------------------------------

    async def delete(self, document: Mapping[str, Any], actor: Actor) -> None:
        """Hide the organization and refuse its keys; what it holds is removed when its time in the
        trash is over."""
        fields = {"status": "deleted", "deletedAt": format_time(self._clock.now_ms())}
        await self._change(document, fields, "organization_deleted", actor)

    async def overdue(self, days: int) -> list[dict[str, Any]]:
        """Deleted organizations whose time in the trash is over."""
        oldest = format_time(self._clock.now_ms() - days * 24 * 60 * 60 * 1000)
        deleted = await every(self._store, ORGANIZATIONS, Equals(("status",), "deleted"))
        return [one for one in deleted if (one.get("deletedAt") or "") <= oldest]

    def _entry(
        self,
        event: str,
        id: str,
        document: Mapping[str, Any],
        actor: Actor,
        now: int,
        metadata: Mapping[str, Any],
    ) -> Insert:
        target = Target("organization", id, document["name"])
        return entry(event, actor, Place(id), target, now, metadata)


def require_whole(tenant: Tenant, right: str) -> None:
    """Raises TokenScopeInsufficient for a token of some projects only, which looks at the
    organization at most."""
    if tenant.key is not None and tenant.key.project_ids is not None and right not in _LOOKING:
        raise TokenScopeInsufficient(right)


def revoked(keys: list[dict[str, Any]], now: int) -> list[Operation]:
    """The operations that refuse keys from now on."""
    at = {"revokedAt": format_time(now)}
    return [Update(KEYS, key["id"], set=at, updated_at=now) for key in keys]


def _require_writable(document: Mapping[str, Any], right: str) -> None:
    is_reading = right.endswith(":read") or right in _IN_SUSPENSION
    if document["status"] == "suspended" and not is_reading:
        raise OrganizationSuspended


def _new(body: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """The fields of a new organization, and whether its slug was given; raises
    InvalidParameters."""
    checks = Checks()
    name = checks.text("name", body.get("name"), 1, 100)
    given = body.get("slug")
    fields = organization_fields(
        name,
        slug_of(name, "org") if given is None else checks.slug(given),
        checks.optional_text("displayName", body.get("displayName"), 200),
        checks.optional_text("description", body.get("description"), 1000),
        _address(checks, body.get("notificationEmail")),
    )
    checks.done()
    return fields, given is not None


def _address(checks: Checks, value: Any) -> str | None:
    if value is None:
        return None
    try:
        return normalise_email(value if isinstance(value, str) else "")
    except InvalidEmail:
        checks.note("notificationEmail", "email", "notificationEmail is an e-mail address")
        return None
