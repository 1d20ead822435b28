"""Documents read lately, kept in memory until they change.

A query of one row costs the event loop more than everything else in a read, most of it in letting
other threads run; a document that is asked for again needs none.
"""

from __future__ import annotations

from collections import deque
from typing import TypeAlias

_OVERHEAD = 200
"""About what an entry takes beside its bytes: the id, two slots, object headers."""
_LARGEST = 64 * 1024
_GENERATIONS = 4
"""Of old documents, in all of which a document is looked for before the database is asked."""

_Generation: TypeAlias = dict[str, dict[str, bytes]]
"""Documents by collection and id that came, or were last read, about the same time."""


class RecentBudget:
    """How much memory all stores of a database spend on recent documents together.

    Documents are young when they come, and again when they are read. When the budget is spent, an
    old one goes for each that comes; when half of it is young, all grow old, and those that have
    been old for longest are the first to go.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0
        self._young = 0
        self._members: deque[RecentDocuments] = deque()

    @property
    def has_room(self) -> bool:
        """Whether documents may be kept that nobody has asked for yet."""
        return self._held * 8 < self._limit * 7

    def join(self, member: RecentDocuments) -> None:
        """Count in a store's documents."""
        self._members.append(member)

    def leave(self, member: RecentDocuments) -> None:
        """The store was closed."""
        self._members.remove(member)

    def admits(self, size: int) -> bool:
        """Make room for a young document; False when one of that size is not worth it."""
        if size > min(_LARGEST, self._limit // 2):
            return False
        if self._young > self._limit // 2:
            self._grow_old()
        self._held += size + _OVERHEAD
        self._young += size + _OVERHEAD
        while self._held > self._limit and self._drop_one():
            pass
        return True

    def grows_young(self, size: int) -> None:
        """An old document was read."""
        self._young += size + _OVERHEAD

    def give_back(self, count: int, size: int, *, young: bool) -> None:
        """So many documents of so many bytes together are no longer kept."""
        self._held -= size + count * _OVERHEAD
        if young:
            self._young -= size + count * _OVERHEAD

    def _drop_one(self) -> bool:
        for _ in range(len(self._members)):
            if self._members[0].drop_one():
                return True
            self._members.rotate(-1)
        if not self._young:
            return False
        self._grow_old()
        return self._drop_one()

    def _grow_old(self) -> None:
        for member in self._members:
            member.grow_old()
        self._young = 0


class RecentDocuments:
    """The recent documents of one store, by collection and id.

    They are those of the last commit that was delivered. While another commit is on its way to
    its callers, whoever asks is told nothing: it must see what queries see.
    """

    def __init__(self, budget: RecentBudget) -> None:
        self._budget = budget
        self._young: _Generation = {}
        self._older: deque[_Generation] = deque()
        """What grew old together stays together, the oldest first: nothing is moved."""
        self.delivered = 0
        """The number of the commit whose changes were taken note of last."""
        budget.join(self)

    @property
    def has_room(self) -> bool:
        """Whether documents may be kept that nobody has asked for yet."""
        return self._budget.has_room

    def get(self, collection: str, id: str) -> bytes | None:
        """The document if it is kept."""
        held = self._young.get(collection)
        if held is not None:
            body = held.get(id)
            if body is not None:
                return body
        for generation in self._older:
            aging = generation.get(collection)
            body = None if aging is None else aging.pop(id, None)
            if body is not None:
                if held is None:
                    held = self._young[collection] = {}
                held[id] = body
                self._budget.grows_young(len(body))
                return body
        return None

    def put(self, collection: str, id: str, body: bytes) -> None:
        """Keep a document, read from a snapshot no older than the last delivered commit."""
        self.forget(collection, [id])
        if self._budget.admits(len(body)):
            held = self._young.get(collection)
            if held is None:
                held = self._young[collection] = {}
            held[id] = body

    def forget(self, collection: str, ids: list[str] | None) -> None:
        """These documents changed; None is "any of the collection"."""
        for generation in (self._young, *self._older):
            if ids is None:
                self._give_back(generation, collection)
                continue
            held = generation.get(collection)
            if held:
                for id in ids:
                    body = held.pop(id, None)
                    if body is not None:
                        young = generation is self._young
                        self._budget.give_back(1, len(body), young=young)

    def clear(self) -> None:
        """Anything may have changed."""
        for generation in (self._young, *self._older):
            for collection in list(generation):
                self._give_back(generation, collection)
        self._older.clear()

    def grow_old(self) -> None:
        """What is kept has to be read again before it counts as recent."""
        if self._young:
            self._older.append(self._young)
            self._young = {}
        if len(self._older) > _GENERATIONS:
            self._merge_oldest()

    def drop_one(self) -> bool:
        """Drop a document of the oldest that were not read since they grew old; whether there
        was one."""
        while self._older:
            oldest = self._older[0]
            while oldest:
                collection, held = next(iter(oldest.items()))
                if held:
                    _, body = held.popitem()
                    self._budget.give_back(1, len(body), young=False)
                    return True
                del oldest[collection]
            self._older.popleft()
        return False

    def close(self) -> None:
        """Give the memory back."""
        self.clear()
        self._budget.leave(self)

    def _merge_oldest(self) -> None:
        """Make one generation of the two oldest, moving the fewer documents."""
        first, second = self._older.popleft(), self._older.popleft()
        if _size(first) < _size(second):
            first, second = second, first
        for collection, held in second.items():
            into = first.setdefault(collection, {})
            if len(into) < len(held):
                held.update(into)
                first[collection] = held
            else:
                into.update(held)
        self._older.appendleft(first)

    def _give_back(self, generation: _Generation, collection: str) -> None:
        held = generation.pop(collection, {})
        size = sum(map(len, held.values()))
        self._budget.give_back(len(held), size, young=generation is self._young)


def _size(generation: _Generation) -> int:
    return sum(map(len, generation.values()))
