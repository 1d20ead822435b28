"""Organizations, projects and environments: finding them, and the first ones (51 §2, §5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from bkend.clock import Clock
from bkend.ids import prefixed, project_id
from bkend.manage.control import ENVIRONMENTS, ORGANIZATIONS, PROJECTS
from bkend.manage.documents import (
    ENVIRONMENT_NAME,
    SLUG,
    environment_fields,
    organization_fields,
    project_fields,
    slug_of,
)
from bkend.manage.keys import Keys
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
    ) -> Bootstrap:
        """The first organization, project, environment and keys; again: whatever is missing.

        Without names, what is there first is taken, and `default`, `app`, `dev` made otherwise.
        """
        _check_names(organization, project, environment)
        owner = await self._organization(organization)
        home = await self._project(owner["id"], project)
        place = await self._environment(home, environment)
        known = await self._keys.list(place["id"])
        usable = [key for key in known if key["status"] == "active"]
        publishable = next((k["key"] for k in usable if k["type"] == "publishable"), None)
        common: dict[str, Any] = {
            "organization_id": owner["id"],
            "project_id": home["id"],
            "environment_id": place["id"],
            "environment": place["environment"],
        }
        secret = token = None
        if publishable is None:
            made = await self._keys.create(
                type="publishable", name="Default", is_default=True, **common
            )
            publishable = made["key"]
        if not any(key["type"] == "secret" for key in known):
            secret = (await self._keys.create(type="secret", name="Server", **common))["key"]
        if place.get("fresh"):
            made = await self._keys.create(
                type="bearer", name="Command line", organization_id=owner["id"], role="owner"
            )
            token = made["key"]
        return Bootstrap(
            organization_id=owner["id"],
            project_id=home["id"],
            project_slug=home["slug"],
            environment=place["environment"],
            publishable_key=publishable,
            secret_key=secret,
            management_token=token,
        )

    async def _organization(self, name: str | None) -> dict[str, Any]:
        found = await self._one(
            ORGANIZATIONS, Equals(("name",), name) if name else Equals(("status",), "active")
        )
        name = name or "Default"
        return found or await self._insert(
            ORGANIZATIONS,
            prefixed("org"),
            organization_fields(name, slug_of(name, "org")),
            Equals(("slug",), slug_of(name, "org")),
        )

    async def _project(self, organization_id: str, slug: str | None) -> dict[str, Any]:
        inside = Equals(("organizationId",), organization_id)
        wanted = all_of(inside, Equals(("slug",), slug)) if slug else inside
        found = await self._one(PROJECTS, wanted)
        slug = slug or "app"
        return found or await self._insert(
            PROJECTS,
            project_id(),
            project_fields(organization_id, slug, slug),
            all_of(inside, Equals(("slug",), slug)),
        )

    async def _environment(self, project: dict[str, Any], name: str | None) -> dict[str, Any]:
        inside = Equals(("projectId",), project["id"])
        wanted = all_of(inside, Equals(("environment",), name)) if name else inside
        found = await self._one(ENVIRONMENTS, wanted)
        name = name or "dev"
        return found or await self._insert(
            ENVIRONMENTS,
            prefixed("env"),
            environment_fields(project["id"], name, self._clock.now_ms()),
            all_of(inside, Equals(("environment",), name)),
        )

    async def _insert(
        self, collection: str, id: str, fields: dict[str, Any], same: Condition
    ) -> dict[str, Any]:
        """Insert, or take what another process made at the same moment."""
        now = self._clock.now_ms()
        try:
            [body] = await self._store.commit([Insert(collection, id, fields, now, now)])
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
