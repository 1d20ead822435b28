"""Exact totals, kept while nothing changed in their collection, whichever process might.

Every writing statement moves its collection's sequence, at once and for all to see, before its
commit; the row lock of its table is held until after the commit can be seen. So:

1. a request reads the sequence as v and *then* sees that no write lock is held: v is settled,
   whatever moved the sequence up to v has ended;
2. a later request counts, and reads the sequence as v again: its total belongs to v, because it
   began after all of that ended, and what ends later has moved the sequence first;
3. while requests read v under their own snapshot, the total of v is theirs.
"""

from __future__ import annotations

from typing import Any, TypeAlias

_REMEMBERED = 1024

Key: TypeAlias = tuple[str, tuple[Any, ...]]


class Totals:
    """Totals by condition, and the settled versions they may be kept under."""

    def __init__(self) -> None:
        self._totals: dict[Key, tuple[int, int]] = {}
        self._settled: dict[str, int] = {}
        self._generation = 0

    def forget(self) -> None:
        """Trust nothing: a server that started again may repeat numbers of the sequences."""
        self._generation += 1
        self._totals.clear()
        self._settled.clear()

    def begin(self, table: str) -> tuple[int, int | None]:
        """What a request has to know from before it is sent; give it to `learn`."""
        return self._generation, self._settled.get(table)

    def has(self, key: Key) -> bool:
        """Whether there is a total that may still hold."""
        return key in self._totals

    def at(self, key: Key, version: int) -> int | None:
        """The total under this version, or None."""
        held = self._totals.get(key)
        if held is None:
            return None
        if held[0] == version:
            return held[1]
        del self._totals[key]
        return None

    def learn(
        self,
        table: str,
        key: Key,
        begun: tuple[int, int | None],
        *,
        version: int,
        settled: int | None,
        total: int,
    ) -> None:
        """Keep a total that was counted under a version settled before; note a settled one."""
        generation, known = begun
        if generation != self._generation:
            return
        if known == version:
            if len(self._totals) >= _REMEMBERED:
                del self._totals[next(iter(self._totals))]
            self._totals[key] = (version, total)
        if settled is not None:
            self._settled[table] = max(settled, self._settled.get(table, 0))
