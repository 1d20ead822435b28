"""Listing users: pages, sorting, search, filters, and who may (11 §2)."""

from __future__ import annotations

from typing import Any

import pytest

from bkend.auth.settings import StoredSettings
from tests.users.conftest import Town

pytestmark = pytest.mark.asyncio(loop_scope="module")

INVALID = (400, "common/invalid-parameters")


async def names(town: Town, who: str, **query: Any) -> list[str]:
    """The names of a list, in order."""
    return [item["name"] for item in (await town.ok(who, "GET", "", params=query))["items"]]


async def test_pages_neither_overlap_nor_skip_and_add_up_to_the_total(town: Town) -> None:
    for number in range(5):  # made at one moment: only the id tells them apart
        body = {"name": "Same", "email": f"same{number}@example.com"}
        await town.ok("secret", "POST", "", body, status=201)
    for sort_by in ("createdAt", "updatedAt", "name", "email", "role"):
        for direction in ("asc", "desc"):
            seen: list[str] = []
            for page in range(1, 6):
                query = {"page": page, "limit": 2, "sortBy": sort_by, "sortDirection": direction}
                found = await town.ok("secret", "GET", "", params=query)
                seen += [item["id"] for item in found["items"]]
            assert len(seen) == len(set(seen)) == found["pagination"]["total"] == 9
            assert found["pagination"]["totalPages"] == 5
            assert found["pagination"]["hasNext"] is False


async def test_sorting_follows_the_field(town: Town) -> None:
    assert await names(town, "secret", sortBy="name", sortDirection="asc") == [
        "ada",
        "bob",
        "eve",
        "guy",
    ]
    assert (await names(town, "secret", sortBy="role", sortDirection="asc"))[:2] == ["eve", "guy"]
    await town.ok("secret", "POST", "", {"name": "Zoe", "email": "zoe@example.com"}, status=201)
    town.api.clock.advance(1)
    await town.ok("secret", "POST", "", {"name": "new", "email": "n@example.com"}, status=201)
    assert (await names(town, "secret"))[0] == "new"
    await town.ok("ada", "PATCH", town.ids["ada"], {"name": "Ada"})
    assert set((await names(town, "secret", sortBy="updatedAt"))[:2]) == {"new", "Ada"}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"search": "AD"}, {"ada"}),
        ({"search": "  ada "}, {"ada"}),
        ({"search": "%"}, {"100% Bob"}),
        ({"search": "_"}, {"under_score"}),
        ({"search": "example.com"}, {"ada", "100% Bob", "eve", "under_score"}),
        ({"search": "nick", "searchType": "nickname"}, {"ada"}),
        ({"search": "nick", "searchType": "name"}, set()),
        ({"search": "ada@", "searchType": "email"}, {"ada"}),
        ({"search": ".*"}, set()),
        ({"search": ""}, {"ada", "100% Bob", "eve", "under_score"}),
        ({"search": "", "searchType": ""}, {"ada", "100% Bob", "eve", "under_score"}),
    ],
    ids=lambda value: str(sorted(value) if isinstance(value, set) else value),
)
async def test_search_finds_parts_literally(
    town: Town, query: dict[str, str], found: set[str]
) -> None:
    await town.ok("bob", "PATCH", town.ids["bob"], {"name": "100% Bob"})
    await town.ok("guy", "PATCH", town.ids["guy"], {"name": "under_score"})
    await town.ok("ada", "PATCH", f"{town.ids['ada']}/profile", {"nickname": "Nick"})
    assert set(await names(town, "secret", **query)) == found


async def test_others_do_not_search_or_sort_what_they_cannot_see(town: Town) -> None:
    assert await names(town, "bob", search="example.com") == []
    for query in ({"searchType": "email"}, {"sortBy": "email"}, {"sortBy": "role"}):
        for who in ("bob", "guy"):
            found = await town.refused(who, "GET", "", params={"search": "x", **query})
            assert found == (403, "user/forbidden")
        await town.ok("eve", "GET", "", params=query)


@pytest.mark.parametrize(
    "query",
    [
        {"page": "0"},
        {"page": "x"},
        {"limit": "0"},
        {"limit": "-1"},
        {"limit": "1.5"},
        {"limit": "ten"},
        {"search": "x" * 101},
        {"searchType": "mobile"},
        {"sortBy": "passwordHash"},
        {"sortBy": "$ne"},
        {"sortDirection": "up"},
        {"includeAccounts": "maybe"},
    ],
    ids=str,
)
async def test_a_malformed_query_is_refused(town: Town, query: dict[str, str]) -> None:
    assert await town.refused("secret", "GET", "", params=query) == INVALID
    assert await town.refused("anonymous", "GET", "", params=query) == (401, "user/unauthorized")


async def test_a_large_limit_is_clamped(town: Town) -> None:
    found = await town.ok("secret", "GET", "", params={"limit": 5000, "page": 1})
    assert found["pagination"]["limit"] == 100
    beyond = await town.ok("secret", "GET", "", params={"page": 999_999_999_999})
    assert beyond["items"] == []
    assert beyond["pagination"]["total"] == 4


async def test_accounts_are_listed_for_admins_alone(town: Town) -> None:
    for who, is_admin in (("eve", True), ("bob", False)):
        listed = await town.ok(who, "GET", "", params={"includeAccounts": "true"})
        assert all(("accounts" in item) is is_admin for item in listed["items"])
    whole = await town.ok("eve", "GET", "", params={"includeAccounts": "true", "search": "ada"})
    [account] = whole["items"][0]["accounts"]
    assert account["providerAccountId"] == "ada@example.com"
    assert account["linkedAt"] == account["connectedAt"]


async def test_listing_can_be_kept_for_admins(town: Town) -> None:
    settings = StoredSettings(town.api.store, town.api.clock)
    await settings.update({"userListing": "admin"})
    assert await town.refused("bob", "GET", "", params={"limit": "x"}) == (403, "user/forbidden")
    await town.ok("eve", "GET", "")
    await town.ok("secret", "GET", "")
