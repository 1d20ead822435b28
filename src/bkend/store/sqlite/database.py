"""The embedded engine: a directory of SQLite files, served by exactly one process."""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import apsw

from bkend.store.errors import StoreRefused
from bkend.store.sqlite.external import ChangeFile
from bkend.store.sqlite.files import check_version, prepare_directory, refused
from bkend.store.sqlite.recent import RecentBudget
from bkend.store.sqlite.store import SqliteStore

RECENT_BYTES = 64 * 1024 * 1024
_READER_THREADS = 4
_ENVIRONMENT_ID = re.compile(r"[A-Za-z0-9_-]{1,128}\Z")


class SqliteDatabase:
    """See `bkend.store.interface.Database`. Make it with `await SqliteDatabase.open(...)`."""

    def __init__(
        self,
        directory: Path,
        outside: ChangeFile,
        *,
        serving: bool,
        lock: int | None,
        recent_bytes: int,
    ) -> None:
        self._directory = directory
        self._serving = serving
        self._lock = lock
        self._outside = outside
        # The change counter when every change was complete and taken note of, else None.
        self._settled: bytes | None = None
        self._recent = RecentBudget(recent_bytes)
        self._pool = ThreadPoolExecutor(_READER_THREADS, thread_name_prefix="reader")
        self._environments: dict[str, SqliteStore] = {}
        self._opening = asyncio.Lock()
        self._closed = False
        self._control: SqliteStore | None = None

    @classmethod
    async def open(
        cls, directory: Path, *, serving: bool, recent_bytes: int = RECENT_BYTES
    ) -> SqliteDatabase:
        """Open the directory, making it if need be. `recent_bytes` is the memory for documents
        that were read lately, for all environments together.

        A serving database holds the directory's lock and keeps snapshots between reads; a
        command's does neither and marks its commits for the server. Raises `StoreRefused`.
        """
        check_version()
        prepare_directory(directory)
        lock: int | None = None
        outside: ChangeFile | None = None
        try:
            lock = _take_lock(directory) if serving else None
            outside = ChangeFile(directory / "changes")
            database = cls(
                directory, outside, serving=serving, lock=lock, recent_bytes=recent_bytes
            )
            database._control = database._open(directory / "control.db")
        except BaseException as error:
            if outside is not None:
                outside.close()
            if lock is not None:
                os.close(lock)
            if isinstance(error, OSError):
                raise refused(error, directory) from error
            raise
        return database

    def _open(self, path: Path) -> SqliteStore:
        return SqliteStore(path, self._pool, self._outside, self._recent, serving=self._serving)

    @property
    def control(self) -> SqliteStore:
        assert self._control is not None
        return self._control

    async def environment(self, environment_id: str) -> SqliteStore:
        found = self._environments.get(environment_id)
        if found is not None:
            return found
        async with self._opening:
            found = self._environments.get(environment_id)
            if found is None:
                path = self._environment_file(environment_id)
                path.parent.mkdir(mode=0o700, exist_ok=True)
                found = self._environments[environment_id] = self._open(path)
        return found

    async def close_environment(self, environment_id: str) -> None:
        async with self._opening:
            store = self._environments.pop(environment_id, None)
            if store is not None and not self._closed:
                await store.close()

    async def drop_environment(self, environment_id: str) -> None:
        path = self._environment_file(environment_id)
        async with self._opening:
            store = self._environments.pop(environment_id, None)
            if store is not None:
                await store.close()
            for suffix in ("", "-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)

    def refresh(self) -> None:
        if self._outside.raw == self._settled:
            return
        seen = self._outside.raw
        self._settled = seen if not seen[0] % 2 and self._outside.settled() else None
        for store in [self.control, *self._environments.values()]:
            store.refresh()

    def _environment_file(self, environment_id: str) -> Path:
        if not _ENVIRONMENT_ID.match(environment_id):
            raise ValueError(f"not an environment id: {environment_id!r}")
        return self._directory / "environments" / f"{environment_id}.db"

    async def ping(self) -> None:
        await self.control.ping()

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        async with self._opening:  # one that is being closed is closed first
            for store in [*self._environments.values(), self.control]:
                await store.close()
        self._pool.shutdown()
        self._outside.close()
        if self._lock is not None:
            os.close(self._lock)

    def describe(self) -> dict[str, Any]:
        return {"engine": "sqlite", "version": apsw.sqlite_lib_version()}


def _take_lock(directory: Path) -> int:
    """The lock of the one serving process; held while its descriptor is open."""
    path = directory / "serve.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
    except BlockingIOError:
        holder = os.read(descriptor, 20).decode(errors="replace").strip()
        os.close(descriptor)
        raise StoreRefused(
            f"another server (process {holder or 'unknown'}) is already serving {directory}; "
            f"stop it first, or give this one its own --data directory"
        ) from None
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
