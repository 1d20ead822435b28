"""Environments as requests need them: opened once, with the state of their project."""

from __future__ import annotations

import asyncio
import weakref
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Literal, TypeAlias, TypeVar
from weakref import WeakValueDictionary

import orjson

from bkend.manage.control import ENVIRONMENTS, ORGANIZATIONS, PROJECTS
from bkend.manage.limits import Limits, limits_of
from bkend.manage.usage import CallCounter
from bkend.store import Database, Find, Store, StoreError

Visibility: TypeAlias = Literal["public", "private", "protected", "shared"]
_PAGE = 100
_PAUSE_SECONDS = 0.01
Services = TypeVar("Services")


async def _never(id: str) -> bool:
    return False


async def _nothing(environment: object) -> None:
    pass


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
    limits: Limits | None = None
    """None when everybody may call, as often as they like."""


@dataclass(slots=True)
class EnvironmentState:
    """What is known of an environment; the same object for as long as it is open."""

    id: str
    name: str
    active: bool
    project: ProjectState
    calls: CallCounter = field(default_factory=CallCounter)
    """The calls of its apps; shared by all that was ever opened of it in this process."""

    def follow(self, newer: EnvironmentState) -> None:
        """Take over what a later reading found."""
        self.active = newer.active
        self.project = newer.project


@dataclass(eq=False, slots=True, weakref_slot=True)
class _Held(Generic[Services]):
    """A built environment. It is closed once neither the cache nor a request holds it."""

    id: str
    state: EnvironmentState
    store: Store
    services: Services


@dataclass(frozen=True, slots=True, weakref_slot=True)
class OpenEnvironment(Generic[Services]):
    """An environment ready to serve; whoever keeps it keeps it open."""

    state: EnvironmentState
    store: Store
    services: Services
    held: _Held[Services]


class Environments(Generic[Services]):
    """Opens environments on first use; their state is read anew after each control change.

    Of those that nobody uses at the moment at most `limit` stay open, the ones used last.
    """

    def __init__(
        self,
        database: Database,
        build: Callable[[EnvironmentState, Store], Awaitable[Services]],
        *,
        limit: int = 128,
        wrap: Callable[[Store], Store] = lambda store: store,
        is_busy: Callable[[str], Awaitable[bool]] = _never,
        closed: Callable[[str], None] = lambda id: None,
    ) -> None:
        """`wrap` is put around every store, `is_busy` tells that one has work to do of its own,
        `closed` hears of those that were closed."""
        self._database = database
        self._build = build
        self._limit = limit
        self._wrap = wrap
        self._is_busy = is_busy
        self._closed = closed
        self._open: dict[str, OpenEnvironment[Services]] = {}
        self._built: OrderedDict[str, _Held[Services]] = OrderedDict()
        self._alive: WeakValueDictionary[str, _Held[Services]] = WeakValueDictionary()
        self._building: dict[str, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        database.control.listen(self._forget)

    def _forget(self, collection: str, ids: Sequence[str] | None) -> None:
        if collection in (ENVIRONMENTS, PROJECTS, ORGANIZATIONS, "*"):
            self._open.clear()

    def forget(self, id: str) -> None:
        """Let go of an environment that is being deleted, whoever uses it."""
        self._drop(id)
        self._alive.pop(id, None)
        self._closed(id)

    def _drop(self, id: str) -> None:
        """Let go of an environment; it is closed once nobody uses it."""
        self._open.pop(id, None)
        self._built.pop(id, None)

    def opened(self) -> list[Services]:
        """The services of every environment that is open."""
        return [held.services for held in self._built.values()]

    async def each(self, work: Callable[[OpenEnvironment[Services]], Awaitable[None]]) -> None:
        """Do the work in every environment that there is, also in those that nobody calls: they
        are opened for it, one after the other, with pauses for those who wait for an answer.

        Raises StoreError of one that cannot be opened, after all others were.
        """
        problem: StoreError | None = None
        seen: set[str] = set()
        everything = Find(ENVIRONMENTS, limit=_PAGE, descending=False)
        while items := orjson.loads((await self._database.control.find(everything)).items):
            for document in items:
                seen.add(document["id"])
                was_open = document["id"] in self._built
                try:
                    found = await self.get(document["id"])
                except StoreError as error:
                    problem = error
                    continue
                if found is not None:
                    await work(found)
                if not was_open:
                    await asyncio.sleep(_PAUSE_SECONDS)
            everything = replace(everything, offset=everything.offset + _PAGE)
        for id in self._built.keys() - seen:
            await self.get(id)  # which drops what another process has deleted
        if problem is not None:
            raise problem

    async def open_all(self) -> None:
        """Open every environment once; raises StoreError as `each` does."""
        await self.each(_nothing)

    def cached(self, id: str) -> OpenEnvironment[Services] | None:
        """The environment if it is open and its state was read since the last change."""
        found = self._open.get(id)
        if found is not None:
            self._built.move_to_end(id)
        return found

    async def get(self, id: str) -> OpenEnvironment[Services] | None:
        """The environment, or None when it does not exist (any more)."""
        opened = self.cached(id)
        if opened is not None:
            return opened
        control = self._database.control
        counters = self._counters(control)
        state = await self._state(id)
        if state is None:
            self._drop(id)
            return None
        held = await self._hold(id, state)
        # The services hold the state they were built with: it is brought up to date for them.
        held.state.follow(state)
        found = OpenEnvironment(held.state, held.store, held.services, held)
        if self._counters(control) == counters and id in self._built:
            self._open[id] = found
        return found

    @staticmethod
    def _counters(control: Store) -> tuple[int, ...]:
        return tuple(control.changes(name) for name in (ENVIRONMENTS, PROJECTS, ORGANIZATIONS))

    async def _hold(self, id: str, state: EnvironmentState) -> _Held[Services]:
        held = self._built.get(id) or self._alive.get(id)
        if held is None:
            try:
                async with self._building.setdefault(id, asyncio.Lock()):
                    held = self._built.get(id) or self._alive.get(id)
                    if held is None:
                        store = self._wrap(await self._database.environment(id))
                        held = _Held(id, state, store, await self._build(state, store))
                        self._alive[id] = held
                        weakref.finalize(held, self._let_go, id).atexit = False
            finally:
                self._building.pop(id, None)
        self._built[id] = held
        self._built.move_to_end(id)
        await self._make_room()
        return held

    # -- closing ----------------------------------------------------------------------------

    async def _make_room(self) -> None:
        """Let go of what was not used for longest; not of what has work to do of its own."""
        for id in list(self._built)[:-1]:
            if len(self._built) <= self._limit:
                return
            if not await self._is_busy(id):
                self._drop(id)

    def _let_go(self, id: str) -> None:
        """Called when the last holder is gone, from wherever that happens to be."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return  # the server is at its end
        task = loop.create_task(self._close(id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _close(self, id: str) -> None:
        if id in self._alive or id in self._building:
            return  # opened again meanwhile
        self._closed(id)
        await self._database.close_environment(id)

    # -- state ------------------------------------------------------------------------------

    async def _state(self, id: str) -> EnvironmentState | None:
        control = self._database.control
        body = await control.get(ENVIRONMENTS, id)
        if body is None:
            return None
        document: dict[str, Any] = orjson.loads(body)
        if document["status"] == "deleting":
            return None
        project_body = await control.get(PROJECTS, document["projectId"])
        if project_body is None:
            return None
        project: dict[str, Any] = orjson.loads(project_body)
        owner = await control.get(ORGANIZATIONS, project["organizationId"])
        is_active = owner is not None and orjson.loads(owner)["status"] == "active"
        return EnvironmentState(
            id=id,
            name=document["environment"],
            active=document["status"] == "active" and is_active,
            project=_project(project),
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
        limits=limits_of(settings),
    )
