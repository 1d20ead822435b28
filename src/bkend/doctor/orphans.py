"""Objects without a row, and rows without bytes (`bkend doctor --storage`).

An object has a row while a file, an upload on its way or a user's picture names its key. Keys that
belong to no environment of this server are counted and left alone: a bucket may be shared.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import orjson

from bkend.auth.collections import USERS
from bkend.core import Core
from bkend.doctor.keys import KeyList
from bkend.doctor.patient import Place, every_place
from bkend.files.collections import FILES, UPLOADS
from bkend.objects.collections import OBJECT_REMOVALS
from bkend.store import (
    ALWAYS,
    Compare,
    Condition,
    Find,
    OneOf,
    Store,
)
from bkend.store.walk import documents
from bkend.users.avatar_keys import AREA, parse_key

Kind: TypeAlias = Literal["object", "parts", "file", "upload", "avatar"]
Told: TypeAlias = Callable[[str, int, int | None], None]
"""Told what is being done, how much of it is done, and of how much, if that is known."""

SETTLED_MS = 60 * 60 * 1000
"""Younger objects are never orphans: somebody may just be about to use them."""
_LISTED = 1000
_LOOKED_UP = 200
_STEP = 500


@dataclass(frozen=True, slots=True)
class Orphan:
    """One thing that lacks its other half: an `object` or the `parts` of an upload without a row;
    a `file`, an `upload` or an `avatar` (of user `id`) without bytes."""

    kind: Kind
    place: str
    """`project/environment`."""
    key: str
    id: str = ""
    environment_id: str = ""


@dataclass(slots=True)
class Findings:
    """What a search found."""

    objects: int = 0
    rows: int = 0
    foreign: int = 0
    """Objects that belong to no environment of this server."""
    orphans: list[Orphan] = field(default_factory=list)

    @property
    def is_suspicious(self) -> bool:
        """Whether there is no object at all, though rows say so: more likely than that all are
        lost is that this is not where they are."""
        return not self.objects and any(orphan.kind == "file" for orphan in self.orphans)


class Search:
    """Goes through all objects and all rows of the server. Raises StoreError."""

    def __init__(self, core: Core, told: Told) -> None:
        self._core = core
        self._objects = core.objects
        self._told = told
        self._places: dict[str, Place] = {}

    async def find(self) -> Findings:
        """Both ways. The objects are listed before rows are read, and rows are made before their
        objects: what comes meanwhile is no orphan."""
        found = Findings()
        with closing(KeyList()) as keys:
            await self._list(keys)
            found.objects = keys.count
            self._places = {
                place.environment.state.id: place async for place in every_place(self._core)
            }
            done = 0
            for batch in keys.batches(_LOOKED_UP):
                found.orphans += await self._without_row(batch, found)
                done += len(batch)
                self._told("objects held against rows", done, keys.count)
            for place in self._places.values():
                async for orphan in self._without_bytes(place, keys, found):
                    found.orphans.append(orphan)
        async for upload in self._core.stray_uploads.found():
            id = await self._core.places.environment_of(upload.key) or ""
            name = self._places[id].name if id in self._places else "?"
            found.orphans.append(Orphan("parts", name, upload.key, upload.upload_id, id))
        return found

    async def _list(self, keys: KeyList) -> None:
        batch: list[str] = []
        async for key in self._objects.keys():
            batch.append(key)
            if len(batch) == _LISTED:
                keys.add(batch)
                batch = []
                self._told("objects listed", keys.count, None)
        keys.add(batch)

    # -- objects ----------------------------------------------------------------------------

    async def _without_row(self, keys: Sequence[str], found: Findings) -> list[Orphan]:
        by_environment: dict[str, list[str]] = defaultdict(list)
        orphans = []
        for key in keys:
            if key.startswith(f"{AREA}/"):
                orphan = await self._picture(key, found)
            else:
                id = await self._core.places.environment_of(key)
                if id in self._places:
                    by_environment[str(id)].append(key)
                else:
                    found.foreign += 1
                continue
            if orphan is not None:
                orphans.append(orphan)
        for id, some in by_environment.items():
            place = self._places[id]
            used = await keys_in_use(place.environment.store, some)
            orphans += [
                Orphan("object", place.name, key, environment_id=id)
                for key in some
                if key not in used and await self._is_settled(key)
            ]
        return orphans

    async def _picture(self, key: str, found: Findings) -> Orphan | None:
        """A picture that is no user's; of a user that no environment of that name knows, it is
        not ours to judge."""
        parsed = parse_key(key)
        if parsed is not None:
            for id, place in self._places.items():
                if place.environment.state.name != parsed.environment:
                    continue
                store = place.environment.store
                body = await store.get(USERS, parsed.user_id)
                if body is None:
                    continue
                is_used = orjson.loads(body).get("avatarKey") == key
                if is_used or not await self._is_settled(key):
                    return None
                return Orphan("object", place.name, key, parsed.user_id, id)
        found.foreign += 1
        return None

    async def _is_settled(self, key: str) -> bool:
        info = await self._objects.head(key)
        now = self._core.clock.now_ms()
        return info is not None and info.modified_at <= now - SETTLED_MS

    # -- rows -------------------------------------------------------------------------------

    async def _without_bytes(
        self, place: Place, keys: KeyList, found: Findings
    ) -> AsyncIterator[Orphan]:
        held: tuple[tuple[Kind, str, str, Condition], ...] = (
            ("file", FILES, "s3Key", ALWAYS),
            ("upload", UPLOADS, "s3Key", Compare(("objectTag",), "gt", "")),
            ("avatar", USERS, "avatarKey", Compare(("avatarKey",), "gt", "")),
        )
        state, store = place.environment.state, place.environment.store
        for kind, collection, name, where in held:
            total = await store.count(collection, where)
            done = 0
            async for row in documents(store, collection, where):
                done += 1
                found.rows += 1
                if done % _STEP == 0 or done == total:
                    self._told(f"{collection} of {place.name}", done, total)
                key = row[name]
                if key not in keys and await self._objects.head(key) is None:
                    yield Orphan(kind, place.name, key, row["id"], state.id)


async def keys_in_use(store: Store, keys: Sequence[str]) -> set[str]:
    """Those of the keys that a file or an upload holds, or that are being removed already."""
    found: set[str] = set()
    for collection, name in ((FILES, "s3Key"), (UPLOADS, "s3Key"), (OBJECT_REMOVALS, "key")):
        query = Find(collection, OneOf((name,), tuple(keys)), limit=len(keys))
        found |= {row[name] for row in orjson.loads((await store.find(query)).items)}
    return found
