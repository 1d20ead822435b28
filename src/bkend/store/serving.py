"""Which index serves a query: what both engines make of indexes (21 §5), in one place."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from bkend.store.interface import Direction, Index

SYSTEM_INDEXES = (
    Index("_id_", (("id", 1),), unique=True),
    Index("idx_createdAt_desc", (("createdAt", -1),)),
    Index("idx_updatedAt_desc", (("updatedAt", -1),)),
    Index("idx_createdBy", (("createdBy", 1),)),
)
"""Those that every collection has."""


def serves(index: Index, equals: frozenset[str], then: Sequence[tuple[str, Direction]]) -> bool:
    """Whether the index leads straight to the rows with one value at each of the paths `equals`,
    in the order `then`: that of a list, or a single path that is compared.

    An index may be read backwards. Where a unique one leaves one row, there is no order.
    """
    paths = [path for path, _ in index.fields]
    if index.unique and equals.issuperset(paths):
        return True
    keys = _closed(index)
    if {path for path, _ in keys[: len(equals)]} != equals:
        return False
    wanted = [key for key in then if key[0] not in equals]
    found = keys[len(equals) : len(equals) + len(wanted)]
    if [path for path, _ in found] != [path for path, _ in wanted]:
        return False
    turned = [one[1] == other[1] for one, other in zip(found, wanted, strict=True)]
    return all(one == other for one, other in pairwise(turned))


def _closed(index: Index) -> list[tuple[str, Direction]]:
    """The keys of the index as the engines build it: creation order and id close every one."""
    named = {path for path, _ in index.fields}
    last = index.fields[-1][1]
    closing: list[tuple[str, Direction]] = [("createdAt", last), ("id", last)]
    return [*index.fields, *(key for key in closing if key[0] not in named)]
