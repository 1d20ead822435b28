"""Row filters: which rows a list shows to whom (21 §7.2, §12 item 9; attack rows 7 and 8)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from bkend.store import Update
from bkend.tables.models import TABLES as TABLES_COLLECTION
from tests.rooms import Room, room

pytestmark = pytest.mark.asyncio(loop_scope="module")

TABLES = """
version: 1
tables:
  articles:
    fields: {title: {type: string}, isPublished: {type: boolean}}
    permissions:
      user: {create: true, read: true, list: true}
      self: {update: true, delete: true}
      guest: {read: true, list: true}
    rowFilters:
      - {expression: guest, filter: {isPublished: true}}
      - {expression: self, filter: {}}
      - {expression: role:editor, filter: {}}
  teams:
    fields: {name: {type: string}, members: {type: array}}
    permissions: {user: {list: true}, guest: {list: true}}
    rowFilters:
      - {expression: public, filter: {members: {$in: [$userId, everybody]}}}
      - {expression: user, filter: {lead.id: $userId}}
      - {expression: role:author, filter: {name: {$ne: secret}, kind: [{of: $userId}]}}
  staff_only:
    rowFilters: [{expression: role:editor, filter: {}}]
  nobody:
    rowFilters: [{expression: admin, filter: {}}]
  unrestricted:
    rowFilters: []
  own:
    permissions: {self: {read: true, list: true}}
    rowFilters: [{expression: user, filter: {open: true}}]
  empty_list:
    rowFilters: [{expression: public, filter: {name: {$in: []}}}]
  alternatives:
    fields: {due: {type: date}}
    rowFilters:
      - {expression: user, filter: [{due: {$gte: "2025-01-01"}}, {name: {$ne: null}}]}
      - {expression: guest, filter: {name: free}}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Room]:
    async with room(tmp_path_factory.mktemp("filters"), TABLES) as found:
        yield found


async def new(place: Room, table: str, creator: str = "owner", **fields: Any) -> str:
    body = {**fields, "createdBy": place.ids.get(creator, "")}
    made = await place.ok("secret", "POST", f"/v1/data/{table}", body, status=201)
    return str(made["id"])


async def shown(place: Room, who: str, table: str, **query: Any) -> list[str]:
    """The ids of a list, which the total must agree with."""
    page = await place.ok(who, "GET", f"/v1/data/{table}", limit=100, **query)
    ids = [item["id"] for item in page["items"]]
    assert page["pagination"]["total"] == len(ids)
    return ids


async def test_drafts_are_listed_to_their_author_and_to_editors(place: Room) -> None:
    draft = await new(place, "articles", title="draft", isPublished=False)
    published = await new(place, "articles", title="out", isPublished=True)
    unmarked = await new(place, "articles", title="unmarked")
    for who in ("anonymous", "guest", "other", "author"):
        assert await shown(place, who, "articles") == [published]
    for who in ("owner", "editor", "admin", "secret", "secret with user"):
        assert await shown(place, who, "articles") == [unmarked, published, draft]
    for who in ("anonymous", "other"):
        one = await place.ok(who, "GET", f"/v1/data/articles/{draft}")
        assert one["title"] == "draft", "single reads ignore row filters"


async def test_a_client_can_only_narrow(place: Room) -> None:
    await new(place, "articles", title="narrow", isPublished=False)
    out = await new(place, "articles", title="narrow", isPublished=True)
    queries: list[dict[str, Any]] = [
        {"andFilters": {"title": "narrow"}},
        {"andFilters": {"isPublished": False, "title": "narrow"}},
        {"orFilters": {"title": "narrow", "isPublished": False}},
        {"orFilters": [{}], "andFilters": {"title": "narrow"}},
        {"andFilters": {"title": {"$in": ["narrow"]}}, "sortBy": "isPublished"},
        {"andFilters": [{"title": {"$nin": []}}, {"title": "narrow"}]},
    ]
    for query in queries:
        answer = await place.call("anonymous", "GET", "/v1/data/articles", **query)
        if answer.status == 200:
            assert {item["isPublished"] for item in answer.json()["items"]} <= {True}
    assert await shown(place, "anonymous", "articles", **queries[0]) == [out]
    assert await shown(place, "anonymous", "articles", **queries[1]) == []


async def test_the_user_id_stands_in_at_any_depth(place: Room) -> None:
    mine = await new(place, "teams", members=[place.ids["owner"]])
    led = await new(place, "teams", lead={"id": place.ids["owner"]})
    everybodys = await new(place, "teams", members=["everybody"])
    literal = await new(place, "teams", members=["$userId"], lead={"id": "$userId"})
    kind = await new(place, "teams", name="x", kind=[{"of": place.ids["author"]}])
    assert await shown(place, "owner", "teams") == [everybodys, led, mine]
    assert await shown(place, "other", "teams") == [everybodys]
    assert await shown(place, "guest", "teams") == [everybodys]
    assert await shown(place, "author", "teams") == [kind, everybodys]
    assert await shown(place, "anonymous", "teams") == [], "never with $userId, not even in part"
    assert literal in await shown(place, "admin", "teams")


async def test_rules_of_which_none_counts_show_no_rows(place: Room) -> None:
    for table in ("staff_only", "nobody"):
        id = await new(place, table)
        for who in ("anonymous", "guest", "owner", "author"):
            assert await shown(place, who, table) == []
        assert await shown(place, "secret", table) == [id]
        assert await shown(place, "admin", table) == [id]
    assert len(await shown(place, "editor", "staff_only")) == 1
    assert await shown(place, "editor", "nobody") == []
    unrestricted = await new(place, "unrestricted")
    assert await shown(place, "anonymous", "unrestricted") == [unrestricted]


async def test_an_empty_list_of_alternatives_matches_nothing(place: Room) -> None:
    await new(place, "empty_list")
    assert await shown(place, "owner", "empty_list") == []


async def test_row_filters_narrow_what_self_grants(place: Room) -> None:
    await new(place, "own", open=False)
    mine = await new(place, "own", open=True)
    theirs = await new(place, "own", "other", open=True)
    assert await shown(place, "owner", "own") == [mine]
    assert await shown(place, "other", "own") == [theirs]
    assert await shown(place, "guest", "own") == []
    refused = await place.refused("anonymous", "GET", "/v1/data/own")
    assert refused == (403, "data/permission-denied")


async def test_rules_add_up_and_dates_are_instants(place: Room) -> None:
    new_one = await new(place, "alternatives", name="n", due="2025-06-01T00:00:00+09:00")
    free = await new(place, "alternatives", name="free", due="2020-01-01")
    await new(place, "alternatives", due="2025-06-01")
    assert await shown(place, "owner", "alternatives") == [free, new_one]
    assert await shown(place, "anonymous", "alternatives") == [free]


async def test_lists_that_are_kept_reach_nobody_else(place: Room) -> None:
    await new(place, "articles", isPublished=False)
    await new(place, "articles", "other", isPublished=False)
    seen: dict[str, bytes] = {}
    for _ in range(2):
        for who in ("owner", "other", "anonymous", "guest", "editor", "secret"):
            answer = await place.call(who, "GET", "/v1/data/articles")
            assert seen.setdefault(who, answer.body) == answer.body
    assert len({seen["owner"], seen["other"], seen["anonymous"], seen["editor"]}) == 4
    assert seen["editor"] == seen["secret"]


async def test_a_changed_role_sees_other_rows_at_once(place: Room) -> None:
    await new(place, "staff_only")
    await place.sign_up("promoted")
    assert await shown(place, "promoted", "staff_only") == []
    store = await place.store()
    await store.commit([Update("users", place.ids["promoted"], set={"role": "editor"})])
    assert len(await shown(place, "promoted", "staff_only")) >= 1


@pytest.mark.parametrize(
    "rule",
    [
        {"expression": "nonsense", "filter": {}},
        {"expression": "user |", "filter": {}},
        {"filter": {}},
        {"expression": "public"},
        {"expression": "public", "filter": {"a": {"$gt": []}}},
        {"expression": "public", "filter": {"$where": "1"}},
        {"expression": "public", "filter": [[]]},
        {"expression": "public", "filter": "all"},
        {"expression": "public", "filter": None},
    ],
)
async def test_a_stored_rule_that_cannot_be_read_does_not_count(place: Room, rule: Any) -> None:
    await place.apply("version: 1\ntables: {broken: {fields: {a: string}}}")
    await new(place, "broken", a="x")
    found = await (await place.tables()).get("broken")
    assert found is not None
    store = await place.store()
    for rules, count in (([rule], 0), ([rule, {"expression": "user", "filter": {"a": "x"}}], 1)):
        await store.commit([Update(TABLES_COLLECTION, found.table.id, set={"rowFilters": rules})])
        assert await shown(place, "anonymous", "broken") == []
        assert bool(await shown(place, "owner", "broken", select="a")) == bool(count)
        assert await shown(place, "secret", "broken") != []
