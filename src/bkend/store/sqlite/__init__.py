"""The embedded engine on SQLite (through apsw)."""

from bkend.store.sqlite.database import SqliteDatabase

__all__ = ["SqliteDatabase"]
