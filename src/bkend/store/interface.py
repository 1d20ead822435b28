"""The face of the document store: what every engine offers and all that services may use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

from bkend.store.conditions import ALWAYS, Condition, Path
from bkend.store.operations import Operation

Direction: TypeAlias = Literal[1, -1]


@dataclass(frozen=True, slots=True)
class Index:
    """An index over document paths (21 §5): order matters, `sparse` leaves out all-null rows."""

    name: str
    fields: tuple[tuple[str, Direction], ...]
    unique: bool = False
    sparse: bool = False


@dataclass(frozen=True, slots=True)
class Collection:
    """A named set of documents with its declared indexes."""

    name: str
    indexes: tuple[Index, ...] = ()


@dataclass(frozen=True, slots=True)
class Sort:
    """One sort key; equal keys are ordered by `id` in the same direction (20 §7)."""

    path: Path
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Find:
    """A compiled-to-be list query. `sort=None` is creation order with `descending`."""

    collection: str
    where: Condition = ALWAYS
    sort: tuple[Sort, ...] = ()
    descending: bool = True
    offset: int = 0
    limit: int = 20


@dataclass(frozen=True, slots=True)
class Page:
    """One page: `items` is a JSON array as bytes, `total` counts all matching documents."""

    items: bytes
    total: int


Result: TypeAlias = bytes | int | None
Listener: TypeAlias = Callable[[str, Sequence[str] | None], None]


class Store(Protocol):
    """One isolated set of collections: an environment's, or the server's own (`control`)."""

    async def get(self, collection: str, id: str) -> bytes | None:
        """The document's bytes, or None."""

    def at_once(self, collection: str, id: str) -> bytes | None:
        """What `get` would answer, where the engine can tell without waiting; None says
        nothing."""

    async def find(self, query: Find) -> Page:
        """A page with its exact total."""

    async def count(self, collection: str, where: Condition = ALWAYS) -> int:
        """How many documents satisfy the condition."""

    async def commit(self, operations: Sequence[Operation]) -> list[Result]:
        """Apply all operations or none; returns only when they are durable.

        One result an operation: the stored bytes for `Insert` and `Update`, None for `Delete`,
        the number removed for `DeleteWhere`, the number found for `Check`.
        Raises `Duplicate`, `Conflict`, `Missing`, `DocumentTooLarge`, `UnknownCollection`,
        `StoreUnavailable`.
        """

    def collection(self, name: str) -> Collection | None:
        """The definition of a collection, or None."""

    async def define(self, *collections: Collection) -> None:
        """Create the collections, or bring their indexes to the given ones.

        Raises `Duplicate` when a unique index meets duplicates; nothing is changed then.
        """

    async def drop(self, collection: str) -> None:
        """Remove a collection with all its documents; unknown names are fine."""

    @property
    def counts_every_change(self) -> bool:
        """Whether `changes` tells at once what any process committed, so that an answer may be
        kept until it moves. False where word of other processes' changes takes a moment."""

    def changes(self, collection: str) -> int:
        """The collection's change counter: equal numbers mean unchanged documents."""

    def listen(self, listener: Listener) -> None:
        """Call `listener(collection, ids)` after each change; ids None means "anything"."""

    async def check_integrity(self, *, quick: bool = False) -> list[str]:
        """Problems the engine finds in its own files; empty when all is well. With `quick` it may
        leave out what takes long, such as holding indexes against rows."""


class Database(Protocol):
    """The engine: opens the control store and one store per environment."""

    @property
    def control(self) -> Store:
        """Organizations, projects, environments, keys."""

    async def environment(self, environment_id: str) -> Store:
        """The environment's store, opened (and made) on first use."""

    async def close_environment(self, environment_id: str) -> None:
        """Finish what the environment's store accepted and close it, if it is open; the next use
        opens it again."""

    async def drop_environment(self, environment_id: str) -> None:
        """Remove the environment's store for good."""

    def refresh(self) -> None:
        """Notice in every open store what other processes changed; cheap enough for every
        request."""

    async def ping(self) -> None:
        """Raise `StoreUnavailable` unless a read and the write path work."""

    async def close(self) -> None:
        """Finish what was accepted, then close."""

    def describe(self) -> dict[str, Any]:
        """Engine name and version, for `bkend version` and `/readyz`."""
