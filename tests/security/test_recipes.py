"""The permission recipes of the documentation: the sets of 21 §11 for the published example apps,
and what the rest of each recipe promises."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.rooms import Room, room

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGE = Path(__file__).parents[2] / "docs/guides/permission-recipes.md"
RECIPES = re.findall(r"^```yaml\n(version: 1\n.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)

# user / self / guest, as 21 §11 writes them
SETS = {
    "articles": "crl ud rl",
    "tags": "c rlud -",
    "bookmarks": "c rld -",
    "recipes": "crl ud rl",
    "ingredients": "crl ud rl",
    "meal_plans": "c rlud -",
    "shopping_lists": "c rlud -",
    "cooking_logs": "c rlud -",
    "products": "crl ud rl",
    "carts": "c rlud -",
    "orders": "c rlu -",
    "reviews": "crl ud rl",
    "profiles": "crl ud rl",
    "posts": "crl ud rl",
    "comments": "crl ud rl",
    "likes": "c rld -",
    "follows": "crl d -",
}
BODIES: dict[str, Any] = {
    "articles": {"title": "t", "isPublished": True},
    "recipes": {"title": "t"},
    "bookmarks": {"articleId": "a"},
    "ingredients": {"recipeId": "r", "name": "n"},
    "meal_plans": {"date": "2025-01-15"},
    "shopping_lists": {"name": "n"},
    "cooking_logs": {"recipeId": "r"},
    "products": {"name": "n", "price": 1},
    "carts": {"productId": "p", "quantity": 1},
    "orders": {"items": [1], "totalAmount": 1},
    "reviews": {"productId": "p", "rating": 5},
    "posts": {"content": "c"},
    "comments": {"postId": "p", "content": "c"},
}
DENIED = (403, "data/permission-denied")
_numbers = iter(range(10**6))


def body_of(table: str) -> dict[str, Any]:
    """A body that the table accepts, with values of its own where they must be unique."""
    number = str(next(_numbers))
    unique = {
        "tags": {"name": number},
        "profiles": {"userId": number, "nickname": "n"},
        "likes": {"postId": number},
        "follows": {"followingId": number},
        "bookmarks": {"articleId": number},
    }
    return unique.get(table) or BODIES[table]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Room]:
    async with room(tmp_path_factory.mktemp("recipes")) as found:
        for number, text in enumerate(RECIPES):
            await found.apply(text)
            assert number < 5
        yield found


async def test_every_set_of_the_examples_has_a_recipe(place: Room) -> None:
    tables = await place.tables()
    assert {table.name for table in await tables.list()} == SETS.keys() | {"pages"}


@pytest.mark.parametrize("table", SETS)
async def test_the_set_is_that_of_the_example_app(place: Room, table: str) -> None:
    by_user, by_self, by_guest = (set(letters) - {"-"} for letters in SETS[table].split())
    path = f"/v1/data/{table}"
    for who, granted, is_owner in (
        ("anonymous", by_guest, False),
        ("owner", by_user, True),
        ("other", by_user, False),
        ("guest", by_guest, False),
    ):
        body = {**body_of(table), "createdBy": place.ids["owner"]}
        id = (await place.ok("secret", "POST", path, body, status=201))["id"]
        signed_in = who != "anonymous"
        for letter, method, sent in (("r", "GET", None), ("u", "PATCH", {}), ("d", "DELETE", None)):
            answer = await place.call(who, method, f"{path}/{id}", sent)
            may = letter in granted or (letter in by_self and is_owner)
            assert answer.status == (200 if may else 403), (who, letter)
            missing = await place.call(who, method, f"{path}/{'0' * 24}", sent)
            looked_up = letter in granted or (letter in by_self and signed_in)
            assert missing.status == (404 if looked_up else 403), (who, letter)
        made = await place.call(who, "POST", path, body_of(table))
        assert made.status == (201 if "c" in granted else 403), who
        listed = await place.call(who, "GET", path, limit=100)
        if "l" in granted:
            assert listed.status == 200
        elif "l" in by_self and signed_in:
            assert {item["createdBy"] for item in listed.json()["items"]} <= {place.ids[who]}
        else:
            assert listed.status == 403


async def test_a_blog_lists_drafts_to_their_author_only(place: Room) -> None:
    draft = await place.ok("owner", "POST", "/v1/articles", {"title": "draft"}, status=201)
    query = {"andFilters": {"title": "draft"}}
    for who, total in (("owner", 1), ("other", 0), ("anonymous", 0), ("secret", 1)):
        page = await place.ok(who, "GET", "/v1/articles", None, 200, **query)
        assert page["pagination"]["total"] == total, who
    await place.ok("other", "GET", f"/v1/articles/{draft['id']}")


async def test_nobody_does_twice_what_may_be_done_once(place: Room) -> None:
    for table, body in (
        ("bookmarks", {"articleId": "one"}),
        ("likes", {"postId": "one"}),
        ("follows", {"followingId": "one"}),
    ):
        await place.ok("owner", "POST", f"/v1/{table}", body, status=201)
        await place.ok("other", "POST", f"/v1/{table}", body, status=201)
        refused = await place.refused("owner", "POST", f"/v1/{table}", body)
        assert refused == (409, "data/duplicate-value")


async def test_a_shop_keeps_what_is_paid_and_what_it_costs(place: Room) -> None:
    order = await place.ok("owner", "POST", "/v1/orders", BODIES["orders"], status=201)
    assert order["status"] == "pending"
    path = f"/v1/orders/{order['id']}"
    assert await place.refused("owner", "PATCH", path, {"status": "paid"}) == DENIED
    paid = {**BODIES["orders"], "status": "paid"}
    assert await place.refused("owner", "POST", "/v1/orders", paid) == DENIED
    await place.ok("owner", "PATCH", path, {"address": "x"})
    await place.ok("secret", "PATCH", path, {"status": "paid"})
    body = {**BODIES["products"], "cost": 1}
    product = await place.ok("owner", "POST", "/v1/products", body, status=201)
    assert product["cost"] == 1
    for who in ("anonymous", "other"):
        assert "cost" not in await place.ok(who, "GET", f"/v1/products/{product['id']}")


async def test_authors_write_and_editors_publish(place: Room) -> None:
    assert await place.refused("owner", "POST", "/v1/pages", {"title": "t"}) == DENIED
    page = await place.ok("author", "POST", "/v1/pages", {"title": "t"}, status=201)
    path = f"/v1/pages/{page['id']}"
    await place.ok("author", "PATCH", path, {"body": "b"})
    assert await place.refused("author", "PATCH", path, {"published": True}) == DENIED
    assert await place.refused("author", "DELETE", path) == DENIED
    for who, total in (("author", 1), ("editor", 1), ("owner", 0), ("anonymous", 0)):
        assert (await place.ok(who, "GET", "/v1/pages"))["pagination"]["total"] == total
    await place.ok("editor", "PATCH", path, {"published": True})
    assert (await place.ok("anonymous", "GET", "/v1/pages"))["pagination"]["total"] == 1
    other = await place.ok("editor", "POST", "/v1/pages", {"title": "e"}, status=201)
    assert await place.refused("author", "PATCH", f"/v1/pages/{other['id']}", {}) == DENIED
