"""The first account: over HTTP with the token that the server printed, or by the command line
(50 §3, 51 §8)."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from typing import Any

import orjson

from bkend.auth.errors import EmailAlreadyExists
from bkend.auth.sessions import Client
from bkend.ids import prefixed, project_id, uuid4
from bkend.manage.activity import COMMAND_LINE, Actor, Place, Target, difference, entry
from bkend.manage.control import ENVIRONMENTS, MEMBERS, ORGANIZATIONS, PROJECTS
from bkend.manage.documents import (
    Checks,
    environment_fields,
    organization_fields,
    project_fields,
    slug_of,
)
from bkend.manage.errors import OrganizationSlugTaken
from bkend.manage.keys import Keys
from bkend.manage.members import new_member
from bkend.store import (
    ALWAYS,
    Check,
    Conflict,
    DeleteWhere,
    Duplicate,
    Equals,
    Find,
    Insert,
    Operation,
    Update,
    all_of,
)
from bkend.store.documents import decode, format_time
from bkend.tenants.accounts import (
    acting,
    check_password,
    checked_email,
    checked_name,
    new_account,
)
from bkend.tenants.collections import TENANT_ACCOUNTS, TENANT_LINKS
from bkend.tenants.errors import BadSetupToken, SetupAlreadyDone
from bkend.tenants.links import digest
from bkend.tenants.parts import Parts
from bkend.tenants.sessions import Session

_SLOT = "setup"
_YEAR_MS = 365 * 24 * 60 * 60 * 1000
_MOST = 500
_UNTOUCHED = ("Default", "default")
"""Name and slug of the organization that the first start makes."""


@dataclass(frozen=True, slots=True)
class Named:
    """What to call an organization or a project; without a slug it is made from the name."""

    name: str
    slug: str | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """Who sets the server up."""

    name: str
    email: str
    password: str


@dataclass(frozen=True, slots=True)
class SetUp:
    """What setting up made."""

    session: Session
    organization: dict[str, Any]
    project: dict[str, Any] | None
    publishable_key: str | None


@dataclass(frozen=True, slots=True)
class _Place:
    project: dict[str, Any] | None
    key: str | None
    made: list[Operation]


class Setup:
    """Makes the first account, and others for who holds the data directory."""

    def __init__(self, parts: Parts, keys: Keys) -> None:
        self._parts = parts
        self._keys = keys

    async def required(self) -> bool:
        """Whether nobody has an account yet."""
        return not await self._parts.accounts.any()

    async def new_token(self) -> str:
        """A token for the set-up link; the one before is void."""
        token, now = secrets.token_urlsafe(32), self._parts.clock.now_ms()
        fields = {
            "purpose": "setup",
            "digest": digest(token),
            "email": "",
            "accountId": None,
            "expiresAt": format_time(now + _YEAR_MS),
        }
        before = DeleteWhere(TENANT_LINKS, Equals(("id",), _SLOT))
        made = Insert(TENANT_LINKS, _SLOT, fields, now, now)
        while True:
            try:
                await self._parts.store.commit([before, made])
            except Duplicate:
                continue  # another process starts at the same moment: ours is the newer one
            return token

    async def set_up(
        self,
        token: str | None,
        person: Person,
        organization: Named,
        project: Named | None,
        client: Client,
        *,
        trusted: bool = False,
    ) -> SetUp:
        """Make the first account, a server admin and the owner of the organization, in one commit.

        The organization that the first start made takes the given name while nobody has renamed
        it; others without an owner get this one as well. `trusted` needs no token.

        Raises SetupAlreadyDone, BadSetupToken, InvalidParameters, OrganizationSlugTaken,
        Unavailable.
        """
        parts = self._parts
        if not await self.required():
            raise SetupAlreadyDone
        if not trusted and not await self._is_token(token or ""):
            raise BadSetupToken
        id, fields = await self._account(person)
        slug = _slug(organization, "organization")
        wanted = None if project is None else (project, _slug(project, "project"))
        now, actor = parts.clock.now_ms(), acting({"id": id, **fields}, client)
        home, operations = await self._organization(organization, slug, actor, now)
        place = await self._project(home, wanted, actor, now)
        nobody = Check(TENANT_ACCOUNTS, ALWAYS, at_most=0)
        used = DeleteWhere(TENANT_LINKS, Equals(("id",), _SLOT))
        success = parts.events.entry(id, fields["email"], "password", "success", client)
        account = Insert(TENANT_ACCOUNTS, id, fields, now, now, id)
        try:
            session = await parts.sessions.open(
                id, client, [nobody, used, account, *operations, *place.made, success]
            )
        except Conflict:  # somebody was quicker
            raise SetupAlreadyDone from None
        except Duplicate as duplicate:
            if duplicate.collection == TENANT_ACCOUNTS:
                raise SetupAlreadyDone from None
            raise OrganizationSlugTaken(f"the slug {slug!r} is taken; name another one") from None
        return SetUp(session, home, place.project, place.key)

    async def make_admin(self, person: Person) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """A server admin, for who holds the data directory; with the organizations that had no
        owner and have this one now, each of which is told so.

        Raises InvalidParameters, EmailAlreadyExists.
        """
        parts = self._parts
        id, fields = await self._account(person)
        fields["lastLoginAt"] = None
        now = parts.clock.now_ms()
        owned = await self._ownerless()
        operations: list[Operation] = [Insert(TENANT_ACCOUNTS, id, fields, now, now, id)]
        for organization in owned:
            operations += [*_owning(organization["id"], id, now), _told(organization, id, now)]
        try:
            stored, *_ = await parts.store.commit(operations)
        except Duplicate:
            raise EmailAlreadyExists("An account with this e-mail address exists already") from None
        assert isinstance(stored, bytes)
        return decode(stored), owned

    # -- parts ------------------------------------------------------------------------------

    async def _is_token(self, token: str) -> bool:
        body = await self._parts.store.get(TENANT_LINKS, _SLOT)
        return body is not None and hmac.compare_digest(decode(body)["digest"], digest(token))

    async def _account(self, person: Person) -> tuple[str, dict[str, Any]]:
        address, name = checked_email(person.email), checked_name(person.name)
        check_password(person.password)
        encoded, now = await self._parts.hasher.hash(person.password), self._parts.clock.now_ms()
        fields = new_account(
            address, name, now, password_hash=encoded, is_verified=True, is_server_admin=True
        )
        return uuid4(), fields | {"lastLoginAt": format_time(now)}

    async def _organization(
        self, named: Named, slug: str, actor: Actor, now: int
    ) -> tuple[dict[str, Any], list[Operation]]:
        """The organization as it will be, and the operations for it and all without an owner."""
        ownerless, account_id = await self._ownerless(), actor.account_id
        operations: list[Operation] = []
        for found in ownerless:
            operations += _owning(found["id"], account_id, now)
        first = next((o for o in ownerless if (o["name"], o["slug"]) == _UNTOUCHED), None)
        if first is not None:
            changed = {"name": named.name, "slug": slug}
            home, event = first | changed, "organization_updated"
            operations.append(Update(ORGANIZATIONS, first["id"], set=changed, updated_at=now))
        else:
            home = {"id": prefixed("org"), **organization_fields(named.name, slug)}
            event = "organization_created"
            fields = organization_fields(named.name, slug)
            operations.append(Insert(ORGANIZATIONS, home["id"], fields, now, now, account_id))
            operations += _owning(home["id"], account_id, now)
        target = Target("organization", home["id"], named.name)
        told = entry(event, actor, Place(home["id"]), target, now, difference(first, home))
        return home, [*operations, told]

    async def _ownerless(self) -> list[dict[str, Any]]:
        store = self._parts.store
        page = await store.find(Find(ORGANIZATIONS, descending=False, limit=_MOST))
        found = []
        for organization in orjson.loads(page.items):
            owners = all_of(
                Equals(("organizationId",), organization["id"]), Equals(("role",), "owner")
            )
            if not await store.count(MEMBERS, owners):
                found.append(organization)
        return found

    async def _project(
        self, home: dict[str, Any], wanted: tuple[Named, str] | None, actor: Actor, now: int
    ) -> _Place:
        """The project: the one that is there, or a new one with what makes it."""
        inside = Equals(("organizationId",), home["id"])
        where = inside if wanted is None else all_of(inside, Equals(("slug",), wanted[1]))
        page = await self._parts.store.find(Find(PROJECTS, where, descending=False, limit=1))
        for found in orjson.loads(page.items):
            return _Place(found, await self._known_key(found["id"]), [])
        if wanted is None:
            return _Place(None, None, [])
        named, slug = wanted
        id, environment_id = project_id(), prefixed("env")
        fields = project_fields(home["id"], named.name, slug)
        environment = environment_fields(id, "dev", now)
        key = self._keys.prepare(
            type="publishable",
            name="Default",
            is_default=True,
            organization_id=home["id"],
            project_id=id,
            environment_id=environment_id,
            environment="dev",
            created_by=actor.account_id,
        )
        target = Target("project", id, named.name)
        made: list[Operation] = [
            Insert(PROJECTS, id, fields, now, now, actor.account_id),
            Insert(ENVIRONMENTS, environment_id, environment, now, now, actor.account_id),
            key.operation,
            entry("project_created", actor, Place(home["id"], id), target, now),
        ]
        return _Place({"id": id, **fields}, key.value, made)

    async def _known_key(self, project_id: str) -> str | None:
        """A publishable key of the project's first environment."""
        inside = Equals(("projectId",), project_id)
        page = await self._parts.store.find(Find(ENVIRONMENTS, inside, descending=False, limit=1))
        for environment in orjson.loads(page.items):
            for key in await self._keys.list(environment["id"]):
                if key["type"] == "publishable" and key["status"] == "active":
                    return str(key["key"])
        return None


def _owning(organization_id: str, account_id: str, now: int) -> list[Operation]:
    """The operations that make an account the owner, unless there is one."""
    owners = all_of(Equals(("organizationId",), organization_id), Equals(("role",), "owner"))
    return [
        Check(MEMBERS, owners, at_most=0),
        new_member(organization_id, account_id, "owner", now),
    ]


def _told(organization: dict[str, Any], account_id: str, now: int) -> Operation:
    """That the command line has made an account the owner."""
    id = organization["id"]
    owner = difference({"ownerId": None}, {"ownerId": account_id})
    target = Target("organization", id, organization["name"])
    event = "organization_ownership_transferred"
    return entry(event, COMMAND_LINE, Place(id), target, now, owner)


def _slug(named: Named, field: str) -> str:
    """The slug, given or made of the name; raises InvalidParameters."""
    checks = Checks()
    checks.text(f"{field}.name", named.name, 1, 100)
    given = named.slug
    slug = slug_of(named.name, field[:3]) if given is None else given
    slug = checks.slug(slug, f"{field}.slug")
    checks.done()
    return slug
