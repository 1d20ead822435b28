"""Environments as requests need them: opened once, with the state of their project."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, TypeAlias, TypeVar

import orjson

from bkend.manage.control import ENVIRONMENTS, PROJECTS
from bkend.store import Database, Find, Store, StoreError

Visibility: TypeAlias = Literal["public", "private", "protected", "shared"]
_PAGE = 100
Services = TypeVar("Services")


@dataclass(frozen=True, slots=True)
class ProjectState:
    """The parts of a project that requests look at."""

    id: str
    name: str
    active: bool
    response_envelope: str
    allowed_origins: frozenset[str]
    custom_roles: frozenset[str]
    default_visibility: Visibility = "private"
    guest_public_read: bool = False
    max_upload_bytes: int | None = None
    """Of one PUT; None is the server's default."""


@dataclass(slots=True)
class EnvironmentState:
    """What is known of an environment; the same object for as long as it is open."""

    id: str
    name: str
    active: bool
    project: ProjectState

    def follow(self, newer: EnvironmentState) -> None:
        """Take over what a later reading found."""
        self.active = newer.active
        self.project = newer.project


@dataclass(frozen=True, slots=True)
class OpenEnvironment(Generic[Services]):
    """An environment ready to serve."""

    state: EnvironmentState
    store: Store
    services: Services


class Environments(Generic[Services]):
    """Opens environments on first use; their state is read anew after each control change."""

    def __init__(
        self,
        database: Database,
        build: Callable[[EnvironmentState, Store], Awaitable[Services]],
    ) -> None:
        self._database = database
        self._build = build
        self._open: dict[str, OpenEnvironment[Services]] = {}
        self._built: dict[str, OpenEnvironment[Services]] = {}
        database.control.listen(self._forget)

    def _forget(self, collection: str, ids: Sequence[str] | None) -> None:
        if collection in (ENVIRONMENTS, PROJECTS, "*"):
            self._open.clear()

    def opened(self) -> list[Services]:
        """The services of every environment opened so far."""
        return [environment.services for environment in self._built.values()]

    async def open_all(self) -> None:
        """Open every environment that there is, also those that nobody calls.

        Raises StoreError of one that cannot be opened, after all others were.
        """
        problem: StoreError | None = None
        everything = Find(ENVIRONMENTS, limit=_PAGE, descending=False)
        while items := orjson.loads((await self._database.control.find(everything)).items):
            for document in items:
                try:
                    await self.get(document["id"])
                except StoreError as error:
                    problem = error
            everything = replace(everything, offset=everything.offset + _PAGE)
        if problem is not None:
            raise problem

    def cached(self, id: str) -> OpenEnvironment[Services] | None:
        """The environment if it is open and its state was read since the last change."""
        return self._open.get(id)

    async def get(self, id: str) -> OpenEnvironment[Services] | None:
        """The environment, or None when it does not exist (any more)."""
        held = self._open.get(id)
        if held is not None:
            return held
        control = self._database.control
        counters = control.changes(ENVIRONMENTS), control.changes(PROJECTS)
        state = await self._state(id)
        if state is None:
            return None
        store = await self._database.environment(id)
        found = self._built.get(id)
        if found is None:
            services = await self._build(state, store)
            found = self._built.setdefault(id, OpenEnvironment(state, store, services))
        # The services hold the state they were built with: it is brought up to date for them.
        found.state.follow(state)
        found = replace(found)
        if (control.changes(ENVIRONMENTS), control.changes(PROJECTS)) == counters:
            self._open[id] = found
        return found

    async def _state(self, id: str) -> EnvironmentState | None:
        control = self._database.control
        body = await control.get(ENVIRONMENTS, id)
        if body is None:
            return None
        document: dict[str, Any] = orjson.loads(body)
        project_body = await control.get(PROJECTS, document["projectId"])
        if project_body is None:
            return None
        return EnvironmentState(
            id=id,
            name=document["environment"],
            active=document["status"] == "active",
            project=_project(orjson.loads(project_body)),
        )


def _project(document: dict[str, Any]) -> ProjectState:
    settings: dict[str, Any] = document.get("settings") or {}
    return ProjectState(
        id=document["id"],
        name=document["name"],
        active=document["status"] == "active",
        response_envelope=settings.get("responseEnvelope", "bare"),
        allowed_origins=frozenset(settings.get("allowedOrigins") or ()),
        custom_roles=frozenset(settings.get("customRoles") or ()),
        default_visibility=settings.get("storage.defaultVisibility", "private"),
        guest_public_read=settings.get("storage.guestPublicRead", False),
        max_upload_bytes=settings.get("storage.maxUploadBytes"),
    )
