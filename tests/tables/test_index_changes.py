"""*Manage indexes*, worked out without a store (21 §5)."""

from __future__ import annotations

from typing import Any

import pytest

from bkend.store import Index
from bkend.tables.errors import InvalidIndex
from bkend.tables.indexes import AppliedIndexes, change_indexes
from bkend.tables.schema import canonical_schema

SCHEMA = canonical_schema({"a": "string", "b": "number", "u": {"type": "string", "unique": True}})
BY_A = Index("by_a", (("a", 1),))
UQ = Index("uq_u", (("u", 1),), unique=True, sparse=True)


def change(define: Any = (), remove: tuple[str, ...] = ()) -> AppliedIndexes:
    given = list(define) if isinstance(define, tuple) else define
    return change_indexes((BY_A, UQ), SCHEMA, given, remove)


def test_indexes_are_added_replaced_and_removed() -> None:
    found = change(({"name": "by_b", "fields": {"b": -1}},))
    assert found.indexes == (BY_A, Index("by_b", (("b", -1),)), UQ)
    assert (found.added, found.updated, found.removed) == (["by_b"], [], [])
    found = change(({"name": "by_a", "fields": {"a": -1}},))
    assert found.indexes == (Index("by_a", (("a", -1),)), UQ)
    assert (found.added, found.updated, found.removed) == ([], ["by_a"], [])
    found = change(remove=("by_a",))
    assert found.indexes == (UQ,)
    assert (found.added, found.updated, found.removed) == ([], [], ["by_a"])


def test_order_of_fields_makes_another_index() -> None:
    both = change(({"name": "ab", "fields": {"a": 1, "b": 1}},)).indexes
    other = change_indexes(both, SCHEMA, [{"name": "ab", "fields": {"b": 1, "a": 1}}], ())
    assert other.updated == ["ab"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [("indexesToAddOrUpdate", "required")]),
        *[
            (
                {"define": ({"name": name, "fields": {"a": 1}},)},
                [(name, "CANNOT_MODIFY_SYSTEM_INDEX")],
            )
            for name in ("idx_createdAt_desc", "idx_updatedAt_desc", "idx_createdBy", "_id_")
        ],
        *[
            ({"remove": (name,)}, [(name, "CANNOT_REMOVE_SYSTEM_INDEX")])
            for name in ("idx_createdAt_desc", "idx_updatedAt_desc", "idx_createdBy", "_id_")
        ],
        ({"remove": ("none",)}, [("none", "index-not-found")]),
        ({"remove": ("uq_u",)}, [("uq_u", "UNIQUE_FIELD")]),
        ({"define": ({"name": "uq_u", "fields": {"a": 1}},)}, [("uq_u", "UNIQUE_FIELD")]),
        (
            {"define": ({"name": "by_a", "fields": {"b": 1}},), "remove": ("by_a",)},
            [("by_a", "INDEX_CONFLICT")],
        ),
        ({"define": ({"name": "x", "fields": {"none": 1}},)}, [("indexes[0]", "field-not-found")]),
        ({"define": ({"name": "x", "fields": {"a": 2}},)}, [("indexes[0]", "fields")]),
        ({"define": ({"name": "x", "fields": {"a": True}},)}, [("indexes[0]", "fields")]),
        ({"define": ({"name": "x", "fields": {}},)}, [("indexes[0]", "fields")]),
        ({"define": ({"name": "1x", "fields": {"a": 1}},)}, [("indexes[0]", "name")]),
        ({"define": ({"name": "x", "fields": {"a": 1}, "unique": 1},)}, [("indexes[0]", "unique")]),
        ({"define": (5,)}, [("indexes[0]", "type")]),
        (
            {"define": tuple({"name": f"i{n}", "fields": {"a": 1}} for n in range(63))},
            [("indexes", "maxIndexes")],
        ),
    ],
)
def test_what_is_refused(changes: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    with pytest.raises(InvalidIndex) as caught:
        change(**changes)
    assert [(d["field"], d["rule"]) for d in caught.value.details] == expected
