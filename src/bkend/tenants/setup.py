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
from bkend.manage.control import ENVIRONMENTS, MEMBERS, ORGANIZATIONS, PROJECTS
from bkend.manage.documents import SLUG, slug_of
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
from bkend.tenants.accounts import check_password, checked_email, checked_name, new_account
from bkend.tenants.collections import TENANT_ACCOUNTS, TENANT_LINKS
from bkend.tenants.errors import BadSetupToken, SetupAlreadyDone, SlugTaken, invalid
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
        await self._parts.store.commit([before, made])
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

        Raises SetupAlreadyDone, BadSetupToken, InvalidParameters, SlugTaken, Unavailable.
        """
        parts = self._parts
        if not await self.required():
            raise SetupAlreadyDone
        if not trusted and not await self._is_token(token or ""):
            raise BadSetupToken
        id, fields = await self._account(person)
        slug = _slug(organization, "organization.slug")
        wanted = None if project is None else (project, _slug(project, "project.slug"))
        now = parts.clock.now_ms()
        home, operations = await self._organization(organization, slug, id, now)
        place, made = await self._project(home, wanted, now)
        nobody = Check(TENANT_ACCOUNTS, ALWAYS, at_most=0)
        used = DeleteWhere(TENANT_LINKS, Equals(("id",), _SLOT))
        success = parts.events.entry(id, fields["email"], "password", "success", client)
        account = Insert(TENANT_ACCOUNTS, id, fields, now, now, id)
        try:
            session = await parts.sessions.open(
                id, client, [nobody, used, account, *operations, *made, success]
            )
        except Conflict:  # somebody was quicker
            raise SetupAlreadyDone from None
        except Duplicate as duplicate:
            if duplicate.collection == TENANT_ACCOUNTS:
                raise SetupAlreadyDone from None
            raise SlugTaken from None
        key = await self._key(place, made=bool(made)) if place else None
        return SetUp(session, home, place, key)

    async def make_admin(self, person: Person) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """A server admin, for who holds the data directory; with the organizations that had no
        owner and have this one now.

        Raises InvalidParameters, EmailAlreadyExists.
        """
        parts = self._parts
        id, fields = await self._account(person)
        fields["lastLoginAt"] = None
        now = parts.clock.now_ms()
        owned = await self._ownerless()
        operations: list[Operation] = [Insert(TENANT_ACCOUNTS, id, fields, now, now, id)]
        for organization in owned:
            operations += _owning(organization["id"], id, now)
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
        self, named: Named, slug: str, account_id: str, now: int
    ) -> tuple[dict[str, Any], list[Operation]]:
        """The organization as it will be, and the operations for it and all without an owner."""
        if not 1 <= len(named.name) <= 100:
            raise invalid("organization.name", "length", "has 1 to 100 characters")
        ownerless = await self._ownerless()
        operations: list[Operation] = []
        for found in ownerless:
            operations += _owning(found["id"], account_id, now)
        first = next((o for o in ownerless if (o["name"], o["slug"]) == _UNTOUCHED), None)
        changed = {"name": named.name, "slug": slug}
        if first is not None:
            operations.append(Update(ORGANIZATIONS, first["id"], set=changed, updated_at=now))
            return first | changed, operations
        fields = {
            **changed,
            "displayName": None,
            "description": None,
            "plan": "self-hosted",
            "status": "active",
            "notificationEmail": None,
        }
        id = prefixed("org")
        operations.append(Insert(ORGANIZATIONS, id, fields, now, now, account_id))
        operations += _owning(id, account_id, now)
        return {"id": id, **fields}, operations

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
        self, home: dict[str, Any], wanted: tuple[Named, str] | None, now: int
    ) -> tuple[dict[str, Any] | None, list[Operation]]:
        """The project: the one that is there, or a new one with the operations that make it."""
        inside = Equals(("organizationId",), home["id"])
        where = inside if wanted is None else all_of(inside, Equals(("slug",), wanted[1]))
        page = await self._parts.store.find(Find(PROJECTS, where, descending=False, limit=1))
        for found in orjson.loads(page.items):
            present: dict[str, Any] = found
            return present, []
        if wanted is None:
            return None, []
        named, slug = wanted
        if not 1 <= len(named.name) <= 100:
            raise invalid("project.name", "length", "has 1 to 100 characters")
        id, ready = project_id(), format_time(now)
        fields = {
            "organizationId": home["id"],
            "name": named.name,
            "slug": slug,
            "description": None,
            "primaryCloud": "self",
            "primaryRegion": "local",
            "status": "active",
            "settings": {},
        }
        environment = {
            "projectId": id,
            "environment": "dev",
            "environmentType": "dev",
            "cloud": "self",
            "region": "local",
            "cluster": None,
            "status": "active",
            "deployment": {"status": "active", "startedAt": ready, "readyAt": ready},
        }
        return {"id": id, **fields}, [
            Insert(PROJECTS, id, fields, now, now),
            Insert(ENVIRONMENTS, prefixed("env"), environment, now, now),
        ]

    async def _key(self, project: dict[str, Any], *, made: bool) -> str | None:
        """The publishable key of the project's first environment; of a new project a new one."""
        inside = Equals(("projectId",), project["id"])
        page = await self._parts.store.find(Find(ENVIRONMENTS, inside, descending=False, limit=1))
        for environment in orjson.loads(page.items):
            if made:
                key = await self._keys.create(
                    type="publishable",
                    name="Default",
                    is_default=True,
                    organization_id=project["organizationId"],
                    project_id=project["id"],
                    environment_id=environment["id"],
                    environment=environment["environment"],
                )
                return str(key["key"])
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


def _slug(named: Named, field: str) -> str:
    slug = named.slug if named.slug is not None else slug_of(named.name)
    if not SLUG.match(slug):
        raise invalid(field, "pattern", "has 3 to 50 of a-z, 0-9 and -, no - at the ends")
    return slug
