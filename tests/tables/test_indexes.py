"""Index definitions (21 §5)."""

from __future__ import annotations

from typing import Any

import pytest

from bkend.store import Index
from bkend.tables.errors import InvalidIndex
from bkend.tables.indexes import check_indexes
from bkend.tables.schema import canonical_schema

SCHEMA = canonical_schema(
    {
        "title": "string",
        "slug": {"type": "string", "unique": True},
        "place": {"type": "object", "properties": {"city": "string"}},
    }
)

REFUSED: list[tuple[Any, str, str | None]] = [
    ({"fields": {"title": 1}}, "indexes[0]", "name"),
    ({"name": "", "fields": {"title": 1}}, "indexes[0]", "name"),
    ({"name": "1a", "fields": {"title": 1}}, "indexes[0]", "name"),
    ({"name": "a-b", "fields": {"title": 1}}, "indexes[0]", "name"),
    ({"name": "_id_", "fields": {"title": 1}}, "_id_", None),
    ({"name": "a" * 65, "fields": {"title": 1}}, "indexes[0]", "name"),
    ({"name": 5, "fields": {"title": 1}}, "indexes[0]", "name"),
    ({"name": "a"}, "indexes[0]", "fields"),
    ({"name": "a", "fields": {}}, "indexes[0]", "fields"),
    ({"name": "a", "fields": ["title"]}, "indexes[0]", "fields"),
    ({"name": "a", "fields": {"title": 2}}, "indexes[0]", "fields"),
    ({"name": "a", "fields": {"title": True}}, "indexes[0]", "fields"),
    ({"name": "a", "fields": {"title": "asc"}}, "indexes[0]", "fields"),
    ({"name": "a", "fields": {"title": None}}, "indexes[0]", "fields"),
    ({"name": "a", "fields": {"": 1}}, "indexes[0]", "fields"),
    ({"name": "a", "fields": {"$x": 1}}, "indexes[0]", "fields"),
    ({"name": "a", "fields": {"place.": 1}}, "indexes[0]", "fields"),
    ({"name": "a", "fields": {"place.a b": 1}}, "indexes[0]", "fields"),
    ({"name": "a", "fields": {"other": 1}}, "indexes[0]", "field-not-found"),
    ({"name": "a", "fields": {"createdAt.x": 1}}, "indexes[0]", "field-not-found"),
    ({"name": "a", "fields": {"title": 1}, "unique": "yes"}, "indexes[0]", "unique"),
    ({"name": "a", "fields": {"title": 1}, "sparse": 1}, "indexes[0]", "sparse"),
    ({"name": "a", "fields": {"title": 1}, "uniqe": True}, "indexes[0]", "uniqe"),
    ({"name": "idx_createdBy", "fields": {"title": 1}}, "idx_createdBy", None),
    (5, "indexes[0]", "type"),
    (None, "indexes[0]", "type"),
    ({"name": "uq_slug", "fields": {"title": 1}}, "uq_slug", "duplicate"),
]
UNIQUE_SLUG = Index("uq_slug", (("slug", 1),), unique=True, sparse=True)


def refusals(given: Any) -> list[tuple[str, str | None]]:
    with pytest.raises(InvalidIndex) as caught:
        check_indexes(given, SCHEMA)
    assert caught.value.code == "table/invalid-index"
    return [(detail["field"], detail.get("rule")) for detail in caught.value.details]


def test_a_unique_column_makes_a_unique_sparse_index() -> None:
    assert check_indexes([], SCHEMA) == (UNIQUE_SLUG,)


def test_definitions_keep_their_order() -> None:
    given = [
        {"name": "by_title", "fields": {"title": 1, "createdAt": -1}},
        {"name": "once", "fields": {"createdBy": 1, "place.city": -1}, "unique": True},
        {"name": "ids", "fields": {"_id": 1}, "sparse": True},
    ]
    assert check_indexes(given, SCHEMA) == (
        Index("by_title", (("title", 1), ("createdAt", -1))),
        Index("once", (("createdBy", 1), ("place.city", -1)), unique=True),
        Index("ids", (("id", 1),), sparse=True),
        UNIQUE_SLUG,
    )


@pytest.mark.parametrize(("given", "field", "rule"), REFUSED)
def test_malformed_indexes_are_refused(given: Any, field: str, rule: str | None) -> None:
    assert refusals([given]) == [(field, rule or "CANNOT_MODIFY_SYSTEM_INDEX")]


def test_the_index_of_a_unique_column_may_be_written_out() -> None:
    given = {"name": "uq_slug", "fields": {"slug": 1}, "unique": True, "sparse": True}
    assert check_indexes([given], SCHEMA) == (UNIQUE_SLUG,)


@pytest.mark.parametrize("given", [None, {}, "x", 5])
def test_indexes_are_a_list(given: Any) -> None:
    assert refusals(given) == [("indexes", "type")]


def test_names_differ() -> None:
    one = {"name": "a", "fields": {"title": 1}}
    assert refusals([one, one]) == [("a", "duplicate")]


def test_at_most_64_indexes_of_at_most_32_fields() -> None:
    schema = canonical_schema({f"c{number}": "string" for number in range(40)})
    fields = {f"c{number}": 1 for number in range(32)}
    many = [{"name": f"i{number}", "fields": {"c1": 1}} for number in range(64)]
    assert len(check_indexes(many, schema)) == 64
    check_indexes([{"name": "wide", "fields": fields}], schema)
    with pytest.raises(InvalidIndex):
        check_indexes([*many, {"name": "more", "fields": {"c1": 1}}], schema)
    with pytest.raises(InvalidIndex):
        check_indexes([{"name": "wide", "fields": fields | {"c33": 1}}], schema)
