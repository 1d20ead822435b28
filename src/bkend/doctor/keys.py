"""The keys of an object store, listed once and looked up often: on disk, since there may be more
than fit in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import apsw


class KeyList:
    """A set of keys in a temporary database that has no name and goes with this object."""

    def __init__(self) -> None:
        self._database = apsw.Connection("")
        self._database.execute("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF")
        self._database.execute("CREATE TABLE keys (key TEXT PRIMARY KEY) WITHOUT ROWID")
        self.count = 0

    def add(self, keys: Iterable[str]) -> None:
        """Remember the keys."""
        with self._database:
            self._database.executemany(
                "INSERT OR IGNORE INTO keys VALUES (?)", ((key,) for key in keys)
            )
        [(self.count,)] = self._database.execute("SELECT count(*) FROM keys")

    def __contains__(self, key: str) -> bool:
        return bool(list(self._database.execute("SELECT 1 FROM keys WHERE key = ?", (key,))))

    def batches(self, size: int) -> Iterator[list[str]]:
        """All keys in order, so many at a time."""
        last = ""
        while True:
            rows = self._database.execute(
                "SELECT key FROM keys WHERE key > ? ORDER BY key LIMIT ?", (last, size)
            )
            found = [str(key) for (key,) in rows]
            if not found:
                return
            yield found
            last = found[-1]

    def close(self) -> None:
        """Let the disk go."""
        self._database.close()
