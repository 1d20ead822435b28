"""The PostgreSQL engine (through asyncpg): any number of processes on one database."""

from bkend.store.postgres.database import Options, PostgresDatabase

__all__ = ["Options", "PostgresDatabase"]
