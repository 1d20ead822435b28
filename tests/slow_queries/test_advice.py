"""Which index a query lacks, by its shape alone."""

from __future__ import annotations

from typing import Any

import pytest

from bkend.slow_queries.advice import missing_index
from bkend.slow_queries.shapes import Shape, shape_of
from bkend.store import (
    ALWAYS,
    Compare,
    Condition,
    Contains,
    Equals,
    Exists,
    Find,
    Index,
    Mentions,
    Not,
    OneOf,
    Sort,
    all_of,
    any_of,
)
from bkend.tables.models import Table
from bkend.tables.schema import canonical_schema

STATUS, VIEWS, AUTHOR = Equals(("status",), "x"), Compare(("views",), "gt", 1), ("author",)
BY_VIEWS = Sort(("views",), descending=True)
OTHERS: list[Condition] = [
    Not(Equals(("author",), "x")),
    Exists(("author",)),
    Contains(("author",), "x"),
    Mentions("x"),
    Equals(("tags",), "x"),
    Equals(("any",), 1),
    Equals(("place",), {"city": "x"}),
    Equals(("place", "zip"), 1),
    Equals(("nowhere",), 1),
    any_of(Equals(("author",), "x"), STATUS),
]


def table(*indexes: Index) -> Table:
    """A table with a column of each kind."""
    schema = canonical_schema(
        {
            "author": {"type": "string"},
            "status": {"type": "string", "enum": ["x", "y"]},
            "done": {"type": "boolean"},
            "views": {"type": "number"},
            "due": {"type": "date"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "any": {"type": "mixed"},
            "place": {"type": "object", "properties": {"city": {"type": "string"}}},
        }
    )
    return Table("tbl_1", "posts", schema, indexes, None, None, None, 1, 1)


def lacks(where: Condition, *sort: Sort, indexes: tuple[Index, ...] = ()) -> Any:
    """The fields of the missing index, None when there is none."""
    found = missing_index(shape_of(Find("tbl_1", where, sort), table(*indexes)), table(*indexes))
    return None if found is None else dict(found.fields)


@pytest.mark.parametrize(
    ("where", "sort", "fields"),
    [
        (STATUS, (), {"status": 1}),
        (OneOf(("status",), ("x", "y")), (), {"status": 1}),
        (any_of(Equals(AUTHOR, "a"), Equals(AUTHOR, "b")), (), {"author": 1}),
        (VIEWS, (), {"views": 1}),
        (ALWAYS, (BY_VIEWS,), {"views": -1}),
        (STATUS, (BY_VIEWS,), {"status": 1, "views": -1}),
        (STATUS, (Sort(("createdAt",)),), {"status": 1}),
        (all_of(STATUS, VIEWS), (), {"status": 1, "views": 1}),
        (all_of(STATUS, VIEWS), (BY_VIEWS,), {"status": 1, "views": -1}),
        (all_of(VIEWS, Compare(("due",), "lt", "2026")), (BY_VIEWS,), {"views": -1}),
        (all_of(VIEWS, STATUS), (Sort(("due",)),), {"status": 1, "views": 1}),
        # the columns that tell most rows apart come first
        (
            all_of(Equals(("done",), True), STATUS, Equals(AUTHOR, "x")),
            (),
            {"author": 1, "status": 1, "done": 1},
        ),
        (Equals(("place", "city"), "x"), (), {"place.city": 1}),
        (all_of(Equals(("createdBy",), "u"), STATUS), (), {"createdBy": 1, "status": 1}),
        (ALWAYS, (BY_VIEWS, Sort(("due",)), BY_VIEWS), {"views": -1, "due": 1}),
        (all_of(STATUS, Mentions("x")), (BY_VIEWS,), {"status": 1, "views": -1}),
    ],
    ids=str,
)
def test_the_index_that_a_query_lacks(
    where: Condition, sort: tuple[Sort, ...], fields: dict[str, int]
) -> None:
    found = lacks(where, *sort)
    assert found == fields or found == {**fields, "createdAt": 1}
    assert list(found)[: len(fields)] == list(fields)


@pytest.mark.parametrize("where", [ALWAYS, *OTHERS], ids=str)
def test_what_no_index_helps_with_lacks_none(where: Condition) -> None:
    assert lacks(where) is None
    if where is not ALWAYS:
        assert lacks(where, BY_VIEWS) is None  # every row is looked at, in whatever order


@pytest.mark.parametrize(
    ("where", "sort"),
    [
        (Equals(("id",), "x"), ()),
        (all_of(Equals(("id",), "x"), STATUS), (BY_VIEWS,)),
        (Equals(("createdBy",), "u"), ()),
        (Equals(("createdBy",), "u"), (Sort(("createdAt",)),)),
        (Compare(("createdAt",), "gt", "2026"), ()),
        (Compare(("updatedAt",), "gt", "2026"), ()),
        (ALWAYS, (Sort(("updatedAt",)),)),
    ],
    ids=str,
)
def test_the_indexes_of_every_table_count(where: Condition, sort: tuple[Sort, ...]) -> None:
    assert lacks(where, *sort) is None


@pytest.mark.parametrize(
    ("index", "where", "sort", "is_served"),
    [
        ({"status": 1}, STATUS, (), True),
        ({"status": 1}, STATUS, (Sort(("createdAt",)),), True),
        ({"status": -1, "createdAt": 1}, STATUS, (), True),
        ({"status": 1, "views": 1}, STATUS, (BY_VIEWS,), True),
        ({"status": 1, "views": 1}, STATUS, (), True),
        ({"views": 1, "status": 1}, STATUS, (), False),
        ({"status": 1}, STATUS, (BY_VIEWS,), False),
        ({"author": 1, "status": 1}, all_of(STATUS, Equals(AUTHOR, "x")), (), True),
        ({"views": 1, "due": -1}, ALWAYS, (BY_VIEWS, Sort(("due",))), True),
        ({"views": 1, "due": 1}, ALWAYS, (BY_VIEWS, Sort(("due",))), False),
        ({"views": 1}, all_of(STATUS, VIEWS), (), False),
    ],
    ids=str,
)
def test_an_index_that_is_there(
    index: dict[str, Any], where: Condition, sort: tuple[Sort, ...], is_served: bool
) -> None:
    there = Index("there", tuple(index.items()))
    assert (lacks(where, *sort, indexes=(there,)) is None) is is_served


def test_a_unique_value_needs_nothing_more() -> None:
    unique = Index("one", (("author", 1),), unique=True)
    where = all_of(Equals(AUTHOR, "x"), STATUS, VIEWS)
    assert lacks(where, Sort(("due",)), indexes=(unique,)) is None
    assert lacks(STATUS, indexes=(unique,)) is not None


def test_names_are_new_and_short() -> None:
    shape = Shape(equals=("place.city", "status"), sort=(("views", -1),))
    found = missing_index(shape, table(Index("by_place_city_status_views", (("due", 1),))))
    assert found is not None
    assert found.name == "by_place_city_status_views_2"
    wide = canonical_schema({f"column_number_{n}": {"type": "string"} for n in range(9)})
    many = Shape(equals=tuple(wide["properties"]))
    found = missing_index(many, Table("t", "t", wide, (), None, None, None, 1, 1))
    assert found is not None
    assert len(found.name) == 64


def test_a_shape_comes_back_from_json() -> None:
    shape = Shape(("author",), ("due", "views"), (("views", -1), ("due", 1)), True)
    assert Shape.from_json(shape.as_json()) == shape
    assert str(shape) == (
        "equal author, compared due and views, other conditions, sorted by views descending, due"
    )
