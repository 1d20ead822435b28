"""Which environment a key belongs to: it stands in the key, or the control store knows (30 §3)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import orjson

from bkend.clock import Clock
from bkend.files.names import place_of
from bkend.ids import uuid4
from bkend.manage.control import ENVIRONMENTS, FILE_KEYS
from bkend.store import DeleteWhere, Equals, Find, Insert, Store, all_of


class Places:
    """The keys of the whole server."""

    def __init__(self, control: Store, clock: Clock) -> None:
        self._control = control
        self._clock = clock
        self._known: dict[tuple[str, str], str] = {}
        control.listen(self._forget)

    def _forget(self, collection: str, ids: Sequence[str] | None) -> None:
        if collection in (ENVIRONMENTS, "*"):
            self._known.clear()

    def at_once(self, key: str) -> str | None:
        """The same, where that needs no waiting; None says nothing."""
        place = place_of(key)
        return self._known.get(place) if place else None

    async def environment_of(self, key: str) -> str | None:
        """The id of the environment that the key belongs to, if any."""
        place = place_of(key)
        found = await self._named(place) if place else None
        if found is not None:
            return found
        for row in await self._find(FILE_KEYS, ("key", key)):
            return str(row["environmentId"])
        return None

    async def claim(self, environment_id: str, keys: Iterable[str]) -> None:
        """Note keys of imported files as this environment's; raises Duplicate for one that is
        taken. Keys that begin with their own project and environment need none."""
        now = self._clock.now_ms()
        await self._control.commit(
            [
                Insert(FILE_KEYS, uuid4(), {"key": key, "environmentId": environment_id}, now, now)
                for key in keys
            ]
        )

    async def release(self, environment_id: str) -> None:
        """Forget the keys of an environment that is deleted."""
        of_it = Equals(("environmentId",), environment_id)
        await self._control.commit([DeleteWhere(FILE_KEYS, of_it)])

    async def _named(self, place: tuple[str, str]) -> str | None:
        held = self._known.get(place)
        if held is not None:
            return held
        project, name = place
        for row in await self._find(ENVIRONMENTS, ("projectId", project), ("environment", name)):
            return self._known.setdefault(place, str(row["id"]))
        return None

    async def _find(self, collection: str, *fields: tuple[str, str]) -> list[dict[str, str]]:
        where = all_of(*(Equals((name,), value) for name, value in fields))
        page = await self._control.find(Find(collection, where, limit=1))
        found: list[dict[str, str]] = orjson.loads(page.items)
        return found
