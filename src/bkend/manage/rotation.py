"""Bringing sealed values under the secret in force, and going on after one was lost (51 §10)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from bkend.manage.control import ENVIRONMENTS
from bkend.sealing import SealedField, Sealer, Unsealable
from bkend.store import (
    Compare,
    Condition,
    Conflict,
    Database,
    Equals,
    Missing,
    Store,
    Update,
)
from bkend.store.walk import documents

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a walk over the sealed values found."""

    resealed: int
    """Values that are now under the secret in force."""
    unopened: int
    """Values that none of the secrets opens."""


class SealedValues:
    """Every sealed value of the control store and of every environment."""

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        fields: Sequence[SealedField],
        control: Sequence[SealedField] = (),
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._fields = fields
        self._control = control

    async def count(self) -> int:
        """How many there are."""
        found = 0
        async for store, field in self._places():
            found += await store.count(field.collection, _has(field))
        return found

    async def reseal(self, tick: Callable[[], None] = lambda: None) -> Sealed:
        """Seal with the secret in force what is under an earlier one; `tick` after each value.

        It may be interrupted and repeated: what opens stays readable throughout.
        """
        resealed = unopened = 0
        async for store, field in self._places():
            async for document in documents(store, field.collection, _has(field)):
                try:
                    resealed += await self._renew(store, field, document)
                except Unsealable:
                    unopened += 1
                    log.warning(
                        "a sealed value cannot be opened",
                        collection=field.collection,
                        id=document["id"],
                        field=field.field,
                    )
                tick()
        return Sealed(resealed, unopened)

    async def forget_lost(self) -> int:
        """Remove what cannot be opened, each in the way of its part; how many there were."""
        lost = 0
        async for store, field in self._places():
            async for document in documents(store, field.collection, _has(field)):
                try:
                    self._sealer.unseal(field.purpose(document), document[field.field])
                except Unsealable:
                    try:
                        await store.commit(field.forget(document))
                    except (Conflict, Missing):
                        continue  # it went away meanwhile
                    lost += 1
        return lost

    async def stores(self) -> AsyncIterator[Store]:
        """The store of every environment."""
        async for document in documents(self._database.control, ENVIRONMENTS):
            yield await self._database.environment(document["id"])

    async def _places(self) -> AsyncIterator[tuple[Store, SealedField]]:
        for field in self._control:
            yield self._database.control, field
        async for store in self.stores():
            for field in self._fields:
                if store.collection(field.collection) is not None:
                    yield store, field

    async def _renew(self, store: Store, field: SealedField, document: dict[str, Any]) -> int:
        sealed = document[field.field]
        renewed = self._sealer.resealed(field.purpose(document), sealed)
        if renewed is None:
            return 0
        is_same = Equals((field.field,), sealed)
        change = Update(field.collection, document["id"], set={field.field: renewed}, guard=is_same)
        try:
            await store.commit([change])
        except (Conflict, Missing):
            return 0  # replaced or removed meanwhile
        return 1


def _has(field: SealedField) -> Condition:
    return Compare((field.field,), "gt", "")
