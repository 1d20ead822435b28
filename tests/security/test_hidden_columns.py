"""No question of a list tells of a column that the requester may not read (20 §5 to §7, 21 §12
item 8; attack rows 1 to 4 and 8): the same rows with other hidden values answer the same."""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.rooms import Room, room

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(
        importlib.util.find_spec("bkend.query.fields") is None,
        reason="the planner does not know of views yet",
    ),
]

TABLES = """
version: 1
tables:
  staff:
    fields:
      name: {type: string}
      salary: {type: number}
      phone: {type: string}
      notes: {type: object}
      born: {type: date}
    expressionPermissions: {create: user, read: public, update: user}
    columnPermissions:
      salary: {read: admin}
      notes: {read: role:editor}
      phone: {read: self}
      born: {read: "self | role:editor"}
      undeclared: {read: admin}
  filtered:
    fields: {secret: {type: string}, name: {type: string}}
    columnPermissions: {secret: {read: admin}}
    rowFilters: [{expression: public, filter: {secret: open}}]
"""
PEOPLE = ("anonymous", "guest", "owner", "other")
DENIED = (403, "data/permission-denied")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Room]:
    async with room(tmp_path_factory.mktemp("hidden"), TABLES) as found:
        for creator in ("owner", "other", ""):
            body = {
                "name": f"of {creator}",
                "salary": 100,
                "phone": "010-needle",
                "notes": {"inner": {"deep": "needle"}, "list": [{"deep": "needle"}]},
                "born": "2000-01-01",
                "undeclared": "needle",
                "createdBy": found.ids.get(creator, ""),
            }
            await found.ok("secret", "POST", "/v1/data/staff", body, status=201)
        yield found


def conditions(path: str) -> list[dict[str, Any]]:
    """Everything that can be said of a path."""
    return [
        {path: "needle"},
        {path: None},
        {path: {"$ne": "needle"}},
        {path: {"$gt": 1}},
        {path: {"$gte": None}},
        {path: {"$in": []}},
        {path: {"$nin": []}},
        {path: {"$in": ["needle", None]}},
        {path: {"$exists": False}},
        {path: {"$regex": "^n"}},
        {path: {"$contains": "needle"}},
    ]


def questions(path: str) -> list[dict[str, Any]]:
    """Every parameter that can carry a condition on the path, nested as deep as they go."""
    found: list[dict[str, Any]] = []
    for condition in conditions(path):
        found += [
            {"andFilters": condition},
            {"andFilters": [{"name": "x"}, condition]},
            {"orFilters": condition},
            {"orFilters": {**condition, "name": {"$ne": None}}},
            {"orFilters": [{"name": "x"}, {"name": "y", **condition}]},
        ]
    return [
        *found,
        {f"andFilters[{path}]": "1"},
        {f"andFilters[{path}][$gte]": "1"},
        {f"filter[{path}][in]": "1,2"},
        {f"filter[{path}]": "null"},
    ]


HIDDEN = ("salary", "notes", "notes.inner.deep", "notes.list.0.deep", "notes.list.deep")


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("path", [*HIDDEN, "undeclared", "undeclared.x", "salary.0"])
async def test_a_hidden_column_cannot_be_filtered_by(place: Room, who: str, path: str) -> None:
    for query in questions(path):
        assert await place.refused(who, "GET", "/v1/data/staff", **query) == DENIED, query


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("path", [*HIDDEN, "undeclared", "phone", "phone.x", "born"])
async def test_a_restricted_column_cannot_be_sorted_by(place: Room, who: str, path: str) -> None:
    for query in (
        {"sortBy": path},
        {"sortBy": path, "sortDirection": "asc"},
        {"sort": f"-{path}"},
        {"sort": f"name:asc,{path}:desc"},
    ):
        assert await place.refused(who, "GET", "/v1/data/staff", **query) == DENIED, query


@pytest.mark.parametrize("path", ["phone", "phone.x", "born"])
async def test_nobody_anonymous_asks_for_what_owners_read(place: Room, path: str) -> None:
    for query in questions(path):
        status, _ = await place.refused("anonymous", "GET", "/v1/data/staff", **query)
        assert status in (400, 403) if path == "born" else status == 403, query


async def test_a_condition_on_own_columns_looks_at_own_rows_only(place: Room) -> None:
    for who in ("owner", "other"):
        for query in questions("phone"):
            answer = await place.call(who, "GET", "/v1/data/staff", **query)
            assert answer.status == 200, query
            creators = {item["createdBy"] for item in answer.json()["items"]}
            assert creators <= {place.ids[who]}, query
            assert answer.json()["pagination"]["total"] == len(answer.json()["items"])
        found = await place.ok(
            who, "GET", "/v1/data/staff", andFilters={"phone": {"$contains": "needle"}}
        )
        assert found["pagination"]["total"] == 1


@pytest.mark.parametrize("who", PEOPLE)
async def test_search_does_not_look_at_what_is_withheld(place: Room, who: str) -> None:
    queries: list[dict[str, Any]] = [
        {"search": "needle"},
        {"search": "needle", "searchType": "phone"},
        {"search": "needle", "searchType": "name,undeclared"},
        {"search": "needle", "searchType": "notes.inner.deep"},
    ]
    for query in queries:
        answer = await place.call(who, "GET", "/v1/data/staff", **query)
        assert answer.status == 403 or answer.json()["items"] == [], query
    assert (await place.ok("secret", "GET", "/v1/data/staff", search="needle"))["items"] != []


async def test_those_who_may_read_a_column_may_ask_for_it(place: Room) -> None:
    for who, query in (
        ("editor", {"andFilters": {"notes.inner.deep": "needle"}}),
        ("editor", {"sortBy": "born"}),
        ("admin", {"andFilters": {"salary": 100}, "sortBy": "salary"}),
        ("secret", {"andFilters": {"undeclared": "needle"}, "sortBy": "phone"}),
    ):
        page = await place.ok(who, "GET", "/v1/data/staff", status=200, **query)
        assert page["pagination"]["total"] == 3


async def test_a_row_filter_may_use_a_column_that_its_readers_may_not(place: Room) -> None:
    for secret in ("open", "closed"):
        body = {"name": secret, "secret": secret}
        await place.ok("secret", "POST", "/v1/data/filtered", body, status=201)
    page = await place.ok("anonymous", "GET", "/v1/data/filtered")
    assert [item["name"] for item in page["items"]] == ["open"]
    assert "secret" not in page["items"][0]


async def test_search_in_system_tables_looks_at_what_is_shown(place: Room) -> None:
    for text in ("argon2", "$argon2id$"):
        page = await place.ok("secret", "GET", "/v1/data/users", search=text)
        assert page["items"] == []
    page = await place.ok("secret", "GET", "/v1/data/users", search="owner@people")
    assert [item["name"] for item in page["items"]] == ["owner"]
    for field in ("passwordHash", "emailKey"):
        answer = await place.call("secret", "GET", "/v1/data/users", search="a", searchType=field)
        assert answer.status == 403 or answer.json()["items"] == []
