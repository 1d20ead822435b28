"""Projects as a tenant sees and changes them (51 §3.4, §5, §6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from bkend.clock import Clock
from bkend.errors import Detail, InvalidParameters, NotFound
from bkend.ids import prefixed, project_id
from bkend.manage.activity import SYSTEM, Actor, Place, Target, difference, entry
from bkend.manage.control import ENVIRONMENTS, PROJECTS
from bkend.manage.documents import (
    CLOUDS,
    Checks,
    environment_fields,
    numbered,
    project_fields,
    slug_of,
)
from bkend.manage.errors import (
    InvalidOrigin,
    OriginLimitReached,
    ProjectLimitReached,
    ProjectSlugTaken,
)
from bkend.manage.keys import Keys
from bkend.manage.listing import Listing, page_of
from bkend.manage.project_settings import canonical_origin, checked_settings
from bkend.manage.quotas import InForce, Quotas
from bkend.manage.rights import Tenant
from bkend.store import (
    Check,
    Condition,
    Conflict,
    Duplicate,
    Equals,
    Find,
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

_ATTEMPTS = 5
_MOST_NUMBERED = 50
IS_THERE = Not(Equals(("status",), "deleted"))
_SHOWN = (
    "id",
    "organizationId",
    "name",
    "slug",
    "description",
    "primaryCloud",
    "primaryRegion",
    "status",
    "settings",
    "createdAt",
    "updatedAt",
)
_SORTS = ("name", "slug", "createdAt", "updatedAt", "status", "primaryRegion")


class Projects:
    """Finds, lists, makes and changes projects."""

    def __init__(self, store: Store, clock: Clock, keys: Keys, quotas: InForce) -> None:
        self._store = store
        self._clock = clock
        self._keys = keys
        self._quotas = quotas

    # -- reading ----------------------------------------------------------------------------

    async def find(
        self, tenant: Tenant, id_or_slug: str, organization_id: str | None = None
    ) -> dict[str, Any]:
        """The project document; a slug must be unique among the tenant's organizations, or in the
        one that is named.

        NotFound also for what the tenant has no membership of.
        """
        theirs = tuple(await tenant.organizations())
        if organization_id is not None:
            theirs = tuple(id for id in theirs if id == organization_id)
        where = all_of(
            OneOf(("organizationId",), theirs),
            any_of(Equals(("id",), id_or_slug), Equals(("slug",), id_or_slug)),
            IS_THERE,
        )
        page = await self._store.find(Find(PROJECTS, where))
        found: list[dict[str, Any]] = [
            project
            for project in orjson.loads(page.items)
            if await tenant.sees(project["organizationId"], project["id"])
        ]
        for project in found:
            if project["id"] == id_or_slug or len(found) == 1:
                return project
        if found:
            raise NotFound(f"There are several projects {id_or_slug[:64]!r}; give the id")
        raise NotFound(f"There is no project {id_or_slug[:64]!r}")

    async def page(
        self,
        organization_ids: tuple[str, ...],
        only: frozenset[str] | None,
        listing: Listing,
        *,
        status: str | None = None,
        region: str | None = None,
    ) -> tuple[list[dict[str, Any]], int]:
        """A page of the projects of these organizations, with `environmentCount`; `only` some."""
        wanted: list[Condition] = [OneOf(("organizationId",), organization_ids), IS_THERE]
        if only is not None:
            wanted.append(OneOf(("id",), tuple(only)))
        if status is not None:
            wanted.append(Equals(("status",), status))
        if region is not None:
            wanted.append(Equals(("primaryRegion",), region))
        query = listing.find(PROJECTS, all_of(*wanted), ("name", "slug", "description"), _SORTS)
        documents, total = await page_of(self._store, query)
        return [await self.shape(one) for one in documents], total

    async def shape(self, project: Mapping[str, Any]) -> dict[str, Any]:
        """The project as it is shown."""
        of_it = Equals(("projectId",), project["id"])
        count = await self._store.count(ENVIRONMENTS, of_it)
        return {**{name: project.get(name) for name in _SHOWN}, "environmentCount": count}

    # -- making -----------------------------------------------------------------------------

    async def create(
        self, organization_id: str, actor: Actor, body: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        """Project, environment `dev`, publishable key `Default`: one commit.

        Raises InvalidParameters, ProjectSlugTaken, ProjectLimitReached.
        """
        checks = Checks()
        name = checks.text("name", body.get("name"), 1, 100)
        given = body.get("slug")
        slug = slug_of(name, "app") if given is None else checks.slug(given)
        fields = project_fields(
            organization_id,
            name,
            slug,
            checks.optional_text("description", body.get("description"), 1000),
            checks.choice("primaryCloud", body.get("primaryCloud") or "self", CLOUDS),
            checks.region(body.get("primaryRegion") or "local"),
        )
        checks.done()
        for number in range(1, _MOST_NUMBERED):
            try:
                return await self._create({**fields, "slug": numbered(slug, number)}, actor)
            except ProjectSlugTaken:
                if given is not None:
                    raise
        raise ProjectSlugTaken(f"the slug {slug!r} is taken; name another one")

    async def _create(
        self, fields: dict[str, Any], actor: Actor
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        now, id, environment_id = self._clock.now_ms(), project_id(), prefixed("env")
        organization_id, author = fields["organizationId"], actor.account_id
        place = Place(organization_id, id)
        dev = Place(organization_id, id, "dev")
        key = self._keys.prepare(
            type="publishable",
            name="Default",
            is_default=True,
            organization_id=organization_id,
            project_id=id,
            environment_id=environment_id,
            environment="dev",
            created_by=author,
        )
        made: list[Operation] = [
            Insert(PROJECTS, id, fields, now, now, author),
            Insert(
                ENVIRONMENTS,
                environment_id,
                environment_fields(
                    id, "dev", now, cloud=fields["primaryCloud"], region=fields["primaryRegion"]
                ),
                now,
                now,
                author,
            ),
            key.operation,
            entry(
                "project_created",
                actor,
                place,
                Target("project", id, fields["name"]),
                now,
                difference(None, fields),
            ),
            entry(
                "environment_created", actor, dev, Target("environment", environment_id, "dev"), now
            ),
            entry(
                "access_token_created",
                actor,
                dev,
                Target("access_token", key.operation.id, "Default"),
                now,
                {"type": "publishable", "maskedKey": key.operation.fields["maskedKey"]},
            ),
        ]
        most = (await self._quotas()).projects
        if most is not None:
            theirs = all_of(Equals(("organizationId",), organization_id), IS_THERE)
            made.insert(0, Check(PROJECTS, theirs, at_most=most - 1))
        try:
            results = await self._store.commit(made)
        except Duplicate:
            raise ProjectSlugTaken(f"there is a project {fields['slug']!r} already") from None
        except Conflict:
            raise ProjectLimitReached(
                f"This server allows {most} projects in an organization"
            ) from None
        found = [orjson.loads(body) for body in results if isinstance(body, bytes)]
        author_name = actor.name if actor.type == "tenant" else None
        shown = self._keys.shown(found[2]) | {"key": key.value, "createdByName": author_name}
        return found[0], found[1], shown

    # -- changing ---------------------------------------------------------------------------

    async def update(
        self, project: Mapping[str, Any], changes: Mapping[str, Any], actor: Actor = SYSTEM
    ) -> dict[str, Any]:
        """Change name, slug, description, status, settings (merged; null brings a default back).

        Raises InvalidParameters with a detail for each value that is not allowed, ProjectSlugTaken.
        """
        checks = Checks()
        fields: dict[str, Any] = {}
        if "name" in changes:
            fields["name"] = checks.text("name", changes["name"], 1, 100)
        if "slug" in changes:
            fields["slug"] = checks.slug(changes["slug"])
        if "description" in changes:
            fields["description"] = checks.optional_text(
                "description", changes["description"], 1000
            )
        if "status" in changes:
            fields["status"] = checks.choice("status", changes["status"], ("active", "inactive"))
        settings = changes.get("settings", {})
        if not isinstance(settings, dict):
            checks.note("settings", "type", "settings is an object")
            settings = {}
        problems: list[Detail] = checks.details
        checked = checked_settings(settings, problems, (await self._quotas()).origins)
        if problems:
            raise InvalidParameters(problems[0]["message"], details=problems)
        return await self._write(project["id"], fields, lambda held: {**held, **checked}, actor)

    async def set_origins(
        self, project: Mapping[str, Any], origins: Any, actor: Actor
    ) -> dict[str, Any]:
        """Replace the list of origins; raises InvalidOrigin, OriginLimitReached."""
        if not isinstance(origins, list):
            raise InvalidOrigin("allowedOrigins is a list of origins")
        wanted = list(dict.fromkeys(_origin(one) for one in origins))
        _require_room(wanted, await self._quotas())
        return await self._write(
            project["id"], {}, lambda held: {**held, "allowedOrigins": wanted}, actor
        )

    async def add_origin(
        self, project: Mapping[str, Any], origin: Any, actor: Actor
    ) -> dict[str, Any]:
        """Allow one more origin; one that is there stays. Raises InvalidOrigin,
        OriginLimitReached."""
        wanted, quotas = _origin(origin), await self._quotas()

        def added(held: dict[str, Any]) -> dict[str, Any]:
            origins = list(dict.fromkeys([*(held.get("allowedOrigins") or ()), wanted]))
            _require_room(origins, quotas)
            return {**held, "allowedOrigins": origins}

        return await self._write(project["id"], {}, added, actor)

    async def remove_origin(
        self, project: Mapping[str, Any], origin: Any, actor: Actor
    ) -> dict[str, Any]:
        """Allow one origin less; raises InvalidOrigin, NotFound."""
        wanted = _origin(origin)

        def removed(held: dict[str, Any]) -> dict[str, Any]:
            origins = list(held.get("allowedOrigins") or ())
            if wanted not in origins:
                raise NotFound(f"{wanted} is not in the list")
            return {**held, "allowedOrigins": [one for one in origins if one != wanted]}

        return await self._write(project["id"], {}, removed, actor)

    async def _write(
        self, id: str, fields: dict[str, Any], settings: Any, actor: Actor
    ) -> dict[str, Any]:
        for _ in range(_ATTEMPTS):
            body = await self._store.get(PROJECTS, id)
            if body is None:
                break
            held = orjson.loads(body)
            before: dict[str, Any] = held.get("settings") or {}
            wanted = {n: v for n, v in settings(before).items() if v is not None}
            now, after = self._clock.now_ms(), {**held, **fields, "settings": wanted}
            change = Update(
                PROJECTS,
                id,
                set={**fields, "settings": wanted},
                updated_at=now,
                guard=all_of(Equals(("settings",), held.get("settings")), IS_THERE),
            )
            place = Place(held["organizationId"], id)
            target = Target("project", id, after["name"])
            difference_of = difference(held, after)
            said = entry("project_updated", actor, place, target, now, difference_of)
            operations: list[Operation] = [change, said] if difference_of["changed"] else [change]
            try:
                [stored, *_] = await self._store.commit(operations)
            except Conflict:
                continue
            except Duplicate:
                raise ProjectSlugTaken(f"there is a project {fields['slug']!r} already") from None
            except Missing:
                break
            assert isinstance(stored, bytes)
            found: dict[str, Any] = orjson.loads(stored)
            return found
        raise NotFound


def _require_room(origins: list[str], quotas: Quotas) -> None:
    if len(origins) > quotas.origins:
        raise OriginLimitReached(f"A project lists at most {quotas.origins} origins")


def _origin(text: Any) -> str:
    origin = canonical_origin(text)
    if origin is None:
        raise InvalidOrigin(
            "an origin is https://host[:port], or http://localhost, 127.0.0.1, [::1] with any port"
        )
    return origin
