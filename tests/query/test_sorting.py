"""Sort keys and their aliases (20 §7, §9)."""

from __future__ import annotations

import pytest

from bkend.query.errors import InvalidData
from tests.query.conftest import Listing


@pytest.fixture(autouse=True)
async def _rows(listing: Listing) -> None:
    await listing.hold(
        a={"name": "x", "level": 1, "a:b": 2},
        b={"name": "y", "level": 1, "a:b": 1},
        c={"name": "x", "level": 2, "a:b": 3},
    )


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "cba"),
        ("sortDirection=asc", "abc"),
        ("sortBy=level", "cba"),
        ("sortBy=level&sortDirection=asc", "abc"),
        ("sortBy=level&sortDirection=%20Asc", "abc"),
        ("sortBy=name&sortDirection=asc", "acb"),
        ("sortBy=_id&sortDirection=asc", "abc"),
        ("sortBy=a:b&sortDirection=asc", "bac"),
        ("sort=name", "acb"),
        ("sort=name:asc", "acb"),
        ("sort=name:DESC", "bca"),
        ("sort=-name", "bca"),
        ("sort=+name", "acb"),
        ("sort=%2Bname", "acb"),
        ("sort=name,-level", "cab"),
        ("sort=name:desc,level:asc", "bac"),
        ("sort=-level,name,id", "cab"),
        ("sort=level,-_id", "bac"),
        ("sort=a:b:desc", "cab"),
        ("sort=%20name%20,%20-level%20", "cab"),
        ("sort=,", "cba"),
        ("sort=nothing", "abc"),
        ("sort=-nothing", "cba"),
        ("sort=-name&sortBy=level&sortDirection=asc", "abc"),
        ("sort=name&sortDirection=desc", "acb"),
        ("sortBy=&sort=name", "acb"),
        ("sort=name&offset=1", "cb"),
        ("sort=name&limit=1&offset=2", "b"),
        ("sort=name&limit=1&page=2", "c"),
        ("sort=name&limit=1&page=2&offset=2", "c"),
    ],
)
async def test_orders(listing: Listing, query: str, expected: str) -> None:
    assert await listing.ask(query) == list(expected)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("sort=a,b,c,d", "sort"),
        ("sort=$name", "sort"),
        ("sort=-$name", "sort"),
        ("sort=a..b", "sort"),
        ("sort=-", "sort"),
        ("sort=name:up", "sort"),
        ("sort=:desc", "sort"),
        ("sort=name:", "sort"),
        ("sortBy=a.", "sortBy"),
        ("sortBy=name&sortDirection=up", "sortDirection"),
        ("sort=name&sortDirection=up", "sortDirection"),
    ],
)
async def test_malformed_orders_are_refused(listing: Listing, query: str, field: str) -> None:
    with pytest.raises(InvalidData) as refused:
        await listing.ask(query)
    assert [detail["field"] for detail in refused.value.details] == [field]
