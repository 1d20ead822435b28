"""Documents read lately, kept in memory until they change.

A query of one row costs the event loop more than everything else in a read, most of it in letting
other threads run; a document that is asked for again needs none.
"""

from __future__ import annotations

_OVERHEAD = 200
"""About what an entry takes beside its bytes: the id, two slots, object headers."""
_LARGEST = 64 * 1024


class RecentBudget:
    """How much memory all stores of a database spend on recent documents together.

    Documents live in two generations. When the younger ones have filled half of the budget, the
    elder are dropped and the younger take their place; being read again makes one young again.
    """

    def __init__(self, limit: int) -> None:
        self._half = limit // 2
        self._young = 0
        self._members: set[RecentDocuments] = set()

    def join(self, member: RecentDocuments) -> None:
        """Count in a store's documents."""
        self._members.add(member)

    def leave(self, member: RecentDocuments) -> None:
        """The store was closed."""
        self._members.discard(member)

    def admits(self, size: int) -> bool:
        """Count `size` more bytes; False when a document of that size is not worth keeping."""
        if size > min(_LARGEST, self._half):
            return False
        self._young += size + _OVERHEAD
        if self._young > self._half:
            self._young = size + _OVERHEAD
            for member in self._members:
                member.grow_old()
        return True


class RecentDocuments:
    """The recent documents of one store, by collection and id.

    They are those of the last commit that was delivered. While another commit is on its way to
    its callers, whoever asks is told nothing: it must see what queries see.
    """

    def __init__(self, budget: RecentBudget) -> None:
        self._budget = budget
        self._young: dict[str, dict[str, bytes]] = {}
        self._old: dict[str, dict[str, bytes]] = {}
        self.delivered = 0
        """The number of the commit whose changes were taken note of last."""
        budget.join(self)

    def get(self, collection: str, id: str) -> bytes | None:
        """The document if it is kept."""
        held = self._young.get(collection)
        if held is not None:
            body = held.get(id)
            if body is not None:
                return body
        held = self._old.get(collection)
        if held is not None:
            body = held.pop(id, None)
            if body is not None:
                self.put(collection, id, body)
                return body
        return None

    def put(self, collection: str, id: str, body: bytes) -> None:
        """Keep a document, read from a snapshot no older than the last delivered commit."""
        if self._budget.admits(len(body)):
            held = self._young.get(collection)
            if held is None:
                held = self._young[collection] = {}
            held[id] = body

    def forget(self, collection: str, ids: list[str] | None) -> None:
        """These documents changed; None is "any of the collection"."""
        for generation in (self._young, self._old):
            if ids is None:
                generation.pop(collection, None)
                continue
            held = generation.get(collection)
            if held:
                for id in ids:
                    held.pop(id, None)

    def clear(self) -> None:
        """Anything may have changed."""
        self._young = {}
        self._old = {}

    def grow_old(self) -> None:
        """Drop the elder half."""
        self._old = self._young
        self._young = {}

    def close(self) -> None:
        """Give the memory back."""
        self.clear()
        self._budget.leave(self)
