"""Organizations, projects and environments: finding them, and the first ones (51 §2, §5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from bkend.clock import Clock
from bkend.ids import prefixed, project_id
from bkend.manage import activity
from bkend.manage.activity import SYSTEM, Actor, Target, entry
from bkend.manage.control import ENVIRONMENTS, ORGANIZATIONS, PROJECTS
from bkend.manage.documents import (
    ENVIRONMENT_NAME,
    SLUG,
    environment_fields,
    organization_fields,
    project_fields,
    slug_of,
)
from bkend.manage.keys import Keys, KeyType
from bkend.store import ALWAYS, Condition, Duplicate, Equals, Find, Insert, Not, Store, all_of


class HierarchyProblem(Exception):
    """A name is malformed or unknown; the message says which and what would do."""


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """What `bkend init` answers (00 §8); secrets are None unless this run made them."""

    organization_id: str
    project_id: str
    project_slug: str
    environment: str
    publishable_key: str | None
    secret_key: str | None
    management_token: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """An environment and what it belongs to."""

    organization_id: str
    project_id: str
    project_slug: str
    environment_id: str
    environment: str


class Hierarchy:
    """Reads and first writes of organizations, projects and environments."""

    def __init__(self, store: Store, keys: Keys, clock: Clock) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock

    async def environment(self, project_slug: str, name: str) -> dict[str, Any]:
        """The environment document by project slug (or id) and name; HierarchyProblem if none."""
        return await self._named_environment(await self._named_project(project_slug), name)

    async def place(self, project_slug: str | None, name: str | None) -> Place:
        """The named environment; what is None must be the only one. HierarchyProblem if none."""
        project = await self._named_project(project_slug)
        found = await self._named_environment(project, name)
        return Place(
            organization_id=project["organizationId"],
            project_id=project["id"],
            project_slug=project["slug"],
            environment_id=found["id"],
            environment=found["environment"],
        )

    async def project_slugs(self) -> dict[str, str]:
        """Slugs by project id, of up to 500 projects."""
        page = await self._store.find(Find(PROJECTS, limit=500))
        return {project["id"]: project["slug"] for project in orjson.loads(page.items)}

    async def _named_project(self, slug: str | None) -> dict[str, Any]:
        if slug is None:
            return await self._only(PROJECTS, "slug", ALWAYS, "project")
        project = await self._one(PROJECTS, Equals(("slug",), slug))
        if project is None:
            project = await self._one(PROJECTS, Equals(("id",), slug))
        if project is None:
            raise HierarchyProblem(
                f"there is no project {slug!r}{await self._known(PROJECTS, 'slug')}"
            )
        return project

    async def _named_environment(self, project: dict[str, Any], name: str | None) -> dict[str, Any]:
        kept = Not(Equals(("status",), "deleting"))
        of_project = all_of(Equals(("projectId",), project["id"]), kept)
        if name is None:
            return await self._only(ENVIRONMENTS, "environment", of_project, "environment")
        found = await self._one(ENVIRONMENTS, all_of(of_project, Equals(("environment",), name)))
        if found is None:
            known = await self._known(ENVIRONMENTS, "environment", of_project)
            raise HierarchyProblem(
                f"project {project['slug']!r} has no environment {name!r}{known}"
            )
        return found

    async def _only(
        self, collection: str, field: str, where: Condition, word: str
    ) -> dict[str, Any]:
        """The one document that there is; HierarchyProblem when there are none or several."""
        page = await self._store.find(Find(collection, where, descending=False, limit=1))
        if page.total == 0:
            raise HierarchyProblem(f"there is no {word} yet; run `bkend init`")
        if page.total > 1:
            known = await self._known(collection, field, where)
            raise HierarchyProblem(f"there are several; name one {word}{known}")
        found: dict[str, Any] = orjson.loads(page.items)[0]
        return found

    async def bootstrap(
        self,
        organization: str | None = None,
        project: str | None = None,
        environment: str | None = None,
        actor: Actor = SYSTEM,
    ) -> Bootstrap:
        """The first organization, project, environment and keys; again: whatever is missing.

        Without names, what is there first is taken, and `default`, `app`, `dev` made otherwise.
        What is made is reported as the actor's.
        """
        _check_names(organization, project, environment)
        owner = await self._organization(organization, actor)
        home = await self._project(owner["id"], project, actor)
        place = await self._environment(home, environment, actor)
        known = await self._keys.list(place["id"])
        usable = [key for key in known if key["status"] == "active"]
        publishable = next((k["key"] for k in usable if k["type"] == "publishable"), None)
        site = activity.Place(owner["id"], home["id"], place["environment"])
        common: dict[str, Any] = {
            "organization_id": owner["id"],
            "project_id": home["id"],
            "environment_id": place["id"],
            "environment": place["environment"],
        }
        secret = token = None
        if publishable is None:
            publishable = await self._key(
                "publishable", "Default", site, actor, is_default=True, **common
            )
        if not any(key["type"] == "secret" for key in known):
            secret = await self._key("secret", "Server", site, actor, **common)
        if place.get("fresh"):
            site = activity.Place(owner["id"])
            token = await self._key(
                "bearer", "Command line", site, actor, organization_id=owner["id"], role="owner"
            )
        return Bootstrap(
            organization_id=owner["id"],
            project_id=home["id"],
            project_slug=home["slug"],
            environment=place["environment"],
            publishable_key=publishable,
            secret_key=secret,
            management_token=token,
        )

    async def _key(
        self, type: KeyType, name: str, site: activity.Place, actor: Actor, **options: Any
    ) -> str:
        """The value of a new key, which is reported where `site` says."""
        new = self._keys.prepare(type=type, name=name, **options)
        said = entry(
            "access_token_created",
            actor,
            site,
            Target("access_token", new.operation.id, name),
            self._clock.now_ms(),
            {"type": type, "maskedKey": new.operation.fields["maskedKey"]},
        )
        await self._keys.store_new(new, said)
        return new.value

    async def _organization(self, name: str | None, actor: Actor) -> dict[str, Any]:
        found = await self._one(
            ORGANIZATIONS, Equals(("name",), name) if name else Equals(("status",), "active")
        )
        if found is not None:
            return found
        name, id = name or "Default", prefixed("org")
        fields = organization_fields(name, slug_of(name, "org"))
        site, target = activity.Place(id), Target("organization", id, name)
        said = entry("organization_created", actor, site, target, self._clock.now_ms())
        return await self._insert(
            ORGANIZATIONS, id, fields, Equals(("slug",), slug_of(name, "org")), said
        )

    async def _project(
        self, organization_id: str, slug: str | None, actor: Actor
    ) -> dict[str, Any]:
        inside = Equals(("organizationId",), organization_id)
        found = await self._one(
            PROJECTS, all_of(inside, Equals(("slug",), slug)) if slug else inside
        )
        if found is not None:
            return found
        slug, id = slug or "app", project_id()
        site, target = activity.Place(organization_id, id), Target("project", id, slug)
        said = entry("project_created", actor, site, target, self._clock.now_ms())
        return await self._insert(
            PROJECTS,
            id,
            project_fields(organization_id, slug, slug),
            all_of(inside, Equals(("slug",), slug)),
            said,
        )

    async def _environment(
        self, project: dict[str, Any], name: str | None, actor: Actor
    ) -> dict[str, Any]:
        inside = Equals(("projectId",), project["id"])
        found = await self._one(
            ENVIRONMENTS, all_of(inside, Equals(("environment",), name)) if name else inside
        )
        if found is not None:
            return found
        name, id, now = name or "dev", prefixed("env"), self._clock.now_ms()
        fields = environment_fields(project["id"], name, now)
        site = activity.Place(project["organizationId"], project["id"], name)
        kind = {"environmentType": fields["environmentType"]}
        target = Target("environment", id, name)
        said = entry("environment_created", actor, site, target, now, kind)
        return await self._insert(
            ENVIRONMENTS, id, fields, all_of(inside, Equals(("environment",), name)), said
        )

    async def _insert(
        self, collection: str, id: str, fields: dict[str, Any], same: Condition, said: Insert
    ) -> dict[str, Any]:
        """Insert and report, or take what another process made at the same moment."""
        now = self._clock.now_ms()
        try:
            [body, _] = await self._store.commit([Insert(collection, id, fields, now, now), said])
        except Duplicate:
            found = await self._one(collection, same)
            assert found is not None
            return found
        assert isinstance(body, bytes)
        document: dict[str, Any] = orjson.loads(body)
        return document | {"fresh": True}

    async def _one(self, collection: str, where: Condition) -> dict[str, Any] | None:
        page = await self._store.find(Find(collection, where, descending=False, limit=1))
        found = orjson.loads(page.items)
        return found[0] if found else None

    async def _known(self, collection: str, field: str, where: Condition = ALWAYS) -> str:
        query = Find(collection, where, limit=20)
        names = [item[field] for item in orjson.loads((await self._store.find(query)).items)]
        return f"; known: {', '.join(sorted(names))}" if names else ""


def _check_names(organization: str | None, project: str | None, environment: str | None) -> None:
    if organization is not None and not 1 <= len(organization.strip()) <= 100:
        raise HierarchyProblem("the name of an organization has 1 to 100 characters")
    if project is not None and not SLUG.match(project):
        raise HierarchyProblem(
            f"{project!r} cannot be a project slug: 3 to 50 of a-z, 0-9 and -, no - at the ends"
        )
    if environment is not None and not ENVIRONMENT_NAME.match(environment):
        raise HierarchyProblem(
            f"{environment!r} cannot be an environment name: a letter, then up to 29 of a-z, 0-9, -"
        )
