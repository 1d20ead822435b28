"""Reading and changing the stored user: only live ones, only the given fields (11 §1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bkend.auth.collections import USERS
from bkend.clock import Clock
from bkend.store import Conflict, Equals, Missing, Operation, Store, Update, all_of
from bkend.store.documents import decode
from bkend.users.errors import UserNotFound

IS_LIVE = Equals(("deletedAt",), None)
_LONGEST_ID = 128


@dataclass(frozen=True, slots=True)
class Revision:
    """A change of a user: what to write, and the fields that it was derived from, which must not
    have changed meanwhile."""

    set: Mapping[str, Any]
    derived_from: tuple[str, ...] = ()
    operations: Sequence[Operation] = ()
    """For the same commit."""
    unset: tuple[str, ...] = field(default=())


class UserRecords:
    """The users of one environment."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def get(self, id: str) -> dict[str, Any]:
        """The live user; raises UserNotFound."""
        if not id or len(id) > _LONGEST_ID or not id.isprintable():
            raise UserNotFound
        body = await self._store.get(USERS, id)
        document = decode(body) if body else None
        if document is None or document.get("deletedAt"):
            raise UserNotFound
        return document

    async def write(
        self, document: dict[str, Any], changes: Mapping[str, Any], *operations: Operation
    ) -> dict[str, Any]:
        """Set the fields; none leaves the user as it is. Raises UserNotFound, Duplicate."""
        return await self.revise(document, lambda _: Revision(changes, operations=operations))

    async def revise(
        self, document: dict[str, Any], plan: Callable[[dict[str, Any]], Revision]
    ) -> dict[str, Any]:
        """Change the user as the plan says, which is asked again when what it looked at has
        changed meanwhile. Raises UserNotFound, Duplicate."""
        id = document["id"]
        while True:
            revision = plan(document)
            if not (revision.set or revision.unset or revision.operations):
                return document
            unchanged = (Equals((name,), document.get(name)) for name in revision.derived_from)
            change = Update(
                USERS,
                id,
                set=revision.set,
                unset=revision.unset,
                updated_at=self._clock.now_ms(),
                guard=all_of(IS_LIVE, *unchanged),
            )
            try:
                stored, *_ = await self._store.commit([change, *revision.operations])
            except (Conflict, Missing):
                document = await self.get(id)
                continue
            assert isinstance(stored, bytes)
            return decode(stored)
