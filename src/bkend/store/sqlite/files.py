"""Opening database files, and saying plainly why one cannot be opened or written."""

from __future__ import annotations

import os
from pathlib import Path

import apsw

from bkend.store.errors import StoreRefused, StoreUnavailable
from bkend.store.sqlite import functions

OLDEST_SQLITE = (3, 51, 3)
_BUSY_MILLISECONDS = 10_000
_CACHE_KIBIBYTES = 16_384


def check_version(version: str | None = None) -> None:
    """Refuse a SQLite older than 3.51.3, which can corrupt a write-ahead log."""
    found = version or apsw.sqlite_lib_version()
    parts = tuple(int(part) for part in found.split("."))
    if parts < OLDEST_SQLITE:
        needed = ".".join(map(str, OLDEST_SQLITE))
        raise StoreRefused(
            f"SQLite {found} is too old: {needed} or later is needed, because earlier ones can "
            f"corrupt the write-ahead log. Install a current `apsw`."
        )


def prepare_directory(directory: Path) -> None:
    """Make the directory, private to its owner; refuse one that cannot be written."""
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = directory / ".writable"
        probe.touch(mode=0o600)
        probe.unlink()
    except FileExistsError as error:
        raise StoreRefused(f"{directory} is a file; name a directory for the data") from error
    except OSError as error:
        raise StoreRefused(
            f"cannot write to the data directory {directory}: {os.strerror(error.errno or 0)}"
        ) from error


def open_file(path: Path) -> apsw.Connection:
    """A connection with the pragmas every connection of ours has."""
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
    existed = path.exists()
    connection: apsw.Connection | None = None
    try:
        connection = apsw.Connection(str(path), flags=flags)
        connection.set_busy_timeout(_BUSY_MILLISECONDS)
        if not existed:
            path.chmod(0o600)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA temp_store=MEMORY")
        connection.execute(f"PRAGMA cache_size=-{_CACHE_KIBIBYTES}")
        functions.register(connection)
        if connection.readonly("main"):
            raise StoreRefused(f"{path} is read-only; its owner must be the user that serves it")
    except (apsw.Error, OSError, StoreRefused) as error:
        if connection is not None:
            connection.close()
        if isinstance(error, StoreRefused):
            raise
        raise refused(error, path) from error
    return connection


def refused(error: apsw.Error | OSError, path: Path) -> StoreRefused:
    """Why a file cannot be opened, in words for the operator."""
    return StoreRefused(_reason(error, path))


def _reason(error: apsw.Error | OSError, path: Path) -> str:
    if isinstance(error, OSError):
        return f"cannot open {path}: {os.strerror(error.errno or 0)}"
    if isinstance(error, (apsw.NotADBError, apsw.CorruptError)):
        return (
            f"{path} is damaged or not a database of this program. Nothing was changed. "
            f"Restore it from a backup, or move it away to start empty."
        )
    if isinstance(error, apsw.FullError):
        return f"the disk that holds {path} is full"
    if isinstance(error, (apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError)):
        return f"cannot open {path} for writing: check its owner and permissions"
    if isinstance(error, apsw.BusyError):
        return f"{path} is locked by another program"
    return f"cannot open {path}: {error}"


def unavailable(error: apsw.Error) -> StoreUnavailable:
    """A failure while serving, in words for the operator."""
    if isinstance(error, apsw.FullError):
        return StoreUnavailable("the disk is full; nothing was stored")
    if isinstance(error, apsw.ReadOnlyError):
        return StoreUnavailable("the database has become read-only; nothing was stored")
    if isinstance(error, (apsw.CorruptError, apsw.NotADBError)):
        return StoreUnavailable("the database file is damaged; restore it from a backup")
    if isinstance(error, apsw.IOError):
        return StoreUnavailable("the disk failed to read or write; nothing was stored")
    if isinstance(error, apsw.BusyError):
        return StoreUnavailable("another program keeps the database locked; nothing was stored")
    return StoreUnavailable(f"the database failed: {error}")
