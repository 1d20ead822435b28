"""What PostgreSQL and the connection to it can refuse, in words for the operator."""

from __future__ import annotations

import asyncio
import os

import asyncpg

from bkend.store.errors import QueryTimeout, StoreRefused, StoreUnavailable

OLDEST_SERVER = 14
_MESSAGES: tuple[tuple[type[BaseException], str], ...] = (
    (asyncpg.DiskFullError, "the disk of the database is full; nothing was stored"),
    (asyncpg.OutOfMemoryError, "the database is out of memory; nothing was stored"),
    (asyncpg.ReadOnlySQLTransactionError, "the database is read-only; nothing was stored"),
    (asyncpg.TooManyConnectionsError, "the database takes no more connections"),
    (asyncpg.LockNotAvailableError, "the database kept a lock for too long; nothing was stored"),
    (asyncpg.SerializationError, "too many writes to the same rows at once; nothing was stored"),
    (asyncpg.DeadlockDetectedError, "too many writes to the same rows at once; nothing was stored"),
    (asyncpg.CannotConnectNowError, "the database is starting up or shutting down"),
)
Failure = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, asyncio.TimeoutError)
"""Everything that a statement or a connection attempt raises when it fails."""


def explained(error: BaseException) -> Exception:
    """A failure while serving as an error of the store."""
    if isinstance(error, asyncpg.QueryCanceledError):
        return QueryTimeout("no answer within the time limit")
    for kind, message in _MESSAGES:
        if isinstance(error, kind):
            return StoreUnavailable(message)
    if is_lost(error):
        return StoreUnavailable("the connection to the database is lost")
    return StoreUnavailable(f"the database failed: {error}")


def is_lost(error: BaseException) -> bool:
    """Whether the connection itself is gone."""
    return isinstance(
        error,
        (
            OSError,
            asyncio.TimeoutError,
            asyncpg.InterfaceError,
            asyncpg.PostgresConnectionError,
            asyncpg.OperatorInterventionError,
        ),
    ) and not isinstance(error, asyncpg.QueryCanceledError)


def refused(error: BaseException, place: str) -> StoreRefused:
    """Why the database cannot be opened at all; `place` is its address without a password."""
    return StoreRefused(_reason(error, place))


def _reason(error: BaseException, place: str) -> str:
    if isinstance(error, asyncpg.InvalidAuthorizationSpecificationError):
        return f"{place} refuses the user name or password; check BKEND_DATABASE_URL"
    if isinstance(error, asyncpg.InvalidCatalogNameError):
        return f"{place}: there is no such database; make it with: createdb -E UTF8 NAME"
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        return (
            f"{place}: the user may not do what is needed ({error.args[0]}). "
            f"Run: GRANT CONNECT, CREATE ON DATABASE … TO …"
        )
    if isinstance(error, asyncpg.TooManyConnectionsError):
        return f"{place} takes no more connections; raise max_connections or BKEND_DATABASE_POOL"
    if isinstance(error, asyncpg.CannotConnectNowError):
        return f"{place} is starting up or shutting down; try again in a moment"
    if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
        return f"{place} is read-only; name the primary server, not a standby"
    if isinstance(error, asyncio.TimeoutError):
        return f"{place} does not answer; check host, port and firewall"
    if isinstance(error, OSError):
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        return f"cannot reach {place}: {reason}; is PostgreSQL running there?"
    return f"cannot open {place}: {error}"
