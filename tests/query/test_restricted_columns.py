"""Columns the requester may not read are no oracle (20 §5, 21 §7.1)."""

from __future__ import annotations

from typing import Any

import pytest

from bkend.query.errors import RestrictedColumn
from bkend.query.planner import plan_list
from bkend.store import Equals
from bkend.tables.view import View
from tests.query.conftest import Listing, query_string

HIDDEN = View("ada", hidden=frozenset({"salary", "address"}))
OWN_ONLY = View("ada", own_only=frozenset({"salary", "address"}))
ANONYMOUS = View("", own_only=frozenset({"salary"}))


@pytest.fixture(autouse=True)
async def _rows(listing: Listing) -> None:
    secret = {"salary": 5, "address": {"city": "Seoul"}, "name": "secret"}
    await listing.hold("ada", mine=secret)
    await listing.hold("bob", theirs=secret, other={"salary": 6, "name": "open"})
    await listing.hold("", nobodys=secret)


ORACLES: list[dict[str, Any]] = [
    {"andFilters": {"salary": 5}},
    {"andFilters": {"salary": {"$exists": True}}},
    {"andFilters": {"salary": {"$ne": None}}},
    {"andFilters": {"salary": {"$gt": 4}}},
    {"andFilters": {"salary": {"$gt": None}}},
    {"andFilters": {"salary": {"$in": []}}},
    {"andFilters": {"salary": {"$nin": []}}},
    {"andFilters": {"salary": {"$regex": "."}}},
    {"andFilters": {"salary": {"$contains": "x"}}},
    {"andFilters": [{"name": "x"}, {"name": "y", "salary": 5}]},
    {"andFilters": {"address.city": "Seoul"}},
    {"andFilters": {"address.city.0.x": None}},
    {"andFilters": {"address": {"city": "Seoul"}}},
    {"orFilters": {"name": "x", "salary": 5}},
    {"orFilters": [{"name": "x"}, {"salary": {"$lt": 9}, "name": "y"}]},
    {"orFilters": [{"address.city": {"$exists": False}}]},
    {"andFilters": {"name": {"$in": []}}, "orFilters": {"salary": 5}},
    {"andFilters[salary]": "5"},
    {"filter[salary][gte]": "5"},
    {"filter[salary][regex]": "."},
    {"filter[salary][exists]": "true"},
    {"filter[address.city]": "Seoul"},
]
SORTS = ["sortBy=salary", "sortBy=address.city", "sort=-salary", "sort=name,salary:desc"]
SORTS += ["sort=%2Baddress.city", "sort=+salary", "sortBy=address.0"]


@pytest.mark.parametrize("query", ORACLES, ids=repr)
async def test_filtering_by_a_hidden_column_is_refused(
    listing: Listing, query: dict[str, Any]
) -> None:
    with pytest.raises(RestrictedColumn) as refused:
        await listing.ask(query, HIDDEN)
    assert (refused.value.status, refused.value.code) == (403, "data/permission-denied")


@pytest.mark.parametrize("view", [HIDDEN, OWN_ONLY], ids=["hidden", "own only"])
@pytest.mark.parametrize("query", SORTS)
async def test_sorting_by_a_restricted_column_is_refused(
    listing: Listing, view: View, query: str
) -> None:
    with pytest.raises(RestrictedColumn) as refused:
        await listing.ask(query, view)
    assert (refused.value.status, refused.value.code) == (403, "data/permission-denied")


@pytest.mark.parametrize("query", ORACLES, ids=repr)
async def test_filtering_by_an_own_only_column_sees_own_rows_alone(
    listing: Listing, query: dict[str, Any]
) -> None:
    assert await listing.find(query, OWN_ONLY) <= {"mine"}


async def test_an_alternative_does_not_lead_past_own_rows(listing: Listing) -> None:
    query = {"orFilters": {"name": "open", "salary": 5}}
    assert await listing.find(query, OWN_ONLY) == {"mine"}
    both = {"orFilters": [{"createdBy": "bob"}, {"salary": {"$gt": 0}}]}
    assert await listing.find(both, OWN_ONLY) == {"mine"}


@pytest.mark.parametrize("query", [{"andFilters": {"salary": 5}}, {"filter[salary]": "5"}])
async def test_nobody_owns_what_a_guest_wrote(listing: Listing, query: dict[str, Any]) -> None:
    assert await listing.find(query, ANONYMOUS) == set()


@pytest.mark.parametrize("view", [HIDDEN, OWN_ONLY], ids=["hidden", "own only"])
async def test_search_never_looks_at_restricted_columns(listing: Listing, view: View) -> None:
    await listing.hold("ada", text={"salary": "needle", "address": ["needle"], "name": "x"})
    for query in (
        {"search": "needle"},
        {"search": "needle", "searchType": "salary"},
        {"search": "needle", "searchType": "address,address.0,salary"},
    ):
        assert await listing.find(query, view) == set()
        assert await listing.find(query) == {"text"}
    assert await listing.find({"search": "x", "searchType": "name,salary"}, view) == {"text"}


@pytest.mark.parametrize("query", ["", "select=salary", "andFilters={}", "sortBy=name", "search=s"])
async def test_other_queries_see_all_rows(listing: Listing, query: str) -> None:
    expected = await listing.ask(query)
    assert await listing.ask(query, HIDDEN) == expected
    assert await listing.ask(query, OWN_ONLY) == expected


@pytest.mark.parametrize(
    "query",
    [
        {"andFilters": {"createdBy": "bob"}},
        {"orFilters": {"createdBy": "bob", "name": "open"}},
        {"orFilters": {"createdBy": {"$exists": True}}},
        {"filter[createdBy]": "bob"},
        {"filter[createdBy][in]": "bob,ada"},
        {"search": "bob", "searchType": "createdBy"},
        {"search": "open"},
        {"sortBy": "createdBy"},
    ],
    ids=repr,
)
async def test_no_parameter_escapes_the_rows_of_a_view(
    listing: Listing, query: dict[str, Any]
) -> None:
    view = View("ada", rows=Equals(("createdBy",), "ada"))
    assert await listing.find(query, view) <= {"mine"}


def test_the_refusal_names_the_parameter_and_no_value(listing: Listing) -> None:
    with pytest.raises(RestrictedColumn) as refused:
        plan_list(listing.table, HIDDEN, query_string({"andFilters": {"salary": 12345}}))
    assert refused.value.details[0]["field"] == "andFilters"
    assert "12345" not in refused.value.message


@pytest.mark.parametrize("name", ["level", "done"])
@pytest.mark.parametrize("form", ["filter[{}]", "andFilters[{}][gte]", "filter[{}][in]"])
async def test_value_of_the_wrong_type_does_not_tell_the_type_of_a_hidden_column(
    listing: Listing, name: str, form: str
) -> None:
    view = View("ada", hidden=frozenset({name}))
    with pytest.raises(RestrictedColumn):
        plan_list(listing.table, view, query_string({form.format(name): "word"}))
