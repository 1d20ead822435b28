"""Documents read lately, kept in memory until they change.

A query of one row costs the event loop more than everything else in a read, most of it in letting
other threads run; a document that is asked for again needs none.
"""

from __future__ import annotations

from collections import deque

_OVERHEAD = 200
"""About what an entry takes beside its bytes: the id, two slots, object headers."""
_LARGEST = 64 * 1024


class RecentBudget:
    """How much memory all stores of a database spend on recent documents together.

    Documents are young when they come, and again when they are read. When the budget is spent, an
    old one goes for each that comes; when half of it is young, all grow old, and those that were
    not young before are the first to go.
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
        self._young: dict[str, dict[str, bytes]] = {}
        self._old: dict[str, dict[str, bytes]] = {}
        self._leaving: list[tuple[str, list[str]]] = []
        """The ids of the old by collection, those that came last first."""
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
        aging = self._old.get(collection)
        if aging is not None:
            body = aging.pop(id, None)
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
        for generation in (self._young, self._old):
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
        for generation in (self._young, self._old):
            for collection in list(generation):
                self._give_back(generation, collection)

    def grow_old(self) -> None:
        """What is kept has to be read again before it counts as recent."""
        for collection, held in self._young.items():
            self._old.setdefault(collection, {}).update(held)
        self._young = {}
        self._leaving = [(name, list(reversed(held))) for name, held in self._old.items()]

    def drop_one(self) -> bool:
        """Drop the document longest here that was not read since all grew old; whether there was
        one."""
        while self._leaving:
            collection, ids = self._leaving[-1]
            held = self._old.get(collection)
            while ids and held:
                body = held.pop(ids.pop(), None)
                if body is not None:
                    self._budget.give_back(1, len(body), young=False)
                    return True
            self._leaving.pop()
        return False

    def close(self) -> None:
        """Give the memory back."""
        self.clear()
        self._budget.leave(self)

    def _give_back(self, generation: dict[str, dict[str, bytes]], collection: str) -> None:
        held = generation.pop(collection, {})
        size = sum(map(len, held.values()))
        self._budget.give_back(len(held), size, young=generation is self._young)
