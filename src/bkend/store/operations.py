"""Writes: the operations of one atomic `commit` (design: no read-modify-write outside guards)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from bkend.store.conditions import Condition


@dataclass(frozen=True, slots=True)
class Insert:
    """Add a document. An id or unique value already there raises `Duplicate`. Times in ms."""

    collection: str
    id: str
    fields: Mapping[str, Any]
    created_at: int
    updated_at: int
    created_by: str = ""


@dataclass(frozen=True, slots=True)
class Update:
    """Change top-level fields of one document; its other fields stay.

    `set` replaces fields whole, `unset` removes them, `increment` adds to numbers (missing
    counts as 0). `updated_at` (ms) never moves backwards; None leaves it. Raises `Missing` when
    there is no such document and `Conflict` when the stored one does not satisfy `guard`.
    """

    collection: str
    id: str
    set: Mapping[str, Any] = field(default_factory=dict)
    unset: tuple[str, ...] = ()
    increment: Mapping[str, int] = field(default_factory=dict)
    updated_at: int | None = None
    guard: Condition | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove one document; raises `Missing` and `Conflict` as `Update` does."""

    collection: str
    id: str
    guard: Condition | None = None


@dataclass(frozen=True, slots=True)
class DeleteWhere:
    """Remove every document that satisfies the condition; none is fine."""

    collection: str
    where: Condition


@dataclass(frozen=True, slots=True)
class Check:
    """Require that the number of matching documents lies in a range; else `Conflict`."""

    collection: str
    where: Condition
    at_least: int = 0
    at_most: int | None = None


Operation: TypeAlias = Insert | Update | Delete | DeleteWhere | Check
