"""What a store can refuse. None of these carries a path or a statement meant for clients."""

from __future__ import annotations


class StoreError(Exception):
    """Base of everything a store raises on purpose."""


class Missing(StoreError):
    """The document an operation names does not exist."""

    def __init__(self, collection: str, id: str) -> None:
        super().__init__(f"no document {id!r} in {collection!r}")
        self.collection = collection
        self.id = id


class Conflict(StoreError):
    """A guard or check did not hold; nothing of the commit was stored."""

    def __init__(self, collection: str, position: int = 0) -> None:
        super().__init__(f"a guard on {collection!r} did not hold")
        self.collection = collection
        self.position = position


class Duplicate(StoreError):
    """A unique value is already there; nothing of the commit was stored.

    `fields` are the indexed paths, `("id",)` for the primary key; `position` is the index of the
    refused operation in its commit.
    """

    def __init__(self, collection: str, fields: tuple[str, ...], position: int = 0) -> None:
        super().__init__(f"duplicate value of {', '.join(fields)} in {collection!r}")
        self.collection = collection
        self.fields = fields
        self.position = position


class DocumentTooLarge(StoreError):
    """A document, or what a commit adds, would exceed 16 MiB; nothing of the commit was stored."""


class UnknownCollection(StoreError):
    """The store has no such collection."""


class QueryTimeout(StoreError):
    """A query ran longer than its time limit (20 §10)."""


class StoreUnavailable(StoreError):
    """The database cannot serve right now: disk full, read-only, unreadable, shutting down.

    The message is written for the operator and may name files; clients get a plain 503.
    """


class StoreRefused(StoreError):
    """The database cannot be opened at all; the message says why and what to do."""
